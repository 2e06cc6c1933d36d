"""Stream = replay = oracle, for any log: in any batches, with restarts anywhere, whatever partition comes first."""

import pickle
from collections import deque
from random import Random
from typing import Any

import hypothesis
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.agents.derived import ActivityBuffer, fresh_entries
from streamrec.building.folding import Fold
from streamrec.building.part import Folded, Part, owner_of
from streamrec.events import Event, JobPosting, MemberProfile
from streamrec.features import library
from streamrec.features.cells.sketch import RELATIVE_ERROR
from streamrec.features.comparison import alike, compare
from streamrec.features.fold import fold_entry, fold_member, fold_posting, is_duplicate, remember
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.reading import Reading
from streamrec.features.replay import DUPLICATE, Jobs, Members
from streamrec.features.state import JobState, MemberState, pack, unpack
from streamrec.features.table import JobTable
from streamrec.features.texts import OneSet
from streamrec.features.view import MemberView
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from streamrec.stores.positions import Mark
from streamrec.training.offline import Offline
from tests.features import oracle
from tests.features.parity_log import DAY, HOUR, PLAN, START, some_log

SEEDS = st.integers(0, 2**32)
SIZES = st.integers(1, 150)


def replayed(log: list[Any]) -> Folded:
    with Fold(PLAN) as fold:
        for record in log:
            fold.take(record)
        return fold.finish()


def streamed(log: list[Any], some: Random, partitions: int = 2) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """As the agents: partitions of topics in any order, in batches, packed after each, effects by `job-activity`."""
    topics: dict[tuple[str, int], deque[tuple[int, Any]]] = {}
    members: dict[str, bytes] = {}
    jobs: dict[str, bytes] = {}
    activity: list[deque[bytes]] = [deque() for _ in range(partitions)]
    marks: list[dict[str, Mark]] = [{} for _ in range(partitions)]
    for record in log:
        if isinstance(record, JobPosting):
            state = unpack(JobState, jobs.get(record.job_id))
            fold_posting(state, record)
            jobs[record.job_id] = pack(state)
            continue
        place = (type(record).__name__, partition_of(record.member_id, partitions))
        waiting = topics.setdefault(place, deque())
        waiting.append((waiting[-1][0] + 1 if waiting else 0, record))
    first = [place for place in topics if place[0] == "MemberProfile"]
    while any(topics.values()) or any(activity):
        open_ = [place for place in first if topics[place]] or [place for place in topics if topics[place]]
        if open_ and some.random() < 0.7:
            place = some.choice(open_)
            batch = [topics[place].popleft() for _ in range(min(len(topics[place]), some.randrange(1, 20)))]
            buffer = ActivityBuffer(place[0], "id", place[1], partitions)
            states = {record.member_id: unpack(MemberState, members.get(record.member_id)) for _, record in batch}
            for offset, record in batch:
                mine = states[record.member_id]
                if isinstance(record, Event):
                    if is_duplicate(mine, record):
                        continue
                    remember(mine, record)
                buffer.add(offset, fold_member(mine, record, PLAN))
            made = [*buffer.records()]
            for _ in range(1 + (some.random() < 0.2)):  # now and then a batch is done again: its effects come twice
                for each in made:
                    activity[each.partition or 0].append(each.value or b"")
            members.update({member: pack(state) for member, state in states.items()})
        elif full := [place for place in range(partitions) if activity[place]]:
            number = some.choice(full)
            decoded = codecs.decode("JobActivity", activity[number].popleft())
            raised: dict[str, Mark] = {}
            for entry in fresh_entries(marks[number], raised, decoded):
                job = unpack(JobState, jobs.get(entry.job_id))
                fold_entry(job, entry, PLAN)
                if job.version:
                    jobs[entry.job_id] = pack(job)
            marks[number].update(raised)
    return members, jobs


@given(seed=SEEDS, size=SIZES)
def test_stream_and_replay_agree(seed: int, size: int) -> None:
    log = some_log(seed, size)
    members, jobs = streamed(log, Random(seed))
    found = replayed(log)
    assert found.members.keys() == members.keys()
    assert found.jobs.keys() == jobs.keys()
    differences = [
        *(each for name, live in members.items()
          for each in compare(name, unpack(MemberState, live), unpack(MemberState, found.members[name]), PLAN)),
        *(each for name, live in jobs.items()
          for each in compare(name, unpack(JobState, live), unpack(JobState, found.jobs[name]), PLAN)),
    ]  # fmt: skip
    assert differences == []


def aggregates() -> list[Aggregate]:
    return [state.aggregate for state in PLAN.states.values()] + [
        each for each in PLAN.rollups if each not in [state.aggregate for state in PLAN.states.values()]
    ]


def test_the_plan_holds_every_aggregate_over_every_window() -> None:
    kinds = {(each.name, each.window.kind) for each in aggregates()}
    numbers = {"count", "total", "mean", "variance"}
    assert {(name, "decay") for name in numbers} | {("top", "decay"), ("texts", "last")} <= kinds
    for window in ("always", "sliding", "last", "session"):
        assert {(name, window) for name in numbers | {"least", "most", "distinct"}} <= kinds
    assert {("first_at", "always"), ("latest_at", "always")} <= kinds
    assert {each.by.parts for each in aggregates()} >= {
        ("member",), ("job",), ("member", "job"), ("posting.company",), ("profile.region", "job"),
        ("profile.industry", "posting.function"),
    }  # fmt: skip
    assert any(state.ttl_ms for state in PLAN.states.values())


