"""Counts by what postings say: the cells of all jobs added up by company, function, …, following the table's changes.

Nobody keeps a count for each company. The owners of jobs count by job; whoever reads adds up, so that a job that changes its
company takes its count along, and a sum is the same in whatever order postings and events came.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.cells.base import Cell, Floats
from streamrec.features.columns import CODED, Ints

Rows = Mapping[str, tuple[float, ...]]
Place = tuple[int, ...]  # codes of the fields

_FEW: Final = 64  # codes are not worth sorting


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
        # By text and place: how many jobs there are, then the sums. Where there is none, nothing is left, not even rounding.
        self._sums: dict[str, dict[Place, list[float]]] = {}
        self._by_code: Floats = np.array([self._nothing])  # the sums of one field without another text, which most are

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

    def _add(self, place: Place, text: str, before: tuple[float, ...], after: tuple[float, ...]) -> None:
        less, more = self._cell.linear_of(before), self._cell.linear_of(after)
        places = self._sums.setdefault(text, {})
        sums = places.setdefault(place, [0, *self._nothing])
        sums[0] += any(more) - any(less)
        for index, part in enumerate(more):
            sums[index + 1] += part - less[index]
        if text == "" and len(place) == 1:
            self._by_code = _with_room(self._by_code, place[0])
            self._by_code[place] = sums[1:] if sums[0] else self._nothing
        if not sums[0]:
            del places[place]
            if not places:
                del self._sums[text]

    def read(self, text: str, codes: Ints, now: int) -> Floats:
        """Values for jobs with `codes`, int32 ``(n, 6)``, as of `now` (ms).

        Where no job was counted, they are those of nothing (of a count 0); where the job has no such field, NaN.
        """
        asked = codes[:, self._columns]
        if text == "" and len(self._columns) == 1:
            asked = asked[:, 0]
            known = np.where(asked < len(self._by_code), asked, 0)  # beyond nothing was counted
            values = self._cell.read_linear(self._by_code[known], now)
            values[asked == 0] = np.nan
            return values
        found, where = _distinct(asked)
        sums, nothing = self._sums.get(text, {}), [0, *self._nothing]
        places = [tuple(place) for place in found.reshape(len(found), len(self._columns)).tolist()]
        picked = np.array([sums.get(place, nothing) for place in places], np.float64).reshape(len(places), len(nothing))
        values = self._cell.read_linear(picked[:, 1:], now)
        values[[not all(place) for place in places]] = np.nan
        read: Floats = values[where.reshape(-1)]
        return read

    def _place(self, codes: tuple[int, ...]) -> Place | None:
        place = tuple([codes[column] for column in self._columns])
        return place if all(place) else None


def _distinct(asked: Ints) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Rows that hold all those ``(n, c)`` that are asked for, and which of them each is."""
    if asked.shape[1] != 1:
        return np.unique(asked, axis=0, return_inverse=True)
    # Rows of one number are sorted as numbers, which is quicker; and a few of them are not worth sorting.
    codes = asked[:, 0]
    most = int(codes.max(initial=0))
    return (np.arange(most + 1), codes) if most <= _FEW else np.unique(codes, return_inverse=True)


def _with_room(rows: Floats, row: int) -> Floats:
    """`rows`, with more like the first if there are not so many."""
    if row < len(rows):
        return rows
    return np.concatenate([rows, np.repeat(rows[:1], max(len(rows), row + 1 - len(rows)), axis=0)])
