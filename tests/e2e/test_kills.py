"""SIGKILL at every point between two effects, then the state that the design promises: nothing lost, nothing twice.

Each guard is also taken away once, to show that the comparison notices.
"""

import math
import random
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from streamrec import codecs
from streamrec.agents.derived import entry_of
from streamrec.events import JobPosting, JobSave, JobView, TrainingExample
from streamrec.features.fold import (
    NEIGHBOUR_HALF_LIFE_MS,
    fold_entry,
    fold_member,
    fold_neighbours,
    fold_posting,
    remember,
)
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.state import JobState, MemberState, Neighbours, pack, unpack
from streamrec.kafka.reader import read
from streamrec.local.ports import free_port
from streamrec.models import snapshot as snapshots
from streamrec.models.job_check import JobCheck

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

START = 1_700_000_000_000
JOBS = [f"job-{number}" for number in range(50)]
POSTINGS = [
    JobPosting(job_id=job, title=f"title {job}", region=f"r{number % 5}", posted_at=START)
    for number, job in enumerate(JOBS)
]


class Log:
    """Views and saves by members that do only one of the two, so that each member's key has one input."""

    def __init__(self, seed: int, members: int = 40) -> None:
        self._random, self._members = random.Random(seed), members
        self.events: list[tuple[str, Any]] = []

    def more(self, count: int) -> list[tuple[str, Any]]:
        """The next `count` events."""
        chunk: list[tuple[str, Any]] = []
        for _ in range(count):
            number = len(self.events) + len(chunk)
            saves = self._random.random() < 0.3
            who, job = self._random.randrange(self._members), self._random.choice(JOBS)
            at = START + number * 1_000 + self._random.randrange(-5_000, 5_000)
            if saves:
                event: Any = JobSave(event_id=f"e{number}", member_id=f"saver-{who}", job_id=job, occurred_at=at)
            else:
                event = JobView(event_id=f"e{number}", member_id=f"viewer-{who}", job_id=job, occurred_at=at)
            chunk.append(("job-saves" if saves else "job-views", event))
        self.events += chunk
        return chunk


def expected(log: Log) -> tuple[dict[str, MemberState], dict[str, JobState], dict[str, Neighbours]]:
    """The state that an uninterrupted run holds: a plain fold of the log."""
    members: dict[str, MemberState] = {}
    jobs = {job: JobState() for job in JOBS}
    rows: dict[str, Neighbours] = {}
    for posting in POSTINGS:
        fold_posting(jobs[posting.job_id], posting)
    for _, event in log.events:
        state = members.setdefault(event.member_id, MemberState())
        remember(state, event)
        for effect in fold_member(state, event):
            entry = entry_of(effect)
            fold_entry(jobs[effect.job_id], entry)
            if effect.neighbours:
                fold_neighbours(rows.setdefault(effect.job_id, Neighbours()), entry)
    return members, jobs, rows


