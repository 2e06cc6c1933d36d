"""When people come: the stated intensity, by frequency."""

import numpy as np
import pytest

from streamrec.simulator.calendar import DAY_MS, HIGHEST, HOUR_MS, arrivals, intensity

MONDAY = 1_736_121_600_000


def test_a_week_is_average_on_average() -> None:
    hours = MONDAY + np.arange(7 * 24) * HOUR_MS + HOUR_MS // 2
    assert intensity(hours).mean() == pytest.approx(1, abs=1e-3)
    assert intensity(hours).max() <= HIGHEST
    assert intensity(hours).min() > 0


def test_visits_come_by_the_hour_as_the_intensity_says() -> None:
    at = arrivals(np.random.default_rng(1), MONDAY, MONDAY + 7 * DAY_MS, 1000, seasonal=True)
    expected = intensity(MONDAY + np.arange(7 * 24) * HOUR_MS + HOUR_MS // 2) * 3600
    counts = np.bincount((at - MONDAY) // HOUR_MS, minlength=7 * 24)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 0.01 * expected).all()
    assert (np.diff(at) >= 0).all()


def test_without_seasons_visits_are_steady() -> None:
    at = arrivals(np.random.default_rng(1), MONDAY, MONDAY + DAY_MS, 1000, seasonal=False)
    counts = np.bincount((at - MONDAY) // HOUR_MS, minlength=24)
    assert counts == pytest.approx(np.full(24, 3600), abs=5 * 60)
