"""How good a model's predictions were: of sampled and of shown lists apart, over all surfaces and by surface.

Sampled lists have another share of positives than shown ones, so that one figure of both would say nothing. Labels of a
metric must not grow without bound: the first `SURFACES` surfaces have their own figures, further ones share `OTHER`.
"""

import math
from typing import Final, Literal

import msgspec
import numpy as np

from streamrec.models.prequential import Prequential, tally
from streamrec.models.rows import CLOSED, CORRECTION, SAMPLED, Floats, Rows

Data = Literal["sampled", "shown"]
DATA: Final[tuple[Data, Data]] = ("sampled", "shown")
SURFACES: Final = 8
OTHER: Final = "other"
UNNAMED: Final = "none"  # examples without a surface
MEMORY_LISTS: Final = 1_000  # closed lists; the hit rate forgets as `Prequential` does
_LONGEST_NAME: Final = 64


class HitRate(msgspec.Struct, array_like=True):
    """Share of the closed lists in whose first ten positions a job was checked.

    Examples
    --------
    >>> rate = HitRate()
    >>> for hit in (True, False, False, True):
    ...     rate.count(hit)
    >>> round(rate.recent, 3), rate.total, rate.lists
    (0.5, 0.5, 4)
    """

    lists: int = 0
    hits: int = 0
    faded_lists: float = 0.0
    faded_hits: float = 0.0

    def count(self, hit: bool) -> None:
        """Add a closed list."""
        fading = math.exp(-1.0 / MEMORY_LISTS)
        self.lists, self.hits = self.lists + 1, self.hits + hit
        self.faded_lists = self.faded_lists * fading + 1.0
        self.faded_hits = self.faded_hits * fading + hit

    @property
    def recent(self) -> float:
        """Of the recent lists; NaN while there is none."""
        return self.faded_hits / self.faded_lists if self.faded_lists > 0.0 else math.nan

    @property
    def total(self) -> float:
        """Of all lists since the first; NaN while there is none."""
        return self.hits / self.lists if self.lists else math.nan


class _State(msgspec.Struct, array_like=True, frozen=True):
    surfaces: tuple[str, ...]
    series: dict[str, bytes]  # "shown", "shown/home", ...; not "sampled", which has a place of its own in a snapshot
    hits: dict[str, HitRate]  # "" for all surfaces
    closed: bool
    whole: bool


class Measures:
    """The running figures of one model.

    A shown list is measured as a whole when it closes, by the probabilities that were served with it where they are known,
    else by the model's of that moment. Where closed lists do not name the rows that were learned as positives before,
    those are measured when they arrive. A correction takes its row back, and counts it as checked.

    Attributes
    ----------
    hits
        Hit rate by surface; under the empty name that of all surfaces.
    """

    def __init__(self) -> None:
        self._surfaces: list[str] = []
        self._series: dict[tuple[str, str], Prequential] = {(data, ""): Prequential() for data in DATA}
        self.hits: dict[str, HitRate] = {"": HitRate()}
        self._closed = self._whole = False

    def count(self, rows: Rows, probabilities: Floats, surface: str | None, hit: int) -> None:
        """Count an example's rows with what the model said of them before it learned them, and a closed list's `hit`."""
        name = self._name(surface)
        if rows.kind == CLOSED:
            self._closed = True
            self._whole = self._whole or rows.is_whole
            if hit in (0, 1):
                for place in ("", name):
                    self.hits.setdefault(place, HitRate()).count(hit == 1)
        weights = self._weights(rows)
        if weights is None:
            return
        tallied = tally(probabilities if rows.served is None else rows.served, rows.labels, weights)
        for place in ("", name):
            self._series.setdefault(("shown" if rows.is_shown else "sampled", place), Prequential()).count(tallied)

    def of(self, data: Data, surface: str = "") -> Prequential:
        """Figures of one sort of lists, by default over all surfaces; fresh ones where there is nothing to say."""
        return self._series.get((data, surface)) or Prequential()

    def surfaces(self, data: Data) -> list[str]:
        """Names of the surfaces that `of` has figures for, in order of their first appearance."""
        return [name for name in (*self._surfaces, OTHER) if (data, name) in self._series]

    def state(self) -> bytes:
        """All but the figures of sampled lists over all surfaces, which are ``of("sampled").state()``."""
        return msgspec.msgpack.encode(
            _State(
                surfaces=tuple(self._surfaces),
                series={
                    f"{data}/{name}": series.state()
                    for (data, name), series in sorted(self._series.items())
                    if (data, name) != ("sampled", "")
                },
                hits=dict(sorted(self.hits.items())),
                closed=self._closed,
                whole=self._whole,
            )
        )

    def load(self, sampled: bytes, state: bytes) -> None:
        """Continue from another's ``of("sampled").state()`` and `state`, which is empty in snapshots of version 1.

        Raises
        ------
        ValueError
            They cannot be read; nothing has changed.
        """
        loaded = Measures()
        loaded._series["sampled", ""].load(sampled)
        if state:
            read = msgspec.msgpack.decode(state, type=_State)
            loaded._surfaces = list(read.surfaces)
            for name, value in read.series.items():
                data, _, surface = name.partition("/")
                loaded._series.setdefault((data, surface), Prequential()).load(value)
            loaded.hits.update(read.hits)
            loaded._closed, loaded._whole = read.closed, read.whole
        self.__dict__.update(loaded.__dict__)

    def _weights(self, rows: Rows) -> Floats | None:
        """Weight of each row in the figures; None where the example is not to be measured."""
        if rows.kind in (SAMPLED, CORRECTION):
            return rows.weights
        if rows.kind == CLOSED:
            weights: Floats = np.where(rows.labels > 0.0, 1.0, rows.weights)
            return weights
        # Positives of lists that close later: before the first list has closed nobody knows who will tell of them.
        return rows.weights if self._closed and not self._whole and rows.weights.any() else None

    def _name(self, surface: str | None) -> str:
        name = (surface or UNNAMED)[:_LONGEST_NAME]
        if name not in self._surfaces:
            if name == OTHER or len(self._surfaces) >= SURFACES:
                return OTHER
            self._surfaces.append(name)
        return name
