"""Aggregates over all events, each halved with each half-life: forward decay, exact in any order.

Sums over keys stand as of a time that never changes, or that the caller gives: what counts is brought to it by a power of two.
Those of float64 bear some 800 half-lives to both sides. So with the time of the contract (`base.AS_OF_MS`) cells with half-lives
from a week are additive for 15 years; with shorter ones pass an `as_of` near now, and sum anew before 800 of them have passed.

References
----------
Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay: A Practical Time Decay Model for Streaming Systems (ICDE 2009).
"""

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp2
from typing import Final

import numpy as np

from streamrec.features.cells.base import AS_OF_MS, Cell, Floats, Kept, Moment, Value
from streamrec.features.cells.summary import Count, Summary
from streamrec.features.cells.window import DAY_MS, MINUTE_MS, Window, text_of
from streamrec.features.windows import fade

SHORTEST_MS: Final = 5 * MINUTE_MS  # of shorter ones a score has less than nine digits
LONGEST_MS: Final = 3650 * DAY_MS

_FARTHEST: Final = 800.0
_ADDITIVE_MS: Final = 7 * DAY_MS
MOST_LOG2: Final = 60.0  # no count comes near, and values stay finite whatever is stored
_MOST_SUM: Final = 1e60  # nor a sum of squares


@dataclass(frozen=True)
class Fading(Cell):
    """What decayed cells have in common.

    Attributes
    ----------
    half_life_ms
        From 5 minutes to 10 years.
    """

    half_life_ms: int

    def __post_init__(self) -> None:
        if not SHORTEST_MS <= self.half_life_ms <= LONGEST_MS:
            raise ValueError(
                f"a half-life of {text_of(self.half_life_ms)} is out of range: choose one from 5m to 3650d"
            )

    @property
    @abstractmethod
    def summary(self) -> Summary:
        """What is decayed."""

    @property
    def aggregate(self) -> str:
        return self.summary.name

    @property
    def window(self) -> Window:
        return Window("decay", self.half_life_ms)

    @property
    def takes_values(self) -> bool:
        return self.summary.takes_values

    @property
    def reversible(self) -> bool:
        return True

    @property
    def additive(self) -> bool:
        return self.half_life_ms >= _ADDITIVE_MS

    def read_linear(self, sums: Floats, now: int, as_of: int = AS_OF_MS) -> Floats:
        self._check(as_of)
        halvings = min(max((as_of - now) / self.half_life_ms, -_FARTHEST), _FARTHEST)
        power = math.exp2(halvings)
        return self.summary.read_linear(np.clip(sums, -_MOST_SUM / power, _MOST_SUM / power) * power)

    def _check(self, as_of: int) -> None:
        if as_of == AS_OF_MS and not self.additive:
            raise TypeError(
                f"{self} cannot be summed as of a fixed time: pass an as_of near now, or a half-life from 7d"
            )


@dataclass(frozen=True)
class DecayedCount(Fading):
    """Count of events, each halved with each half-life.

    Its one column is a score that orders keys in the same way at every time: log2 of the sum, plus its time in half-lives; -inf
    for no event. A `now` before the newest event therefore reads as more than there are.

    Examples
    --------
    >>> cell = DecayedCount(86_400_000)
    >>> kept = cell.fresh()
    >>> for at in (86_400_000, 0):
    ...     cell.fold(kept, at)
    >>> kept, cell.read(np.array([cell.columns(kept)]), 2 * 86_400_000)
    ([1.5, 86400000, 2], array([0.75]))
    """

    @property
    def summary(self) -> Summary:
        return Count()

    @property
    def width(self) -> int:
        return 1

    def fresh(self) -> Kept:
        return [0.0, 0, 0]  # the sum as of the time that follows; how many events, so that none is exactly none

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:  # noqa: ARG002
        newest = kept[1]
        if at >= newest:
            kept[0] = kept[0] * math.exp2((newest - at) / self.half_life_ms) + sign
            kept[1] = at
        else:
            kept[0] += sign * math.exp2((at - newest) / self.half_life_ms)
        kept[2] += sign
        if not kept[2]:
            kept[0] = 0.0

    def merge(self, one: Kept, other: Kept) -> Kept:
        older, newer = (one, other) if one[1] <= other[1] else (other, one)
        older_now = older[0] * fade(newer[1] - older[1], self.half_life_ms)
        return [newer[0] + older_now, newer[1], one[2] + other[2]]

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return (math.log2(kept[0]) + kept[1] / self.half_life_ms if kept[0] > 0.0 else -math.inf,)

    def read(self, columns: Floats, now: Moment) -> Floats:
        values: Floats = np.exp2(np.minimum(columns[:, 0] - now / self.half_life_ms, MOST_LOG2))
        return values

    def last_at(self, kept: Kept) -> int | None:
        return kept[1] if any(kept) else None

    def linear_of(self, columns: tuple[float, ...]) -> list[float]:
        self._check(AS_OF_MS)
        score = columns[0] - AS_OF_MS / self.half_life_ms
        return [0.0 if score < -_FARTHEST else math.exp2(min(score, _FARTHEST))]

    def linear(self, columns: Floats, as_of: int = AS_OF_MS) -> Floats:
        self._check(as_of)
        powers: Floats = np.exp2(np.minimum(columns - as_of / self.half_life_ms, _FARTHEST))
        return powers


