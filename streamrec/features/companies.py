"""How much is done with the jobs of each company: sums over the table of all jobs that follow its changes."""

import math
from typing import Final

import numpy as np

from streamrec.features.columns import POPULARITY_HALF_LIVES_MS, Floats, Ints

_HALF_LIFE_MS: Final = POPULARITY_HALF_LIVES_MS[-1]
# Sums stand as of a time that never changes: two powers a half-life, and those of float64 last for decades around it.
_AS_OF_HALF_LIVES: Final = 1_750_000_000_000 / _HALF_LIFE_MS
_FARTHEST: Final = 900.0
_MOST: Final = 1e12  # no company comes near, and the matrix stays finite whatever is stored


class Companies:
    """Decayed positive actions by company.

    Examples
    --------
    >>> companies, now = Companies(), 1_750_000_000_000
    >>> companies.move(1, -math.inf, 1, 3.0 + now / _HALF_LIFE_MS)  # a job of company 1 with 2^3 actions
    >>> companies.popularity(np.array([0, 1, 2], np.int32), int(now + _HALF_LIFE_MS)).round(6)
    array([0., 4., 0.])
    """

    def __init__(self) -> None:
        self._sums: Floats = np.zeros(64)

    def move(self, before: int, score_before: float, after: int, score: float) -> None:
        """A job with a log2 score (see `windows.log2_score`) of the company `before` has another, or is of `after` now."""
        self._add(before, -_power(score_before))
        self._add(after, _power(score))

    def popularity(self, companies: Ints, now: int) -> Floats:
        """float64 ``(n,)``: the sums of companies, by code, as of `now` (ms); 0 for code 0."""
        known = np.where(companies < len(self._sums), companies, 0)
        fading = 2.0 ** min(max(_AS_OF_HALF_LIVES - now / _HALF_LIFE_MS, -_FARTHEST), _FARTHEST)
        sums: Floats = np.maximum(self._sums[known], 0.0)  # rounding may leave a little less than nothing
        faded: Floats = np.minimum(sums * fading, _MOST)
        return faded

    def _add(self, company: int, amount: float) -> None:
        if not company or not amount:
            return
        if company >= len(self._sums):
            grown = np.zeros(2 * company)
            grown[: len(self._sums)] = self._sums
            self._sums = grown
        self._sums[company] += amount


def _power(score: float) -> float:
    if score == -math.inf:
        return 0.0
    return math.exp2(min(max(score - _AS_OF_HALF_LIVES, -_FARTHEST), _FARTHEST))
