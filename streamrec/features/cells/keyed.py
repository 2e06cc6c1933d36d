"""One cell for each of the second keys of a key, such as the jobs of a region."""

from dataclasses import dataclass
from typing import Any, Final

from streamrec.features.cells.base import Cell, Kept, Value
from streamrec.features.cells.values import text

MOST: Final = 10_000


@dataclass(frozen=True)
class Keyed:
    """Keeps what `inner` keeps for each of up to `keep` texts; it is read text by text, and so it is no `Cell` itself.

    Beyond `keep`, the text whose newest event is the oldest is dropped (of equal ones the last by text), with all that it had:
    if it comes again it starts anew. So order does not matter, and merging is exact, while nothing was dropped.

    Attributes
    ----------
    inner
        The cell of each text.
    keep
        1 to 10,000.

    Examples
    --------
    >>> from streamrec.features.cells.always import Always
    >>> from streamrec.features.cells.summary import Count
    >>> keyed = Keyed(Always(Count()), 2)
    >>> kept = keyed.fresh()
    >>> for at, key in ((1, "a"), (2, "b"), (3, "b"), (4, "c")):
    ...     keyed.fold(kept, at, key)
    >>> keyed.keys(kept), keyed.columns_of(kept, "b"), keyed.columns_of(kept, "a")
    (['b', 'c'], (2.0,), (0.0,))
    """

    inner: Cell
    keep: int

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= MOST:
            raise ValueError(f"{self.keep} keys cannot be kept: choose from 1 to {MOST}")

    def __str__(self) -> str:
        return f"{self.inner} for each of {self.keep} keys"

    def fresh(self) -> Kept:
        """What is kept before the first event."""
        return [{}]  # text -> [newest time, what the cell keeps]

    def fold(self, kept: Kept, at: int, key: str, value: Value = None, sign: int = 1) -> None:
        """Add an event of the time `at` (ms) for the text `key` in place; with ``sign=-1`` take it back."""
        entries = kept[0]
        entry = entries.get(key)
        if entry is not None:
            self.inner.fold(entry[1], at, value, sign)
        elif sign > 0 and text(key) is not None:  # of a text that was dropped there is nothing to take back
            entry = [at, self.inner.fresh()]
            self.inner.fold(entry[1], at, value, sign)
            if self.inner.last_at(entry[1]) is None:  # the value was passed over
                return
            entries[key] = entry
            self._drop(entries)
            return
        else:
            return
        if at > entry[0]:
            newest = self.inner.last_at(entry[1])
            if newest is not None and newest > entry[0]:
                entry[0] = newest

    def merge(self, one: Kept, other: Kept) -> Kept:
        """What both parts of a stream give together, as a new value: folding into it changes neither part."""
        nothing = [0, self.inner.fresh()]
        merged = {}
        for key in {**one[0], **other[0]}:
            a, b = one[0].get(key, nothing), other[0].get(key, nothing)
            merged[key] = [max(a[0], b[0]), self.inner.merge(a[1], b[1])]
        self._drop(merged)
        return [merged]

    def keys(self, kept: Kept) -> list[str]:
        """The texts of which something is kept, in their own order."""
        return sorted(kept[0])

    def columns_of(self, kept: Kept, key: str) -> tuple[float, ...]:
        """Columns of the inner cell for one text: `read` them by it. Those of nothing where nothing is kept."""
        entry = kept[0].get(key)
        return self.inner.blank() if entry is None else self.inner.columns(entry[1])

    def last_at(self, kept: Kept) -> int | None:
        """Time of the newest event that was kept (ms), None for none."""
        return max((entry[0] for entry in kept[0].values()), default=None)

    def _drop(self, entries: dict[str, Any]) -> None:
        while len(entries) > self.keep:
            oldest = min(entry[0] for entry in entries.values())
            del entries[max(key for key, entry in entries.items() if entry[0] == oldest)]
