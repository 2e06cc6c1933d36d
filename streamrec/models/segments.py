"""Weights for each kind of member: whoever is in the middle of a session wants other jobs than who comes back or is new."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamrec.models.rows import Floats


def segment_of(row: NDArray[np.floating], columns: tuple[int, ...]) -> int:
    """The segment of a row of features: 1 for the first of the flags in `columns` that is set, 2 for the second, 0 for none.

    Examples
    --------
    >>> segment_of(np.array([7.0, 0.0, 1.0]), (1, 2)), segment_of(np.array([7.0, 0.0, 0.0]), (1, 2))
    (2, 0)
    """
    for number, column in enumerate(columns, 1):
        if row[column] > 0.5:
            return number
    return 0


class Segmented(msgspec.Struct, frozen=True, eq=False):
    """Linear in the features, with weights and a bias for each segment.

    Attributes
    ----------
    columns
        The columns of the flags that say which segment a row is of; none where there is only segment 0.
    weights, biases
        ``(1 + len(columns), d)`` and as many biases, on the features as they are.
    """

    columns: tuple[int, ...]
    weights: Floats
    biases: Floats

    def logits(self, matrix: NDArray[np.floating]) -> Floats:
        """Log odds of each row of an n x d matrix; rows of one list are of one member, and so of one segment."""
        segments = self.segments(matrix)
        if len(segments) and (segments == segments[0]).all():
            logits: Floats = matrix @ self.weights[segments[0]] + self.biases[segments[0]]
            return logits
        mixed: Floats = (matrix * self.weights[segments]).sum(axis=1) + self.biases[segments]
        return mixed

    def segments(self, matrix: NDArray[np.floating]) -> NDArray[np.intp]:
        """The segment of each row; see `segment_of`."""
        found = np.zeros(len(matrix), np.intp)
        for number in range(len(self.columns), 0, -1):
            found[matrix[:, self.columns[number - 1]] > 0.5] = number
        return found
