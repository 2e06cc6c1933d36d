"""Aggregates over the present session: events of which none is farther than a gap from the next, up to now."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from streamrec.features.cells.base import Floats, Kept, Moment
from streamrec.features.cells.points import Points
from streamrec.features.cells.window import DAY_MS, Window, text_of

MOST_KEPT: Final = 1000


@dataclass(frozen=True)
class Session(Points):
    """One aggregate over the present session, which ends when `now` is more than `gap_ms` after the newest event.

    A session is what the newest `keep` events give: of a longer one the oldest are left out.

    Attributes
    ----------
    gap_ms
        From 1 s to 30 days.
    keep
        1 to 1,000.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Count
    >>> cell = Session(Count(), 1_800_000)
    >>> kept = cell.fresh()
    >>> for at in (0, 3_600_000, 1_800_001):
    ...     cell.fold(kept, at)
    >>> [cell.read(np.array([cell.columns(kept)]), now).item() for now in (3_600_000, 5_400_000, 5_400_001)]
    [2.0, 2.0, 0.0]
    """

    gap_ms: int
    keep: int = 64

    def __post_init__(self) -> None:
        if not 1_000 <= self.gap_ms <= 30 * DAY_MS:
            raise ValueError(f"a gap of {text_of(self.gap_ms)} is out of range: choose one from 1s to 30d")
        if not 1 <= self.keep <= MOST_KEPT:
            raise ValueError(f"{self.keep} events of a session cannot be kept: choose from 1 to {MOST_KEPT}")

    @property
    def room(self) -> int:
        return self.keep

    @property
    def window(self) -> Window:
        return Window("session", self.gap_ms)

    @property
    def width(self) -> int:
        return 2

    def columns(self, kept: Kept) -> tuple[float, ...]:
        first = len(kept) - 1
        while first > 0 and kept[first][0] - kept[first - 1][0] <= self.gap_ms:
            first -= 1
        return self.of.over([ready for _, ready in kept[max(first, 0) :]]), float(kept[-1][0] if kept else 0)

    def read(self, columns: Floats, now: Moment) -> Floats:
        return np.where(now - columns[:, 1] > self.gap_ms, self.of.result(self.of.fresh()), columns[:, 0])
