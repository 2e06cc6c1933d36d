"""Folding against oracles that compute everything anew from the list of all events."""

import math
from collections import defaultdict
from random import Random
from typing import Any

import msgspec
import pytest

from streamrec.events import (
    Action,
    ActivityEntry,
    Connection,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Tombstone,
)
from streamrec.features import fold
from streamrec.features.fold import Effect, fold_entry, fold_member, fold_neighbours, fold_posting
from streamrec.features.library import JOB_COUNTS, JOB_TOTALS, MEMBER_COUNTS, POPULARITY
from streamrec.features.state import JobState, MemberState, Neighbours, pack
from streamrec.features.windows import DAY_MS, HOUR_MS

START = 1_700_000_000_000
NOW = START + 40 * DAY_MS
KINDS: dict[type[JobEvent], Action] = dict(
    zip((JobView, JobLike, JobSave, JobApplication, JobDismissal), Action, strict=True)
)
STRENGTH = (Action.DISMISS, Action.APPLY, Action.SAVE, Action.LIKE, Action.VIEW)


def make(kind: type[JobEvent], job_id: str, at: int, number: int = 0, undo: bool = False) -> JobEvent:
    event = kind(event_id=f"e{number}", member_id="m", job_id=job_id, occurred_at=at)
    if undo and isinstance(event, JobSave):
        return msgspec.structs.replace(event, saved=False)
    return msgspec.structs.replace(event, liked=False) if undo and isinstance(event, JobLike) else event


def some_events(seed: int, size: int = 300, jobs: int = 70, in_order: bool = False) -> list[JobEvent]:
    """Events of one member: many on the same jobs, some late by days, some at the same time, some taken back."""
    random = Random(seed)
    times = [START + random.randrange(30 * 24) * HOUR_MS for _ in range(size)]
    kinds = random.choices(list(KINDS), (10, 2, 3, 1, 1), k=size)
    return [
        make(kind, f"j{random.randrange(jobs)}", at, number, undo=random.random() < 0.3)
        for number, (kind, at) in enumerate(zip(kinds, sorted(times) if in_order else times, strict=True))
    ]


def fold_all(events: list[JobEvent]) -> tuple[MemberState, list[Effect]]:
    state = MemberState()
    effects = [effect for event in events for effect in fold_member(state, event)]
    return state, effects


def is_undo(event: JobEvent) -> bool:
    return (isinstance(event, JobSave) and not event.saved) or (isinstance(event, JobLike) and not event.liked)


def held_since(event: JobEvent, before: int | None) -> int:
    """A save or like holds from when it was said first; of all else the newest counts."""
    if before is None:
        return event.occurred_at
    return before if isinstance(event, JobSave | JobLike) else max(event.occurred_at, before)


def oracle_parts(events: list[JobEvent], *, once: bool = False) -> dict[Action, list[tuple[str, float, int]]]:
    """By action: (job, sign, time) of what counts; something is taken back once, at its own time. `once`: without repeats."""
    parts: dict[Action, list[tuple[str, float, int]]] = defaultdict(list)
    for kind, action in KINDS.items():
        held: dict[str, int] = {}
        for event in (event for event in events if type(event) is kind):
            if not is_undo(event):
                if not (once and event.job_id in held):
                    parts[action].append((event.job_id, 1.0, event.occurred_at))
                held[event.job_id] = held_since(event, held.get(event.job_id))
            elif event.job_id in held:
                parts[action].append((event.job_id, -1.0, held.pop(event.job_id)))
    return parts


def oracle_sets(events: list[JobEvent]) -> dict[Action, dict[str, int]]:
    sets: dict[Action, dict[str, int]] = {action: {} for action in Action}
    for event in events:
        jobs = sets[KINDS[type(event)]]
        if is_undo(event):
            jobs.pop(event.job_id, None)
        else:
            jobs[event.job_id] = held_since(event, jobs.get(event.job_id))
    return sets


def oracle_recent(events: list[JobEvent]) -> list[tuple[str, int, int]]:
    sets = oracle_sets(events)
    last: dict[str, int] = {}
    for event in events:
        if not is_undo(event) and not isinstance(event, JobDismissal):
            last[event.job_id] = max(event.occurred_at, last.get(event.job_id, 0))
    newest = sorted(last, key=lambda job_id: (-last[job_id], job_id))[: fold.RECENT]
    return [
        (job_id, last[job_id], next((action for action in STRENGTH if job_id in sets[action]), Action.VIEW))
        for job_id in newest
    ]


