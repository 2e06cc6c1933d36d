"""P(stronger | view): labels by their definition, learned late, measured by formulas."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamrec.events import JobApplication, JobDismissal, JobEvent, JobLike, JobSave, JobView
from streamrec.features.state import MemberState
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.training.stronger import StrongerGivenView, scores_of

Make = Callable[..., Any]


def told(events: list[JobEvent]) -> tuple[list[float], StrongerGivenView]:
    """Every view is asked for; the predictions."""
    model, table = StrongerGivenView(), JobTable()
    for number, event in enumerate(events):
        model.learn(event.occurred_at)
        if isinstance(event, JobView):
            model.ask(number, event, MemberView.build(MemberState(), {}, table, event.occurred_at), table)
        model.take(event)
    return model.predictions, model


def test_a_view_is_positive_if_something_stronger_follows_within_half_an_hour(due: Make) -> None:
    views = [due(n, f"m{n}", "a").event for n in range(6)]
    later = [
        due(100, "m0", "a", JobLike), due(1 + 1800, "m1", "a", JobSave), due(2 + 1800.001, "m2", "a", JobApplication),
        due(100, "m3", "b", JobLike), due(100, "m4", "a", JobDismissal),
    ]  # fmt: skip
    _, model = told([*views, *(item.event for item in sorted(later, key=lambda item: item.at))])
    assert model.labels == [True, True, False, False, False, False]


def test_a_like_taken_back_is_none(due: Make) -> None:
    view = due(0, "ann", "a").event
    undo = JobLike(event_id="e", member_id="ann", job_id="a", occurred_at=view.occurred_at + 1, liked=False)
    assert told([view, undo])[1].labels == [False]


def test_what_is_learned_is_learned_when_the_half_hour_is_over(due: Make) -> None:
    first = [due(n, f"m{n}", "a").event for n in range(20)]
    liked = [due(100 + n, f"m{n}", "a", JobLike).event for n in range(20)]
    within, after = due(1800, "x", "a").event, due(1900, "y", "a").event
    predictions, _ = told([*first, *liked, within, after])
    assert predictions[:21] == [0.5] * 21
    assert predictions[21] > 0.6


def test_only_the_second_half_is_measured(due: Make) -> None:
    events = [due(0, "ann", "a").event, due(1, "ann", "a", JobLike).event, due(2, "bob", "a").event,
              due(3, "cid", "a").event]  # fmt: skip
    _, model = told(events)
    assert model.result(4) == {
        "second_half": {"views": 2, "log_loss": round(math.log(2), 6), "auc": None, "base_rate": 0.0}
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_the_share_of_pairs_in_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    labels = (draw.random(60) < 0.3).astype(np.float64)
    predictions = (draw.integers(1, 10, 60) / 10).astype(np.float64)
    pairs = [(a > b) + 0.5 * (a == b) for a in predictions[labels == 1] for b in predictions[labels == 0]]
    found = scores_of(predictions, labels)
    assert found["auc"] == pytest.approx(np.mean(pairs), abs=1e-6)
    losses = [-math.log(p if y else 1 - p) for p, y in zip(predictions, labels, strict=True)]
    assert found["log_loss"] == pytest.approx(np.mean(losses), abs=1e-6)
    assert found["base_rate"] == pytest.approx(labels.mean(), abs=1e-6)
