"""What cells of one summary have in common, whatever the window."""

from streamrec.features.cells.base import Cell
from streamrec.features.cells.summary import Summary


class Summarised(Cell):
    """A cell whose aggregate is a summary, `of`; each window declares that field where its own parameters have it."""

    of: Summary

    @property
    def aggregate(self) -> str:
        return self.of.name

    @property
    def takes_values(self) -> bool:
        return self.of.takes_values