def decayed(parts: list[tuple[str, float, int]], now: int, half_life_ms: float) -> float:
    return math.fsum(sign * 2.0 ** (-(now - at) / half_life_ms) for _, sign, at in parts)


def totals(job: JobState) -> list[float]:
    return [each.value_in(job.cells, NOW) for each in JOB_TOTALS]


def entries(effects: list[Effect]) -> list[ActivityEntry]:
    return [ActivityEntry(offset=n, index=0, **msgspec.structs.asdict(effect)) for n, effect in enumerate(effects)]


def fold_jobs(effects: list[Effect]) -> tuple[dict[str, JobState], dict[str, Neighbours]]:
    jobs: dict[str, JobState] = defaultdict(JobState)
    rows: dict[str, Neighbours] = defaultdict(Neighbours)
    for entry in entries(effects):
        fold_entry(jobs[entry.job_id], entry)
        fold_neighbours(rows[entry.job_id], entry)
    return jobs, rows


@pytest.mark.parametrize("seed", range(12))
def test_a_member_is_what_all_its_events_say(seed: int) -> None:
    events = some_events(seed)
    state, _ = fold_all(events)
    assert state.version == len(events)
    assert (state.first_at, state.last_at) == (min(e.occurred_at for e in events), max(e.occurred_at for e in events))
    assert [(touch.job_id, touch.at, touch.action) for touch in state.recent] == oracle_recent(events)
    assert len(state.recent) == fold.RECENT
    sets = oracle_sets(events)
    assert [state.viewed, state.liked, state.saved, state.applied, state.dismissed] == [sets[a] for a in Action]
    parts = oracle_parts(events)
    for action in Action:
        expected = decayed(parts[action], NOW, 7 * DAY_MS)
        assert MEMBER_COUNTS[action].value_in(state.cells, NOW) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_a_job_is_what_all_events_on_it_say(seed: int) -> None:
    events = some_events(seed, jobs=12)
    jobs, _ = fold_jobs(fold_all(events)[1])
    parts, wanted = oracle_parts(events), oracle_parts(events, once=True)
    for job_id, job in jobs.items():
        own = {action: [part for part in parts[action] if part[0] == job_id] for action in Action}
        assert totals(job) == [sum(int(sign) for _, sign, _ in own[action]) for action in Action]
        for action in Action:
            expected = decayed(own[action], NOW, 7 * DAY_MS)
            assert JOB_COUNTS[action].value_in(job.cells, NOW) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        positive = [
            part for action in Action if action is not Action.DISMISS for part in wanted[action] if part[0] == job_id
        ]
        for popularity, half_life_ms in zip(POPULARITY, (HOUR_MS, DAY_MS, 10 * DAY_MS), strict=True):
            expected = decayed(positive, NOW, half_life_ms)
            size = decayed([(job, abs(sign), at) for job, sign, at in positive], NOW, half_life_ms)
            assert popularity.value_in(job.cells, NOW) == pytest.approx(expected, rel=1e-9, abs=1e-9 * size)
        times = [at for action in Action for _, sign, at in own[action] if sign > 0]
        assert (job.first_at, job.last_at) == (min(times), max(times))


