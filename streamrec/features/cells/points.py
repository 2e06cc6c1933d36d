"""The newest points of a key, as they are: what cells keep that look at single events."""

from abc import abstractmethod
from bisect import insort
from dataclasses import dataclass

from streamrec.features.cells.base import Kept, Value
from streamrec.features.cells.summarised import Summarised
from streamrec.features.cells.summary import Summary


@dataclass(frozen=True)
class Points(Summarised):
    """Keeps the newest `room` points by (time, then value; texts by their hash). An older event is passed over.

    Taking back changes nothing: the point that had made room for the event is gone.

    Attributes
    ----------
    of
        The aggregate.
    """

    of: Summary

    @property
    @abstractmethod
    def room(self) -> int:
        """How many points are kept."""

    def fresh(self) -> Kept:
        return []  # [time, value as `Summary.ready` gives it], oldest first

    def fold(self, kept: Kept, at: int, value: Value = None, sign: int = 1) -> None:
        ready = self.of.ready(value)
        if ready is None or sign < 0:
            return
        if not kept or at > kept[-1][0]:
            kept.append([at, ready])
        else:
            insort(kept, [at, ready])
        if len(kept) > self.room:
            del kept[0]

    def merge(self, one: Kept, other: Kept) -> Kept:
        return sorted([*one, *other])[-self.room :]

    def last_at(self, kept: Kept) -> int | None:
        return kept[-1][0] if kept else None
