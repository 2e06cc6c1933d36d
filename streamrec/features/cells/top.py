"""The heaviest texts of a key, by decayed weight."""

import math
from dataclasses import dataclass
from typing import Final

from streamrec.features.cells.base import Cell, Kept, Value, later
from streamrec.features.cells.values import number, text
from streamrec.features.cells.window import DAY_MS, MINUTE_MS, Window, text_of

MOST: Final = 1000

_LEAST: Final = 1e-12
_FORGOTTEN: Final = 1e-30  # far less than _LEAST, so that late events do not find it missing
_REBASE: Final = 100  # half-lives between the times as of which weights stand: 2^1024 overflows


@dataclass(frozen=True)
class Top(Cell):
    """The `k` texts with the largest weights, of which each event's halves with each half-life; its number is how many there are.

    Up to one and a half `k` are kept and then cut back to `k`: what was cut and comes again starts anew. So weights, order and
    merging are exact while no more than `k` texts have come, and a text that is heavy and frequent is never cut.

    A text whose weight has faded to less than 1e-12 by the newest event is gone.

    Weights stand as of a time that all keys share (a multiple of 100 half-lives): a later event is written as the larger number
    that fades to it, so that nothing else has to be touched.

    Attributes
    ----------
    k
        1 to 1,000.
    half_life_ms
        From 5 minutes to 10 years.

    Examples
    --------
    >>> cell = Top(2, 86_400_000)
    >>> kept = cell.fresh()
    >>> for value in ("a", "b", "b"):
    ...     cell.fold(kept, 0, value)
    >>> cell.weights(kept, 86_400_000)
    {'b': 1.0, 'a': 0.5}
    """

    k: int
    half_life_ms: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= MOST:
            raise ValueError(f"the top {self.k} texts cannot be kept: choose from 1 to {MOST}")
        if not 5 * MINUTE_MS <= self.half_life_ms <= 3650 * DAY_MS:
            raise ValueError(
                f"a half-life of {text_of(self.half_life_ms)} is out of range: choose one from 5m to 3650d"
            )

    @property
    def aggregate(self) -> str:
        return f"top {self.k}"

    @property
    def window(self) -> Window:
        return Window("decay", self.half_life_ms)

    @property
    def takes_values(self) -> bool:
        return True

    @property
    def mergeable(self) -> bool:
        return False

    @property
    def width(self) -> int:
        return 1

    def fresh(self) -> Kept:
        return [None, 0, {}]  # newest time, time as of which weights stand, text -> weight

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        if sign > 0:
            self.add(kept, at, value, 1.0)

    def add(self, kept: Kept, at: int, value: Value, weight: float) -> None:
        """Add `weight`, above 0, to a text, as of the time `at` (ms), in place."""
        known, amount = text(value), number(weight)
        if known is None or amount is None or amount <= 0.0:
            return
        if kept[0] is None or at > kept[0]:
            kept[0] = at
            self._rebase(kept, at)
        weights = kept[2]
        amount *= math.exp2((at - kept[1]) / self.half_life_ms)
        if amount >= _FORGOTTEN:
            weights[known] = weights.get(known, 0.0) + amount
            if len(weights) > self.k + self.k // 2:
                kept[2] = dict(self._best(weights))

    def merge(self, one: Kept, other: Kept) -> Kept:
        older, newer = (one, other) if one[1] <= other[1] else (other, one)
        merged: Kept = [
            later(one[0], other[0]),
            older[1],
            dict(older[2]),
        ]
        self._rebase(merged, newer[1])
        weights = merged[2]
        for known, weight in newer[2].items():
            weights[known] = weights.get(known, 0.0) + weight
        if len(weights) > self.k + self.k // 2:
            merged[2] = dict(self._best(weights))
        return merged

    def columns(self, kept: Kept) -> tuple[float, ...]:
        least = self._least(kept)
        return (float(min(sum(weight >= least for weight in kept[2].values()), self.k)),)

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[0]
        return at

    def weights(self, kept: Kept, now: int) -> dict[str, float]:
        """The best texts and their weights as of `now` (ms): the largest first, then by text."""
        fading = math.exp2((kept[1] - max(kept[0] or 0, kept[1], now)) / self.half_life_ms)
        least = self._least(kept)
        return {known: weight * fading for known, weight in self._best(kept[2]) if weight >= least}

    def _least(self, kept: Kept) -> float:
        return _LEAST * math.exp2((max(kept[0] or 0, kept[1]) - kept[1]) / self.half_life_ms)

    def _best(self, weights: dict[str, float]) -> list[tuple[str, float]]:
        return sorted(weights.items(), key=lambda entry: (-entry[1], entry[0]))[: self.k]

    def _rebase(self, kept: Kept, at: int) -> None:
        """Let weights stand as of the newest multiple of `_REBASE` half-lives up to `at`."""
        step = _REBASE * self.half_life_ms
        as_of = at // step * step
        if as_of > kept[1]:
            scale = math.exp2((kept[1] - as_of) / self.half_life_ms)
            faded = {known: weight * scale for known, weight in kept[2].items()}
            kept[2] = {known: weight for known, weight in faded.items() if weight >= _FORGOTTEN}
            kept[1] = as_of
