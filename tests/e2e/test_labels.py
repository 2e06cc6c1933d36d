"""What was shown becomes labels: on real servers, through kills and outages, each row is learned once and as it must be."""

import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamrec import codecs
from streamrec.agents.due import DueQueue
from streamrec.events import (
    Impression,
    ImpressionItem,
    ImpressionSeen,
    JobApplication,
    JobPosting,
    JobSave,
    JobView,
    TrainingExample,
)
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.kafka.reader import read
from streamrec.models import passed
from streamrec.models import snapshot as snapshots
from streamrec.models.job_check import JobCheck

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

JOBS = [f"job-{number}" for number in range(30)]
POSTINGS = [("job-postings", JobPosting(job_id=job, title=f"title {job}", posted_at=1_700_000_000_000)) for job in JOBS]
KINDS: dict[str, Any] = {"job-views": JobView, "job-saves": JobSave, "job-applications": JobApplication}
SCORE = {"job-views": 1.0, "job-saves": 3.0, "job-applications": 5.0}
SHOWN = 12

Row = tuple[str | None, str]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Traffic:
    """Impressions and what members do with them, and what is to be learned of it: label, weight, weight for the score."""

    def __init__(self, seed: int, members: int = 8, named: float = 0.5) -> None:
        self._random, self._members, self._named = random.Random(seed), members, named
        self._count = 0
        self.expected: dict[Row, tuple[float, float, float]] = {}

    def more(self, lists: int, at: int | None = None) -> list[tuple[str, Any]]:
        """Lists served at `at` (default: now) with the actions that follow, each list to a member of its own."""
        made: list[tuple[str, Any]] = []
        for _ in range(lists):
            self._count += 1
            request, member = f"r{self._count}", f"m{self._count}"
            served_at = at or now_ms()
            jobs = self._random.sample(JOBS, SHOWN)
            features = np.array([self._random.random() for _ in feature_names()], "<f4").tobytes()
            items = tuple(
                ImpressionItem(job_id=job, position=place, score=0.0, p_check=0.1, propensity=1.0, features=features,
                               sources=("newest",))
                for place, job in enumerate(jobs)
            )  # fmt: skip
            made.append(("impressions", Impression(
                request_id=request, member_id=member, served_at=served_at, surface="home", workflow="jobs",
                model_name="job_check", model_version=1, feature_set=FEATURE_SET, items=items,
            )))  # fmt: skip
            self.expected |= {(request, job): (0.0, 1.0, 1.0) for job in jobs}
            for number, job in enumerate(self._random.sample(jobs, 2)):
                for topic in self._random.sample(sorted(KINDS), self._random.randrange(1, 3)):
                    event = KINDS[topic](
                        event_id=f"{request}-{topic}-{number}",
                        member_id=member,
                        job_id=job,
                        occurred_at=served_at + 300,
                        request_id=request if self._random.random() < self._named else None,
                    )
                    made.append((topic, event))
                    _, _, before = self.expected[request, job]
                    self.expected[request, job] = (1.0, 1.0, max(before, SCORE[topic]))
        return made


def examples(system: Any) -> list[TrainingExample]:
    """All that was produced of impressions, in order, where of one identity the first counts; the others are its equals."""
    first: dict[Any, TrainingExample] = {}
    for record in read(system.settings, "training-examples"):
        example = codecs.decode("TrainingExample", record.value or b"")
        assert isinstance(example, TrainingExample)
        if example.kind == "sampled":
            continue
        place = (example.source_topic, example.source_partition, example.source_offset, example.source_index)
        assert first.setdefault(place, example) == example, "one identity, two labels"
    return list(first.values())


