"""The contract of a model: P(label) of a row of features, linear in them, learned one list of rows at a time.

A model knows nothing of streams, stores and clocks. It is fed by one owner (the trainer), in the order of the log; it
leaves the process only as a `Scorer` (to rank with) or a `Snapshot` (to go on learning from, see `models.snapshot`).
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamrec.events import TrainingExample
from streamrec.models.measures import Data, Measures
from streamrec.models.moving import Move
from streamrec.models.prequential import Prequential
from streamrec.models.rows import SAMPLED, Floats, InvalidExampleError, Rows, rows_of
from streamrec.models.segments import Segmented

_FORMER: Final = 3  # sets that are remembered: those of processes that still run, or whose answers are still open

__all__ = ["InvalidExampleError", "Model", "Scored", "Scorer", "sigmoid"]


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logit)), element by element, without overflow.

    Examples
    --------
    >>> sigmoid(np.array([-1e6, 0.0, 1e6])).round(3)
    array([0. , 0.5, 1. ])
    """
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.maximum(logits, -700.0)))
    return probabilities


class Scorer(msgspec.Struct, frozen=True, eq=False):
    """What ranking needs of one version of a model; never changes, so threads may share it.

    Attributes
    ----------
    name, version
        Which model, and which of its snapshots.
    feature_set
        Name of the features, whose order is that of `weights`.
    weights, bias
        On the features as they are: the model's scaling is folded in. `weights` has d numbers.
    learned_at
        When the snapshot was taken, in ms since the epoch.
    examples
        How many examples it had learned.
    score_weights, score_bias
        Of the head that jobs are ordered by, where stronger actions weigh more; None for the one of `weights`.
    segmented
        The same for each segment of members, where the model has such; it overrules them.
    calibrated
        Whether `probabilities` are P(label | shown), fitted on shown lists; else they are P(label) among sampled rows,
        whose level says nothing of what would happen to a shown one.

    Examples
    --------
    >>> scorer = Scorer("job_check", 1, "toy/1", np.array([1.0, -1.0]), 0.0, learned_at=0, examples=0)
    >>> scorer.probabilities(np.array([[1.0, 1.0], [3.0, 0.0]], np.float32)).round(3)
    array([0.5  , 0.953])
    """

    name: str
    version: int
    feature_set: str
    weights: Floats
    bias: float
    learned_at: int
    examples: int
    score_weights: Floats | None = None
    score_bias: float = 0.0
    calibrated: bool = False
    segmented: Segmented | None = None

    def moved(self, before: tuple[str, ...], feature_set: str, after: tuple[str, ...]) -> "Scorer":
        """The same for other features: columns that these lack count for nothing, and so do those that it knows nothing of."""
        move = Move(before, after)
        score_weights = None if self.score_weights is None else move.of(self.score_weights)
        segmented = self.segmented
        if segmented is not None:
            flags = [before[column] for column in segmented.columns]
            if set(flags) <= set(after):
                columns = tuple(after.index(flag) for flag in flags)
                segmented = Segmented(columns, move.of(segmented.weights), segmented.biases)
            else:  # nobody says any more which segment a row is of
                segmented = None
        return msgspec.structs.replace(
            self, feature_set=feature_set, weights=move.of(self.weights), score_weights=score_weights,
            segmented=segmented,
        )  # fmt: skip

    def logits(self, matrix: NDArray[np.floating]) -> Floats:
        """Log odds of each row of an n x d matrix. Raises ValueError if the matrix is not d wide."""
        logits: Floats = matrix @ self.weights + self.bias
        return logits

    def probabilities(self, matrix: NDArray[np.floating]) -> Floats:
        """P(label is 1) of each row of an n x d matrix: one matrix product. Raises ValueError if it is not d wide."""
        return sigmoid(self.logits(matrix))

    def scores(self, matrix: NDArray[np.floating]) -> Floats:
        """What to order jobs by, of each row of an n x d matrix, between 0 and 1. Raises ValueError if it is not d wide.

        Only the order of scores within a list means something. Stronger actions count for more: with the default weights, a
        job that is viewed or applied for equally often scores above one that is only viewed.
        """
        if self.segmented is not None:
            return sigmoid(self.segmented.logits(matrix))
        if self.score_weights is None:
            return self.probabilities(matrix)
        return sigmoid(matrix @ self.score_weights + self.score_bias)


class Scored(msgspec.Struct, frozen=True, eq=False):
    """What the model said of an example's rows before it learned them, with what turned out: n numbers each."""

    probabilities: Floats
    labels: Floats
    weights: Floats
    kind: str = SAMPLED


class Learned(msgspec.Struct, array_like=True, frozen=True):
    """How many examples of one kind were learned, and how many rows of either label with a weight above 0."""

    examples: int = 0
    positives: int = 0
    negatives: int = 0


