"""P(job checked) and the score to order by: two heads of River's logistic regression over the same scaled features.

What was sampled and what was shown have base rates of their own, and what was shown comes in parts: the jobs that were
checked when they are, the others when the list closes. Why it is done like this is in
``ops/decisions/0005-two-heads.md``.
"""

import math
from typing import Final

import msgspec
import numpy as np

from streamrec.models.averaging import Average
from streamrec.models.base import Model
from streamrec.models.calibration import Calibrator
from streamrec.models.measures import Data
from streamrec.models.moving import Move
from streamrec.models.regression import (
    CLIP_GRADIENT,
    INTERCEPT_LEARNING_RATE,
    LEARNING_RATE,
    LEAST_DEVIATION,
    AdaGrad,
    Head,
    ListRegression,
    Scaler,
)
from streamrec.models.rows import CLOSED, CORRECTION, SAMPLED, Floats, Rows
from streamrec.models.score_head import ScoreHead
from streamrec.models.segments import Segmented, segment_of

__all__ = [
    "CLIP_GRADIENT",
    "INTERCEPT_LEARNING_RATE",
    "LEARNING_RATE",
    "LEAST_DEVIATION",
    "AdaGrad",
    "JobCheck",
    "ListRegression",
]

# Rows of shown lists after which P(checked) is taken from them rather than from sampled lists.
CALIBRATED_ROWS: Final = 200

# Features that say of which segment a member is, for the weights that the score has for each; none of them: of another.
SEGMENTS: Final = ("member_phase#0", "member_phase#1")
TRUSTED_ROWS: Final = 1000  # that means and variances count for once columns are added or taken away


class _State(msgspec.Struct, array_like=True, frozen=True):
    rows: int
    steps: int
    intercept: float
    means: bytes
    variances: bytes
    weights: bytes
    squares: bytes
    # Since version 2. Without them: the score's head is a copy of the other, and nothing shown has been learned.
    shown_intercept: float = 0.0
    score_steps: int = 0
    score_intercepts: tuple[float, float] | None = None
    score_weights: bytes = b""
    score_squares: bytes = b""
    whole_lists: Calibrator = msgspec.field(default_factory=Calibrator)
    parts: Calibrator = msgspec.field(default_factory=Calibrator)
    shown_rows: int = 0
    closed_rows: int = 0
    whole: bool = False
    # Since version 3. Without them: no list was shown so lately that anything is to be learned anew.
    before_shown: bytes = b""
    shown_since: int = 0
    anew_until: int = 0
    # Since version 5. Without them: the segments have no weights of their own.
    segment_steps: tuple[int, ...] = ()
    segment_weights: bytes = b""
    segment_squares: bytes = b""
    # Since version 7. Without them: the average begins at the weights.
    average: bytes = b""
    averaged: float = 0.0


