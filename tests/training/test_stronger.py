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
from streamrec.settings import Settings
from streamrec.training.offline import Offline
from streamrec.training.stronger import StrongerGivenView, calibration_of, scores_of

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
    assert predictions[21] > 0.52


def test_whoever_went_on_before_is_expected_to_go_on_again(due: Make) -> None:
    events = []
    for n in range(200):
        events += [due(4000 * n, "ann", f"a{n}").event, due(4000 * n + 60, "ann", f"a{n}", JobLike).event]
        events.append(due(4000 * n + 90, "bob", f"a{n}").event)
    predictions, _ = told(events)
    assert predictions[-2] > 0.7
    assert predictions[-1] < 0.3


def test_only_the_second_half_is_measured(due: Make) -> None:
    events = [due(0, "ann", "a").event, due(1, "ann", "a", JobLike).event, due(2, "bob", "a").event,
              due(3, "cid", "a").event]  # fmt: skip
    _, model = told(events)
    result = model.result(4)
    assert result is not None
    groups = result["second_half"].pop("calibration")
    assert [(each["views"], each["predicted"], each["observed"]) for each in groups] == [(1, 0.5, 0.0)] * 2
    assert result == {"second_half": {"views": 2, "log_loss": round(math.log(2), 6), "auc": None, "base_rate": 0.0}}


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


@pytest.mark.parametrize("count", [3, 10, 57, 1000])
def test_calibration_is_by_tenths_of_equal_size_lowest_first(count: int) -> None:
    draw = np.random.default_rng(count)
    predictions = draw.random(count)
    labels = (draw.random(count) < predictions).astype(np.float64)
    groups = calibration_of(predictions, labels)
    sizes = [each["views"] for each in groups]
    assert sum(sizes) == count
    assert len(groups) == min(10, count)
    assert max(sizes) - min(sizes) <= 1
    order, begin = np.argsort(predictions), 0
    for each in groups:
        places = order[begin : begin + each["views"]]
        begin += each["views"]
        assert each["predicted"] == pytest.approx(predictions[places].mean(), abs=1e-6)
        assert each["observed"] == pytest.approx(labels[places].mean(), abs=1e-6)
        # Wilson's interval: the shares from which the observed one is 1.96 standard errors away.
        for end in each["interval"]:
            if 0.0 < end < 1.0:
                error = math.sqrt(end * (1 - end) / each["views"])
                assert abs(each["observed"] - end) == pytest.approx(1.959964 * error, abs=1e-5)
    if count == 1000:
        assert sum(low <= each["predicted"] <= high for each in groups for low, high in [each["interval"]]) >= 8


def test_nothing_has_no_calibration() -> None:
    assert calibration_of(np.zeros(0), np.zeros(0)) == []


def test_columns_that_are_left_out_do_not_count(due: Make) -> None:
    events = [due(60 * n, f"m{n % 7}", f"j{n % 5}", JobView if n % 3 else JobLike).event for n in range(200)]
    whole, blind, nothing = StrongerGivenView(), StrongerGivenView([2, 5]), StrongerGivenView(range(3))
    for model in (whole, blind, nothing):
        world = Offline(Settings())
        for number, event in enumerate(events):
            model.learn(event.occurred_at)
            if isinstance(event, JobView):
                model.ask(number, event, world.view_of(event.member_id, event.occurred_at), world.table)
            model.take(event)
            world.take(event)
    assert not any(blind._model.folded()[0][[2, 5]])
    assert any(whole._model.folded()[0][[2, 5]])
    assert len({tuple(model.predictions) for model in (whole, blind, nothing)}) == 3
