"""The head that jobs are ordered by: what is sampled is learned as one choice from a list, what is shown row by row."""

from typing import Final

import numpy as np

from streamrec.models.base import sigmoid
from streamrec.models.regression import CLIP_GRADIENT, INTERCEPT_LEARNING_RATE, AdaGrad
from streamrec.models.rows import SAMPLED, Floats, Rows

_SHARED: Final = 0  # the row of weights that all segments have in common


class ScoreHead:
    """Linear on scaled features: weights shared by all members, and on top of them weights of each segment of members.

    A sampled list is a choice: the job that was acted on instead of the others, so its loss is that of a softmax over
    them (ListNet with one relevant row). Of what is shown, parts come at different times, and none or several may be
    checked: they are learned row by row, as the other head does it.

    Parameters
    ----------
    width
        d.
    segments
        s: rows are of one of the segments 0 to s - 1.

    Attributes
    ----------
    weights
        ``(1 + s, d)``: the shared ones first.
    intercepts
        Of sampled and of shown lists: they differ in base rate.

    References
    ----------
    Cao, Qin, Liu, Tsai, Li: Learning to rank: from pairwise approach to listwise approach (ICML, 2007).
    """

    def __init__(self, width: int, segments: int) -> None:
        self.steps = [AdaGrad() for _ in range(1 + segments)]
        self.weights: Floats = np.zeros((1 + segments, width))
        self.intercepts = [0.0, 0.0]

    def learn(self, scaled: Floats, rows: Rows, segment: int | None) -> None:
        """One step on rows of one list; `scaled` are their features, None is the segment where nothing says which.

        The gradient is the sum over the rows, so that a list and its parts weigh the same, however they come.
        """
        stepping = (_SHARED,) if segment is None else (_SHARED, 1 + segment)
        logits = (scaled * self.weights[list(stepping)].sum(axis=0)).sum(axis=1)
        slopes = (sigmoid(logits + self.intercepts[rows.is_shown]) - rows.labels) * rows.score_weights
        slopes = np.minimum(np.maximum(slopes, -CLIP_GRADIENT), CLIP_GRADIENT)
        self.intercepts[rows.is_shown] -= INTERCEPT_LEARNING_RATE * float(slopes.sum()) / rows.shown
        if rows.kind == SAMPLED:
            slopes = _choice(logits, rows)
        gradient = (slopes[:, None] * scaled).sum(axis=0)
        for row in stepping:
            self.steps[row].step(self.weights[row], gradient)

    def squares(self) -> Floats:
        """``(1 + s, d)``: sums of the squared gradients of each weight so far."""
        none = np.zeros(self.weights.shape[1])
        return np.array([none if step.squares is None else step.squares for step in self.steps])


def _choice(logits: Floats, rows: Rows) -> Floats:
    """The gradient of a softmax over the rows, with respect to their log odds; each positive is a choice of its own."""
    wanted = rows.labels * rows.score_weights
    chances = np.exp(logits - logits.max())
    slopes: Floats = chances / chances.sum() * wanted.sum() - wanted
    return np.minimum(np.maximum(slopes, -CLIP_GRADIENT), CLIP_GRADIENT)
