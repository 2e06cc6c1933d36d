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
        self._texts: dict[str, dict[int, tuple[float, ...]]] = {}  # the same by text: few jobs have one

    def write(self, row: int, kept: Kept | None) -> None:
        """Take over what is kept of a job."""
        for text in self._rows.pop(row, {}):
            rows = self._texts[text]
            del rows[row]
            if not rows:
                del self._texts[text]
        if kept is not None:
            found = self._rows[row] = {text: self._keyed.columns_of(kept, text) for text in self._keyed.keys(kept)}
            for text, columns in found.items():
                self._texts.setdefault(text, {})[row] = columns

    def of(self, row: int) -> Mapping[str, tuple[float, ...]]:
        """Columns of a job, by text."""
        return self._rows.get(row, {})

    def rows(self, text: str, rows: Rows) -> Floats:
        """float64 ``(n, width)``: the columns of jobs for one text."""
        found: Floats = np.full((len(rows), len(self._blank)), self._blank)
        known = self._texts.get(text)
        if known:
            places = [place for place, row in enumerate(rows.tolist()) if row in known]
            if places:
                found[places] = [known[row] for row in rows[places].tolist()]
        return found