class JobCheck(Model):
    """P(job checked | shown), or with sampled negatives P(job is the one acted on), and a score to order by: see `Model`.

    Two heads share one scaler. The check head has unweighted labels; the score head weighs them by action, and has weights of
    its own for each segment of members (see `score_head`). Each has an intercept for sampled lists and one for shown lists,
    and the same weights for both.

    P(job checked) is served with the first of these intercepts (1 and 2 with a slope) that there is enough to say of:

    1. the one fitted to whole closed lists (see `models.calibration`), once they had `CALIBRATED_ROWS` rows;
    2. where closed lists do not name the rows that were checked, one fitted to the parts as they come, once as many
       negatives of them were learned: it is too high while traffic grows, and too low while it falls;
    3. the one trained with sampled lists: then it is not `calibrated`. No correction of the level is possible there:
       nothing was shown, so nothing says how often what is shown is checked.

    With the first two the weights are the average of those of the last steps (see `models.averaging`), with the third the
    newest.

    Until the first list closes there are positives only, half an hour of them. What they teach is good enough to go by, and
    wrong: with the negatives that then come, they are learned anew, from the state before the first of them. The lists of that
    time are learned whole when they close (see ``ops/decisions/0012-first-window.md``).

    Examples
    --------
    >>> model = JobCheck("toy/1", ("x", "y"))
    >>> model.predict(np.zeros((1, 2)))
    array([0.5])
    """

    name = "job_check"

    def __init__(self, feature_set: str, feature_names: tuple[str, ...]) -> None:
        super().__init__(feature_set, feature_names)
        width = len(self.feature_names)
        self._scaler = Scaler(width)
        self._check_steps = AdaGrad()
        self._check, self._score = Head(width, self._check_steps), ScoreHead(width, 1 + len(SEGMENTS))
        self._average = Average(np.zeros(width))
        self._whole_lists, self._parts = Calibrator(), Calibrator()
        self._shown_rows = self._closed_rows = 0
        self._whole = False  # whether closed lists name the rows that were checked
        self._before_shown = b""  # what was learned before the first shown list, until the first one closes
        self._shown_since = self._anew_until = 0  # when that was (ms), and until when lists are learned whole

    @property
    def calibrated(self) -> bool:
        """See `Scorer`: whether there is enough to say of shown lists."""
        return (self._whole_lists.rows if self._whole else self._closed_rows) >= CALIBRATED_ROWS

    @property
    def learning_rate(self) -> float:
        """That of the weight in the middle, among those of P(checked) that have moved."""
        return self._check_steps.middle_rate

    def folded(self, data: Data | None = None) -> tuple[Floats, float]:
        """See `Model.folded`."""
        served = self._fitted(data)
        if served is None:
            return self._scaler.fold(self._check.weights, self._check.intercepts[0])
        return self._scaler.fold(served.slope * self._average.weights, served.intercept)

    def folded_score(self) -> tuple[Floats, float]:
        """See `Model.folded_score`: without what the segments have of their own."""
        return self._scaler.fold(self._score.weights[0], self._score.intercepts[self._shown_rows > 0])

    def segmented(self) -> Segmented | None:
        """See `Model.segmented`."""
        columns = self._flags()
        if not columns:
            return None
        shared, intercept = self._score.weights[0], self._score.intercepts[self._shown_rows > 0]
        folded = [self._scaler.fold(shared + own, intercept) for own in self._score.weights[1:]]
        return Segmented(columns, np.array([weights for weights, _ in folded]), np.array([bias for _, bias in folded]))

    def _flags(self) -> tuple[int, ...]:
        """Columns of `SEGMENTS`; none where the features do not have them all."""
        names = self.feature_names
        return tuple(map(names.index, SEGMENTS)) if set(SEGMENTS) <= set(names) else ()

    def deviations(self) -> Floats:
        """See `Model.deviations`."""
        return np.sqrt(self._scaler.variances)

    def _fitted(self, data: Data | None) -> Calibrator | None:
        """What log odds are told by; None for what was trained with sampled lists."""
        if data == "sampled" or not (self.calibrated or (self._whole and SAMPLED not in self.learned)):
            return None
        return self._whole_lists if self._whole else self._parts

    def _step(self, rows: Rows) -> None:
        if rows.is_shown and not self._shown_rows:
            self._before_shown, self._shown_since = self.state(), rows.at
        if rows.kind == CLOSED:
            if self._before_shown:
                self._begin_anew(rows.at)
            if rows.at <= self._anew_until:
                rows = rows.whole()
        self._learn_rows(rows)

    def _begin_anew(self, at: int) -> None:
        """Forget what was learned of shown lists: of none of them there were negatives."""
        since = self._shown_since
        self.load(self._before_shown)
        self._before_shown, self._shown_since, self._anew_until = b"", since, 2 * at - since

    def _learn_rows(self, rows: Rows) -> None:
        if len(fresh := rows.fresh()):
            self._scaler.learn(fresh)
        scaled = self._scaler.scale(rows.matrix)
        if rows.is_shown:
            self._begin_shown()
            self._shown_rows += len(fresh)
            self._closed_rows += len(fresh) if rows.kind == CLOSED else 0
            self._whole = self._whole or rows.is_whole
        flags = self._flags()
        self._score.learn(scaled, rows, segment_of(rows.matrix[0], flags) if flags else None)
        logits: Floats = (scaled * self._average.weights).sum(axis=1)
        self._check.learn(scaled, rows.labels, rows.weights, rows.shown, int(rows.is_shown))
        if part := int(np.count_nonzero(rows.weights)):  # else it was no step of this head
            self._average.learn(self._check.weights, min(1.0, part / rows.shown))
        self._fit(rows, logits)

    def _fit(self, rows: Rows, logits: Floats) -> None:
        """Fit what may be served to rows of a shown list, whose log odds by the average are given."""
        if rows.kind == CORRECTION:
            if ((rows.labels == 0.0) & (rows.weights < 0.0)).any():  # a check after closing, not one that was moved
                self._whole_lists.learn_late()
                self._parts.learn_late()
        elif rows.is_shown:
            if self._whole and rows.kind == CLOSED:
                self._whole_lists.learn(logits, rows.labels)
            part = rows.weights > 0.0
            self._parts.learn(logits[part], rows.labels[part])

    def _begin_shown(self) -> None:
        """Let the first shown list begin where the sampled ones are: nearer than nothing."""
        if self._shown_rows == 0:
            for intercepts in (self._check.intercepts, self._score.intercepts):
                intercepts[1] = intercepts[0]
            self._whole_lists.intercept = self._parts.intercept = self._check.intercepts[0]

    def _usual(self) -> Floats:
        """See `Model._usual`: the mean, which is 0 once it is scaled."""
        return self._scaler.means

    def _move(self, move: Move) -> None:
        """See `Model._move`. What was learned of all columns counts as `TRUSTED_ROWS` from then on, so that a new one is
        scaled by what comes rather than by the nothing that was before."""
        self._reload(_moved(msgspec.msgpack.decode(self.state(), type=_State), move), move.width)

    def state(self) -> bytes:
        """See `Model.state`: scaler, heads and the optimizers' sums, as little-endian float64."""
        check, score = self._check, self._score
        squares = score.squares()
        return msgspec.msgpack.encode(
            _State(
                rows=self._scaler.rows,
                steps=self._check_steps.n_iterations,
                intercept=check.intercepts[0],
                means=_bytes(self._scaler.means),
                variances=_bytes(self._scaler.variances),
                weights=_bytes(check.weights),
                squares=_bytes(
                    np.zeros_like(check.weights) if self._check_steps.squares is None else self._check_steps.squares
                ),
                shown_intercept=check.intercepts[1],
                score_steps=score.steps[0].n_iterations,
                score_intercepts=(score.intercepts[0], score.intercepts[1]),
                score_weights=_bytes(score.weights[0]),
                score_squares=_bytes(squares[0]),
                whole_lists=self._whole_lists,
                parts=self._parts,
                shown_rows=self._shown_rows,
                closed_rows=self._closed_rows,
                whole=self._whole,
                before_shown=self._before_shown,
                shown_since=self._shown_since,
                anew_until=self._anew_until,
                segment_steps=tuple(step.n_iterations for step in score.steps[1:]),
                segment_weights=_bytes(score.weights[1:]),
                segment_squares=_bytes(squares[1:]),
                average=_bytes(self._average.weights),
                averaged=self._average.lists,
            )
        )

    def load(self, state: bytes) -> None:
        """See `Model.load`."""
        self._reload(msgspec.msgpack.decode(state, type=_State), len(self.feature_names))

    def _reload(self, read: _State, width: int) -> None:
        segments = len(self._score.steps) - 1
        read = _completed(read, segments * width)
        assert read.score_intercepts is not None  # noqa: S101 - just completed
        means, variances, weights, squares, score_weights, score_squares, average = (
            _floats(name, getattr(read, name), width)
            for name in ("means", "variances", "weights", "squares", "score_weights", "score_squares", "average")
        )
        if len(read.segment_steps) != segments:
            raise ValueError(f"{len(read.segment_steps)} segments, want {segments}")
        own, own_squares = (
            _floats(name, getattr(read, name), segments * width).reshape(segments, width)
            for name in ("segment_weights", "segment_squares")
        )
        steps = [read.score_steps, *read.segment_steps]
        counts = (read.rows, read.steps, read.shown_rows, read.closed_rows, read.averaged, *steps)
        intercepts = (read.intercept, read.shown_intercept, *read.score_intercepts)
        if not all(map(math.isfinite, intercepts)) or min(counts) < 0:
            raise ValueError("an intercept that is not finite, or negative counts")
        if not (read.whole_lists.is_sound() and read.parts.is_sound()):
            raise ValueError("what is fitted to shown lists makes no sense")
        if any((sums < 0.0).any() for sums in (variances, squares, score_squares, own_squares)):
            raise ValueError("variances or squares are negative")
        self._scaler.rows, self._scaler.means, self._scaler.variances = read.rows, means, variances
        self._check.weights, self._score.weights = weights, np.vstack([score_weights, own])
        self._average.weights, self._average.lists = average, read.averaged
        self._check.intercepts = [read.intercept, read.shown_intercept]
        self._score.intercepts = list(read.score_intercepts)
        self._check_steps.squares, self._check_steps.n_iterations = squares, read.steps
        for step, sums, taken in zip(self._score.steps, np.vstack([score_squares, own_squares]), steps, strict=True):
            step.squares, step.n_iterations = sums, taken
        self._whole_lists, self._parts, self._whole = read.whole_lists, read.parts, read.whole
        self._shown_rows, self._closed_rows = read.shown_rows, read.closed_rows
        self._before_shown, self._shown_since, self._anew_until = read.before_shown, read.shown_since, read.anew_until