def net(made: list[TrainingExample]) -> dict[Row, tuple[float, float, float]]:
    """What is learned of each row once everything is added up."""
    sums: dict[tuple[str | None, str, float], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for example in made:
        rows = zip(example.job_ids, example.labels, example.weights, example.score_weights, strict=True)
        for job, label, weight, score_weight in rows:
            total = sums[example.request_id, job, label]
            total[0] += weight
            total[1] += score_weight
    left = {key: total for key, total in sums.items() if total != [0.0, 0.0]}
    found = {(request, job): (label, *total) for (request, job, label), total in left.items()}
    assert len(found) == len(left), "a row is both a positive and a negative"
    return found  # type: ignore[return-value]


def pending(system: Any) -> int:
    """Impressions that are not closed yet."""
    fields = [system.client.hgetall(system.keys.due(f"m{number}")) for number in range(system.settings.partitions)]
    return sum(len(DueQueue({name.decode(): value for name, value in each.items()})) for each in fields)


def passed_over(system: Any, traffic: Traffic) -> dict[Row, float]:
    """What the members passed over, each of whom was shown one list."""
    found: dict[Row, float] = {}
    for request in {request for request, _ in traffic.expected if request is not None}:
        kept = passed.unpack(system.client.get(system.keys.passed(f"m{request[1:]}")))
        found |= {(request, job): showings.times for job, showings in kept.jobs.items()}
    return found


def wait_until_closed(system: Any) -> None:
    system.settle(trainer=False)
    system.wait(lambda: not pending(system), "all impressions to be closed", 40)


def by_source_in_order(made: list[TrainingExample]) -> bool:
    places = defaultdict(list)
    for example in made:
        places[example.source_topic, example.source_partition].append((example.source_offset, example.source_index))
    return all(offsets == sorted(offsets) for offsets in places.values())


FAST: dict[str, Any] = {"label_window_s": 1.5, "idle_watermark_s": 0.5, "session_timeout_s": 3.0}


def test_each_row_is_learned_once_as_a_check_or_as_none(make_system: Callable[..., Any]) -> None:
    system, traffic = make_system(**FAST), Traffic(1)
    system.produce(POSTINGS)
    system.start("worker")
    system.start("trainer")
    for _ in range(5):
        system.produce(traffic.more(10))
        time.sleep(0.1)
    early = system.wait(lambda: [made for made in examples(system) if made.kind == "positive"], "a positive", 10)
    assert early[0].rows_shown == SHOWN
    wait_until_closed(system)
    made = examples(system)
    assert net(made) == traffic.expected
    assert passed_over(system, traffic) == {row: 1.0 for row, (label, *_) in traffic.expected.items() if not label}
    assert {example.hit for example in made if example.kind == "closed"} <= {0, 1}
    assert len([example for example in made if example.kind == "closed"]) == 50
    system.settle()
    replayed, seen = JobCheck(FEATURE_SET, feature_names()), set()
    for record in read(system.settings, "training-examples"):
        example = codecs.decode("TrainingExample", record.value or b"")
        assert isinstance(example, TrainingExample)
        place = (example.source_topic, example.source_partition, example.source_offset, example.source_index)
        if place not in seen:
            seen.add(place)
            replayed.learn(example)
    stored = snapshots.unpack(system.client.get(system.keys.model("job_check")))
    assert stored.examples == replayed.examples == len(seen)
    assert stored.state == replayed.state()


def test_what_was_not_seen_is_no_negative(make_system: Callable[..., Any]) -> None:
    system, traffic = make_system(**FAST), Traffic(2)
    system.produce(POSTINGS)
    system.start("worker")
    [(_, impression), *_] = traffic.more(1)
    seen = ImpressionSeen(
        event_id="s1", member_id=impression.member_id, request_id=impression.request_id, positions=(0, 3),
        occurred_at=now_ms(),
    )  # fmt: skip
    system.produce([("impressions", impression), ("impressions-seen", seen)])
    wait_until_closed(system)
    [closed] = system.wait(lambda: examples(system), "the label to be out")  # a moment after it is closed
    assert closed.positions == (0, 3)
    kept = passed.unpack(system.client.get(system.keys.passed(impression.member_id)))
    assert set(kept.jobs) == {impression.items[place].job_id for place in (0, 3)}
    assert closed.rows_shown == SHOWN


def test_a_late_check_takes_its_negative_back(make_system: Callable[..., Any]) -> None:
    system, traffic = make_system(**FAST), Traffic(3)
    system.produce(POSTINGS)
    system.start("worker")
    [(_, impression), *_] = traffic.more(1)
    system.produce([("impressions", impression)])
    wait_until_closed(system)
    job = impression.items[4].job_id
    system.produce([("job-views", JobView(
        event_id="late", member_id=impression.member_id, job_id=job, occurred_at=now_ms(),
        request_id=impression.request_id,
    ))])  # fmt: skip
    system.settle(trainer=False)
    system.wait(lambda: len(examples(system)) == 2, "the correction", 10)
    closed, correction = examples(system)
    assert (closed.kind, len(closed.job_ids)) == ("closed", SHOWN)
    assert (correction.kind, correction.job_ids, correction.labels) == ("correction", (job, job), (1.0, 0.0))
    assert correction.weights == (1.0, -1.0)
    left = passed.unpack(system.client.get(system.keys.passed(impression.member_id))).jobs
    assert set(left) == {item.job_id for item in impression.items} - {job}


FAULTS = [
    "before-commit@impressions:2", "after-commit@impressions:2", "before-commit@job-views:2", "after-commit@job-views:2",
    "before-commit@impressions#closed:2", "after-commit@impressions#closed:2",
]  # fmt: skip


def kill_at(system: Any, traffic: Traffic, fault: str, spoil: str = "") -> None:
    worker = system.start("worker", fault=fault, spoil=spoil)
    deadline = time.monotonic() + 40
    while worker.alive and time.monotonic() < deadline:
        system.produce(traffic.more(3))
        time.sleep(0.15)
    assert worker.code == -signal.SIGKILL, f"{fault} was never reached; the worker ended with {worker.code}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_killed_anywhere_neither_loses_nor_repeats_a_label(
    make_system: Callable[..., Any], fault: str
) -> None:
    system, traffic = make_system(**FAST), Traffic(4)
    system.produce(POSTINGS)
    kill_at(system, traffic, fault)
    system.produce(traffic.more(5))
    system.start("worker")
    wait_until_closed(system)
    made = examples(system)
    assert net(made) == traffic.expected
    assert passed_over(system, traffic) == {row: 1.0 for row, (label, *_) in traffic.expected.items() if not label}
    assert by_source_in_order(made)


