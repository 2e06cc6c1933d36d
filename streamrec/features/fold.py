"""What a record means for the state of a member and of the jobs: pure, exact, and the same in every replay.

Rules
-----
* *Late events*: an event counts whatever its time, faded by its age. It enters the list of recent jobs if it is among
  the newest `RECENT`.
* *Order between topics* does not matter for what a member's state says: each count and each set is fed by one topic,
  and the list of recent jobs is sorted by (time, newest first; job id) with the strongest action read from the sets.
  Only co-visitation pairs depend on it, within the limits of `_pairs`.
* *Taking back*: a save or like that is taken back leaves the set, and leaves the counts as of the time of the save or
  like. Taking back what is not there changes nothing. Said again, it is of the time when it was said first.
* *Repeats*: an action is one where the set of its kind has the job already: see `language.once`. That, too, is fed by one
  topic, so that it does not matter how topics are read beside each other.
* *Bounds*: sets of jobs keep the `TOUCHED` that were written last; a job that fell out counts as not touched.
* *Probes* (`events.is_probe`) mean nothing for any job. Of what one did, the newest time is kept, and the job that it dismissed
  last, however often it dismisses: that much an answer can show, and no more is needed.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from math import exp2
from operator import attrgetter
from sys import intern
from typing import Any, Final

import msgspec

from streamrec.events import (
    Action,
    ActivityEntry,
    Connection,
    Event,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    MemberProfile,
    Tombstone,
    is_probe,
)
from streamrec.features.language.streams import ACTION_OF
from streamrec.features.library import PLAN
from streamrec.features.plan import Plan
from streamrec.features.resemblance import entered, mark_of, toucher_of
from streamrec.features.state import JobState, MemberState, Neighbours, Recent
from streamrec.features.windows import DAY_MS, fade

RECENT: Final = 50
TOUCHED: Final = 1000
SEEN: Final = 64  # of each kind
NEIGHBOURS: Final = 100
NEIGHBOUR_HALF_LIFE_MS: Final = 10 * DAY_MS
PARTNERS: Final = 20  # recent jobs, on each side in time, that a job's first touch is paired with

_ROOM: Final = NEIGHBOURS + NEIGHBOURS // 2  # a row is cut back to NEIGHBOURS only when it is this long
# Jobs of one member belong together, whether an hour or a week lies between them: only half a year says otherwise.
_GAP_HALF_LIFE_MS: Final = 90 * DAY_MS
_RANK_WEIGHTS: Final = tuple(0.8**rank for rank in range(PARTNERS))
_LEAST: Final = 0.05  # a pair that weighs less is not worth a record
# After this the weights of a row are written as of a newer time, since 2^1024 overflows.
_FARTHEST_MS: Final = 100 * NEIGHBOUR_HALF_LIFE_MS
_ID_BYTES: Final = 8
_ID_OF: Final = attrgetter("job_id")
_DISMISS: Final = int(Action.DISMISS)
_STREAM_OF: Final[dict[type, int]] = {**ACTION_OF, Connection: len(ACTION_OF)}  # the place in `MemberState.seen`


class Effect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event means for one job; it becomes an `ActivityEntry`.

    Attributes
    ----------
    job_id
        The job.
    action
        An `Action`, or None where only `neighbours` are meant.
    sign
        -1 where an earlier save or like is taken back.
    first
        The member had not viewed, liked, saved or applied for this job before.
    neighbours
        Jobs that the same member touched, and how strongly each is tied to this one.
    occurred_at
        The time to count it at (ms): that of the event or, where something is taken back, the time of that.
    said
        What the job's owner needs besides of the event and of its member: see `Plan.travels`.
    toucher
        The member, where `first`: see `features.resemblance`; 0 otherwise.
    repeats
        The member had done the same with the job before.
    """

    job_id: str
    action: int | None
    sign: int
    first: bool
    neighbours: tuple[tuple[str, float], ...]
    occurred_at: int
    said: dict[str, Any] | None = None
    toucher: int = 0
    repeats: bool = False


def is_duplicate(state: MemberState, event: Event) -> bool:
    """Whether the event's id is among the last `SEEN` of its kind that were remembered for this member.

    Each kind comes from a topic of its own, in one order. What others bring in between must not push an id out: how topics
    are read beside each other is chance, and the log read again would know other duplicates.
    """
    mark, seen = _mark(event.event_id), state.seen[_STREAM_OF[type(event)]]
    at = seen.find(mark)
    while at >= 0 and at % _ID_BYTES:  # bytes of two ids can look like a third
        at = seen.find(mark, at + 1)
    return at >= 0


def remember(state: MemberState, event: Event) -> None:
    """Remember the event's id for `is_duplicate`, forgetting the oldest of more than `SEEN` of its kind."""
    stream = _STREAM_OF[type(event)]
    state.seen[stream] = (state.seen[stream] + _mark(event.event_id))[-SEEN * _ID_BYTES :]


@lru_cache(maxsize=1)  # an event is looked for, and then remembered
def _mark(event_id: str) -> bytes:
    return blake2b(event_id.encode(), digest_size=_ID_BYTES).digest()


