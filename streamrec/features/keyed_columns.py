"""What jobs keep by another text besides (the member's region, a surface), as numbers: one small mapping a row."""

from collections.abc import Mapping
from itertools import repeat

import numpy as np

from streamrec.features.cells.base import Cell, Floats, Kept
from streamrec.features.cells.keyed import Keyed
from streamrec.features.columns import Rows


class KeyedColumns:
    """Columns of one cell by row and text.

    Parameters
    ----------
    cell
        What is kept of each text.
    keep
        Texts that a job keeps.
    """

    def __init__(self, cell: Cell, keep: int) -> None:
        self._keyed, self._blank = Keyed(cell, keep), cell.blank()
        self._rows: dict[int, dict[str, tuple[float, ...]]] = {}
        self._texts: dict[str, _Text] = {}  # the same by text: few jobs have one

    def write(self, row: int, kept: Kept | None) -> None:
        """Take over what is kept of a job."""
        before, after = self._rows.get(row, {}), {}
        if kept is not None:
            after = {text: self._keyed.columns_of(kept, text) for text in self._keyed.keys(kept)}
        for text in before:
            if text not in after and self._texts[text].drop(row):
                del self._texts[text]
        for text, columns in after.items():
            if before.get(text) != columns:  # one event changes one text
                self._texts.setdefault(text, _Text(self._blank)).put(row, columns)
        if after:
            self._rows[row] = after
        else:
            self._rows.pop(row, None)

    def of(self, row: int) -> Mapping[str, tuple[float, ...]]:
        """Columns of a job, by text."""
        return self._rows.get(row, {})

    def rows(self, text: str, rows: Rows) -> Floats:
        """float64 ``(n, width)``: the columns of jobs for one text."""
        known = self._texts.get(text)
        return np.tile(self._blank, (len(rows), 1)) if known is None else known.read(rows)


class _Text:
    """The columns of those jobs that have one text; the first place is that of the others."""

    __slots__ = ("_columns", "_free", "_places")

    def __init__(self, blank: tuple[float, ...]) -> None:
        self._columns: Floats = np.array([blank, blank], np.float64)
        self._places: dict[int, int] = {}  # by row
        self._free: list[int] = [1]

    def put(self, row: int, columns: tuple[float, ...]) -> None:
        place = self._places.get(row)
        if place is None:
            if not self._free:
                used = len(self._columns)
                self._free = list(range(2 * used - 1, used - 1, -1))
                self._columns = np.concatenate([self._columns, np.tile(self._columns[:1], (used, 1))])
            place = self._places[row] = self._free.pop()
        self._columns[place] = columns

    def drop(self, row: int) -> bool:
        """Whether that was the last one."""
        self._free.append(self._places.pop(row))
        return not self._places

    def read(self, rows: Rows) -> Floats:
        places = np.array(list(map(self._places.get, rows.tolist(), repeat(0))), np.intp)
        return self._columns.take(places, axis=0)