class Model(ABC):
    """A classifier that is learned from `TrainingExample`. Not safe for concurrent use.

    Parameters
    ----------
    feature_set
        Name of the features; examples of others are refused.
    feature_names
        The d features, in the order of the examples' columns.

    Attributes
    ----------
    measures
        How good the predictions were that `learn` made before learning.
    examples
        Examples learned, over all restarts.
    learned
        The same by kind, and their rows.
    former
        Sets of features that it has moved from, and their columns: examples of these are still learned.
    """

    name: ClassVar[str]

    def __init__(self, feature_set: str, feature_names: tuple[str, ...]) -> None:
        self.feature_set = feature_set
        self.feature_names = tuple(feature_names)
        self.measures = Measures()
        self.examples = 0
        self.learned: dict[str, Learned] = {}
        self.former: dict[str, tuple[str, ...]] = {}

    @property
    def prequential(self) -> Prequential:
        """Figures of the sampled lists."""
        return self.measures.of("sampled")

    @property
    def calibrated(self) -> bool:
        """See `Scorer`."""
        return False

    def learn(self, example: TrainingExample) -> Scored:
        """Predict every row of `example`, then learn them all.

        Called by the trainer, once an example, in the order of the log: the model is a function of that sequence alone.

        Raises
        ------
        InvalidExampleError
            The example cannot be learned. Nothing has changed: count it, and go on with the next.
        """
        rows = self._rows(example)
        scored = Scored(
            self.predict(rows.matrix, "shown" if rows.is_shown else "sampled"), rows.labels, rows.weights, rows.kind
        )
        self.measures.count(rows, scored.probabilities, example.surface, example.hit)
        self._step(rows)
        self.examples += 1
        counts, learned = self.learned.get(rows.kind, Learned()), rows.weights > 0.0
        positives = int((learned & (rows.labels > 0.0)).sum())
        self.learned[rows.kind] = Learned(
            counts.examples + 1, counts.positives + positives, counts.negatives + int(learned.sum()) - positives
        )
        return scored

    def move(self, feature_set: str, feature_names: tuple[str, ...]) -> None:
        """Go on with other features: what is known of a column stays with its name, and new ones begin at nothing.

        Called by the trainer when the first example of another set comes; the set before is one of the `former` then.
        """
        self.former = {name: columns for name, columns in self.former.items() if name != feature_set}
        self.former[self.feature_set] = self.feature_names
        for name in list(self.former)[:-_FORMER]:
            del self.former[name]
        self._move(Move(self.feature_names, feature_names))
        self.feature_set, self.feature_names = feature_set, tuple(feature_names)

    def _rows(self, example: TrainingExample) -> Rows:
        before = self.former.get(example.feature_set)
        if before is None or example.feature_set == self.feature_set:
            return rows_of(example, self.feature_set, len(self.feature_names))
        rows = rows_of(example, example.feature_set, len(before))
        return msgspec.structs.replace(rows, matrix=Move(before, self.feature_names).of(rows.matrix, self._usual()))

    def _usual(self) -> Floats:
        """What stands for a column that an example does not have, d numbers: nothing is to be learned from it."""
        return np.zeros(len(self.feature_names))

    @abstractmethod
    def _move(self, move: Move) -> None:
        """Take what is known of each column to its new place; called by `move`."""

    def predict(self, matrix: NDArray[np.floating], data: Data | None = None) -> Floats:
        """P(label is 1) of each row of an n x d matrix, by what is learned so far; for `data` see `folded`."""
        weights, bias = self.folded(data)
        # Not `@`: BLAS may sum in another order for another memory layout, and equal examples must give equal bytes.
        return sigmoid((matrix * weights).sum(axis=1) + bias)

    def scorer(self, version: int, now: int) -> Scorer:
        """The model as of `now` (ms since the epoch), as snapshot number `version`; learning on does not change it."""
        (weights, bias), (score_weights, score_bias) = self.folded(), self.folded_score()
        return Scorer(
            self.name, version, self.feature_set, weights, bias, learned_at=now, examples=self.examples,
            score_weights=score_weights, score_bias=score_bias, calibrated=self.calibrated, segmented=self.segmented(),
        )  # fmt: skip

    @abstractmethod
    def folded(self, data: Data | None = None) -> tuple[Floats, float]:
        """Weights (d, a fresh array) and bias on unscaled features.

        By default those that are served; else those for rows of sampled or of shown lists, whose base rates differ.
        """

    def folded_score(self) -> tuple[Floats, float]:
        """The same of the head that jobs are ordered by; default the one of the probability."""
        return self.folded()

    def segmented(self) -> Segmented | None:
        """The same for each segment of members; default None, there are none."""
        return None

    def deviations(self) -> Floats:
        """Standard deviation of each feature, by which a weight says how much it matters; default all 1."""
        return np.ones(len(self.feature_names))

    @abstractmethod
    def state(self) -> bytes:
        """All that `learn` depends on, and nothing that differs between equal sequences of examples."""

    @abstractmethod
    def load(self, state: bytes) -> None:
        """Continue from another instance's `state`. Raises ValueError, having changed nothing, if it cannot be read."""

    @abstractmethod
    def _step(self, rows: Rows) -> None:
        """Learn `rows`, which have been checked, all at once."""