@pytest.mark.parametrize("seed", range(30))
def test_the_order_between_topics_does_not_change_a_member(seed: int) -> None:
    events = some_events(seed, jobs=90)
    topics = [[event for event in events if type(event) is kind] for kind in KINDS]
    random = Random(seed)
    turns = [number for number, topic in enumerate(topics) for _ in topic]
    random.shuffle(turns)
    queues = [iter(topic) for topic in topics]
    interleaved = [next(queues[turn]) for turn in turns]
    assert interleaved != events
    (state, effects), (other, other_effects) = fold_all(events), fold_all(interleaved)
    assert pack(other) == pack(state)
    jobs, other_jobs = fold_jobs(effects)[0], fold_jobs(other_effects)[0]
    assert jobs.keys() == other_jobs.keys()
    for job_id, job in jobs.items():
        twin = other_jobs[job_id]
        assert (totals(job), job.first_at, job.last_at) == (totals(twin), twin.first_at, twin.last_at)
        assert job.cells.keys() == twin.cells.keys()
        for each in (*JOB_COUNTS, *POPULARITY):
            one, two = job.cells.get(each.state_key, [0.0, 0, 0]), twin.cells.get(each.state_key, [0.0, 0, 0])
            assert one[1:] == two[1:]
            assert two[0] == pytest.approx(one[0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_events_give_the_same_bytes(seed: int) -> None:
    def bytes_of() -> list[bytes]:
        state, effects = fold_all(some_events(seed))
        jobs, rows = fold_jobs(effects)
        return [pack(state), *map(pack, jobs.values()), *map(pack, rows.values())]

    assert bytes_of() == bytes_of()


@pytest.mark.parametrize("seed", range(10))
def test_each_job_has_one_first_positive_action_of_a_member(seed: int) -> None:
    events = some_events(seed, jobs=40)
    _, effects = fold_all(events)
    firsts = [effect.job_id for effect in effects if effect.first]
    positive = {e.job_id for e in events if not isinstance(e, JobDismissal) and not is_undo(e)}
    assert sorted(firsts) == sorted(positive)


def oracle_rows(members: dict[str, list[JobEvent]], now: int) -> dict[str, dict[str, float]]:
    """Co-visitation rows, by definition, for events in the order of their times."""
    rows: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for events in members.values():
        touched: set[str] = set()
        for number, event in enumerate(events):
            job_id, at = event.job_id, event.occurred_at
            if job_id in touched or isinstance(event, JobDismissal) or is_undo(event):
                continue
            touched.add(job_id)
            before = [touch for touch in oracle_recent(events[:number]) if touch[2] != Action.DISMISS]
            newest_first = before[: fold.PARTNERS]
            for rank, (other, other_at, _) in enumerate(newest_first):
                weight = 0.8**rank * 2.0 ** (-(at - other_at) / (90 * DAY_MS))
                if weight >= 0.05:
                    faded = weight * 2.0 ** (-(now - at) / (10 * DAY_MS))
                    rows[job_id][other] += faded
                    rows[other][job_id] += faded
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_what_all_members_touched(seed: int) -> None:
    members = {}
    for member in range(4):
        events = some_events(100 * seed + member, size=120, jobs=60, in_order=True)
        # Strictly increasing times: the order of equal ones is not that of arrival.
        members[f"m{member}"] = [
            make(type(event), event.job_id, event.occurred_at + 60_000 * number, number, is_undo(event))
            for number, event in enumerate(events)
        ]
    _, rows = fold_jobs([effect for events in members.values() for effect in fold_all(events)[1]])
    expected = oracle_rows(members, NOW)
    assert {job_id for job_id, row in rows.items() if row.weights} == set(expected)
    for job_id, weights in expected.items():
        scale = 2.0 ** (-(NOW - rows[job_id].at) / fold.NEIGHBOUR_HALF_LIFE_MS)
        found = {other: weight * scale for other, weight in rows[job_id].weights.items()}
        assert found == pytest.approx(dict(weights), rel=1e-9)


def test_a_late_event_is_tied_to_what_came_before_and_after_it() -> None:
    state = MemberState()
    for day, job_id in ((0, "a"), (2, "b"), (4, "c")):
        fold_member(state, make(JobView, job_id, START + day * DAY_MS))
    effects = fold_member(state, make(JobView, "late", START + 1 * DAY_MS))
    near, far = 2.0 ** (-1 / 90), 2.0 ** (-3 / 90)
    assert dict(effects[0].neighbours) == pytest.approx({"a": near, "b": near, "c": 0.8 * far})
    assert [(effect.job_id, effect.neighbours) for effect in effects[1:]] == [
        (job_id, (("late", weight),)) for job_id, weight in effects[0].neighbours
    ]
    assert {(effect.action, effect.first) for effect in effects[1:]} == {(None, False)}


def test_an_event_older_than_the_recent_jobs_counts_but_does_not_enter() -> None:
    state = MemberState()
    for number in range(fold.RECENT):
        fold_member(state, make(JobView, f"j{number}", START + number))
    recent = list(state.recent)
    effects = fold_member(state, make(JobView, "late", START - DAY_MS))
    assert state.recent == recent
    assert (state.viewed["late"], state.first_at, effects[0].action) == (START - DAY_MS, START - DAY_MS, Action.VIEW)
    views = MEMBER_COUNTS[Action.VIEW].value_in(state.cells, START)
    assert views == pytest.approx(fold.RECENT + 2 ** (-1 / 7), rel=1e-6)


def test_a_dismissed_job_ties_nothing_and_is_not_a_recent_touch() -> None:
    state = MemberState()
    fold_member(state, make(JobView, "a", START))
    fold_member(state, make(JobView, "b", START + 1))
    fold_member(state, make(JobDismissal, "a", START + 2))
    assert fold_member(state, make(JobDismissal, "c", START + 3))[0].neighbours == ()
    assert [(touch.job_id, touch.action) for touch in state.recent] == [("b", Action.VIEW), ("a", Action.DISMISS)]
    assert [job_id for job_id, _ in fold_member(state, make(JobView, "d", START + 4))[0].neighbours] == ["b"]


def test_a_save_that_is_taken_back_leaves_no_trace_in_the_counts() -> None:
    state, job = MemberState(), JobState()
    effects = fold_member(state, make(JobSave, "a", START))
    assert state.recent[0].action == Action.SAVE
    effects += fold_member(state, make(JobSave, "a", START + DAY_MS, undo=True))
    assert [(effect.sign, effect.occurred_at) for effect in effects] == [(1, START), (-1, START)]
    assert state.saved == {}
    assert (state.recent[0].at, state.recent[0].action) == (START, Action.VIEW)
    assert MEMBER_COUNTS[Action.SAVE].value_in(state.cells, START) == 0.0
    for entry in entries(effects):
        fold_entry(job, entry)
    assert totals(job) == [0] * 5
    assert [each.value_in(job.cells, START) for each in POPULARITY] == [0.0] * 3
    assert job.last_at == START


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_done_again_is_a_repeat(kind: type[JobEvent]) -> None:
    state = MemberState()
    times = (START, START + DAY_MS, START + HOUR_MS)
    effects = [effect for at in times for effect in fold_member(state, make(kind, "a", at))]
    effects += fold_member(state, make(kind, "b", START))
    assert [(effect.job_id, effect.repeats) for effect in effects if effect.action is not None] == [
        ("a", False), ("a", True), ("a", True), ("b", False),
    ]  # fmt: skip


def test_other_things_done_with_a_job_are_no_repeats() -> None:
    state = MemberState()
    effects = [effect for kind in KINDS for effect in fold_member(state, make(kind, "a", START))]
    assert not any(effect.repeats for effect in effects)


def test_a_save_that_was_said_twice_and_taken_back_leaves_no_popularity() -> None:
    state, job = MemberState(), JobState()
    said = (
        make(JobSave, "a", START),
        make(JobSave, "a", START + DAY_MS),
        make(JobSave, "a", START + DAY_MS, undo=True),
    )
    for entry in entries([effect for event in said for effect in fold_member(state, event)]):
        fold_entry(job, entry)
    assert [each.value_in(job.cells, START) for each in POPULARITY] == [0.0] * 3
    [again] = fold_member(state, make(JobSave, "a", START + 2 * DAY_MS))
    assert not again.repeats


def test_taking_back_what_is_not_there_changes_only_version_and_times() -> None:
    state = MemberState()
    assert fold_member(state, make(JobLike, "a", START, undo=True)) == []
    assert state == MemberState(version=1, first_at=START, last_at=START)


def test_sets_keep_the_jobs_written_last() -> None:
    state = MemberState()
    for number in range(fold.TOUCHED):
        fold_member(state, make(JobView, f"j{number}", START + number))
    fold_member(state, make(JobView, "j0", START))  # written anew: it is not the oldest any more
    fold_member(state, make(JobView, "new", START))
    assert len(state.viewed) == fold.TOUCHED
    assert "j0" in state.viewed
    assert "j1" not in state.viewed


def named(event_id: str, kind: Any = JobView) -> Any:
    return kind(event_id=event_id, member_id="m", job_id="j", occurred_at=START)


def test_the_last_event_ids_of_a_kind_are_duplicates() -> None:
    state = MemberState()
    for number in range(3 * fold.SEEN):
        assert not fold.is_duplicate(state, named(f"e{number}"))
        fold.remember(state, named(f"e{number}"))
        assert fold.is_duplicate(state, named(f"e{number}"))
    assert len(state.seen[0]) == fold.SEEN * 8
    known = [number for number in range(3 * fold.SEEN) if fold.is_duplicate(state, named(f"e{number}"))]
    assert known == list(range(2 * fold.SEEN, 3 * fold.SEEN))


def test_what_other_topics_bring_meanwhile_pushes_no_id_out() -> None:
    kinds = (JobView, JobLike, JobSave, JobApplication, JobDismissal)
    connection = Connection(event_id="c", member_id="m", other_member_id="n", occurred_at=START)
    for kind in kinds:
        state = MemberState()
        fold.remember(state, named("e", kind))
        for other in kinds:
            for number in range(2 * fold.SEEN if other is not kind else 0):
                fold.remember(state, named(f"{other.__name__}-{number}", other))
        fold.remember(state, connection)
        assert fold.is_duplicate(state, named("e", kind))
        assert fold.is_duplicate(state, connection)


def test_bytes_across_two_remembered_ids_are_not_a_duplicate() -> None:
    state = MemberState()
    fold.remember(state, named("e1"))
    mark = state.seen[0]
    state.seen[0] = b"abc" + mark + b"defgh"
    assert not fold.is_duplicate(state, named("e1"))
    state.seen[0] += mark
    assert fold.is_duplicate(state, named("e1"))


def test_a_profile_replaces_the_one_before_and_a_tombstone_erases_the_member() -> None:
    state, _ = fold_all(some_events(1))
    fold.remember(state, named("e1"))
    version = state.version
    for city in ("Bonn", "Olney"):
        assert fold_member(state, MemberProfile(member_id="m", city=city, updated_at=1)) == []
    assert state.profile is not None
    assert state.profile.city == "Olney"
    assert fold_member(state, Tombstone("m")) == []
    assert state == MemberState(version=version + 3)


def test_a_connection_is_a_sign_of_life_and_nothing_else_here() -> None:
    state = MemberState()
    assert fold_member(state, Connection(event_id="e", member_id="m", other_member_id="a", occurred_at=START)) == []
    assert state == MemberState(version=1, first_at=START, last_at=START)


def test_a_tombstone_closes_a_job_and_a_later_posting_opens_it_again() -> None:
    job = JobState()
    fold_entry(job, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=START, action=Action.VIEW))
    posting = JobPosting(job_id="j", title="Nurse")
    fold_posting(job, posting)
    assert (job.posting, job.removed, job.version) == (posting, False, 2)
    fold_posting(job, Tombstone("j"))
    assert (job.posting, job.removed, totals(job)[Action.VIEW]) == (None, True, 1)
    fold_posting(job, posting)
    assert (job.posting, job.removed, job.version) == (posting, False, 4)


def test_an_entry_of_neighbours_only_leaves_the_counts_alone() -> None:
    job = JobState()
    fold_entry(job, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=START, neighbours=(("a", 1.0),)))
    assert job == JobState()


