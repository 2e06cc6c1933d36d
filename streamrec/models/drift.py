"""What the features of recent rows look like beside those of many more: how often they say anything, and how far they moved."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RECENT_ROWS: Final = 1_000  # half of the weight is on so many rows
LONG_ROWS: Final = 100 * RECENT_ROWS


class _Fading:
    """Mean, mean square and share of values that are not 0, of rows that fade."""

    def __init__(self, features: int, half_rows: float) -> None:
        self._half_rows = half_rows
        self.weight, self._sums = 0.0, np.zeros((3, features))

    def fold(self, sums: Floats, rows: int) -> None:
        keep: float = 0.5 ** (rows / self._half_rows)
        self.weight = keep * self.weight + rows
        self._sums *= keep
        self._sums += sums

    @property
    def figures(self) -> Floats:
        return self._sums / max(self.weight, 1e-12)


class Drift:
    """Running figures of `d` features, a list of rows at a time; not kept in snapshots, since they are for people to see.

    Parameters
    ----------
    features
        How many.
    recent_rows, long_rows
        After so many rows a row counts half, in what is recent and in what that is compared with.

    Attributes
    ----------
    rows
        Rows folded so far.

    Examples
    --------
    >>> drift = Drift(2, recent_rows=1, long_rows=1_000)
    >>> for value in (0.0, 2.0) * 50:
    ...     drift.fold(np.array([[value, 7.0]]))
    >>> drift.fold(np.array([[10.0, 7.0]] * 9))
    >>> drift.coverage.round(3), drift.means.round(1)
    (array([1., 1.]), array([10.,  7.]))
    >>> drift.deviations.round(1)
    array([3.1, 0. ])
    """

    def __init__(self, features: int, recent_rows: float = RECENT_ROWS, long_rows: float = LONG_ROWS) -> None:
        self.rows = 0
        self._recent, self._long = _Fading(features, recent_rows), _Fading(features, long_rows)

    def fold(self, matrix: NDArray[Any]) -> None:
        """Add n x d values."""
        values = matrix.astype(np.float64)
        sums = np.stack([values.sum(0), (values * values).sum(0), np.count_nonzero(values, 0)])
        self.rows += len(values)
        self._recent.fold(sums, len(values))
        self._long.fold(sums, len(values))

    @property
    def coverage(self) -> Floats:
        """Share of the recent rows in which each feature is not 0: 0 is what a feature says that knows nothing."""
        share: Floats = self._recent.figures[2]
        return share

    @property
    def means(self) -> Floats:
        """Mean of each feature over the recent rows."""
        mean: Floats = self._recent.figures[0]
        return mean

    @property
    def deviations(self) -> Floats:
        """How far the recent means are from the long ones, in standard deviations of the long ones; 0 for a constant."""
        mean, square, _ = self._long.figures
        variance = square - mean * mean
        known = variance > 1e-9 * np.maximum(square, 1.0)
        moved: Floats = np.abs(self.means - mean)
        return np.divide(moved, np.sqrt(np.where(known, variance, 1.0)), out=np.zeros_like(moved), where=known)