def fold_counts(cells: dict[str, Kept], counts: Iterable[tuple[str, int]], at: int, sign: int) -> bool:
    """`DecayedCount.fold` of several counts of one owner, by key and half-life (ms), in place: the same to the last bit.

    Most of what is kept are such counts, and a call for each of them is most of what they cost. One that is not there begins,
    unless something is taken back; whether one has begun.
    """
    begun = False
    for key, half_life_ms in counts:
        kept = cells.get(key)
        if kept is None:
            if sign > 0:
                cells[key] = [1.0, at, 1]
                begun = True
            continue
        newest = kept[1]
        if at > newest:
            kept[0] = kept[0] * exp2((newest - at) / half_life_ms) + sign
            kept[1] = at
        elif at == newest:
            kept[0] += sign
        else:
            kept[0] += sign * exp2((at - newest) / half_life_ms)
        kept[2] += sign
        if not kept[2]:
            kept[0] = 0.0
    return begun


@dataclass(frozen=True)
class Decay(Fading):
    """Total, mean or variance of values, each with half the weight after each half-life.

    Attributes
    ----------
    of
        The aggregate.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Mean
    >>> cell = Decay(half_life_ms=86_400_000, of=Mean())
    >>> kept = cell.fresh()
    >>> for at, value in ((86_400_000, 4.0), (0, 1.0)):
    ...     cell.fold(kept, at, value)
    >>> kept, cell.read(np.array([cell.columns(kept)]), 0)
    ([86400000, 2, [1.5, 3.0]], array([3.]))
    """

    of: Summary

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.of.weighted or not self.of.takes_values:
            raise ValueError(
                f"{self.of.name} cannot decay as values do: use sliding or last, or DecayedCount for a count"
            )

    @property
    def summary(self) -> Summary:
        return self.of

    @property
    def width(self) -> int:
        return self.of.width + 1

    def fresh(self) -> Kept:
        return [None, 0, self.of.fresh()]  # newest time, how many events, the summary as of that time

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        of = self.of
        ready = of.ready(value)
        if ready is None:
            return
        newest, parts = kept[0], kept[2]
        if newest is None or at == newest:
            kept[0] = at
            of.add(parts, ready, sign)
        elif at > newest:
            of.fade(parts, fade(at - newest, self.half_life_ms))
            kept[0] = at
            of.add(parts, ready, sign)
        else:
            of.add(parts, ready, sign * fade(newest - at, self.half_life_ms))
        kept[1] += sign
        if not kept[1]:
            kept[2] = of.fresh()

    def merge(self, one: Kept, other: Kept) -> Kept:
        if one[0] is None or other[0] is None:
            known = other if one[0] is None else one
            return [known[0], known[1], list(known[2])]
        older, newer = (one, other) if one[0] <= other[0] else (other, one)
        faded = list(older[2])
        self.of.fade(faded, fade(newer[0] - older[0], self.half_life_ms))
        return [newer[0], one[1] + other[1], self.of.merge(newer[2], faded)]

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return (*self.of.columns(kept[2]), float(kept[0] or 0))

    def read(self, columns: Floats, now: Moment) -> Floats:
        values: Floats = columns[:, 0].copy()
        if self.of.fades:
            values *= np.exp2(np.minimum(columns[:, -1] - now, 0.0) / self.half_life_ms)
        return values

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[0]
        return at

    def linear(self, columns: Floats, as_of: int = AS_OF_MS) -> Floats:
        self._check(as_of)
        halvings = (columns[:, -1:] - as_of) / self.half_life_ms
        summed: Floats = self.of.linear(columns[:, :-1]) * np.exp2(np.minimum(halvings, _FARTHEST))
        return summed
