"""Weights that are served: an average of those of the last steps.

Each step follows the list that it learned, so the newest weights stand around the best ones by as much as steps are large, and
say too much of whatever came last. Their average stands nearer, at no cost for how fast the steps themselves go on.
"""

from typing import Final

from streamrec.models.rows import Floats

HORIZON: Final = 1_000  # lists
_HASTE: Final = 3.0  # how little the first lists count: they are far off, and leave the average sooner


class Average:
    """Polynomial-decay averaging, and beyond `HORIZON` lists exponential: old steps are forgotten as the world moves on.

    Parameters
    ----------
    weights
        To begin with.

    Attributes
    ----------
    weights
        The average; never changed in place.
    lists
        Taken in so far; parts of lists are parts of one.

    References
    ----------
    Shamir, Zhang: Stochastic gradient descent for non-smooth optimization (ICML, 2013). Polyak, Juditsky: Acceleration of
    stochastic approximation by averaging (1992).

    Examples
    --------
    >>> import numpy as np
    >>> average = Average(np.zeros(1))
    >>> for step in range(4):
    ...     average.learn(np.array([step % 2 + 1.0]))
    >>> average.weights.round(2)
    array([1.69])
    """

    def __init__(self, weights: Floats) -> None:
        self.weights, self.lists = weights, 0.0

    def learn(self, weights: Floats, part: float = 1.0) -> None:
        """Take in the weights after a step on so much of a list (0 to 1): a list that comes in parts counts like a whole one."""
        self.lists += part
        share = max((_HASTE + 1.0) / (_HASTE + max(self.lists, 1.0)), 1.0 / HORIZON)
        self.weights = weights + (1.0 - share) ** part * (self.weights - weights)
