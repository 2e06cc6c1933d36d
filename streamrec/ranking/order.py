"""Orders that are the same in every process: by score, and where scores are equal by job id."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Floats, Longs, Rows

Positions = npt.NDArray[np.intp]

_COMPARED: Final = 5_000  # equal ones whose ids are compared; among more, those with the smallest ties are taken


def best_first(scores: Floats, job_ids: Sequence[str]) -> Positions:
    """Positions of all `scores`, the highest first, equal ones by job id.

    Examples
    --------
    >>> best_first(np.array([0.5, 0.9, 0.5]), ["b", "c", "a"]).tolist()
    [1, 2, 0]
    """
    order = np.argsort(-scores, kind="stable")
    found = scores[order]
    if not (found[1:] == found[:-1]).any():  # as nearly always: ids need no comparing
        return order
    by_id = np.array(sorted(range(len(job_ids)), key=job_ids.__getitem__), np.intp)
    return by_id[np.argsort(-scores[by_id], kind="stable")]


def highest(scores: Floats, limit: int, rows: Rows, ids: Sequence[str], ties: Longs) -> Positions:
    """Positions of the `limit` highest scores, in the order of `best_first`, without sorting all.

    Parameters
    ----------
    scores
        float64 ``(n,)``.
    rows
        Row of each score; its job id is ``ids[row]``.
    ties
        By row, as `Columns.ties`: chooses where too many are equal for their ids to be compared.

    Examples
    --------
    >>> highest(np.array([0.5, 0.9, 0.5]), 2, np.array([2, 1, 0]), ["a", "b", "c"], np.arange(3)).tolist()
    [1, 2]
    """
    chosen = np.arange(len(scores))
    if limit <= 0:
        return chosen[:0]
    if len(scores) > limit:
        edge = np.partition(scores, -limit)[-limit]
        above, equal = np.flatnonzero(scores > edge), np.flatnonzero(scores == edge)
        missing = limit - len(above)
        if missing < len(equal) <= _COMPARED:
            by_id = best_first(np.zeros(len(equal)), [ids[row] for row in rows[equal].tolist()])
            equal = equal[by_id]
        elif missing < len(equal):
            equal = equal[np.argpartition(ties[rows[equal]], missing)]
        chosen = np.concatenate([above, equal[:missing]])
    return chosen[best_first(scores[chosen], [ids[row] for row in rows[chosen].tolist()])]
