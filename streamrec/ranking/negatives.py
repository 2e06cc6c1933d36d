"""Jobs that a member could have been shown when it acted on another: what the model learns from as not checked.

The model orders candidates, so its negatives are candidates, each equally likely: what is drawn more often than it is
shown would be held against it, and the list would put what is popular too low.
"""

import random
from collections.abc import Sequence

import numpy as np

from streamrec.features.columns import Rows
from streamrec.features.table import JobTable


def sample(candidates: Rows, table: JobTable, positive: int, n: int, seed: str) -> Rows:
    """Draw up to `n` of the candidates.

    Parameters
    ----------
    candidates
        Distinct rows of the jobs that may be served to the member (see `gather`), in any order.
    positive
        Row of the job that was acted on; it is not drawn.
    seed
        The event's id: equal inputs give an equal sample, in whatever order the table got to know the jobs.

    Returns
    -------
    ndarray
        int32, distinct; fewer than `n` where there are not so many.
    """
    rows = candidates[candidates != positive]
    rows = rows[np.argsort(table.columns.ties[rows])]
    places: Sequence[int] = range(len(rows))
    if len(rows) > n:
        places = random.Random(seed).sample(places, n)
    drawn: Rows = rows[list(places)]
    return drawn
