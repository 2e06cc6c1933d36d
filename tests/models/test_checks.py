import numpy as np
import pytest

from streamrec.models import checks
from streamrec.models.base import Model
from streamrec.models.calibration import Calibrator
from streamrec.models.checks import Check, checks_for
from streamrec.models.job_check import JobCheck
from streamrec.models.measures import Data
from streamrec.models.moving import Move
from streamrec.models.planted import planted_examples
from streamrec.models.regression import Head
from streamrec.models.rows import Floats, Rows

pytestmark = pytest.mark.slow  # each check learns a few thousand lists

MODELS = {"job_check": JobCheck}


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, id=f"{model}: {name}") for model, made in MODELS.items() for name, check in checks_for(made)],
)
def test_the_model_passes_the_check(check: Check) -> None:
    check()


class Constant(Model):
    """Says one half, whatever it is told: it must not pass."""

    name = "constant"

    def folded(self, data: Data | None = None) -> tuple[Floats, float]:  # noqa: ARG002
        return np.zeros(len(self.feature_names)), 0.0

    def state(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        assert state == b""

    def _move(self, move: Move) -> None:
        assert move.width

    def _step(self, rows: Rows) -> None:
        assert len(rows.labels) > 0


@pytest.mark.parametrize(
    "name",
    [
        "learns a separable problem",
        "beats the best constant",
        "predicts before it learns",
        "is calibrated on what was shown",
        "stays calibrated while checks run ahead of closing",
        "learns a list in parts as one step",
        "takes a negative back",
        "scores by what members did",
    ],
)
def test_a_model_that_learns_nothing_is_found_out(name: str) -> None:
    with pytest.raises(AssertionError):
        dict(checks_for(Constant))[name]()


class Forgetful(JobCheck):
    """Loses the optimizer's sums in its snapshot: a restart would go unnoticed but for the bytes."""

    def load(self, state: bytes) -> None:
        super().load(state)
        self._check_steps.squares = None


def test_a_model_whose_snapshot_is_incomplete_is_found_out() -> None:
    with pytest.raises(AssertionError, match=r"cut after \d+$"):
        checks.goes_on_from_a_snapshot_as_if_never_stopped(Forgetful)


class ByRow(Head):
    """Divides by the rows that are there: a positive that comes alone counts as much as a whole list."""

    def learn(self, scaled: Floats, labels: Floats, weights: Floats, shown: int, sort: int = 0) -> None:  # noqa: ARG002
        super().learn(scaled, labels, weights, len(labels), sort)


def test_a_model_that_takes_a_part_for_the_whole_is_found_out() -> None:
    def made(feature_set: str, names: tuple[str, ...]) -> JobCheck:
        model = JobCheck(feature_set, names)
        model._check = ByRow(len(names), model._check_steps)
        return model

    with pytest.raises(AssertionError, match="moved by"):
        checks.learns_a_list_in_parts_as_one_step(made)


class Served(JobCheck):
    """Serves with the intercept that is trained, although it runs ahead with the checks."""

    def _fitted(self, data: Data | None) -> Calibrator:
        return Calibrator(intercept=self._check.intercepts[0 if data == "sampled" else 1])


def test_a_model_that_serves_with_its_trained_intercept_is_found_out() -> None:
    with pytest.raises(AssertionError, match="a group is off by"):
        checks.stays_calibrated_while_checks_run_ahead_of_closing(Served)


def test_planted_examples_are_the_same_for_the_same_seed_and_a_shorter_list_is_a_beginning() -> None:
    assert planted_examples(5, seed=3) == planted_examples(9, seed=3)[:5]
    assert planted_examples(5, seed=3) != planted_examples(5, seed=4)