def _completed(read: _State, width: int) -> _State:
    """With what versions before did not have; `width` is that of all segments together."""
    if read.score_intercepts is None:  # version 1
        read = msgspec.structs.replace(
            read, score_steps=read.steps, score_intercepts=(read.intercept, 0.0), score_weights=read.weights,
            score_squares=read.squares,
        )  # fmt: skip
    if not read.segment_steps:  # version 4
        steps, none = (0,) * (1 + len(SEGMENTS)), bytes(8 * width)
        read = msgspec.structs.replace(read, segment_steps=steps, segment_weights=none, segment_squares=none)
    if not read.average:  # version 6
        read = msgspec.structs.replace(read, average=read.weights)
    return read


def _moved(state: _State, move: Move) -> _State:
    width = len(state.means) // 8
    arrays = {
        name: _bytes(move.of(np.frombuffer(getattr(state, name), "<f8").reshape(-1, width)))
        for name in ("means", "variances", "weights", "squares", "score_weights", "score_squares", "segment_weights",
                     "segment_squares", "average")
    }  # fmt: skip
    before = state.before_shown
    if before:
        before = msgspec.msgpack.encode(_moved(msgspec.msgpack.decode(before, type=_State), move))
    return msgspec.structs.replace(state, **arrays, rows=min(state.rows, TRUSTED_ROWS), before_shown=before)


def _bytes(array: Floats) -> bytes:
    return array.astype("<f8").tobytes()


def _floats(name: str, value: bytes, width: int) -> Floats:
    if len(value) != 8 * width:
        raise ValueError(f"{name} has {len(value)} bytes, want {width} float64")
    array = np.frombuffer(value, "<f8").astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite")
    return array
