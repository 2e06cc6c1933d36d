"""What jobs keep by another text besides (the member's region, a surface), as numbers: one small mapping a row."""

from collections.abc import Mapping

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

    def write(self, row: int, kept: Kept | None) -> None:
        """Take over what is kept of a job."""
        if kept is None:
            self._rows.pop(row, None)
        else:
            self._rows[row] = {text: self._keyed.columns_of(kept, text) for text in self._keyed.keys(kept)}

    def of(self, row: int) -> Mapping[str, tuple[float, ...]]:
        """Columns of a job, by text."""
        return self._rows.get(row, {})

    def rows(self, text: str, rows: Rows) -> Floats:
        """float64 ``(n, width)``: the columns of jobs for one text."""
        found = [self._rows.get(row, {}).get(text, self._blank) for row in rows.tolist()]
        return np.array(found, np.float64).reshape(len(rows), len(self._blank))
