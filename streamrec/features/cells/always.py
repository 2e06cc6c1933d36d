"""Aggregates over all events of a key, and the times of the first and the latest."""

import math
from dataclasses import dataclass

from streamrec.features.cells.base import AS_OF_MS, Cell, Floats, Kept, Value, later
from streamrec.features.cells.summarised import Summarised
from streamrec.features.cells.summary import Summary
from streamrec.features.cells.window import Window, always


@dataclass(frozen=True)
class Always(Summarised):
    """One aggregate over all events.

    Attributes
    ----------
    of
        The aggregate.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Mean
    >>> cell = Always(Mean())
    >>> kept = cell.fresh()
    >>> for at, value in ((2, 1.0), (1, 4.0)):
    ...     cell.fold(kept, at, value)
    >>> kept, str(cell)
    ([2, [2, 2.5]], 'mean over always')
    """

    of: Summary

    @property
    def window(self) -> Window:
        return always

    @property
    def reversible(self) -> bool:
        return self.of.reversible

    @property
    def additive(self) -> bool:
        return self.of.additive

    @property
    def relative_error(self) -> float:
        return self.of.relative_error

    @property
    def width(self) -> int:
        return self.of.width

    def fresh(self) -> Kept:
        return [None, self.of.fresh()]  # newest time, summary

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        of = self.of
        ready = of.ready(value)
        if ready is None or (sign < 0 and not of.reversible):
            return
        if kept[0] is None or at > kept[0]:
            kept[0] = at
        of.add(kept[1], ready, sign)

    def merge(self, one: Kept, other: Kept) -> Kept:
        return [later(one[0], other[0]), self.of.merge(one[1], other[1])]

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return self.of.columns(kept[1])

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[0]
        return at

    def linear(self, columns: Floats, as_of: int = AS_OF_MS) -> Floats:
        return self.of.linear(columns) if self.additive else super().linear(columns, as_of)

    def read_linear(self, sums: Floats, now: int, as_of: int = AS_OF_MS) -> Floats:
        return self.of.read_linear(sums) if self.additive else super().read_linear(sums, now, as_of)


class _OneTime(Cell):
    """A time of all events, which is what is kept first; NaN for none."""

    @property
    def window(self) -> Window:
        return always

    @property
    def width(self) -> int:
        return 1

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return (math.nan if kept[0] is None else float(kept[0]),)


@dataclass(frozen=True)
class LatestAt(_OneTime):
    """The time of the newest event (ms); NaN for none. Time since it is a difference of reading."""

    @property
    def aggregate(self) -> str:
        return "latest_at"

    def fresh(self) -> Kept:
        return [None]

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:  # noqa: ARG002
        if sign > 0 and (kept[0] is None or at > kept[0]):
            kept[0] = at

    def merge(self, one: Kept, other: Kept) -> Kept:
        return [later(one[0], other[0])]

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[0]
        return at


@dataclass(frozen=True)
class FirstAt(_OneTime):
    """The time of the oldest event (ms); NaN for none."""

    @property
    def aggregate(self) -> str:
        return "first_at"

    def fresh(self) -> Kept:
        return [None, None]  # oldest and newest

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:  # noqa: ARG002
        if sign < 0:
            return
        if kept[0] is None:
            kept[:] = at, at
        elif at < kept[0]:
            kept[0] = at
        elif at > kept[1]:
            kept[1] = at

    def merge(self, one: Kept, other: Kept) -> Kept:
        if one[0] is None or other[0] is None:
            return list(other if one[0] is None else one)
        return [min(one[0], other[0]), max(one[1], other[1])]

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[1]
        return at
