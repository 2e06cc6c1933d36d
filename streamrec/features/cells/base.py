"""The contract of a cell: what one aggregate over one window keeps of the events of one key, and how it is read.

A cell object holds parameters only and is shared by all keys. What is kept of a key is a `Kept`: a list of numbers, texts,
bytes, lists and maps of texts, as MessagePack holds them, that `fold` changes in place. Reading is in two steps, so that
hundreds of keys are read at once: `columns` turns what is kept into a few numbers when it is written, `read` turns rows of
these into values at a moment.

Rules, for all cells
--------------------
* *Late events*: an event counts whatever its time, as if it had come in time, where the window allows; each class says where it
  does not. What is kept then is a function of the set of events, not of their order (decayed sums and moments up to rounding).
* *Events after now*: a `now` before the newest event reads as that event's time: the future has happened. A decayed count
  differs, since its one column orders keys: see `decay.DecayedCount`.
* *Values* that cannot be used (of another type, NaN, infinite, beyond 1e18, or a text to be kept of more than
  256 bytes) are passed over, with their time: see `values`.
* *Taking back* is for events that were folded into the same kept before; sums and means are back up to the rounding of what was
  taken, and exactly where nothing is left.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.cells.window import Window

Kept = list[Any]
Value = float | str | None
Floats = npt.NDArray[np.float64]
Moment = int | npt.NDArray[np.int64]  # one for all rows, or one for each

AS_OF_MS: Final = 1_750_000_000_000  # sums over keys stand as of a time that never changes


@dataclass(frozen=True)
class Cell(ABC):
    """One aggregate over one window; its fields are its parameters, and with the class name all of its meaning.

    Its text, ``str(cell)``, names both: ``count over decay(7d)``.
    """

    @property
    @abstractmethod
    def aggregate(self) -> str:
        """Name of the aggregate, as `make.make` takes it."""

    @property
    @abstractmethod
    def window(self) -> Window:
        """The window, as `make.make` takes it."""

    @property
    def takes_values(self) -> bool:
        """Whether `fold` needs a value: None is passed over then."""
        return False

    @property
    def reversible(self) -> bool:
        """Whether ``sign=-1`` takes an event of the same time (and value) back; where not, taking back changes nothing."""
        return False

    @property
    def mergeable(self) -> bool:
        """Whether `merge` gives what one stream of both parts would have given; where not, only until something was cut."""
        return True

    @property
    def additive(self) -> bool:
        """Whether rows of `columns`, passed through `linear`, may be summed over keys and read as one (for roll-ups)."""
        return False

    @property
    def relative_error(self) -> float:
        """Standard error of a value, relative to it: 0 but for sketches of many distinct values."""
        return 0.0

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
        """What both parts of a stream give together, as a new value: folding into it changes neither part."""

    @abstractmethod
    def columns(self, kept: Kept) -> tuple[float, ...]:
        """Numbers that say all that `read` needs, `width` in number."""

    def read(self, columns: Floats, now: Moment) -> Floats:  # noqa: ARG002  (most need the time; where not, this is all)
        """Values as of `now` (ms).

        Parameters
        ----------
        columns
            float64 ``(n, width)``.
        now
            One for all rows, or int64 ``(n,)``.

        Returns
        -------
        ndarray
            float64 ``(n,)``: NaN where nothing is known (a count of nothing is 0).
        """
        return columns[:, 0].copy()

    def value(self, kept: Kept, now: int) -> float:
        """The value of one key as of `now` (ms): what `read` gives of its `columns`."""
        return float(self.read(np.array([self.columns(kept)], np.float64), now)[0])

    def blank(self) -> tuple[float, ...]:
        """The `columns` of a key of which nothing is known."""
        return self.columns(self.fresh())

    @abstractmethod
    def last_at(self, kept: Kept) -> int | None:
        """Time of the newest event that was kept (ms), None for none: what has outlived its time to live is dropped by it."""

    def linear(self, columns: Floats, as_of: int = AS_OF_MS) -> Floats:  # noqa: ARG002
        """Numbers of each key, float64 ``(n, m)``, whose sums over keys `read_linear` reads.

        Parameters
        ----------
        as_of
            Time (ms) at which faded sums stand: that of `read_linear`. See `decay` for what it can bear.

        Raises
        ------
        TypeError
            The cell is not `additive`.
        """
        raise TypeError(f"{self} cannot be summed over keys: keep one cell for each group of keys instead")

    def linear_of(self, columns: tuple[float, ...]) -> list[float]:
        """`linear` of one key, as of `AS_OF_MS`."""
        parts: list[float] = self.linear(np.array([columns], np.float64))[0].tolist()
        return parts

    def read_linear(self, sums: Floats, now: int, as_of: int = AS_OF_MS) -> Floats:  # noqa: ARG002
        """Values of sums ``(n, m)`` of rows of `linear`, as of `now`: float64 ``(n,)``. Raises TypeError as `linear` does."""
        raise TypeError(f"{self} cannot be summed over keys: keep one cell for each group of keys instead")

    def __str__(self) -> str:
        return f"{self.aggregate} over {self.window}"


def later(one: int | None, other: int | None) -> int | None:
    """The later of two times, of which either may be none.

    Examples
    --------
    >>> later(3, 5), later(None, 5), later(None, None)
    (5, 5, None)
    """
    return max((at for at in (one, other) if at is not None), default=None)
