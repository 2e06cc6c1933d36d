"""Log losses beside the best constant and the truth."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.simulator import World
from streamrec.simulator.scoring import best_constant_log_loss, log_loss, share_of_gap, true_log_loss

NOW = 1_736_121_600_000


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.floats(0.001, 0.999))
def test_no_constant_is_better_than_the_best(labels: list[bool], constant: float) -> None:
    rows = [("m", "j", label) for label in labels]
    assert best_constant_log_loss(rows) <= log_loss([constant] * len(labels), labels) + 1e-9


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=50))
def test_log_loss_is_the_mean_over_a_plain_loop(pairs: list[tuple[float, bool]]) -> None:
    slowly = -sum(math.log(p if label else 1 - p) for p, label in pairs) / len(pairs)
    assert log_loss([p for p, _ in pairs], [label for _, label in pairs]) == pytest.approx(slowly)


def test_certainty_in_the_wrong_is_dear_and_finite() -> None:
    assert 20 < log_loss([0.0], [1]) < 50


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        best_constant_log_loss([])


def test_the_truth_beats_the_best_constant_and_every_other_reading_of_it(week: Any) -> None:
    truth = np.array([one.probability for one in week.examinations])
    label = np.array([one.checked for one in week.examinations])
    rows = [(one.member_id, one.job_id, one.checked) for one in week.examinations]
    least, constant = log_loss(truth, label), best_constant_log_loss(rows)
    assert least < 0.75 * constant
    odds = np.log(truth / (1 - truth))
    for other in (odds + 0.3, odds - 0.3, odds * 0.8, odds * 1.25):
        assert log_loss(1 / (1 + np.exp(-other)), label) > least
    assert share_of_gap(least, constant, least) == 1
    assert share_of_gap(constant, constant, least) == 0


def test_the_true_loss_of_pairs_is_that_of_their_probabilities() -> None:
    world = World(3, members=20, jobs=30, now_ms=NOW)
    draw = np.random.default_rng(5)
    pairs = [(f"member-{draw.integers(20)}", f"job-{draw.integers(30)}") for _ in range(4000)]
    chances = [world.true_probability(*pair) for pair in pairs]
    rows = [(*pair, bool(draw.random() < chance)) for pair, chance in zip(pairs, chances, strict=True)]
    assert true_log_loss(world, rows) == pytest.approx(log_loss(chances, [row[2] for row in rows]))
    assert true_log_loss(world, rows) < best_constant_log_loss(rows)
