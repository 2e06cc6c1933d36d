"""Aggregates over the last minutes to days, in panes: each pane keeps one summary, and a window is some whole panes and the
running one."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from streamrec.features.cells.base import Floats, Kept, Moment, Value, later
from streamrec.features.cells.summarised import Summarised
from streamrec.features.cells.summary import Summary
from streamrec.features.cells.window import DAY_MS, MINUTE_MS, Window, text_of

SHORTEST_MS: Final = 5 * MINUTE_MS
LONGEST_MS: Final = 30 * DAY_MS
MOST_PANES: Final = 64


@dataclass(frozen=True)
class Sliding(Summarised):
    """One aggregate over a window that slides in steps of a pane.

    A time `t` is in the pane ``t * panes // length_ms``. The window as of `now` is the last `panes` whole panes and the running
    one: it covers at least `length_ms`, at most one pane more. An event counts, however late, while its pane is in the window of
    the newest event; what falls out is forgotten. Each pane keeps a summary: that of distinct values has up to two hundred bytes.

    Attributes
    ----------
    length_ms
        From 5 minutes to 30 days.
    of
        The aggregate.
    panes
        1 to 64.

    Examples
    --------
    >>> from streamrec.features.cells.summary import Count
    >>> cell = Sliding(300_000, Count(), panes=5)
    >>> kept = cell.fresh()
    >>> for at in (0, 59_999, 60_000):
    ...     cell.fold(kept, at)
    >>> kept
    [60000, [[0, [2]], [1, [1]]]]
    >>> [cell.read(np.array([cell.columns(kept)]), now).item() for now in (0, 359_999, 360_000, 420_000)]
    [3.0, 3.0, 1.0, 0.0]
    """

    length_ms: int
    of: Summary
    panes: int = 12

    def __post_init__(self) -> None:
        if not SHORTEST_MS <= self.length_ms <= LONGEST_MS:
            raise ValueError(
                f"a sliding window of {text_of(self.length_ms)} is out of range: choose one from 5m to 30d, "
                "or decay, or always, for more"
            )
        if not 1 <= self.panes <= MOST_PANES:
            raise ValueError(f"a sliding window of {self.panes} panes is out of range: choose from 1 to {MOST_PANES}")

    @property
    def window(self) -> Window:
        return Window("sliding", self.length_ms, self.panes)

    @property
    def reversible(self) -> bool:
        return self.of.reversible

    @property
    def relative_error(self) -> float:
        return self.of.relative_error

    @property
    def width(self) -> int:
        return self.panes + 2

    def fresh(self) -> Kept:
        return [None, []]  # newest time; [pane, summary], oldest first

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        of = self.of
        ready = of.ready(value)
        if ready is None or (sign < 0 and not of.reversible):
            return
        if kept[0] is None or at > kept[0]:
            kept[0] = at
        rows, pane = kept[1], at * self.panes // self.length_ms
        if not rows or rows[-1][0] != pane:
            self._fold_other(rows, pane, ready, sign)
        else:
            of.add(rows[-1][1], ready, sign)

    def _fold_other(self, rows: Kept, pane: int, ready: object, sign: int) -> None:
        """Add to another pane than the newest there is."""
        place = len(rows)
        while place and rows[place - 1][0] > pane:
            place -= 1
        if place and rows[place - 1][0] == pane:
            self.of.add(rows[place - 1][1], ready, sign)
        elif not rows or pane >= rows[-1][0] - self.panes:
            parts = self.of.fresh()
            self.of.add(parts, ready, sign)
            rows.insert(place, [pane, parts])
            self._forget(rows)

    def _forget(self, rows: Kept) -> None:
        oldest = rows[-1][0] - self.panes
        while rows[0][0] < oldest:
            del rows[0]

    def merge(self, one: Kept, other: Kept) -> Kept:
        rows = {pane: list(parts) for pane, parts in one[1]}
        for pane, parts in other[1]:
            rows[pane] = self.of.merge(rows[pane], parts) if pane in rows else list(parts)
        merged = [[pane, rows[pane]] for pane in sorted(rows)]
        if merged:
            self._forget(merged)
        return [later(one[0], other[0]), merged]

    def columns(self, kept: Kept) -> tuple[float, ...]:
        """The newest pane; then what it gives alone, with the one before, with the two before, and so on."""
        rows, parts = kept[1], self.of.fresh()
        newest = rows[-1][0] if rows else 0
        values, value = [float(newest)], self.of.result(parts)
        known = {newest - pane: summary for pane, summary in rows}
        for age in range(self.panes + 1):
            summary = known.get(age)
            if summary is not None:
                parts = self.of.merge(parts, summary)
                value = self.of.result(parts)
            values.append(value)
        return tuple(values)

    def read(self, columns: Floats, now: Moment) -> Floats:
        # How many panes before the newest one are in the window of now. None is left where the newest one itself is not.
        reach = columns[:, 0] - (now * self.panes // self.length_ms - self.panes)
        places = np.clip(reach, 0, self.panes).astype(np.intp) + 1
        values = columns[np.arange(len(columns)), places]
        nothing = self.of.result(self.of.fresh())
        return np.where(reach < 0, nothing, values)

    def value(self, kept: Kept, now: int) -> float:
        rows, parts = kept[1], self.of.fresh()
        # As `read` does, without adding up panes that are not asked for.
        since = now * self.panes // self.length_ms - self.panes
        if rows and rows[-1][0] >= since:
            since = max(since, rows[-1][0] - self.panes)
            for pane, summary in reversed(rows):
                if pane >= since:
                    parts = self.of.merge(parts, summary)
        return self.of.result(parts)

    def last_at(self, kept: Kept) -> int | None:
        at: int | None = kept[0]
        return at
