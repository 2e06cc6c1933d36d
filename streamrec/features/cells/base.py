"""The contract of a cell: what one aggregate over one window keeps of the events of one key, and how it is read.

A cell object holds parameters only and is shared by all keys. What is kept of a key is a `Kept`: a list of numbers, texts,
bytes and lists, as MessagePack holds them, that `fold` changes in place. Reading is in two steps, so that hundreds of keys are
read at once: `columns` turns what is kept into a few numbers when it is written, `read` turns rows of these into values at a
moment.

The late-event rule, for all cells: an event counts whatever its time, as if it had come in time, where the window allows;
each class says where it does not. What is kept then is a function of the set of events, not of their order.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Kept = list[Any]
Value = float | str | None
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell(ABC):
    """One aggregate over one window; its fields are its parameters, and with the class name all of its meaning.

    Attributes
    ----------
    takes_values
        Whether `fold` needs a value: None is passed over then.
    reversible
        Whether ``sign=-1`` takes an event of the same time (and value) back exactly; where not, taking back changes nothing.
    mergeable
        Whether `merge` gives what one stream of both parts would have given.
    additive
        Whether rows of `columns`, passed through `powers`, may be summed over keys and read as one (for roll-ups).
    """

    takes_values: ClassVar[bool] = False
    reversible: ClassVar[bool] = False
    mergeable: ClassVar[bool] = True
    additive: ClassVar[bool] = False

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers `columns` gives."""

    @abstractmethod
    def fresh(self) -> Kept:
        """What is kept before the first event."""

    @abstractmethod
    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        """Add an event of the time `at` (ms) in place; with ``sign=-1`` take it back."""

    @abstractmethod
    def merge(self, one: Kept, other: Kept) -> Kept:
        """What both parts of a stream give together, as a new value. Raises TypeError where the cell is not `mergeable`."""

    @abstractmethod
    def columns(self, kept: Kept) -> tuple[float, ...]:
        """Numbers that say all that `read` needs, `width` in number."""

    @abstractmethod
    def read(self, columns: Floats, now: int) -> Floats:
        """Values as of `now` (ms).

        Parameters
        ----------
        columns
            float64 ``(n, width)``.

        Returns
        -------
        ndarray
            float64 ``(n,)``: NaN where nothing is known (a count of nothing is 0).
        """

    def blank(self) -> tuple[float, ...]:
        """The `columns` of a key of which nothing is known."""
        return self.columns(self.fresh())

    def last_at(self, kept: Kept) -> int | None:
        """Time of the newest event that is kept (ms), None for none: what has outlived its time to live is dropped by it."""
        raise NotImplementedError
