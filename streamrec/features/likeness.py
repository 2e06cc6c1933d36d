"""How much every job is like what a member looks at: words of the title, and where the jobs are.

A place says more than words do: of a hundred jobs in the member's city, words choose which. Scores are for choosing candidates
among all open postings, also those that nobody has touched; what ranks them looks closer (see `features.library`).
"""

from typing import Final

import numpy as np

from streamrec.features.columns import CODED, Floats, Rows
from streamrec.features.table import JobTable
from streamrec.features.view import SOURCES, MemberView

# What a job in the place where all of the member's recent jobs are has ahead, beside equal words (at most about 1).
_PLACES: Final = {"region": 1.0, "city": 1.0, "industry": 0.3}


def alike(view: MemberView, table: JobTable, limit: int, now: int) -> Rows:
    """Open rows most like what the member looked at lately and says of itself, best first.

    Returns
    -------
    ndarray
        int32, up to `limit` rows; of equal ones the newest first, then by `Columns.ties`. Empty for a member of whom nothing
        is known.
    """
    return table.best_open(likeness(view, table), limit, now)


def likeness(view: MemberView, table: JobTable) -> Floats:
    """float64 ``(len(table),)``: about the cosine of the title and the member's words, and for each of `_PLACES` how much of
    what the member looked at lately is there; 0 where nothing is alike."""
    scores = _words(view, table)
    codes = table.columns.codes[: len(table)]
    for name, weight in _PLACES.items():
        shares = _shares(view, table, name)
        if shares.any():
            shares *= weight
            scores += shares.take(codes[:, CODED.index(name)])
    return scores


def _words(view: MemberView, table: JobTable) -> Floats:
    """The overlap divided by the length of the member's vector and, in place of each title's own, by a usual word's idf.

    The length of every title would have to be followed as words become more or less usual; that of a title is its number of
    words, near enough.
    """
    weights = view.token_weights
    length = float(view.lengths(table)[0])
    if not length:
        return np.zeros(len(table))
    idf = table.idf(np.array(list(weights), np.int32)).astype(np.float64)
    amounts = np.array(list(weights.values()))
    usual = float(np.sqrt(amounts @ idf**2 / amounts.sum()))
    return view.overlap(table) / (length * usual)


def _shares(view: MemberView, table: JobTable, name: str) -> Floats:
    """By code: the share of the member's recent jobs there. Where it says itself where it is, that counts for one half."""
    shares = np.zeros(table.vocabulary(name))
    rows, weights = view.recent_rows[:SOURCES], view.recent_weights[:SOURCES].astype(np.float64)
    if total := float(weights.sum()):
        np.add.at(shares, table.columns.codes[rows, CODED.index(name)], weights / total)
    profile = view.state.profile
    said = table.code(name, getattr(profile, name)) if profile is not None else 0
    if said:
        shares *= 0.5 if total else 0.0
        shares[said] += 0.5 if total else 1.0
    shares[0] = 0.0  # unknown
    return shares
