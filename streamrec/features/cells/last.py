"""The last k: aggregates over the last k events, and the last k distinct texts."""

from dataclasses import dataclass
from typing import Final

from streamrec.features.cells.base import Cell, Kept, Value
from streamrec.features.cells.points import Points
from streamrec.features.cells.values import text
from streamrec.features.cells.window import Window

MOST: Final = 1000


@dataclass(frozen=True)
class Last(Points):
    """One aggregate over the last `k` events.

    Attributes
    ----------
    k
        1 to 1,000.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Most
    >>> cell = Last(Most(), 2)
    >>> kept = cell.fresh()
    >>> for at, value in ((1, 9.0), (3, 5.0), (2, 4.0)):
    ...     cell.fold(kept, at, value)
    >>> kept, cell.columns(kept)
    ([[2, 4.0], [3, 5.0]], (5.0,))
    """

    k: int

    def __post_init__(self) -> None:
        _check(self.k)

    @property
    def room(self) -> int:
        return self.k

    @property
    def window(self) -> Window:
        return Window("last", parts=self.k)

    @property
    def width(self) -> int:
        return 1

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return (self.of.over([ready for _, ready in kept]),)


@dataclass(frozen=True)
class LatestDistinct(Cell):
    """The last `k` distinct texts, each with its newest time; its number is how many there are.

    Attributes
    ----------
    k
        1 to 1,000.

    Examples
    --------
    >>> cell = LatestDistinct(2)
    >>> kept = cell.fresh()
    >>> for at, value in ((1, "a"), (2, "b"), (3, "a"), (2, "c")):
    ...     cell.fold(kept, at, value)
    >>> cell.values(kept)
    ['a', 'b']
    """

    k: int

    def __post_init__(self) -> None:
        _check(self.k)

    @property
    def aggregate(self) -> str:
        return "texts"

    @property
    def window(self) -> Window:
        return Window("last", parts=self.k)

    @property
    def takes_values(self) -> bool:
        return True

    @property
    def width(self) -> int:
        return 1

    def fresh(self) -> Kept:
        return []  # [time, text], newest first, then by text

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        known = text(value)
        if known is None or sign < 0:
            return
        for place, (before, other) in enumerate(kept):
            if other == known:
                if at <= before:
                    return
                del kept[place]
                break
        place = 0
        while place < len(kept) and (kept[place][0] > at or (kept[place][0] == at and kept[place][1] < known)):
            place += 1
        kept.insert(place, [at, known])
        del kept[self.k :]

    def merge(self, one: Kept, other: Kept) -> Kept:
        merged = list(one)
        for at, value in other:
            self.fold(merged, at, value)
        return merged

    def columns(self, kept: Kept) -> tuple[float, ...]:
        return (float(len(kept)),)

    def last_at(self, kept: Kept) -> int | None:
        return kept[0][0] if kept else None

    def values(self, kept: Kept) -> list[str]:
        """The texts, newest first, then in their own order."""
        return [value for _, value in kept]


def _check(k: int) -> None:
    if not 1 <= k <= MOST:
        raise ValueError(f"the last {k} events cannot be kept: choose from 1 to {MOST}")
