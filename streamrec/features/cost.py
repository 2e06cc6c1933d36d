"""What features cost, measured: bytes that their state adds to a key, microseconds to fold an event, and to read a list.

Each state is measured by itself: the packed value with it and without it, over a sample of keys; its fold, over a sample of
events. What several features read is kept and folded once, so its cost is shared out among them in equal parts. What a feature
reads of a posting or a profile costs it nothing here: these are kept whole, for more than features.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np

from streamrec.events import JobEvent
from streamrec.features.catalogue import Catalogue
from streamrec.features.cells.base import Kept
from streamrec.features.feeds import State, feed_of
from streamrec.features.holding import ACTS, COMPANIES, NEIGHBOURS, RECENT, TOUCHED, TOUCHERS, Holding
from streamrec.features.language.feature import Feature
from streamrec.features.plan import Plan
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.sample import Done, Sample
from streamrec.features.state import JobState, MemberState, Network, pack

Clock = Callable[[], int]  # nanoseconds, never going back

LIST: Final = 500  # jobs that are read at a time: about what is scored for one member
_ROUNDS: Final = 25  # the machine does other things, too: a median of few would show them
_TOUCHED: Final = ("viewed", "liked", "saved", "applied")  # the sets behind `TOUCHED`
_READERS, _REPEATS = 5, 8  # members that each feature is read for, and how often


class StateCost(msgspec.Struct, frozen=True):
    """What one holding costs.

    Attributes
    ----------
    key, keeps, owner
        See `holding.Holding`.
    bytes_a_key
        Mean over all keys of the sample; 0 where none has it, None without any key.
    keys, keys_with_it
        How many were looked at, and how many have it.
    cell
        Whether it is a cell of the plan; if not, it is held for more than features, and its fold is not measured.
    fold_us
        Median microseconds to fold an event that it counts; None for no cell, and where no event was given.
    features
        Who reads it.
    """

    key: str
    keeps: str
    owner: str
    bytes_a_key: float | None
    keys: int
    keys_with_it: int
    cell: bool
    fold_us: float | None
    features: tuple[str, ...]


class FeatureCost(msgspec.Struct, frozen=True):
    """What one feature costs: its parts of the states that it reads, and its own reading.

    Attributes
    ----------
    id
        Name and version.
    member_bytes, job_bytes
        Its parts of the bytes of each member's and each job's key; None where a sample has no such key.
    fold_us
        Its parts of the folds of its cells, for an event that all of them count; None where it has no cell but reads what is
        held anyway, and where no event was given.
    read_us
        Median microseconds to read it for a list of jobs; None without jobs or members.
    shared_with
        How many other features share a state with it.
    """

    id: str
    member_bytes: float | None
    job_bytes: float | None
    fold_us: float | None
    read_us: float | None
    shared_with: int


class Costs(msgspec.Struct, frozen=True):
    """What all cost on one sample.

    Attributes
    ----------
    members, jobs, events
        How many were looked at.
    listed
        Jobs of a list, for `read_us`.
    states, features
        In the order of the plan.
    """

    members: int
    jobs: int
    events: int
    listed: int
    states: tuple[StateCost, ...]
    features: tuple[FeatureCost, ...]


def measure(of: Catalogue, sample: Sample, clock: Clock, tick: Callable[[], None] = lambda: None) -> Costs:
    """Measure all features of a catalogue.

    Parameters
    ----------
    of
        The features.
    sample
        States to weigh and to read, and events to fold.
    clock
        Nanoseconds; time on this machine, with this load, is what it says.
    tick
        Called after each state and each feature: `steps` times.
    """
    events = sample.events
    states = []
    for holding in of.holdings.values():
        state = of.plan.states.get(holding.key)
        fold = None if state is None else _fold_us(of.plan, state, events, clock)
        states.append(_state(holding, sample, fold, of.readers(holding)))
        tick()
    by_key = {each.key: each for each in states}
    rows = np.arange(min(LIST, len(sample.jobs)), dtype=np.int32)
    features = []
    for entry in of.entries:
        read_us = _read_us(of.plan.features[entry.id], sample, rows, clock)
        features.append(_feature(entry.id, [by_key[each.key] for each in entry.state], read_us))
        tick()
    return Costs(len(sample.members), len(sample.jobs), len(events), len(rows), tuple(states), tuple(features))


def steps(of: Catalogue) -> int:
    """How often `measure` calls `tick`."""
    return len(of.holdings) + len(of.entries)


def _state(holding: Holding, sample: Sample, fold_us: float | None, features: tuple[str, ...]) -> StateCost:
    sizes = [*_sizes(holding, sample)]
    mean = sum(sizes) / len(sizes) if sizes else None
    return StateCost(
        holding.key, holding.keeps, holding.owner, mean, len(sizes), sum(size > 0 for size in sizes),
        holding.window is not None, fold_us, features,
    )  # fmt: skip


def _sizes(holding: Holding, sample: Sample) -> Iterable[int]:
    """Bytes that it adds to each key of its owner."""
    if holding == NEIGHBOURS:
        return (len(pack(row)) if (row := sample.neighbours.get(job)) is not None else 0 for job in sample.jobs)
    if holding in (ACTS, COMPANIES):
        part = "acts" if holding == ACTS else "companies"
        networks = (sample.networks.get(member) for member in sample.members)
        return (0 if each is None else _less(each, part, getattr(Network(), part)) for each in networks)
    if holding == RECENT:
        return (_less(each, "recent", []) for each in sample.members.values())
    if holding == TOUCHED:
        return (sum(_less(each, part, {}) for part in _TOUCHED) for each in sample.members.values())
    if holding == TOUCHERS:
        return (_less(each, "touchers", b"") for each in sample.jobs.values())
    owners: Iterable[MemberState | JobState]
    owners = sample.members.values() if holding.owner == "member" else sample.jobs.values()
    return (_cell_bytes(each, holding.key) for each in owners)


def _cell_bytes(state: MemberState | JobState, key: str) -> int:
    if key not in state.cells:
        return 0
    return _less(state, "cells", {name: kept for name, kept in state.cells.items() if name != key})


def _less(state: MemberState | JobState | Network, part: str, without: Any) -> int:
    """How many bytes shorter it is with another value of a part."""
    return len(pack(state)) - len(pack(msgspec.structs.replace(state, **{part: without})))


def _fold_us(plan: Plan, state: State, events: Sequence[Done], clock: Clock) -> float | None:
    """Median over rounds; each begins with nothing, and folds all events that the state counts into their keys."""
    aggregate, feed = state.aggregate, feed_of(state)
    by_member = aggregate.by.place == "member"
    given: list[tuple[str, Mapping[str, Any], int]] = []
    for event, profile in events:
        if type(event) in aggregate.stream.records:
            said: Mapping[str, Any] = _said(event) if by_member else plan.travels(event, profile) or {}
            given.append((event.member_id if by_member else event.job_id, said, event.occurred_at))
    if not given:
        return None
    rounds = []
    for _ in range(_ROUNDS):
        cells: dict[str, dict[str, Kept]] = {owner: {} for owner, *_ in given}
        began = clock()
        for owner, said, at in given:
            feed(cells[owner], said, at, 1)
        rounds.append((clock() - began) / 1000 / len(given))
    return median(rounds)


def _said(event: JobEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in type(event).__struct_fields__}


def _read_us(feature: Feature, sample: Sample, rows: Any, clock: Clock) -> float | None:
    """Median over some members of reading it alone for the rows: what readings share (the member's words, say) is not new."""
    if not len(rows) or not sample.members:
        return None
    reader, rounds = Reader((feature,)), []
    busiest = sorted(sample.members, key=lambda member: (-len(sample.members[member].recent), member))[:_READERS]
    for member in busiest:
        view = sample.view(member)
        for number in range(_REPEATS + 1):
            reading = Reading(view, sample.table, rows, sample.now)
            began = clock()
            reader.values(reading)
            if number:  # the first one fills what the view and the table keep
                rounds.append((clock() - began) / 1000)
    return median(rounds)


def _feature(feature_id: str, states: Sequence[StateCost], read_us: float | None) -> FeatureCost:
    def bytes_of(owner: str) -> float | None:
        parts = [(each.bytes_a_key, len(each.features)) for each in states if each.owner == owner]
        return _sum(None if size is None else size / readers for size, readers in parts)

    folds = [each for each in states if each.cell]
    fold_us = _sum(None if each.fold_us is None else each.fold_us / len(each.features) for each in folds)
    others = {other for each in states for other in each.features} - {feature_id}
    return FeatureCost(
        feature_id, bytes_of("member"), bytes_of("job"), None if states and not folds else fold_us, read_us, len(others)
    )


def _sum(parts: Iterable[float | None]) -> float | None:
    found = list(parts)
    return None if None in found else sum(each for each in found if each is not None)
