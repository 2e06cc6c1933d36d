"""The slope and the intercept that p_check is served with: fitted to whole lists only, when they close.

Positives are learned when they arrive, their list's negatives half an hour later. While traffic grows, or has just begun,
more positives than negatives have been learned: the intercept that is trained with them takes up that surplus, and keeps
it away from the weights, but is too high by it. This one learns from lists of which every row's outcome is known, so that
it is neither moved by what has not closed yet, nor by how much traffic there is.

Weights that were learned row after row, the last rows the loudest, say too much: where they tell odds of one to one, fewer are
checked. The slope takes that back (Platt scaling, one step a list).
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
_PRIOR_SLOPE: Final = 200.0  # the same of the slope: a few lists say nothing of it
_LARGEST_STEP: Final = 1.0
_SLOPES: Final = (0.25, 4.0)  # beyond these it is not the slope that is wrong


class Calibrator(msgspec.Struct, array_like=True):
    """Newton's steps on the log loss of whole lists, with exponential forgetting; the weights are given.

    Checks that come after their list was closed are a share of all, which is learned apart, and a closed list's checks are
    counted for so many more. To add the late ones one by one would go wrong whenever traffic falls: they would be those of
    many lists, and meet the few that close now.

    Attributes
    ----------
    intercept, slope
        Log odds are served as ``slope * logit + intercept``.
    curvature, cross, spread
        Fading sums of p (1 - p), the same times the logit and times its square: the Hessian.
    late
        Share of the checks that come late, at most `LARGEST_LATE`.
    rows, checks
        Learned so far.

    Examples
    --------
    >>> import numpy as np
    >>> served = Calibrator()
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
    slope: float = 1.0
    cross: float = 0.0
    spread: float = 0.0

    def learn(self, logits: Floats, labels: Floats) -> None:
        """Learn n rows, best of a whole closed list: log odds without an intercept, and whether they were checked by then."""
        self._count(int(labels.sum()), 0.0)
        probabilities = sigmoid(self.slope * logits + self.intercept)
        fading, says = math.exp(-len(labels) / MEMORY_ROWS), probabilities * (1.0 - probabilities)
        self.curvature = self.curvature * fading + float(says.sum())
        self.cross = self.cross * fading + float((says * logits).sum())
        self.spread = self.spread * fading + float((says * logits * logits).sum())
        surplus = probabilities - labels / (1.0 - min(self.late, LARGEST_LATE))
        self._step(float(surplus.sum()), float((surplus * logits).sum()))
        self.rows += len(labels)

    def _step(self, level: float, tilt: float) -> None:
        """Newton's step on the gradient of the loss by intercept and slope."""
        curvature, spread = self.curvature + _PRIOR, self.spread + _PRIOR_SLOPE
        determinant = curvature * spread - self.cross * self.cross
        step = (spread * level - self.cross * tilt) / determinant
        turn = (curvature * tilt - self.cross * level) / determinant
        self.intercept -= min(max(step, -_LARGEST_STEP), _LARGEST_STEP)
        self.slope = min(max(self.slope - min(max(turn, -_LARGEST_STEP), _LARGEST_STEP), _SLOPES[0]), _SLOPES[1])

    def learn_late(self) -> None:
        """Learn that a row was checked after its list had been closed."""
        self._count(1, 1.0)

    def is_sound(self) -> bool:
        """Whether the numbers can be of a `Calibrator`."""
        return (
            math.isfinite(self.intercept)
            and _SLOPES[0] <= self.slope <= _SLOPES[1]
            and math.isfinite(self.cross)
            and 0.0 <= self.spread < math.inf
            and 0.0 <= self.curvature < math.inf
            and 0.0 <= self.late <= 1.0
            and min(self.rows, self.checks) >= 0
        )

    def _count(self, checks: int, late: float) -> None:
        for _ in range(checks):
            self.checks += 1
            self.late += (late - self.late) / min(self.checks, MEMORY_CHECKS)
