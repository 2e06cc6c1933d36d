"""The rows of a training example as arrays: unpacked, and checked before any of them can reach a model."""

from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamrec.events import TrainingExample

Floats = NDArray[np.float64]
Reason = Literal["feature_set", "kind", "shape", "features", "labels", "weights"]

SAMPLED: Final = "sampled"
POSITIVE: Final = "positive"
CLOSED: Final = "closed"
CORRECTION: Final = "correction"
KINDS: Final = (SAMPLED, POSITIVE, CLOSED, CORRECTION)  # see `TrainingExample`

# The shipped features are logarithms, rates, shares and flags. A finite value beyond this is a mistake of whoever
# computed it, and one such row would spoil a running variance for months.
LARGEST_FEATURE: Final = 1e6
LARGEST_WEIGHT: Final = 1e6


class InvalidExampleError(ValueError):
    """An example that no model may learn; the model is as it was before.

    Attributes
    ----------
    reason
        One of a few fixed words, fit for a metric's label: ``feature_set`` (made for other features), ``kind`` (not one
        of `KINDS`), ``shape`` (no rows, or numbers of rows that differ), ``features`` (NaN, infinite or absurd values),
        ``labels`` (not 0 or 1), ``weights`` (absurd, not finite, or negative though nothing is corrected).
    detail
        For people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class Rows(msgspec.Struct, frozen=True, eq=False):
    """`n` rows that are safe to learn.

    Attributes
    ----------
    matrix
        n x d features.
    labels
        n numbers, 0 or 1.
    weights, score_weights
        n numbers for each of the two heads; below 0 only in a correction.
    shown
        Rows of the whole list that these belong to: what the gradient of a step is divided by. At least 1.
    kind
        One of `KINDS`.
    served
        P(label) of each row as it was served; None where that is not known.
    at
        When what was learned came about (ms): the action, or the closing of the list.
    """

    matrix: Floats
    labels: Floats
    weights: Floats
    score_weights: Floats
    shown: int
    kind: str = SAMPLED
    served: Floats | None = None
    at: int = 0

    @property
    def is_shown(self) -> bool:
        """Whether the rows are of an impression, rather than sampled."""
        return self.kind != SAMPLED

    @property
    def is_whole(self) -> bool:
        """Whether this is a closed list that also names, at weight 0, the rows that were learned as positives before."""
        return self.kind == CLOSED and bool(self.labels.any())

    def whole(self) -> "Rows":
        """A closed list with the rows that were checked at the weight of the others: as if none had been learned before."""
        ones = np.ones(len(self.labels))
        return msgspec.structs.replace(self, weights=ones, score_weights=np.maximum(self.score_weights, ones))

    def fresh(self) -> Floats:
        """Those rows of the matrix that no example of the same list had: each row counts once for mean and variance."""
        if self.kind == SAMPLED:
            return self.matrix
        if self.kind == CORRECTION:
            return self.matrix[:0]
        known = self.weights == 0.0
        return self.matrix[~known] if known.any() else self.matrix


def rows_of(example: TrainingExample, feature_set: str, width: int) -> Rows:
    """Unpack and check `example`.

    Parameters
    ----------
    example
        As read from `training-examples`.
    feature_set, width
        Name and number (d) of the features that the model was made for.

    Raises
    ------
    InvalidExampleError
        The example must not be learned; it says why.

    Examples
    --------
    >>> import struct
    >>> example = TrainingExample(
    ...     event_id="e1", member_id="m1", occurred_at=0, source_topic="job-views", source_topic_id="",
    ...     source_partition=0, source_offset=0, source_index=0, feature_set="toy/1", job_ids=("j1", "j2"),
    ...     labels=(1.0, 0.0), weights=(1.0, 1.0), features=struct.pack("<4f", 0.5, 1.0, 0.0, 2.0))
    >>> rows_of(example, "toy/1", 2).matrix
    array([[0.5, 1. ],
           [0. , 2. ]])
    >>> rows_of(example, "toy/2", 2)
    Traceback (most recent call last):
        ...
    streamrec.models.rows.InvalidExampleError: feature_set: the example has 'toy/1', the model learns 'toy/2'
    """
    if example.feature_set != feature_set:
        raise InvalidExampleError(
            "feature_set", f"the example has {example.feature_set!r}, the model learns {feature_set!r}"
        )
    if example.kind not in KINDS:
        raise InvalidExampleError("kind", f"want one of {', '.join(KINDS)}, got {example.kind!r:.100}")
    count = _count_of(example)
    if len(example.features) != 4 * count * width:
        raise InvalidExampleError("shape", f"{len(example.features)} bytes of features: want {count} x {width} float32")
    matrix = np.frombuffer(example.features, "<f4").astype(np.float64).reshape(count, width)
    # Written so that NaN fails too: no comparison with NaN is true.
    if not np.abs(matrix).max(initial=0.0) <= LARGEST_FEATURE:
        row, column = np.argwhere(~(np.abs(matrix) <= LARGEST_FEATURE))[0]
        raise InvalidExampleError(
            "features",
            f"feature {column} of {example.job_ids[row]!r} is {matrix[row, column]}; the limit is {LARGEST_FEATURE:g}",
        )
    labels = np.array(example.labels, np.float64)
    if not ((labels == 0.0) | (labels == 1.0)).all():
        raise InvalidExampleError("labels", f"want 0 or 1, got {example.labels}")
    weights = _weights_of(example.weights, example.kind)
    score_weights = _weights_of(example.score_weights, example.kind) if example.score_weights else weights
    return Rows(
        matrix,
        labels,
        weights,
        score_weights,
        example.rows_shown or count,
        example.kind,
        _served_of(example),
        example.occurred_at,
    )


def _count_of(example: TrainingExample) -> int:
    """Number of rows; raises `InvalidExampleError` if the parts of the example do not agree on it."""
    count = len(example.job_ids)
    if count == 0 or len(example.labels) != count or len(example.weights) != count:
        raise InvalidExampleError(
            "shape",
            f"{count} job ids, {len(example.labels)} labels, {len(example.weights)} weights: want the same, and some",
        )
    if len(example.score_weights) not in (0, count):
        raise InvalidExampleError("shape", f"{len(example.score_weights)} score weights: want none or {count}")
    if example.rows_shown and example.rows_shown < len(set(example.job_ids)):
        raise InvalidExampleError("shape", f"{count} rows of a list of {example.rows_shown}")
    return count


def _weights_of(given: tuple[float, ...], kind: str) -> Floats:
    weights = np.array(given, np.float64)
    least = -LARGEST_WEIGHT if kind == CORRECTION else 0.0
    if not (weights.min() >= least and weights.max() <= LARGEST_WEIGHT):
        raise InvalidExampleError("weights", f"want numbers from {least:g} to {LARGEST_WEIGHT:g}, got {given}")
    return weights


def _served_of(example: TrainingExample) -> Floats | None:
    # Only measured, never learned: what makes no sense is left out rather than refused.
    if len(example.served_p) != len(example.job_ids):
        return None
    served = np.array(example.served_p, np.float64)
    return served if bool(((served >= 0.0) & (served <= 1.0)).all()) else None
