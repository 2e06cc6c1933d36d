"""Counts by what postings say: the cells of all jobs added up by company, function, …, following the table's changes.

Nobody keeps a count for each company. The owners of jobs count by job; whoever reads adds up, so that a job that changes its
company takes its count along, and a sum is the same in whatever order postings and events came.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from streamrec.features.cells.base import Cell, Floats
from streamrec.features.columns import CODED, Ints

_BITS: Final = 31  # of a code, where two fields are combined

Rows = Mapping[str, tuple[float, ...]]


class Rollup:
    """Sums of one cell, by the codes of some fields of the posting, for each text of the cell's own key.

    Parameters
    ----------
    cell
        An additive one.
    fields
        Fields of the posting, of `CODED`; none adds up all jobs.
    """

    def __init__(self, cell: Cell, fields: tuple[str, ...]) -> None:
        self._cell = cell
        self._columns = [CODED.index(field.removeprefix("posting.")) for field in fields]
        self._blank = cell.blank()
        self._nothing = cell.linear_of(self._blank)
        self._sums: dict[str, dict[int, list[float]]] = {}

    def change(self, codes: tuple[int, ...], before: Rows, after: Rows) -> None:
        """A job with these codes has other columns now, by the texts of the key."""
        place = self._place(codes)
        if place is None:
            return
        for text in {**before, **after}:
            if before.get(text) != after.get(text):
                self._add(place, text, before.get(text, self._blank), after.get(text, self._blank))

    def move(self, before: tuple[int, ...], after: tuple[int, ...], rows: Rows) -> None:
        """A job has other codes now."""
        self.change(before, rows, {})
        self.change(after, {}, rows)

    def _add(self, place: int, text: str, before: tuple[float, ...], after: tuple[float, ...]) -> None:
        less, more = self._cell.linear_of(before), self._cell.linear_of(after)
        sums = self._sums.setdefault(text, {}).setdefault(place, [0.0] * len(more))
        for index, part in enumerate(more):
            sums[index] += part - less[index]

    def read(self, text: str, codes: Ints, now: int) -> Floats:
        """Values for jobs with `codes`, int32 ``(n, 6)``, as of `now` (ms); 0 or NaN (as of nothing) where a field is missing."""
        sums = self._sums.get(text, {})
        nothing = self._nothing
        if not self._columns:
            return np.broadcast_to(self._cell.read_linear(np.array([sums.get(0, nothing)]), now), len(codes))
        places = codes[:, self._columns[0]].astype(np.int64)
        known = places > 0
        for column in self._columns[1:]:
            known &= codes[:, column] > 0
            places = (places << _BITS) | codes[:, column]
        found, where = np.unique(np.where(known, places, 0), return_inverse=True)
        picked = [sums.get(place, nothing) if place else nothing for place in found.tolist()]
        values = np.array(picked, np.float64).reshape(len(picked), len(nothing))
        return self._cell.read_linear(values, now)[where]

    def _place(self, codes: tuple[int, ...]) -> int | None:
        place = 0
        for column in self._columns:
            if not codes[column]:
                return None
            place = (place << _BITS) | codes[column]
        return place
