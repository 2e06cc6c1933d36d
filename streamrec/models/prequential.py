"""How good a model is on what comes next: every row is scored before it is learned, and forgotten slowly afterwards.

Each row's weight falls by a factor e every `MEMORY_ROWS` rows, so the figures are about the recent past, cost the
same however long the stream is, and fit in a few kilobytes of a snapshot (a window of 20,000 rows would be twenty
times that). Area under the curve and calibration come from a histogram over the predicted log odds.
"""

import math
from typing import Final

import msgspec
import numpy as np

from streamrec.models.rows import Floats

MEMORY_ROWS: Final = 20_000
BINS: Final = 400
BIN_WIDTH: Final = (
    0.05  # of log odds; the bins reach from -10 to 10, that is 0.00005 to 0.99995, and the outer two further
)
GROUPS: Final = 15  # of equal weight, for the calibration error
_LEAST: Final = 1e-15  # probabilities are kept this far from 0 and 1, as River does
_POSITIVE, _NEGATIVE, _PREDICTED = range(3)


class _State(msgspec.Struct, array_like=True, frozen=True):
    rows: int
    loss: float
    total_weight: float
    total_positive: float
    total_loss: float
    histogram: bytes


class Tally(msgspec.Struct, frozen=True, eq=False):
    """A list of predictions counted once, for as many `Prequential` as it belongs to."""

    rows: int
    weight: float
    positive: float
    loss: float
    histogram: Floats
    taken_back: bool


def tally(probabilities: Floats, labels: Floats, weights: Floats) -> Tally:
    """Count n predictions with their labels (0 or 1) and sample weights; a weight below 0 takes a row back."""
    p = np.minimum(np.maximum(probabilities, _LEAST), 1.0 - _LEAST)
    positive = weights * labels
    losses = -np.log(np.where(labels > 0.5, p, 1.0 - p))
    bins = np.floor((np.log(p) - np.log1p(-p)) / BIN_WIDTH).astype(np.int64) + BINS // 2
    np.minimum(np.maximum(bins, 0), BINS - 1, out=bins)
    histogram = np.empty((3, BINS))
    histogram[_POSITIVE] = np.bincount(bins, positive, BINS)
    histogram[_NEGATIVE] = np.bincount(bins, weights - positive, BINS)
    histogram[_PREDICTED] = np.bincount(bins, weights * p, BINS)
    return Tally(
        rows=len(labels),
        weight=float(weights.sum()),
        positive=float(positive.sum()),
        loss=float((weights * losses).sum()),
        histogram=histogram,
        taken_back=bool((weights < 0.0).any()),
    )