def fold_member(
    state: MemberState, event: JobEvent | Connection | MemberProfile | Tombstone, plan: Plan = PLAN
) -> list[Effect]:
    """Fold one record into its member's state, in place.

    Duplicates are the caller's to drop (see `is_duplicate` and `remember`).

    Returns
    -------
    list of Effect
        What the record means for jobs: first the event's own job, then the jobs that gain it as a neighbour.
    """
    own = fold_event(state, event, plan)
    if own is None:
        return []
    return [own, *mirrored(own)] if own.neighbours else [own]


def mirrored(own: Effect) -> list[Effect]:
    """What an event's own effect means for the other jobs: those that it ties to its own gain it as a neighbour, too."""
    tied, at = own.job_id, own.occurred_at
    return [Effect(other, None, 1, False, ((tied, weight),), at) for other, weight in own.neighbours]


def fold_event(
    state: MemberState, event: JobEvent | Connection | MemberProfile | Tombstone, plan: Plan = PLAN
) -> Effect | None:
    """As `fold_member`; what the record means for its own job, of which the rest follows: see `mirrored`."""
    state.version += 1
    if isinstance(event, Tombstone):
        _erase(state)
    elif is_probe(event.member_id):
        _fold_probe(state, event)
    elif isinstance(event, JobEvent):
        return _fold_action(state, event, plan)
    elif isinstance(event, MemberProfile):
        state.profile = event
    else:
        plan.fold_member(state.cells, event, event.occurred_at)
        _touch_time(state, event.occurred_at)  # whom it connects is kept apart: see `features.network`
    return None


def _fold_probe(state: MemberState, event: JobEvent | Connection | MemberProfile) -> None:
    if isinstance(event, Event):
        _touch_time(state, event.occurred_at)
    if isinstance(event, JobDismissal):
        state.dismissed = {event.job_id: event.occurred_at}


def _erase(state: MemberState) -> None:
    fresh = MemberState(version=state.version)
    for name in MemberState.__struct_fields__:
        setattr(state, name, getattr(fresh, name))


def _touch_time(state: MemberState | JobState, at: int) -> None:
    if at < state.first_at or not state.first_at:
        state.first_at = at
    state.last_at = max(state.last_at, at)


def _put(jobs: dict[str, int], key: str, at: int, action: Action) -> None:
    before = jobs.pop(key, at)  # popped, so that it is written last
    jobs[key] = before if action in _LASTING else max(at, before)
    if len(jobs) > TOUCHED:
        del jobs[next(iter(jobs))]


_LASTING: Final = (Action.LIKE, Action.SAVE)  # they hold from when they were first said, until they are taken back
_SET_OF: Final = {
    Action.VIEW: attrgetter("viewed"), Action.LIKE: attrgetter("liked"), Action.SAVE: attrgetter("saved"),
    Action.APPLY: attrgetter("applied"), Action.DISMISS: attrgetter("dismissed"),
}  # fmt: skip


def _strongest(state: MemberState, job_id: str) -> Action:
    if job_id in state.dismissed:
        return Action.DISMISS
    if job_id in state.applied:
        return Action.APPLY
    if job_id in state.saved:
        return Action.SAVE
    return Action.LIKE if job_id in state.liked else Action.VIEW


def _fold_action(state: MemberState, event: JobEvent, plan: Plan) -> Effect | None:
    # Interned: ids are looked up a hundred times as often as they come, and one object is found without comparing texts.
    action, job_id, at = ACTION_OF[type(event)], intern(event.job_id), event.occurred_at
    _touch_time(state, at)
    jobs: dict[str, int] = _SET_OF[action](state)
    if (isinstance(event, JobSave) and not event.saved) or (isinstance(event, JobLike) and not event.liked):
        since = jobs.pop(job_id, None)
        if since is None:
            return None
        plan.fold_member(state.cells, event, since, -1)
        _note(state, job_id)
        return Effect(job_id, action, -1, False, (), since)  # what says how it was done is not taken back
    said, repeats = plan.travels(event, state.profile), job_id in jobs
    plan.fold_member(state.cells, event, at, repeats=repeats)
    if action is Action.DISMISS:
        _put(jobs, job_id, at, action)
        _note(state, job_id)
        return Effect(job_id, action, 1, False, (), at, said, repeats=repeats)
    place = _place(state, job_id)
    first = place < 0 and not (
        job_id in state.viewed or job_id in state.liked or job_id in state.saved or job_id in state.applied
    )
    toucher = _toucher(state, event.member_id) if first else 0
    _put(jobs, job_id, at, action)
    pairs = _pairs(state, job_id, at) if first else ()
    _enter(state, place, job_id, at)
    return Effect(job_id, action, 1, first, pairs, at, said, toucher, repeats)


def _toucher(state: MemberState, member_id: str) -> int:
    state.mark = state.mark or mark_of(member_id)
    return toucher_of(state.mark, max(map(len, state.touched)))


def _place(state: MemberState, job_id: str) -> int:
    ids = list(map(_ID_OF, state.recent))
    return ids.index(job_id) if job_id in ids else -1