def test_a_row_of_neighbours_is_cut_back_to_the_best_now_and_then() -> None:
    row = Neighbours()
    sizes = []
    for number in range(400):
        tie = (f"j{number}", 1.0 + number % 7)
        fold_neighbours(row, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=START, neighbours=(tie,)))
        sizes.append(len(row.weights))
    assert max(sizes) <= 150
    assert min(sizes[200:]) == fold.NEIGHBOURS
    assert sum(size == fold.NEIGHBOURS for size in sizes[100:]) <= 7  # not with every entry
    best = {f"j{number}" for number in range(400) if number % 7 == 6}
    assert best <= set(row.weights)


def test_which_of_equal_neighbours_are_kept_does_not_depend_on_their_order() -> None:
    ties = tuple((f"j{number:03}", 1.0) for number in range(151))
    rows = [Neighbours(), Neighbours()]
    for row, some in zip(rows, (ties, ties[::-1]), strict=True):
        fold_neighbours(row, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=START, neighbours=some))
    assert rows[0].weights == rows[1].weights == dict(ties[:100])


def test_weights_stay_finite_over_centuries() -> None:
    row = Neighbours()
    for step in range(60):
        at = START + step * 400 * DAY_MS * 10
        tie = ("a", 1.0) if step % 2 else ("b", 1.0)
        fold_neighbours(row, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=at, neighbours=(tie,)))
        assert all(math.isfinite(weight) for weight in row.weights.values())
    scale = 2.0 ** (-(at - row.at) / fold.NEIGHBOUR_HALF_LIFE_MS)
    assert row.weights["a"] * scale == pytest.approx(1.0)
    assert row.weights["b"] * scale == pytest.approx(0.0, abs=1e-30)
