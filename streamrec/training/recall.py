"""Which sources had the job that the member chose among the candidates: what they miss, no model can put at the top."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.ranking.candidates import SOURCES, Source
from streamrec.ranking.gather import Candidates
from streamrec.training.segments import PARTS, Mask, Query, masks

SEGMENTS: Final = (
    "all",
    "warm_items",
    "new_items",
    "new_jobs",
)  # of `segments.SEGMENTS`, those that say what sources are for

_BITS: Final = np.array([1 << number for number in range(len(SOURCES))], np.uint16)


class Recall:
    """Collects, query by query; candidates are those that got a score, so past the gate.

    Parameters
    ----------
    asked
        The sources of the workflow: one that never gave anything is told, too.

    Examples
    --------
    >>> recall = Recall(SOURCES[:2])
    >>> recall.add(Candidates(np.array([3, 7]), np.array([1, 3], np.uint16), np.zeros(2)), target=3)
    >>> recall.add(Candidates(np.array([3, 7]), np.array([1, 3], np.uint16), np.zeros(2)), target=None)
    >>> recall.result([Query(0, 0, True, 0), Query(1, 0, False, 1)], events=2)["all"]["whole"]["sources"]["covisited"]
    {'recall': 0.5, 'unique': 0.5, 'candidates': 2.0}
    """

    def __init__(self, asked: Sequence[Source]) -> None:
        self._asked = {source.name for source in asked}
        self._given: list[int] = []  # which sources gave the target, a bit each
        self._counts: list[npt.NDArray[np.intp]] = []  # candidates of each source
        self._totals: list[int] = []

    def add(self, candidates: Candidates, target: int | None) -> None:
        """Take in the candidates of the next query, and the row of the job that was chosen; None if it has none."""
        rows, sources = candidates.rows, candidates.sources
        place = len(rows) if target is None else int(np.searchsorted(rows, target))
        self._given.append(int(sources[place]) if place < len(rows) and rows[place] == target else 0)
        self._counts.append(np.count_nonzero(sources[:, None] & _BITS, axis=0))
        self._totals.append(len(rows))

    def result(self, queries: list[Query], events: int) -> dict[str, Any]:
        """By segment and part, as `measures.measure` has them: ``{"all": {"whole": {"queries": …, "sources": …}}}``.

        ``recall`` is the share of queries whose target was a candidate at all, or of one source; ``unique``, of that source
        and no other; ``candidates``, how many there were in the mean. A mean over no queries is None.
        """
        given = np.array(self._given, np.int64)
        counts = np.array(self._counts, np.float64).reshape(-1, len(SOURCES))
        totals = np.array(self._totals, np.float64)
        by = (given[:, None] & _BITS) > 0
        alone = given[:, None] == _BITS
        told = [number for number, source in enumerate(SOURCES)
                if source.name in self._asked or counts[:, number].any()]  # fmt: skip
        found = masks(queries, events)

        def cell(mask: Mask) -> dict[str, Any]:
            return {
                "queries": int(mask.sum()),
                "recall": _mean(given > 0, mask),
                "candidates": _mean(totals, mask),
                "sources": {
                    SOURCES[number].name: {
                        "recall": _mean(by[:, number], mask),
                        "unique": _mean(alone[:, number], mask),
                        "candidates": _mean(counts[:, number], mask),
                    }
                    for number in told
                },
            }

        return {segment: {part: cell(found[segment, part]) for part in PARTS} for segment in SEGMENTS}


def _mean(values: npt.NDArray[Any], mask: Mask) -> float | None:
    return round(float(values[mask].mean()), 6) if mask.any() else None
