import subprocess
import sys

import msgspec
import numpy as np
import pytest

from streamrec.models.base import Scorer, sigmoid


def scorer(weights: list[float], bias: float) -> Scorer:
    return Scorer("job_check", 1, "toy/1", np.array(weights), bias, learned_at=0, examples=0)


def test_a_scorer_is_one_logistic_regression() -> None:
    matrix = np.array([[1.0, 2.0], [0.0, -1.0]], np.float32)
    made = scorer([0.5, -0.25], 0.1)
    expected = [1 / (1 + np.exp(-(0.5 * a - 0.25 * b + 0.1))) for a, b in matrix.tolist()]
    assert made.probabilities(matrix) == pytest.approx(expected, abs=1e-12)
    assert made.logits(matrix) == pytest.approx([0.1, 0.35], abs=1e-12)


def test_a_scorer_without_a_head_for_scores_orders_by_probability() -> None:
    matrix = np.array([[1.0, 2.0], [0.0, -1.0]], np.float32)
    made = scorer([0.5, -0.25], 0.1)
    assert made.scores(matrix).tolist() == made.probabilities(matrix).tolist()
    other = msgspec.structs.replace(made, score_weights=np.array([1.0, 0.0]), score_bias=-1.0)
    assert other.scores(matrix) == pytest.approx([0.5, 1 / (1 + np.e)], abs=1e-12)
    assert other.probabilities(matrix).tolist() == made.probabilities(matrix).tolist()


def test_a_scorer_of_no_rows_gives_no_probabilities() -> None:
    assert scorer([1.0], 0.0).probabilities(np.zeros((0, 1), np.float32)).shape == (0,)


def test_a_matrix_of_another_width_is_an_error() -> None:
    with pytest.raises(ValueError, match="mismatch"):
        scorer([1.0, 2.0], 0.0).probabilities(np.zeros((3, 3), np.float32))


def test_a_scorer_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        scorer([1.0], 0.0).bias = 1.0  # type: ignore[misc]


def test_sigmoid_neither_overflows_nor_leaves_zero_and_one() -> None:
    values = sigmoid(np.array([-np.inf, -1e300, -800.0, 800.0, 1e300, np.inf]))
    assert values[:3] == pytest.approx(0.0, abs=1e-300)
    assert values[3:].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("module", ["base", "rows", "prequential", "measures", "calibration", "snapshot", "card"])
def test_what_the_lookup_reads_models_with_does_not_import_river(module: str) -> None:
    # In a process of its own: this one has imported River already.
    program = f"import sys, streamrec.models.{module}; sys.exit('river' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
