"""River's ``StandardScaler | LogisticRegression`` on arrays: one vectorised step a list of rows.

River's own `learn_many` wants a data frame and walks the features in Python. `ListRegression` does the same
arithmetic on arrays: a test holds it equal to ``(StandardScaler() | LogisticRegression(AdaGrad())).learn_many`` on
the same rows. Why AdaGrad, and what it costs, is in ``ops/decisions/0003-model-step.md``.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from river import base as river_base
from river import optim

from streamrec.models.base import sigmoid
from streamrec.models.rows import Floats

LEARNING_RATE: Final = 0.1
INTERCEPT_LEARNING_RATE: Final = 0.1
# A feature is never scaled up by more than 1 / this. Without a floor a flag seen once in a million rows would be 1000
# deviations away from its mean, and one step on it would move that row's log odds by a hundred.
LEAST_DEVIATION: Final = 0.1
# Rounding makes a constant feature's variance a little more than nothing; divided by that, its next change would be
# enormous.
LEAST_VARIANCE: Final = 1e-12
# |gradient of one row's loss| is at most its weight; more than this is cut, so that no weight can throw the model off.
CLIP_GRADIENT: Final = 10.0


class AdaGrad(optim.AdaGrad):
    """River's AdaGrad for arrays: each weight's steps shrink as its squared gradients add up; none is larger than `lr`.

    Parameters
    ----------
    lr
        Learning rate.
    eps
        Keeps the first division finite.

    Attributes
    ----------
    squares
        Sum of the squared gradients so far, d numbers.

    References
    ----------
    Duchi, Hazan, Singer: Adaptive subgradient methods for online learning and stochastic optimization (JMLR, 2011).
    """

    def __init__(self, lr: float = LEARNING_RATE, eps: float = 1e-8) -> None:
        super().__init__(lr, eps)
        self.squares: Floats | None = None

    @property
    def middle_rate(self) -> float:
        """Median of the rates of the weights that have moved; before the first step the rate that they begin with.

        Examples
        --------
        >>> steps = AdaGrad(lr=0.1)
        >>> weights = steps.step(np.zeros(3), np.array([1.0, 2.0, 0.0]))
        >>> round(steps.middle_rate, 3)
        0.075
        """
        moved = np.zeros(0) if self.squares is None else self.squares[self.squares > 0.0]
        return float(np.median(self.learning_rate / np.sqrt(moved))) if len(moved) else float(self.learning_rate)

    def _step_with_vector(self, w: Any, g: Any) -> Any:
        if self.squares is None:
            self.squares = np.zeros_like(w)
        self.squares += g * g
        w -= self.learning_rate / np.sqrt(self.squares + self.eps) * g
        return w


class Scaler:
    """Running mean and variance of d features: River's ``StandardScaler``, a list of rows at a time.

    Parameters
    ----------
    width
        d.
    least_deviation
        Smaller standard deviations are taken for this; 0 is River's scaler.
    """

    def __init__(self, width: int, least_deviation: float = LEAST_DEVIATION) -> None:
        self.least_deviation = least_deviation
        self.rows = 0
        self.means: Floats = np.zeros(width)
        self.variances: Floats = np.zeros(width)

    def learn(self, matrix: Floats) -> None:
        """Merge mean and variance of n > 0 rows into the running ones (Chan, Golub, LeVeque, 1979).

        The rows' variance is taken about their mean; River takes E[x^2] - E[x]^2, which is the same number but can
        come out below zero for a feature that hardly varies.
        """
        count = len(matrix)
        means = matrix.sum(axis=0) / count
        centred = matrix - means
        variances = (centred * centred).sum(axis=0) / count
        new = count / (self.rows + count)
        old = 1.0 - new
        shift = means - self.means
        self.variances = old * self.variances + new * variances + old * new * shift * shift
        self.means = self.means + new * shift
        self.rows += count

    def scale(self, matrix: Floats) -> Floats:
        """The rows in deviations from the mean; a feature that has not varied is 0 (River's `transform_one`)."""
        return (matrix - self.means) * self.inverse_deviations()

    def fold(self, weights: Floats, intercept: float) -> tuple[Floats, float]:
        """Weights and bias on unscaled features."""
        unscaled = weights * self.inverse_deviations()
        return unscaled, intercept - float((unscaled * self.means).sum())

    def inverse_deviations(self) -> Floats:
        """What `scale` multiplies with."""
        deviations = np.maximum(np.sqrt(np.maximum(self.variances, LEAST_VARIANCE)), self.least_deviation)
        return np.where(self.variances > LEAST_VARIANCE, 1.0 / deviations, 0.0)


class Head:
    """Logistic regression on scaled features, with an intercept for each sort of lists: they differ in base rate.

    Parameters
    ----------
    width
        d.
    optimizer
        A River optimizer that can step on arrays.
    intercept_lr
        Constant learning rate of the intercepts.
    clip_gradient
        Bound on the absolute gradient of one row's loss.
    """

    def __init__(
        self,
        width: int,
        optimizer: optim.base.Optimizer,
        intercept_lr: float = INTERCEPT_LEARNING_RATE,
        clip_gradient: float = CLIP_GRADIENT,
    ) -> None:
        self.optimizer = optimizer
        self.intercept_lr = intercept_lr
        self.clip_gradient = clip_gradient
        self.weights: Floats = np.zeros(width)
        self.intercepts = [0.0, 0.0]

    def learn(self, scaled: Floats, labels: Floats, weights: Floats, shown: int, sort: int = 0) -> None:
        """One step on n rows, with their summed gradient divided by `shown`.

        Where `shown` is n this is the mean, as in River's `learn_many`. Where it is the size of the list that the rows are
        a part of, the steps of all parts add up to the list's.
        """
        logits: Floats = (scaled * self.weights).sum(axis=1)
        slopes = (sigmoid(logits + self.intercepts[sort]) - labels) * weights
        slopes = np.minimum(np.maximum(slopes, -self.clip_gradient), self.clip_gradient)
        gradient = (slopes[:, None] * scaled).sum(axis=0) / shown
        self.intercepts[sort] -= self.intercept_lr * float(slopes.sum()) / shown
        self.optimizer.step(self.weights, gradient)


class ListRegression(river_base.Classifier):
    """Standard scaling and logistic regression over fixed features: River's, a list of rows at a time.

    A list is one step with the mean gradient of its rows, as in River's `learn_many`; twenty steps of one row are not
    one step of twenty. Where a feature has not varied yet, it counts as 0 (River's `transform_one`).

    Parameters
    ----------
    features
        Names of the d features, in the order of the columns.
    optimizer
        A River optimizer that can step on arrays.
    intercept_lr
        Constant learning rate of the intercept.
    least_deviation
        Smaller standard deviations are taken for this; 0 is River's scaler.
    clip_gradient
        Bound on the absolute gradient of one row's loss.

    Examples
    --------
    >>> model = ListRegression(("x",))
    >>> for _ in range(200):
    ...     model.learn_rows(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]), np.ones(2))
    >>> model.predict_one({"x": 1.0})
    True
    """

    def __init__(
        self,
        features: tuple[str, ...],
        optimizer: optim.base.Optimizer | None = None,
        intercept_lr: float = INTERCEPT_LEARNING_RATE,
        least_deviation: float = LEAST_DEVIATION,
        clip_gradient: float = CLIP_GRADIENT,
    ) -> None:
        self.features = features
        self.scaler = Scaler(len(features), least_deviation)
        self.head = Head(len(features), AdaGrad() if optimizer is None else optimizer, intercept_lr, clip_gradient)

    def learn_one(self, x: Mapping[Any, Any], y: Any, w: float = 1.0) -> None:
        """Learn one row: a list of one. Raises KeyError if a feature is missing."""
        self.learn_rows(self._row(x), np.array([float(y)]), np.array([w]))

    def predict_proba_one(self, x: Mapping[Any, Any], **kwargs: Any) -> dict[Any, float]:  # noqa: ARG002
        """Probability of each label for one row. Raises KeyError if a feature is missing."""
        weights, bias = self.folded()
        probability = float(sigmoid((self._row(x) * weights).sum(axis=1) + bias)[0])
        return {False: 1.0 - probability, True: probability}

    def learn_rows(self, matrix: Floats, labels: Floats, weights: Floats) -> None:
        """Learn n rows (an n x d matrix, n labels of 0 or 1, n sample weights): the scaler first, then one step.

        Sums run down the rows in order and never through BLAS, so that equal input gives equal bits wherever it lies
        in memory.
        """
        self.scaler.learn(matrix)
        self.head.learn(self.scaler.scale(matrix), labels, weights, len(labels))

    def folded(self) -> tuple[Floats, float]:
        """Weights and bias on unscaled features."""
        return self.scaler.fold(self.head.weights, self.head.intercepts[0])

    def _row(self, x: Mapping[Any, Any]) -> Floats:
        return np.array([[float(x[feature]) for feature in self.features]])