def near(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def alike(ours: Any, theirs: Any) -> bool:
    """Counts and times exact, sums to 1e-9."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[key], value) for key, value in theirs.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    return near(ours, theirs) if isinstance(theirs, float) else ours == theirs


def differences(system: Any, log: Log) -> list[str]:
    """What in the store is not as promised."""
    members, jobs, rows = expected(log)
    found = []
    for member, state in members.items():
        if system.client.get(system.keys.member(member)) != pack(state):
            found.append(f"member {member} is not byte for byte the same")
    for job, want in jobs.items():
        have = unpack(JobState, system.client.get(system.keys.job(job)))
        if (have.version, have.posting, have.first_at, have.last_at) != (
            want.version, want.posting, want.first_at, want.last_at,
        ):  # fmt: skip
            found.append(f"job {job}: version {have.version}, want {want.version}")
        if not alike(have.cells, want.cells):
            found.append(f"job {job}: {have.cells}, want {want.cells}")
    for job, row in rows.items():
        stored = unpack(Neighbours, system.client.get(system.keys.neighbours(job)))
        scale = 2.0 ** ((stored.at - row.at) / NEIGHBOUR_HALF_LIFE_MS)
        if stored.weights.keys() != row.weights.keys():
            found.append(f"row {job} has other neighbours")
        elif not all(near(stored.weights[other] * scale, weight) for other, weight in row.weights.items()):
            found.append(f"row {job} has other weights")
    return found


def replayed_model(system: Any) -> JobCheck:
    """The model that a replay of ``training-examples`` gives, where of one example the first one produced counts."""
    model, seen = JobCheck(FEATURE_SET, feature_names()), set()
    for record in read(system.settings, "training-examples"):
        example = codecs.decode("TrainingExample", record.value or b"")
        assert isinstance(example, TrainingExample)
        identity = (example.source_topic, example.source_partition, example.source_offset, example.source_index)
        if identity not in seen:
            seen.add(identity)
            model.learn(example)
    return model


def stored_model(system: Any) -> snapshots.Snapshot:
    return snapshots.unpack(system.client.get(system.keys.model("job_check")))


WORKER_FAULTS = [
    f"{point}@{topic}:2"
    for topic in ("job-views", "job-activity")
    for point in ("before-produce", "before-commit", "after-commit", "before-ack")
    if (point, topic) != ("before-produce", "job-activity")  # it produces nothing but dead letters
]
TRAINER_FAULTS = ["before-commit:2", "after-commit:2", "before-ack:2"]


def kill_worker_at(system: Any, log: Log, fault: str, spoil: str = "") -> None:
    """Feed a worker that dies at `fault`, in small pieces so that there are several batches."""
    worker = system.start("worker", fault=fault, spoil=spoil)
    deadline = time.monotonic() + 90
    while worker.alive and time.monotonic() < deadline:
        system.produce(log.more(20))
        time.sleep(0.1)
    assert worker.code == -signal.SIGKILL, f"{fault} was never reached; the worker ended with {worker.code}"


def test_a_worker_killed_at_every_point_loses_nothing_and_counts_nothing_twice(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(1)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    for fault in WORKER_FAULTS:
        kill_worker_at(system, log, fault)
    system.start("worker")
    system.produce(log.more(200))
    system.settle(trainer=False)
    assert differences(system, log) == []


def test_a_trainer_killed_at_every_point_holds_the_replay_of_its_examples(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(2)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.start("worker")
    system.settle(trainer=False)
    for fault in TRAINER_FAULTS:
        trainer = system.start("trainer", fault=fault)
        deadline = time.monotonic() + 90
        while trainer.alive and time.monotonic() < deadline:
            system.produce(log.more(20))
            time.sleep(0.1)
        assert trainer.code == -signal.SIGKILL, f"{fault} was never reached"
    system.start("trainer")
    system.produce(log.more(100))
    system.settle()
    replayed, stored = replayed_model(system), stored_model(system)
    assert stored.examples == replayed.examples > 100
    assert stored.state == replayed.state()


# Each guard taken away, as Python run in the worker before its command, with the fault that then bites.
NO_SEEK_TO_POSITION = """
from streamrec.agents import base
from streamrec.agents.ownership import Hold
Hold.next_offset = lambda self, topic: 0          # redelivered records are not dropped
import streamrec.agents.ownership as ownership
ownership.check = lambda tp, position, topic_id, low, high: low   # and reading starts over
"""
NO_MARKS = """
import streamrec.agents.derived as derived
derived.is_applied = lambda *_: False                # derived entries produced twice count twice
"""
NOT_ATOMIC = """
from streamrec.agents.ownership import Hold
from streamrec.agents.faults import FAULTS
commit = Hold.commit
async def torn(self, writes, next_offsets, marks):
    await self.slot.commit(writes)                # state first ...
    FAULTS.reach("after-commit", *next_offsets)   # ... and death before its positions are in
    await commit(self, [], next_offsets, marks)
Hold.commit = torn
"""
NOT_ACKNOWLEDGED = """
import asyncio
from streamrec.kafka.producer import Producer
send_all, held = Producer.send_all, {}
async def late(self, records, timeout_s):         # what a batch derives goes out with the next one of its lane:
    lane = asyncio.current_task()                 # after its commit
    held[lane], due = list(records), held.get(lane, [])
    await send_all(self, due, timeout_s)
Producer.send_all = late
"""


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (NO_SEEK_TO_POSITION, "after-commit@job-views:2"),
        (NO_MARKS, "before-commit@job-views:2"),
        # Of jobs, since a member's events that come again are known by their ids; torn the first time of each batch.
        (NOT_ATOMIC, "after-commit@job-activity:3"),
        (NOT_ACKNOWLEDGED, "before-ack@job-views:2"),
    ],
    ids=["positions", "marks", "atomicity", "acknowledgements"],
)
@pytest.mark.control
def test_without_the_guard_the_comparison_fails(make_system: Callable[..., Any], spoil: str, fault: str) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(3, members=4)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(1_500))  # more for each member than the event ids that it remembers
    kill_worker_at(system, log, fault, spoil)
    system.start("worker", spoil=spoil)
    system.settle(trainer=False)
    # Duplicates derive nothing: after one for each lane nothing is held back but what has been lost.
    system.produce({event.member_id: (topic, event) for topic, event in log.events}.values())
    system.settle(trainer=False)
    assert differences(system, log) != []


NO_FENCE = """
from streamrec.stores.redis import RedisSlot
async def unwatched(self, operation, command):    # neither the epoch is compared, nor a change of it noticed
    replies = await self._wire.exchange(operation, [("GET", self._epoch_key), *([command] if command else [])])
    self._watching = True
    return replies[-1]
RedisSlot._watch_once = unwatched
"""


def wake_a_zombie(system: Any, log: Log, fault: str, spoil: str = "") -> Any:
    """A worker falls asleep with a transaction in its hands; another one takes over and goes on; then it wakes up."""
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(500))
    zombie = system.start("worker", spoil=spoil, fault=fault)
    system.wait(lambda: zombie.asleep, "the worker to fall asleep", 60)
    system.start("worker", spoil=spoil, STREAMREC_WORKER_METRICS_PORT=str(free_port()))
    system.produce(log.more(1_000))
    system.settle(trainer=False)
    zombie.signal(signal.SIGCONT)
    return zombie


def test_a_worker_that_slept_through_its_session_cannot_write(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(4, members=4)
    zombie = wake_a_zombie(system, log, "sleep-before-commit@job-views:1")
    lost = re.compile("to another worker; its batch of .*job-views.* is left")
    system.wait(lambda: lost.search(zombie.said), "the fence to hold", 60)
    system.produce(log.more(300))
    system.settle(trainer=False)
    assert differences(system, log) == []


@pytest.mark.control
def test_without_the_fence_it_does(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(4, members=4)
    # It dies of its deed: were it to join again, all would be read again from where it has set the positions back.
    zombie = wake_a_zombie(system, log, "sleep-before-commit@job-views:1,after-commit@job-views:1", NO_FENCE)
    assert zombie.wait(60) == -signal.SIGKILL
    system.produce(log.more(300))
    system.settle(trainer=False)
    assert differences(system, log) != []
