"""The position bias: frequencies are the stated chances, and the places do not depend on each other."""

import numpy as np
import pytest

from streamrec.simulator.examination import chances, examined


def test_places_are_examined_as_often_as_stated() -> None:
    seen = examined(np.random.default_rng(1), 40_000, 20)
    expected = chances(20)
    deviation = np.sqrt(expected * (1 - expected) / 40_000)
    assert (np.abs(seen.mean(axis=0) - expected) <= 4 * deviation + 1e-12).all()


def test_the_first_place_is_always_examined_and_each_next_one_less() -> None:
    expected = chances(20)
    assert expected[0] == 1
    assert (np.diff(expected) < 0).all()
    assert expected[-1] > 0.1


def test_examining_one_place_says_nothing_of_another() -> None:
    seen = examined(np.random.default_rng(2), 40_000, 20)[:, 1:].astype(float)
    correlations = np.corrcoef(seen.T) - np.eye(19)
    assert np.abs(correlations).max() < 0.025
    assert correlations.mean() == pytest.approx(0, abs=1e-3)