def _note(state: MemberState, job_id: str) -> None:
    """Write the strongest action of a job anew, if it is a recent one."""
    place = _place(state, job_id)
    if place >= 0:
        state.recent[place].action = _strongest(state, job_id)


def _enter(state: MemberState, place: int, job_id: str, at: int) -> None:
    recent = state.recent
    if place >= 0:
        touch = recent.pop(place)
        touch.at = max(touch.at, at)
    else:
        touch = Recent(job_id, at, 0)
    touch.action = _strongest(state, job_id)
    recent.insert(_rank(recent, job_id, touch.at), touch)
    del recent[RECENT:]


def _rank(recent: list[Recent], job_id: str, at: int) -> int:
    """Where a touch belongs among `recent`: newest first, then by job id."""
    for rank, touch in enumerate(recent):
        if at > touch.at or (at == touch.at and job_id < touch.job_id):
            return rank
    return len(recent)


def _pairs(state: MemberState, job_id: str, at: int) -> tuple[tuple[str, float], ...]:
    """Ties of a job to the recent ones around the time of its first touch; dismissed ones have none.

    In order of time these are the jobs touched before. A late event is tied to those touched after it, too: they
    would have been tied to it, had it come in time.
    """
    recent = state.recent
    if state.dismissed:
        recent = [touch for touch in recent if touch.action != _DISMISS]
    rank = _rank(recent, job_id, at)
    pairs: list[tuple[str, float]] = []
    _tie(pairs, recent[rank : rank + PARTNERS], at)
    if rank:
        _tie(pairs, recent[max(0, rank - PARTNERS) : rank][::-1], at)
    return tuple(pairs)


def _tie(pairs: list[tuple[str, float]], others: list[Recent], at: int) -> None:
    for touch, by_rank in zip(others, _RANK_WEIGHTS, strict=False):
        weight = by_rank * exp2(-abs(at - touch.at) / _GAP_HALF_LIFE_MS)
        if weight >= _LEAST:
            pairs.append((touch.job_id, weight))


def fold_posting(state: JobState, posting: JobPosting | Tombstone) -> None:
    """Take over the newest posting of a job, or its tombstone, in place. What members did with the job stays."""
    state.version += 1
    state.removed = isinstance(posting, Tombstone)
    state.posting = None if isinstance(posting, Tombstone) else posting


def fold_entry(state: JobState, entry: ActivityEntry | Effect, plan: Plan = PLAN) -> None:
    """Count what a member did with the job, in place. An entry without an action changes nothing."""
    if entry.action is None:
        return
    state.version += 1
    if entry.sign > 0:
        _touch_time(state, entry.occurred_at)
    plan.fold_job(state.cells, entry.action, entry.said, entry.occurred_at, entry.sign, repeats=entry.repeats)
    if entry.toucher:
        state.touchers = entered(state.touchers, entry.toucher, entry.occurred_at)


def fold_neighbours(row: Neighbours, entry: ActivityEntry | Effect) -> None:
    """Add the ties of an entry to the row of its job, in place.

    Weights stand as of `row.at`, which is the time of the row's first tie: a later tie is written as the larger
    number that fades to it (forward decay), so that nothing else in the row has to be touched.
    """
    if not entry.neighbours:
        return
    weights, scale = _raised(row, entry.occurred_at)
    for job_id, weight in entry.neighbours:
        weights[job_id] = weights.get(job_id, 0.0) + weight * scale
    if len(weights) > _ROOM:
        _cut(row)


def fold_ties(rows: dict[str, Neighbours], job_id: str, others: Iterable[tuple[str, float]], at: int) -> None:
    """`fold_neighbours` of what `mirrored` gives, at once, in place: the same to the last bit.

    A first touch ties a job to some ten others, and each of their rows gains one: nothing is done more often.
    """
    for other, weight in others:
        row = rows.get(other)
        if row is None:
            rows[other] = Neighbours(at, {job_id: weight})
            continue
        weights, age = row.weights, at - row.at
        if not weights or age > _FARTHEST_MS:
            weights, scale = _raised(row, at)
        else:
            scale = exp2(age / NEIGHBOUR_HALF_LIFE_MS)
        weights[job_id] = weights.get(job_id, 0.0) + weight * scale
        if len(weights) > _ROOM:
            _cut(row)


def _raised(row: Neighbours, at: int) -> tuple[dict[str, float], float]:
    """The weights of a row, and how many times as much a tie of the time `at` weighs there."""
    weights, since = row.weights, row.at
    if not weights:
        row.at = at
        return weights, 1.0
    if at - since > _FARTHEST_MS:
        scale = fade(at - since, NEIGHBOUR_HALF_LIFE_MS)
        weights = row.weights = {job_id: weight * scale for job_id, weight in weights.items()}
        row.at = at
        return weights, 1.0
    return weights, exp2((at - since) / NEIGHBOUR_HALF_LIFE_MS)


def _cut(row: Neighbours) -> None:
    weights = row.weights
    best = sorted(sorted(weights), key=weights.__getitem__, reverse=True)[:NEIGHBOURS]  # equal ones by id
    row.weights = {job_id: weights[job_id] for job_id in best}