@given(seed=SEEDS, size=st.integers(40, 150), later=st.integers(0, 3 * DAY))
def test_replay_and_the_oracle_agree_on_every_aggregate(seed: int, size: int, later: int) -> None:
    log = some_log(seed, size, moving=True)
    now = START + 2 * DAY + later % (3 * DAY)
    if later % 2:  # just after the newest event, so that sessions and panes are full
        now = max((record.occurred_at for record in log if isinstance(record, Event)), default=START) + later % HOUR
    found, raw = replayed(log), oracle.Log(log)
    table = JobTable(plan=PLAN)
    for job_id, value in found.jobs.items():
        table.upsert(job_id, unpack(JobState, value))
    rows = table.rows(table.ids)
    for member_id, value in found.members.items():
        view = MemberView.build(unpack(MemberState, value), {}, table, now)
        reading = Reading(view, table, rows, now)
        for aggregate in aggregates():
            ttl, read = aggregate.ttl_ms, reading.aggregate(aggregate)
            if isinstance(read, OneSet):
                assert read.texts == frozenset(oracle.value(aggregate, raw, member_id, "", now)), aggregate
                continue
            values = np.broadcast_to(np.asarray(read, np.float64), len(rows)).tolist()
            for job_id, is_ in zip(table.ids, values, strict=True):
                ought = oracle.value(aggregate, raw, member_id, job_id, now, ttl)
                assert agree(aggregate, is_, ought), (str(aggregate), member_id, job_id, is_, ought)


def agree(aggregate: Aggregate, is_: float, ought: float) -> bool:
    if np.isnan(is_) or np.isnan(ought):
        return bool(np.isnan(is_) and np.isnan(ought))
    if aggregate.name == "distinct" and ought > 12:
        return abs(is_ - ought) <= 5 * RELATIVE_ERROR * ought
    if aggregate.name == "variance":  # values up to 65,000: what is left of their squares
        return abs(is_ - ought) <= 1e-9 * max(ought, 65_000.0**2)
    return alike(is_, ought)


@hypothesis.settings(max_examples=20)
@given(seed=SEEDS, size=SIZES, workers=st.integers(2, 4))
def test_parts_give_the_same_bytes_as_one(seed: int, size: int, workers: int) -> None:
    log, some = some_log(seed, size, moving=True), Random(seed)
    whole = replayed(log)
    parts = [Part(PLAN, workers) for _ in range(workers)]
    numbered, at = [*enumerate(log)], 0
    while at < len(numbered):
        chunk = numbered[at : at + some.randrange(1, 40)]
        at += len(chunk)
        records = [(n, each) for n, each in chunk if not isinstance(each, JobPosting)]
        told = [
            part.take([each for each in records if owner_of(each[1].member_id, workers) == place], acting=True)
            for place, part in enumerate(parts)
        ]
        for place, part in enumerate(parts):
            postings: list[Any] = [
                (n, each)
                for n, each in chunk
                if isinstance(each, JobPosting) and owner_of(each.job_id, workers) == place
            ]
            part.count([each.parcels[place] for each in told], postings)
        if some.random() < 0.2:  # moved to other processes
            parts = [pickle.loads(pickle.dumps(part)) for part in parts]
    found = Folded()
    for part in parts:
        found.add(part.finish())
    assert (found.members, found.jobs, found.neighbours) == (whole.members, whole.jobs, whole.neighbours)
    assert (found.events, found.duplicates, found.late) == (whole.events, whole.duplicates, whole.late)


def test_processes_give_the_same_bytes_as_one() -> None:
    log = (
        some_log(5, 4_000, moving=True) * 2
    )  # more than a chunk; the second time, what is still remembered is a duplicate
    whole = replayed(log)
    with Fold(PLAN, 2) as fold:
        for record in log:
            fold.take(record)
        found = fold.finish()
    for name in ("members", "jobs", "neighbours", "networks", "duplicates", "late"):
        assert getattr(found, name) == getattr(whole, name), name
    assert whole.networks
    assert whole.late > 1_000


def test_a_replay_holds_what_the_system_in_memory_holds() -> None:
    log, offline = some_log(7, 300, moving=True), Offline(Settings())
    with Fold(library.PLAN) as fold:
        for record in log:
            fold.take(record)
            offline.take(record) if not isinstance(record, MemberProfile | JobPosting) else offline.fold(record)
        found = fold.finish()
    for name in ("members", "jobs", "neighbours", "networks"):
        assert getattr(found, name) == {key: pack(state) for key, state in getattr(offline, name).items()}, name


@hypothesis.settings(max_examples=20)
@given(seed=SEEDS, size=SIZES)
def test_cells_folded_together_are_those_folded_one_by_one(seed: int, size: int) -> None:
    """A watched plan folds each cell by itself; else the decayed counts of one owner are folded in one call."""
    noted: dict[str, float] = {}
    together, alone = Members(PLAN), Members(PLAN.watched(noted.__setitem__))
    jobs, others = Jobs(together.plan), Jobs(alone.plan)
    for record in some_log(seed, size):
        if isinstance(record, JobPosting):
            continue
        effect, other = together.take(record), alone.take(record)
        assert effect == other
        if effect is not None and other is not None and effect is not DUPLICATE:
            jobs.take(effect)
            others.take(other)
    for mine, theirs in ((together.states, alone.states), (jobs.states, others.states)):
        assert {key: pack(state) for key, state in mine.items()} == {key: pack(state) for key, state in theirs.items()}
    assert noted.keys() <= PLAN.states.keys()