class Prequential:
    """Running measures of predictions made before learning. Rows count as their sample weight says.

    Figures are NaN until there is something to say: the area under the curve needs both labels.

    Attributes
    ----------
    rows
        Rows added, ever.

    Examples
    --------
    >>> measured = Prequential()
    >>> measured.add(np.array([0.9, 0.2, 0.1]), np.array([1.0, 0.0, 0.0]), np.ones(3))
    >>> measured.auc, round(measured.log_loss, 3), round(measured.constant_log_loss, 3)
    (1.0, 0.145, 0.637)
    """

    def __init__(self) -> None:
        self.rows = 0
        self._loss = 0.0
        self._total_weight = self._total_positive = self._total_loss = 0.0
        # Weight of positive rows, weight of negative rows, and weight times prediction, by bin of the predicted log
        # odds.
        self._histogram: Floats = np.zeros((3, BINS))

    def add(self, probabilities: Floats, labels: Floats, weights: Floats) -> None:
        """Count a list of n predictions with their labels (0 or 1) and sample weights; its rows are equally recent."""
        self.count(tally(probabilities, labels, weights))

    def count(self, tallied: Tally) -> None:
        """Add what `tally` made of a list."""
        fading = math.exp(-tallied.rows / MEMORY_ROWS)
        self._histogram *= fading
        self._histogram += tallied.histogram
        self._loss = self._loss * fading + tallied.loss
        self.rows += tallied.rows
        self._total_weight += tallied.weight
        self._total_positive += tallied.positive
        self._total_loss += tallied.loss
        if tallied.taken_back:
            # The row that is taken back has faded since it was counted: less than nothing must not be left.
            np.maximum(self._histogram, 0.0, out=self._histogram)
            self._loss = max(self._loss, 0.0)

    @property
    def base_rate(self) -> float:
        """Share of positive rows among the recent ones."""
        positive, weight = float(self._histogram[_POSITIVE].sum()), float(self._histogram[:_PREDICTED].sum())
        return positive / weight if weight > 0.0 else math.nan

    @property
    def mean_prediction(self) -> float:
        """Mean of the recent predictions; where they are calibrated, it is `base_rate`."""
        weight = float(self._histogram[:_PREDICTED].sum())
        return float(self._histogram[_PREDICTED].sum()) / weight if weight > 0.0 else math.nan

    @property
    def log_loss(self) -> float:
        """Mean log loss (nats) of the recent rows."""
        weight = float(self._histogram[:_PREDICTED].sum())
        return self._loss / weight if weight > 0.0 else math.nan

    @property
    def constant_log_loss(self) -> float:
        """Log loss of the constant that would have been best over the same rows, known only in hindsight."""
        return _entropy(float(self._histogram[_POSITIVE].sum()), float(self._histogram[:_PREDICTED].sum()))

    @property
    def total_log_loss(self) -> float:
        """Mean log loss of all rows since the first."""
        return self._total_loss / self._total_weight if self._total_weight > 0.0 else math.nan

    @property
    def total_constant_log_loss(self) -> float:
        """Log loss of the constant that would have been best over all rows since the first."""
        return _entropy(self._total_positive, self._total_weight)

    @property
    def auc(self) -> float:
        """Probability that a recent positive row was scored above a recent negative one.

        Two in one bin (`BIN_WIDTH` of log odds) count as a tie, one half; see Hanley and McNeil (1982).
        """
        positive, negative = self._histogram[_POSITIVE], self._histogram[_NEGATIVE]
        pairs = float(positive.sum() * negative.sum())
        below = np.cumsum(negative) - negative
        return float((positive * (below + 0.5 * negative)).sum()) / pairs if pairs > 0.0 else math.nan

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: mean distance of prediction and frequency over `GROUPS` groups of equal weight.

        The recent rows are grouped by prediction, lowest first; a bin is never split. Naeini, Cooper, Hauskrecht
        (2015).
        """
        weight = self._histogram[:_PREDICTED].sum(axis=0)
        total = float(weight.sum())
        if not total > 0.0:
            return math.nan
        middle = (np.cumsum(weight) - 0.5 * weight) / total
        group = np.minimum((middle * GROUPS).astype(np.int64), GROUPS - 1)
        gap = np.bincount(group, self._histogram[_PREDICTED] - self._histogram[_POSITIVE], GROUPS)
        return float(np.abs(gap).sum()) / total

    def state(self) -> bytes:
        """All of it, for `load`; part of a model's snapshot."""
        return msgspec.msgpack.encode(
            _State(
                rows=self.rows,
                loss=self._loss,
                total_weight=self._total_weight,
                total_positive=self._total_positive,
                total_loss=self._total_loss,
                histogram=self._histogram.astype("<f8").tobytes(),
            )
        )

    def load(self, state: bytes) -> None:
        """Continue from another's `state`. Raises ValueError, having changed nothing, if it cannot be read."""
        read = msgspec.msgpack.decode(state, type=_State)
        if len(read.histogram) != 8 * 3 * BINS:
            raise ValueError(f"a histogram of {len(read.histogram)} bytes, want {8 * 3 * BINS}")
        histogram = np.frombuffer(read.histogram, "<f8").astype(np.float64).reshape(3, BINS)
        sums = (read.loss, read.total_weight, read.total_positive, read.total_loss)
        if not (np.isfinite(histogram).all() and all(map(math.isfinite, sums))):
            raise ValueError("sums that are not finite")
        self.rows, self._loss = read.rows, read.loss
        self._total_weight, self._total_positive, self._total_loss = (
            read.total_weight,
            read.total_positive,
            read.total_loss,
        )
        self._histogram = histogram


def _entropy(positive: float, weight: float) -> float:
    """Mean log loss of the best constant, positive / weight, over rows of that weight."""
    if not weight > 0.0:
        return math.nan
    share = min(max(positive / weight, 0.0), 1.0)
    return -sum(part * math.log(part) for part in (share, 1.0 - share) if part > 0.0)