NO_OUTBOX = """
from streamrec.agents import labels
labels._pack_outbox = lambda records: labels.msgspec.msgpack.encode(None)
labels.unpack_outbox = lambda value: []          # what a dead worker committed is not produced by the next
"""


@pytest.mark.control
def test_without_the_outbox_labels_are_lost(make_system: Callable[..., Any]) -> None:
    system, traffic = make_system(**FAST), Traffic(5)
    system.produce(POSTINGS)
    kill_at(system, traffic, "after-commit@impressions#closed:2", NO_OUTBOX)
    system.start("worker", spoil=NO_OUTBOX)
    wait_until_closed(system)
    assert net(examples(system)) != traffic.expected


LATE_VIEWS = """
import asyncio
from streamrec.agents.base import Lanes
from streamrec.agents.labels import Labels
put, close, closed = Lanes.put, Labels.close, {}
async def late(self, batch):  # fetched, but not folded before the impressions of the slot are closed, or this long
    if batch.topic != "job-views":
        return await put(self, batch)
    async def in_a_while():
        name = self._app.ownership.slot_name(batch.topic, batch.partition)
        try:
            await asyncio.wait_for(closed.setdefault(name, asyncio.Event()).wait(), %d)
        except TimeoutError:
            pass
        await put(self, batch)
    self._app.add_future(in_a_while())
async def noting(self, hold, *told):
    before = len(self._books[hold.name].due) if hold.name in self._books else 0
    more = await close(self, hold, *told)
    if len(self._books[hold.name].due) < before:
        closed.setdefault(hold.name, asyncio.Event()).set()
    return more
Lanes.put, Labels.close = late, noting
"""
BY_THE_CLOCK = """
from streamrec.agents import watermark
watermark.watermark = lambda inputs, now, idle_ms: now   # windows close by the clock, whatever is still to be read
"""


def after_an_outage(system: Any, late_s: int, spoil: str = "") -> tuple[Traffic, list[TrainingExample]]:
    """All was produced while no worker ran, and the views of that time are folded long after the impressions."""
    traffic, served_at = Traffic(6, named=0.0), now_ms() - 600_000
    system.produce(POSTINGS)
    system.produce(traffic.more(40, served_at))
    system.start("worker", spoil=LATE_VIEWS % late_s + spoil)
    wait_until_closed(system)
    return traffic, examples(system)


def test_catching_up_after_an_outage_makes_no_false_negative(make_system: Callable[..., Any]) -> None:
    traffic, made = after_an_outage(make_system(**FAST), 4)
    assert net(made) == traffic.expected
    assert [example for example in made if example.kind == "correction"] == []
    positives = {(example.request_id, job) for example in made if example.kind == "positive" for job in example.job_ids}
    closed = {
        (example.request_id, job)
        for example in made
        if example.kind == "closed"
        for job, label in zip(example.job_ids, example.labels, strict=True)
        if not label
    }
    assert len(positives) == 80
    assert not positives & closed


@pytest.mark.control
def test_without_the_watermark_catching_up_makes_false_negatives(make_system: Callable[..., Any]) -> None:
    traffic, made = after_an_outage(make_system(**FAST), 60, BY_THE_CLOCK)
    assert [example for example in made if example.kind == "correction"]
    assert net(made) == traffic.expected  # they are all taken back
