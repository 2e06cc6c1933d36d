"""Hit rate, NDCG, MRR of ranks, by segment and half, with bootstrap intervals over members."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.training.segments import SEGMENTS, Query, masks

CUT: Final = 50  # a target further down counts as a miss
METRICS: Final = ("hr@10", "ndcg@10", "mrr", "hr@50")
RESAMPLES: Final = 1000
COVERED: Final = 0.95
TENTHS: Final = 10
_CHUNK: Final = 100  # resamples drawn at a time

Floats = npt.NDArray[np.float64]
Cell = dict[str, Any]


def metrics_of(ranks: npt.NDArray[np.int64]) -> Floats:
    """Each of `METRICS` for each rank.

    Parameters
    ----------
    ranks
        int ``(n,)``: place of the target in its list, 1 for the first; 0 where it is not among the first `CUT`.

    Returns
    -------
    ndarray
        float64 ``(n, 4)``: rank at most 10; ``1 / log2(1 + rank)`` if so; ``1 / rank``; rank at most 50. A miss is 0.

    Examples
    --------
    >>> metrics_of(np.array([1, 3, 20, 0])).round(3).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 0.5, 0.333, 1.0], [0.0, 0.0, 0.05, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    found = (ranks > 0) & (ranks <= CUT)
    rank = np.where(found, ranks, 1)
    top = found & (rank <= 10)
    return np.column_stack([top, top / np.log2(1.0 + rank), found / rank, found]).astype(np.float64)


def measure(queries: list[Query], ranks: Mapping[str, list[int]], events: int, seed: int = 0) -> dict[str, Cell]:
    """Means and intervals of all metrics for everything that answered.

    Parameters
    ----------
    queries
        n queries.
    ranks
        n ranks (see `metrics_of`) by who gave them. All are resampled alike, so that their intervals are of a kind.
    events
        Number of events in the log.
    seed
        Of the bootstrap.

    Returns
    -------
    dict
        By who; then by segment and part (see `segments.masks`): ``{"all": {"whole": {"queries": …, "hr@10": …, …}}}``. A mean
        over no queries is None. ``intervals`` has the 95 % interval of each.
    """
    values = {name: metrics_of(np.array(found, np.int64)) for name, found in ranks.items()}
    members = np.array([query.member for query in queries], np.int64)
    tables = masks(queries, events)
    count = int(members.max(initial=-1)) + 1
    # One column for the number of queries and one a metric, for each cell and whoever answered: sums by member.
    names = list(values)
    columns = [np.ones(len(queries)), *(column for name in names for column in values[name].T)]
    sums = np.stack(
        [[np.bincount(members, column * mask, count) for column in columns] for mask in tables.values()],
        dtype=np.float64,
    )
    totals = sums.sum(axis=2)
    drawn = resampled(sums, seed)
    results: dict[str, Cell] = {}
    for number, name in enumerate(names):
        result: Cell = {segment: {} for segment in SEGMENTS}
        wanted = slice(1 + number * len(METRICS), 1 + (number + 1) * len(METRICS))
        for place, (segment, part) in enumerate(tables):
            result[segment][part] = _cell(totals[place], drawn[:, place], wanted)
        results[name] = result
    return results


def over_time(queries: list[Query], ranks: Mapping[str, list[int]], events: int) -> dict[str, Any]:
    """The hit rate by tenth of the log.

    Parameters
    ----------
    queries, ranks, events
        As for `measure`.

    Returns
    -------
    dict
        ``queries`` of each tenth, and ``hr@10`` by who; None where a tenth has no query.

    Examples
    --------
    >>> found = over_time([Query(0, 0, True, 0), Query(9, 0, True, 1)], {"a": [1, 30]}, events=10)
    >>> found["queries"][:2], found["hr@10"]["a"][0], found["hr@10"]["a"][1], found["hr@10"]["a"][9]
    ([1, 0], 1.0, None, 0.0)
    """
    tenth = np.array([TENTHS * query.event // max(1, events) for query in queries], np.int64)
    counts = np.bincount(tenth, minlength=TENTHS)
    hits = {
        name: np.bincount(tenth, metrics_of(np.array(found, np.int64))[:, 0], TENTHS) for name, found in ranks.items()
    }
    return {
        "queries": counts.tolist(),
        "hr@10": {
            name: [_rounded(sum_ / count) if count else None for sum_, count in zip(sums, counts, strict=True)]
            for name, sums in hits.items()
        },
    }


def resampled(sums: Floats, seed: int) -> Floats:
    """Sums by member, ``(cells, columns, members)``, over as many members, drawn with replacement.

    Returns
    -------
    ndarray
        ``(RESAMPLES, cells, columns)``.
    """
    cells, columns, members = sums.shape
    flat = sums.reshape(cells * columns, members).T
    draw = np.random.default_rng(seed)
    drawn = np.zeros((RESAMPLES, cells * columns))
    for start in range(0, RESAMPLES if members else 0, _CHUNK):
        times = draw.multinomial(members, np.full(members, 1.0 / members), size=_CHUNK)
        drawn[start : start + _CHUNK] = times @ flat
    return drawn.reshape(RESAMPLES, cells, columns)


def _cell(totals: Floats, drawn: Floats, wanted: slice) -> Cell:
    queries = int(totals[0])
    if not queries:
        return {"queries": 0, **dict.fromkeys(METRICS), "intervals": dict.fromkeys(METRICS)}
    means = totals[wanted] / queries
    some = drawn[drawn[:, 0] > 0]
    tail = (1.0 - COVERED) / 2.0
    low, high = np.quantile(some[:, wanted] / some[:, :1], (tail, 1.0 - tail), axis=0)
    return {
        "queries": queries,
        **{metric: _rounded(mean) for metric, mean in zip(METRICS, means, strict=True)},
        "intervals": {
            metric: [_rounded(a), _rounded(b)] for metric, a, b in zip(METRICS, low, high, strict=True)
        },
    }  # fmt: skip


def _rounded(value: float) -> float:
    return round(float(value), 6)
