"""Feeds: what an event does to the cells of its member or job, one pure function for each cell, or for many at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import msgspec

from streamrec.features.cells.base import Cell, Kept
from streamrec.features.cells.decay import DecayedCount, fold_counts
from streamrec.features.cells.keyed import Keyed
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.keys import joined
from streamrec.features.language.streams import Condition
from streamrec.features.language.types import Type
from streamrec.features.texts import text_of

Cells = dict[str, Kept]
Feed = Callable[[Cells, Mapping[str, Any], int, int], None]  # cells, fields, time, sign

NOTHING: Final[dict[str, Any]] = {}


@dataclass(frozen=True)
class State:
    """One cell of an owner's state, and who reads it.

    Attributes
    ----------
    aggregate
        What it keeps.
    features
        Ids of the features that read it.
    """

    aggregate: Aggregate
    features: tuple[str, ...]

    @property
    def cell(self) -> Cell:
        """What is kept of each key."""
        return self.aggregate.cell

    @property
    def key(self) -> str:
        """Its name in an owner's state."""
        return self.aggregate.state_key

    @property
    def ttl_ms(self) -> int | None:
        """How long after its last event it is dropped; None for never."""
        return self.aggregate.ttl_ms

    @property
    def keeps(self) -> Cell | Keyed:
        """What an owner keeps under the key: the cell, or one for each text of a combined key."""
        return self.cell if self.aggregate.keep is None else Keyed(self.cell, self.aggregate.keep)

    def last_at(self, kept: Kept) -> int | None:
        """Time of the newest event (ms)."""
        return self.keeps.last_at(kept)


class Needs(msgspec.Struct, frozen=True):
    """Fields of an event and of its member's profile, by name."""

    event: tuple[str, ...]
    profile: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.event or self.profile)


def needs_of(states: Iterable[State], place: str, record: type) -> Needs:
    """What the states of members or of jobs (`place`) need of events of a kind."""
    event: dict[str, None] = {}
    profile: dict[str, None] = {}
    for each in states:
        aggregate = each.aggregate
        if aggregate.by.place != place or record not in aggregate.stream.records:
            continue
        event.update(dict.fromkeys(condition.field for condition in aggregate.stream.conditions))
        if aggregate.value is not None:
            event[aggregate.value] = None
        for part in aggregate.by.keyed:
            origin, _, name = part.rpartition(".")
            if origin == "profile":
                profile[name] = None
            else:
                event["job_id" if part == "job" else name] = None
    return Needs(tuple(event), tuple(profile))


def together(states: Sequence[State]) -> tuple[Feed, ...]:
    """The feeds of cells: decayed counts, of which there are many, by one of them all."""
    counts = [each for each in states if isinstance(each.keeps, DecayedCount) and _is_plain(each)]
    rest = tuple(feed_of(each) for each in states if each not in counts)
    if not counts:
        return rest
    pairs = tuple(sorted((each.key, each.aggregate.window.span_ms) for each in counts))

    def count(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:  # noqa: ARG001  (a `Feed`)
        if fold_counts(cells, pairs, at, sign):
            _order(cells)

    return (count, *rest)


def _is_plain(state: State) -> bool:
    aggregate = state.aggregate
    return not (aggregate.stream.conditions or aggregate.by.keyed or aggregate.value or state.ttl_ms)


def feed_of(state: State) -> Feed:
    """The pure function that takes an event into one cell."""
    aggregate, key, ttl = state.aggregate, state.key, state.ttl_ms
    cell, keeps = state.cell, state.keeps
    fold, fresh, reversible = cell.fold, keeps.fresh, cell.reversible
    conditions, value = aggregate.stream.conditions, aggregate.value
    parts = aggregate.by.keyed
    keys = tuple("job_id" if part == "job" else part.removeprefix("event.") for part in parts)
    is_text = value is not None and aggregate.stream.types()[value] is Type.TEXT and not value.endswith("_id")

    if _is_plain(state):

        def plain(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:  # noqa: ARG001  (a `Feed`)
            kept = cells.get(key)
            if kept is None:
                if sign < 0:
                    return
                kept = fresh()
                _put(cells, key, kept)
            fold(kept, at, None, sign)

        return plain

    if len(keys) == 1 and isinstance(keeps, Keyed) and not (conditions or value or ttl):
        name, fold_text = keys[0], keeps.fold

        def by_text(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
            by = joined(parts, (said.get(name),)) if sign > 0 else None
            if by is None:
                return
            kept = cells.get(key)
            if kept is None:
                kept = fresh()
                _put(cells, key, kept)
            fold_text(kept, at, by)

        return by_text

    # What is taken back says nothing of how it was done: only counts of everything can take it back.
    exact = reversible and not (conditions or keys or value)

    def feed(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
        if (sign < 0 and not exact) or not _meets(conditions, said):
            return
        kept = cells.get(key)
        if ttl is not None and kept is not None:
            last_at = keeps.last_at(kept)
            if last_at is not None and at < last_at - ttl:
                return  # it had been dropped by then
            if last_at is not None and at > last_at + ttl:
                kept = None
        if kept is None:
            if sign < 0:
                return
            kept = fresh()
        given = said.get(value) if value is not None else None
        if is_text:
            given = text_of(given) if isinstance(given, str) else None
        if isinstance(keeps, Keyed):
            by = joined(parts, [said.get(name) for name in keys])
            if by is None or (value is not None and given is None):
                return
            keeps.fold(kept, at, by, given, sign)
        elif value is None or given is not None:
            fold(kept, at, given, sign)
        else:
            return
        _put(cells, key, kept)

    return feed


def _put(cells: Cells, key: str, kept: Kept) -> None:
    """Cells stand in the order of their keys, so that equal states are equal bytes, whatever came first."""
    new = key not in cells
    cells[key] = kept
    if new:
        _order(cells)


def _order(cells: Cells) -> None:
    keys = sorted(cells)
    if keys == list(cells):
        return
    ordered = {key: cells[key] for key in keys}
    cells.clear()
    cells.update(ordered)


def _meets(conditions: Sequence[Condition], said: Mapping[str, Any]) -> bool:
    return all(condition.holds(said.get(condition.field)) for condition in conditions)


def watched_feed(state: State, note: Callable[[str, float], None]) -> Feed:
    """The same as `feed_of`, which tells after each event the cell's key and how long it took (s)."""
    feed, key = feed_of(state), state.key

    def watched(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
        began = perf_counter()
        feed(cells, said, at, sign)
        note(key, perf_counter() - began)

    return watched
