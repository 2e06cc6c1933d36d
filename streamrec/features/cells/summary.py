"""Summaries of a bag of values, without time: what a pane, a session or all time keeps of it.

A summary is a list that `add` changes in place. Values come prepared by `ready`, so that a window can pass over an event
before it changes anything. Weights are 1 or -1 (taking back), or smaller where the past has faded (see `decay.Decay`).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.cells import sketch
from streamrec.features.cells.values import mark, number

Floats = npt.NDArray[np.float64]
Parts = list[Any]

LEAST_WEIGHT: Final = 1e-6  # what is left below it is rounding of what was taken back


@dataclass(frozen=True)
class Summary(ABC):
    """One aggregate. Objects hold nothing, and all of a class are equal.

    Attributes
    ----------
    name
        As `make.make` takes it.
    takes_values, reversible, additive
        See `base.Cell`.
    relative_error
        See `base.Cell`.
    weighted
        Whether weights other than 1 and -1 have a meaning, so that it can fade.
    fades
        Whether the result itself fades with the past; a mean does not.
    width
        How many numbers `columns` gives.
    """

    name: ClassVar[str]
    takes_values: ClassVar[bool] = True
    reversible: ClassVar[bool] = True
    additive: ClassVar[bool] = True
    weighted: ClassVar[bool] = True
    fades: ClassVar[bool] = False
    relative_error: ClassVar[float] = 0.0
    width: ClassVar[int] = 1

    def ready(self, value: object) -> Any:
        """The value as `add` takes it; None where it is passed over."""
        return number(value)

    @abstractmethod
    def fresh(self) -> Parts:
        """The summary of nothing."""

    @abstractmethod
    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        """Add what `ready` gave, in place; nothing where `weight` is below 0 and it is not `reversible`."""

    @abstractmethod
    def merge(self, one: Parts, other: Parts) -> Parts:
        """Of both, as a new list."""

    @abstractmethod
    def result(self, parts: Parts) -> float:
        """The value: NaN where nothing is known."""

    def fade(self, parts: Parts, share: float) -> None:
        """Leave `share` of the weight of all that was added, in place; where `weighted`."""
        parts[0] *= share

    def over(self, readies: list[Any]) -> float:
        """The value of a list of what `ready` gave."""
        parts = self.fresh()
        for ready in readies:
            self.add(parts, ready, 1)
        return self.result(parts)

    def columns(self, parts: Parts) -> tuple[float, ...]:
        """The result, and what `linear` needs besides."""
        return (self.result(parts),)

    def linear(self, columns: Floats) -> Floats:
        """Columns ``(n, width)`` as numbers ``(n, m)`` that may be summed."""
        return columns

    def read_linear(self, sums: Floats) -> Floats:
        """Results ``(n,)`` of such sums."""
        return sums[:, 0].copy()


class Count(Summary):
    """How many there are, whatever their values."""

    name = "count"
    takes_values = False
    fades = True

    def ready(self, value: object) -> Any:  # noqa: ARG002
        return 0

    def fresh(self) -> Parts:
        return [0]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:  # noqa: ARG002
        parts[0] += weight

    def merge(self, one: Parts, other: Parts) -> Parts:
        return [one[0] + other[0]]

    def result(self, parts: Parts) -> float:
        return float(parts[0])


class Total(Summary):
    """The sum; 0 for nothing. The weight is kept beside it, so that no rounding is left of what was all taken back."""

    name = "total"
    fades = True

    def fresh(self) -> Parts:
        return [0, 0.0]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        parts[0] += weight
        parts[1] = parts[1] + ready * weight if parts[0] else 0.0

    def merge(self, one: Parts, other: Parts) -> Parts:
        return [one[0] + other[0], one[1] + other[1]]

    def fade(self, parts: Parts, share: float) -> None:
        parts[0] *= share
        parts[1] *= share

    def result(self, parts: Parts) -> float:
        return float(parts[1])


class Variance(Summary):
    """The variance of the values as they are (divided by their number, not by one less); 0 for one value.

    Kept are weight, mean, and the sum of squares around it (Welford's way, and Chan's to merge), which cancels nothing.
    """

    name = "variance"
    width = 3

    def fresh(self) -> Parts:
        return [0, 0.0, 0.0]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        total = parts[0] + weight
        if total <= 0.0:
            parts[:] = self.fresh()
            return
        before = ready - parts[1]
        parts[0] = total
        parts[1] += before * (weight / total)
        parts[2] = max(0.0, parts[2] + weight * before * (ready - parts[1]))

    def merge(self, one: Parts, other: Parts) -> Parts:
        total = one[0] + other[0]
        if not total:
            return self.fresh()
        apart, share = other[1] - one[1], other[0] / total
        return [total, one[1] + apart * share, one[2] + other[2] + apart * apart * one[0] * share]

    def fade(self, parts: Parts, share: float) -> None:
        parts[0] *= share
        parts[2] *= share

    def result(self, parts: Parts) -> float:
        return float(parts[2] / parts[0]) if parts[0] >= LEAST_WEIGHT else math.nan

    def columns(self, parts: Parts) -> tuple[float, ...]:
        return (self.result(parts), float(parts[0]), float(parts[1]))

    def linear(self, columns: Floats) -> Floats:
        variances, counts, means = columns[:, 0], columns[:, 1], columns[:, 2]
        squares = np.where(counts >= LEAST_WEIGHT, variances + means * means, 0.0)
        return np.stack([counts, counts * means, counts * squares], axis=1)

    def read_linear(self, sums: Floats) -> Floats:
        counts = np.where(sums[:, 0] >= LEAST_WEIGHT, sums[:, 0], np.nan)
        means = sums[:, 1] / counts
        spread: Floats = np.maximum(sums[:, 2] / counts - means * means, 0.0)
        return spread


class Mean(Summary):
    """The mean, kept as it is beside the weight, so that no sum grows beyond what its digits hold."""

    name = "mean"
    width = 2

    def fresh(self) -> Parts:
        return [0, 0.0]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        total = parts[0] + weight
        if total <= 0.0:
            parts[:] = self.fresh()
            return
        parts[0] = total
        parts[1] += (ready - parts[1]) * (weight / total)

    def merge(self, one: Parts, other: Parts) -> Parts:
        total = one[0] + other[0]
        return [total, one[1] + (other[1] - one[1]) * (other[0] / total)] if total else self.fresh()

    def result(self, parts: Parts) -> float:
        return float(parts[1]) if parts[0] >= LEAST_WEIGHT else math.nan

    def columns(self, parts: Parts) -> tuple[float, ...]:
        return (self.result(parts), float(parts[0]))

    def linear(self, columns: Floats) -> Floats:
        counts = np.where(columns[:, 1] >= LEAST_WEIGHT, columns[:, 1], 0.0)
        return np.stack([counts, counts * np.where(counts, columns[:, 0], 0.0)], axis=1)

    def read_linear(self, sums: Floats) -> Floats:
        means: Floats = sums[:, 1] / np.where(sums[:, 0] >= LEAST_WEIGHT, sums[:, 0], np.nan)
        return means


class Least(Summary):
    """The smallest value."""

    name = "least"
    reversible = False
    additive = False
    weighted = False

    def fresh(self) -> Parts:
        return [None]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        if weight > 0.0 and (parts[0] is None or self._beats(ready, parts[0])):
            parts[0] = ready

    def merge(self, one: Parts, other: Parts) -> Parts:
        if one[0] is None or (other[0] is not None and self._beats(other[0], one[0])):
            return list(other)
        return list(one)

    def result(self, parts: Parts) -> float:
        return math.nan if parts[0] is None else float(parts[0])

    def _beats(self, one: float, other: float) -> bool:
        return one < other


class Most(Least):
    """The largest value."""

    name = "most"

    def _beats(self, one: float, other: float) -> bool:
        return one > other


class Distinct(Summary):
    """How many distinct texts or numbers there are, by a sketch."""

    name = "distinct"
    reversible = False
    additive = False
    weighted = False
    relative_error = sketch.RELATIVE_ERROR

    def ready(self, value: object) -> Any:
        return mark(value)

    def fresh(self) -> Parts:
        return [sketch.EMPTY]

    def add(self, parts: Parts, ready: Any, weight: float) -> None:
        if weight > 0.0:
            parts[0] = sketch.add(parts[0], ready)

    def merge(self, one: Parts, other: Parts) -> Parts:
        return [sketch.merge(one[0], other[0])]

    def result(self, parts: Parts) -> float:
        return sketch.estimate(parts[0])

    def over(self, readies: list[Any]) -> float:
        return float(len(set(readies)))  # a list is exact


SUMMARIES: Final = {
    summary.name: summary for summary in (Count(), Total(), Mean(), Variance(), Least(), Most(), Distinct())
}
