"""Companies: what they do, where they sit, how well they pay, and how famous they are at the moment."""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Draw
from streamrec.simulator.vocabulary import COMPANY_NAMES, FUNCTIONS, REGIONS

_JOBS_EACH: Final = 25  # open jobs of a company, on average
_FEWEST: Final = 40
_KEPT: Final = 0.97  # of its fame, a day: the half-life of a fashion is about three weeks


class Companies:
    """Arrays with a company a row.

    Attributes
    ----------
    trade, home
        Function of most, and region of most of its jobs.
    fame
        Standard normal over companies; drifts from day to day.
    pay
        What it pays beside others, as a factor.
    size
        Cumulated share of the jobs.
    """

    def __init__(self, draw: Draw, jobs: int) -> None:
        count = min(max(jobs // _JOBS_EACH, _FEWEST), len(COMPANY_NAMES))
        self._draw = draw
        self.names = COMPANY_NAMES[:count]
        self.trade = draw.integers(FUNCTIONS, size=count)
        self.home = draw.integers(REGIONS, size=count)
        self.fame = draw.normal(size=count)
        self.pay = np.exp(draw.normal(0, 0.08, size=count))
        self.size = np.cumsum(draw.pareto(2.0, size=count) + 0.3)

    def __len__(self) -> int:
        return len(self.names)

    def drift(self, days: float) -> None:
        """Let fame wander for so long; it stays standard normal (a process of Ornstein and Uhlenbeck)."""
        kept = _KEPT**days
        self.fame = kept * self.fame + np.sqrt(1 - kept**2) * self._draw.normal(size=len(self.fame))
