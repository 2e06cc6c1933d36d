"""The intercept that p_check is served with: fitted to whole lists only, when they close.

Positives are learned when they arrive, their list's negatives half an hour later. While traffic grows, or has just begun,
more positives than negatives have been learned: the intercept that is trained with them takes up that surplus, and keeps
it away from the weights, but is too high by it. This one learns from lists of which every row's outcome is known, so that
it is neither moved by what has not closed yet, nor by how much traffic there is.
"""

import math
from typing import Final

import msgspec

from streamrec.models.base import sigmoid
from streamrec.models.rows import Floats

MEMORY_ROWS: Final = 4_000  # a row's say falls by a factor e over so many: noise of 0.04 log odds, and little lag
MEMORY_CHECKS: Final = 20_000  # the same of checks, for the share that comes late
LARGEST_LATE: Final = 0.5
_PRIOR: Final = 1.0  # rows' worth of curvature that bound the first steps
_LARGEST_STEP: Final = 1.0


class ServedIntercept(msgspec.Struct, array_like=True):
    """Newton's steps on the log loss of whole lists, with exponential forgetting; the weights are given.

    Checks that come after their list was closed are a share of all, which is learned apart, and a closed list's checks are
    counted for so many more. To add the late ones one by one would go wrong whenever traffic falls: they would be those of
    many lists, and meet the few that close now.

    Attributes
    ----------
    intercept
        In log odds.
    late
        Share of the checks that come late, at most `LARGEST_LATE`.
    rows, checks
        Learned so far.

    Examples
    --------
    >>> import numpy as np
    >>> served = ServedIntercept()
    >>> for _ in range(200):
    ...     served.learn(np.zeros(10), np.array([1.0] + [0.0] * 9))
    >>> round(1 / (1 + math.exp(-served.intercept)), 2), served.rows
    (0.1, 2000)
    """

    intercept: float = 0.0
    curvature: float = 0.0
    late: float = 0.0
    rows: int = 0
    checks: int = 0

    def learn(self, logits: Floats, labels: Floats) -> None:
        """Learn n rows, best of a whole closed list: log odds without an intercept, and whether they were checked by then."""
        self._count(int(labels.sum()), 0.0)
        probabilities = sigmoid(logits + self.intercept)
        fading = math.exp(-len(labels) / MEMORY_ROWS)
        self.curvature = self.curvature * fading + float((probabilities * (1.0 - probabilities)).sum())
        surplus = float(probabilities.sum()) - float(labels.sum()) / (1.0 - min(self.late, LARGEST_LATE))
        step = surplus / (self.curvature + _PRIOR)
        self.intercept -= min(max(step, -_LARGEST_STEP), _LARGEST_STEP)
        self.rows += len(labels)

    def learn_late(self) -> None:
        """Learn that a row was checked after its list had been closed."""
        self._count(1, 1.0)

    def is_sound(self) -> bool:
        """Whether the numbers can be of a `ServedIntercept`."""
        return (
            math.isfinite(self.intercept)
            and 0.0 <= self.curvature < math.inf
            and 0.0 <= self.late <= 1.0
            and min(self.rows, self.checks) >= 0
        )

    def _count(self, checks: int, late: float) -> None:
        for _ in range(checks):
            self.checks += 1
            self.late += (late - self.late) / min(self.checks, MEMORY_CHECKS)
