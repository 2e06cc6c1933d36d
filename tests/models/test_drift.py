"""Running figures of features: like a plain computation with weights, and quick to tell what has changed."""

import numpy as np

from streamrec.models.drift import LONG_ROWS, RECENT_ROWS, Drift


def plain(values: np.ndarray, half_rows: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of rows that fade by half in `half_rows`."""
    weights = 0.5 ** (np.arange(len(values))[::-1] / half_rows)
    mean = np.average(values, axis=0, weights=weights)
    return mean, np.average((values - mean) ** 2, axis=0, weights=weights)


def test_row_by_row_it_is_a_mean_with_fading_weights() -> None:
    values = np.random.default_rng(3).normal([1.0, -4.0], [2.0, 0.1], (5_000, 2)).astype("<f4")
    drift = Drift(2, recent_rows=100, long_rows=2_000)
    for row in values:
        drift.fold(row[None, :])
    (recent, _), (mean, variance) = plain(values, 100), plain(values, 2_000)
    assert drift.rows == 5_000
    np.testing.assert_allclose(drift.means, recent, rtol=1e-5)
    np.testing.assert_allclose(drift.deviations, np.abs(recent - mean) / np.sqrt(variance), rtol=1e-3)


def test_lists_make_little_difference_to_single_rows() -> None:
    values = np.random.default_rng(4).normal(size=(4_000, 3))
    rows, lists = Drift(3), Drift(3)
    for row in values:
        rows.fold(row[None, :])
    for part in np.split(values, 200):
        lists.fold(part)
    np.testing.assert_allclose(lists.means, rows.means, atol=0.02)


def test_a_feature_that_falls_silent_is_seen_within_some_thousand_rows() -> None:
    drift = Drift(2)
    rng = np.random.default_rng(5)
    for _ in range(LONG_ROWS // 20):
        drift.fold(rng.normal(3.0, 1.0, (20, 2)))
    assert drift.coverage.tolist() == [1.0, 1.0]
    assert drift.deviations.max() < 0.3
    for _ in range(5 * RECENT_ROWS // 20):
        drift.fold(rng.normal(3.0, 1.0, (20, 2)) * [0.0, 1.0])
    assert drift.coverage[0] < 0.05
    assert drift.coverage[1] == 1.0
    assert drift.deviations[0] > 2.0
    assert drift.deviations[1] < 0.3


def test_a_constant_does_not_drift_and_before_the_first_row_nothing_is_said() -> None:
    drift = Drift(1)
    assert (drift.rows, drift.coverage.tolist(), drift.deviations.tolist()) == (0, [0.0], [0.0])
    drift.fold(np.array([[7.0]] * 100))
    assert drift.deviations.tolist() == [0.0]
