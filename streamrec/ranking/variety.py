"""Variety in the first places of a list: each takes what is good and unlike the jobs just before it.

Maximal marginal relevance: J. Carbonell, J. Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents
and Producing Summaries", SIGIR 1998.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import COLUMN_OF, Floats, Rows
from streamrec.features.table import JobTable

Singles = npt.NDArray[np.float32]

DEPTH: Final = 50  # places that are filled so; what comes after is in the order of the scores
POOL: Final = 150  # the best ones, from which they are filled: so it costs the same for lists of any length
NEAR: Final = 10  # places before, whose jobs a job is compared with: about what is seen at once

_DEVIATIONS: Final = 2.0  # of the log odds of the first `DEPTH` jobs count as much as jobs that are alike in all
_DECIMALS: Final = 6  # of a likeness: sums of products can differ in their last bits from machine to machine


def likeness(table: JobTable, rows: Rows) -> Singles:
    """How much jobs are alike, each with each: float32 ``(n, n)``, from 0 to 1.

    The mean of three: whether the company is the same; the cosine of the words of the titles, each as heavy as it is rare
    (idf); and 1 for the same city, ½ for the same region. What is not known is like nothing. The diagonal says nothing.
    """
    codes = table.columns.codes[rows]
    company, city, region = (codes[:, COLUMN_OF[name]] for name in ("company", "city", "region"))
    same_region = region[:, None] == region
    same_city = (city[:, None] == city) & (city > 0) & same_region
    alike = _titles(table, rows)
    alike += (company[:, None] == company) & (company > 0)
    alike += np.maximum(same_city, np.float32(0.5) * (same_region & (region > 0)))
    alike *= np.float32(1 / 3)
    return np.round(alike, _DECIMALS)


def relevance(log_odds: Floats) -> Floats:
    """What a place in the list is worth to each job, in terms of likeness: 0 for the best, less for the others.

    Parameters
    ----------
    log_odds
        Of the scores, best first, ``(n,)``. Two standard deviations of the first `DEPTH` are one.

    Examples
    --------
    >>> relevance(np.array([3.0, 1.0])).tolist()
    [0.0, -1.0]
    """
    spread = _DEVIATIONS * float(np.std(log_odds[:DEPTH])) if len(log_odds) else 0.0
    return (log_odds - log_odds[:1]) / spread if spread > 0.0 and math.isfinite(spread) else np.zeros(len(log_odds))


def varied(worth: Floats, alike: Singles, share: float, places: int) -> list[int]:
    """Fill places one after another, each with the job of the largest ``(1 - share) * worth - share * likeness``.

    That is the largest likeness to the jobs in the `NEAR` places before; of equal ones the first stands.

    Parameters
    ----------
    worth
        Of n jobs, best first; see `relevance`.
    alike
        ``(n, n)``; see `likeness`.
    share
        From 0, which changes nothing, to 1.
    places
        How many.

    Returns
    -------
    list
        ``min(places, n)`` of the numbers below n, each once. The first is 0.

    Examples
    --------
    >>> alike = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32)
    >>> varied(np.array([0.0, -0.1, -0.2]), alike, 0.5, 3), varied(np.array([0.0, -0.1, -0.2]), alike, 0.0, 3)
    ([0, 2, 1], [0, 1, 2])
    """
    left = (1.0 - share) * worth  # of those that have no place yet
    held_back = share * alike.astype(np.float64)
    near, most = np.zeros((NEAR, len(worth))), np.zeros(len(worth))
    value = np.empty(len(worth))
    placed: list[int] = []
    for place in range(min(places, len(worth))):
        np.subtract(left, most, out=value)
        best = int(value.argmax())
        placed.append(best)
        left[best] = -math.inf
        near[place % NEAR] = held_back[best]
        np.maximum.reduce(near, axis=0, out=most)
    return placed


def _titles(table: JobTable, rows: Rows) -> Singles:
    """The cosine of titles."""
    words = table.titles.words[rows]
    weights = table.idf(words)  # 0 for the filler
    weights /= np.maximum(np.sqrt((weights * weights).sum(axis=1, keepdims=True)), np.float32(1e-9))
    # A word that one title has alone makes nothing alike: there are few others, and the product is the smaller for it.
    counts = np.bincount(words.ravel(), minlength=1)
    shared = np.flatnonzero(counts > 1)
    column = np.zeros(len(counts), np.intp)
    column[shared] = np.arange(len(shared))
    vectors = np.zeros((len(rows), len(shared)), np.float32)
    job, place = np.nonzero(weights * (counts[words] > 1))
    vectors[job, column[words[job, place]]] = weights[job, place]
    cosines: Singles = vectors @ vectors.T
    return cosines
