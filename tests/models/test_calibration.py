import math

import numpy as np
import pytest

from streamrec.models.calibration import LARGEST_LATE, Calibrator


def learned(bias: float, lists: int, late: float = 0.0, seed: int = 0, slope: float = 1.0) -> Calibrator:
    """Has learned lists of 20 rows with log odds ``slope * logit + bias``; a share of the checks comes after closing."""
    random = np.random.default_rng(seed)
    served = Calibrator()
    for _ in range(lists):
        logits = random.normal(size=20)
        checked = random.random(20) < 1 / (1 + np.exp(-(slope * logits + bias)))
        in_time = checked & (random.random(20) >= late)
        served.learn(logits, in_time.astype(np.float64))
        for _ in range(int((checked & ~in_time).sum())):
            served.learn_late()
    return served


@pytest.mark.parametrize("bias", [-4.0, -2.0, 0.0, 3.0])
def test_the_intercept_is_found(bias: float) -> None:
    assert learned(bias, 2000).intercept == pytest.approx(bias, abs=0.25 if abs(bias) > 3 else 0.15)


@pytest.mark.parametrize("slope", [0.5, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("bias", [-2.0, 0.0])
def test_the_slope_is_found(slope: float, bias: float) -> None:
    served = learned(bias, 2000, slope=slope)
    assert served.slope == pytest.approx(slope, abs=0.15)
    assert served.intercept == pytest.approx(bias, abs=0.15)


def test_checks_after_closing_count_although_their_rows_were_closed_without() -> None:
    served = learned(-2.0, 3000, late=0.3)
    assert served.late == pytest.approx(0.3, abs=0.02)
    assert served.intercept == pytest.approx(-2.0, abs=0.15)


def test_late_checks_alone_do_not_lift_it_without_end() -> None:
    served = learned(-2.0, 1000, late=0.05)
    before = served.intercept
    for _ in range(100_000):  # traffic has stopped, and the last lists are still being checked
        served.learn_late()
    assert served.intercept == before
    served.learn(np.zeros(20), np.ones(20))
    assert served.late > LARGEST_LATE
    assert served.intercept - before <= 1.0


def test_no_step_is_larger_than_one() -> None:
    served = Calibrator(intercept=-30.0)
    served.learn(np.zeros(50), np.ones(50))
    assert served.intercept == -29.0


def test_numbers_that_cannot_be_its_own_are_known() -> None:
    assert Calibrator().is_sound()
    for bad in (
        (math.nan,),
        (0.0, -1.0),
        (0.0, math.inf),
        (0.0, 0.0, 1.1),
        (0.0, 0.0, 0.0, -1),
        (0.0, 0.0, 0.0, 0, -1),
        (0.0, 0.0, 0.0, 0, 0, 0.0),
        (0.0, 0.0, 0.0, 0, 0, math.nan),
        (0.0, 0.0, 0.0, 0, 0, 1.0, math.inf),
        (0.0, 0.0, 0.0, 0, 0, 1.0, 0.0, -1.0),
    ):
        assert not Calibrator(*bad).is_sound()
