"""P(stronger | view): will a member who looks at a job for the first time like it, save it or apply within half an hour?

A model of its own, learned only when the half hour is over, from the same features and from what is known of the member's
outcomes so far (`habits`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.events import JobApplication, JobEvent, JobLike, JobSave, JobView
from streamrec.features.library import feature_names
from streamrec.features.matrix import matrix
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.models.regression import AdaGrad, ListRegression
from streamrec.ranking.examples import is_positive
from streamrec.training.habits import HABITS, Habits

WINDOW_MS: Final = 30 * 60_000
_LEAST: Final = 1e-15
_GROUPS: Final = 10
_Z: Final = 1.959964  # of a normal distribution, 95 % lie nearer
# Rows come one by one, and most of them say no: larger steps, of the intercept above all, would follow the last few.
_LEARNING_RATE: Final = 0.03
_INTERCEPT_LEARNING_RATE: Final = 0.01

Floats = npt.NDArray[np.float64]


class StrongerGivenView:
    """Predicts at each member's first contact with a job, if that is a view; learns the outcome 30 minutes later.

    Parameters
    ----------
    blind
        Columns of the features that it does not read; default none.
    """

    def __init__(self, blind: Sequence[int] = ()) -> None:
        self._blind = list(blind)
        self._model = ListRegression((*feature_names(), *HABITS), AdaGrad(_LEARNING_RATE), _INTERCEPT_LEARNING_RATE)
        self._habits = Habits()
        self._open: deque[tuple[int, tuple[str, str], int]] = deque()  # when, who with which job, number
        self._rows: list[Floats] = []
        self._numbers: dict[tuple[str, str], int] = {}  # of those whose half hour is not over
        self._until: list[int] = []
        self.labels: list[bool] = []
        self.predictions: list[float] = []
        self._events: list[int] = []
        self._only_views = True

    def ask(self, number: int, event: JobView, view: MemberView, table: JobTable) -> None:
        """Predict, before `event` (the log's number `number`) is taken; `view` is its member at that moment."""
        now = event.occurred_at
        features = matrix(view, table, table.rows([event.job_id]), now).astype(np.float64)
        features[:, self._blind] = 0.0
        values = np.hstack([features, [self._habits.of(event.member_id, now)]])
        weights, bias = self._model.folded()
        logit = float((values[0] * weights).sum() + bias)
        self.predictions.append(1.0 / (1.0 + np.exp(-max(logit, -700.0))))
        pair = (event.member_id, event.job_id)
        self._open.append((now, pair, len(self.labels)))
        self._numbers[pair] = len(self.labels)
        self._until.append(now + WINDOW_MS)
        self.labels.append(False)
        self._events.append(number)
        self._rows.append(values)

    def take(self, event: JobEvent) -> None:
        """Note what was done; call `learn` with its time before."""
        self._only_views &= isinstance(event, JobView)
        if isinstance(event, JobLike | JobSave | JobApplication) and is_positive(event):
            self._habits.note(event.member_id, event.occurred_at)
            number = self._numbers.get((event.member_id, event.job_id))
            if number is not None and event.occurred_at <= self._until[number]:
                self.labels[number] = True

    def learn(self, now: int) -> None:
        """Learn from every view whose half hour was over before `now` (ms), in their order."""
        while self._open and self._open[0][0] + WINDOW_MS < now:
            _, pair, number = self._open.popleft()
            del self._numbers[pair]
            row, self._rows[number] = self._rows[number], np.zeros((0, 0))
            self._habits.close(pair[0], self.labels[number])
            self._model.learn_rows(row, np.array([float(self.labels[number])]), np.ones(1))

    def result(self, events: int) -> dict[str, Any] | None:
        """Log loss, AUC and base rate over the second half of the log's `events`; None if all it has are views."""
        if self._only_views:
            return None
        late = 2 * np.array(self._events, np.int64) >= events
        labels = np.array(self.labels, np.float64)[late]
        predictions = np.array(self.predictions, np.float64)[late]
        return {"second_half": {**scores_of(predictions, labels), "calibration": calibration_of(predictions, labels)}}


def scores_of(predictions: Floats, labels: Floats) -> dict[str, float | int | None]:
    """Log loss (nats), area under the ROC curve (ties count one half) and share of positives.

    Examples
    --------
    >>> scores_of(np.array([0.8, 0.5, 0.5]), np.array([1.0, 1.0, 0.0]))
    {'views': 3, 'log_loss': 0.536479, 'auc': 0.75, 'base_rate': 0.666667}
    """
    if not len(labels):
        return {"views": 0, "log_loss": None, "auc": None, "base_rate": None}
    likely = np.clip(np.where(labels > 0.5, predictions, 1.0 - predictions), _LEAST, 1.0)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    _, place, counts = np.unique(predictions, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0  # mean rank of equal predictions
    auc = None
    if positives and negatives:
        above = float(middle[place][labels > 0.5].sum()) - positives * (positives + 1) / 2.0
        auc = round(above / (positives * negatives), 6)
    return {
        "views": len(labels),
        "log_loss": round(float(-np.log(likely).mean()), 6),
        "auc": auc,
        "base_rate": round(positives / len(labels), 6),
    }


def calibration_of(predictions: Floats, labels: Floats) -> list[dict[str, Any]]:
    """Tenths of the predictions, lowest first: how many, their mean, the share of positives, and its 95 % interval (Wilson).

    Examples
    --------
    >>> found = calibration_of(np.array([0.1, 0.2, 0.2, 0.7]), np.array([0.0, 0.0, 1.0, 1.0]))
    >>> [(each["views"], each["predicted"], each["observed"]) for each in found]
    [(1, 0.1, 0.0), (1, 0.2, 0.0), (1, 0.2, 1.0), (1, 0.7, 1.0)]
    """
    groups = []
    for places in np.array_split(np.argsort(predictions, kind="stable"), _GROUPS):
        if not (count := len(places)):
            continue
        share = float(labels[places].mean())
        middle, spread = share + _Z**2 / (2 * count), _Z * (share * (1 - share) / count + _Z**2 / (4 * count**2)) ** 0.5
        ends = ((middle + sign * spread) / (1 + _Z**2 / count) for sign in (-1, 1))
        groups.append({
            "views": count, "predicted": round(float(predictions[places].mean()), 6), "observed": round(share, 6),
            "interval": [round(min(max(end, 0.0), 1.0), 6) for end in ends],
        })  # fmt: skip
    return groups
