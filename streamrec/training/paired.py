"""Whether one of two is better over the same queries: the difference, its interval, and how often chance alone does as much.

A member's queries hang together, so members are what is drawn: the interval is of a bootstrap over them, and for the p-value
the two are swapped for each member by the toss of a coin, which would change nothing if they were equally good (a permutation
test of pairs, two-sided).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.training.measures import COVERED, METRICS, Floats, metrics_of, resampled
from streamrec.training.segments import SEGMENTS, Query, masks

COMPARED: Final = METRICS[:3]
FLIPS: Final = 9_999
_CHUNK: Final = 1_111
_EQUAL: Final = 1e-9  # sums in another order differ by less


def compared(
    queries: list[Query], first: list[int], second: list[int], events: int, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Differences of the means, second less first.

    Parameters
    ----------
    queries
        n queries.
    first, second
        n ranks of each, see `measures.metrics_of`.
    events
        Number of events in the log.
    seed
        Of what is drawn.

    Returns
    -------
    dict
        By segment and part: the number of queries and of members, and for each of `COMPARED` the ``difference``, its 95 %
        ``interval`` and the ``p`` of no difference, at the least ``1 / (FLIPS + 1)``; all None where there is no query.

    Examples
    --------
    >>> queries = [Query(number, number, True, 0) for number in range(20)]
    >>> found = compared(queries, [1] * 10 + [0] * 10, [1] * 20, events=20)["all"]["whole"]["hr@10"]
    >>> found["difference"], found["interval"][0] > 0.2, found["p"] < 0.01
    (0.5, True, True)
    """
    gains = metrics_of(np.array(second, np.int64)) - metrics_of(np.array(first, np.int64))
    members = np.array([query.member for query in queries], np.int64)
    count = int(members.max(initial=-1)) + 1
    tables = masks(queries, events)
    columns = [np.ones(len(queries)), *gains[:, : len(COMPARED)].T]
    sums: Floats = np.stack(
        [[np.bincount(members, column * mask, count) for column in columns] for mask in tables.values()],
        dtype=np.float64,
    )
    drawn = resampled(sums, seed)
    chance = p_values(sums[:, 1:].reshape(len(tables) * len(COMPARED), count).T, seed).reshape(
        len(tables), len(COMPARED)
    )
    results: dict[str, dict[str, Any]] = {segment: {} for segment in SEGMENTS}
    for place, (segment, part) in enumerate(tables):
        total = sums[place].sum(axis=1)
        cell: dict[str, Any] = {"queries": int(total[0]), "members": int(np.count_nonzero(sums[place, 0]))}
        for number, metric in enumerate(COMPARED, 1):
            cell[metric] = _told(total, drawn[:, place], number, float(chance[place, number - 1]))
        results[segment][part] = cell
    return results


def p_values(gains: Floats, seed: int = 0) -> Floats:
    """Two-sided p of each column's sum being 0, where the sign of each row is a coin's.

    Parameters
    ----------
    gains
        float64 ``(m, k)``: what each of m members gained.

    Examples
    --------
    >>> p_values(np.array([[1.0, 1.0], [1.0, -1.0]])).round(1).tolist()
    [0.5, 1.0]
    """
    some = gains[np.any(gains != 0.0, axis=1)]
    least = np.abs(some.sum(axis=0)) - _EQUAL
    draw = np.random.default_rng(seed)
    reached: npt.NDArray[np.int64] = np.zeros(gains.shape[1], np.int64)
    for start in range(0, FLIPS, _CHUNK):
        signs = draw.integers(0, 2, (min(_CHUNK, FLIPS - start), len(some)), np.int8) * 2.0 - 1.0
        reached += np.count_nonzero(np.abs(signs @ some) >= least, axis=0)
    return np.divide(reached + 1, FLIPS + 1, dtype=np.float64)


def _told(total: Floats, drawn: Floats, number: int, p: float) -> dict[str, Any]:
    if not total[0]:
        return {"difference": None, "interval": None, "p": None}
    some = drawn[drawn[:, 0] > 0]
    tail = (1.0 - COVERED) / 2.0
    low, high = np.quantile(some[:, number] / some[:, 0], (tail, 1.0 - tail))
    return {
        "difference": round(float(total[number] / total[0]), 6),
        "interval": [round(float(low), 6), round(float(high), 6)],
        "p": round(p, 4),
    }
