"""The average of weights: nearer to the best ones than the last step, and forgetful."""

import numpy as np
import pytest

from streamrec.models.averaging import HORIZON, Average


def noisy(steps: int, towards: float, seed: int = 0) -> list[np.ndarray]:
    """Weights that stand around `towards` from the first step on."""
    random = np.random.default_rng(seed)
    return [towards + random.normal(0.0, 1.0, 5) for _ in range(steps)]


def test_it_stands_nearer_than_the_steps() -> None:
    average = Average(np.zeros(5))
    for weights in noisy(HORIZON, 3.0):
        average.learn(weights)
    assert average.weights == pytest.approx(np.full(5, 3.0), abs=0.15)


def test_the_first_steps_leave_it_soon() -> None:
    average = Average(np.full(1, 100.0))
    average.learn(np.zeros(1))
    assert average.weights == 0.0  # what it began with counts no more
    for _ in range(20):
        average.learn(np.full(1, 50.0))
    for _ in range(400):
        average.learn(np.full(1, 1.0))
    assert average.weights == pytest.approx(1.0, abs=1e-3)


def test_a_world_that_moves_is_followed() -> None:
    average = Average(np.zeros(1))
    for _ in range(20 * HORIZON):
        average.learn(np.zeros(1))
    for _ in range(HORIZON):
        average.learn(np.ones(1))
    assert average.weights == pytest.approx(1.0 - np.exp(-1.0), abs=0.01)


def test_what_was_read_before_does_not_change() -> None:
    average = Average(np.zeros(1))
    average.learn(np.ones(1))
    before = average.weights
    average.learn(np.full(1, 5.0))
    assert before == 1.0
