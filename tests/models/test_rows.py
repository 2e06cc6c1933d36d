import msgspec
import numpy as np
import pytest

from streamrec.events import TrainingExample
from streamrec.models.planted import FEATURE_SET, FEATURES, correction_of, example_of, positive_of
from streamrec.models.rows import LARGEST_FEATURE, LARGEST_WEIGHT, InvalidExampleError, rows_of

WIDTH = len(FEATURES)


def test_float32_rows_are_unpacked_in_order() -> None:
    matrix = np.arange(3.0 * WIDTH).reshape(3, WIDTH)
    rows = rows_of(example_of(matrix, np.array([1.0, 0.0, 0.0]), weights=np.array([1.0, 2.0, 0.0])), FEATURE_SET, WIDTH)
    assert rows.matrix.dtype == np.float64
    assert np.array_equal(rows.matrix, matrix)
    assert rows.labels.tolist() == [1.0, 0.0, 0.0]
    assert rows.weights.tolist() == [1.0, 2.0, 0.0]


def test_values_at_the_limits_are_valid() -> None:
    example = example_of(np.full((1, WIDTH), -LARGEST_FEATURE), np.array([1.0]), weights=np.array([LARGEST_WEIGHT]))
    assert rows_of(example, FEATURE_SET, WIDTH).weights[0] == LARGEST_WEIGHT


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * LARGEST_FEATURE])
def test_the_message_says_which_feature_of_which_job_is_wrong(value: float) -> None:
    matrix = np.zeros((3, WIDTH))
    matrix[1, 2] = value
    with pytest.raises(InvalidExampleError, match="feature 2 of 'j1' is") as caught:
        rows_of(example_of(matrix, np.zeros(3)), FEATURE_SET, WIDTH)
    assert caught.value.reason == "features"
    assert caught.value.detail.startswith("feature 2")


def test_features_of_another_width_are_refused_even_if_the_set_has_the_same_name() -> None:
    example = example_of(np.zeros((2, WIDTH + 1)), np.zeros(2))
    with pytest.raises(InvalidExampleError, match="shape: 56 bytes of features: want 2 x 6 float32"):
        rows_of(example, FEATURE_SET, WIDTH)


def test_another_feature_set_is_refused_by_name() -> None:
    example = msgspec.structs.replace(example_of(np.zeros((1, WIDTH)), np.zeros(1)), feature_set="other/1")
    with pytest.raises(
        InvalidExampleError, match="feature_set: the example has 'other/1', the model learns 'planted/1'"
    ):
        rows_of(example, FEATURE_SET, WIDTH)


MATRIX = np.arange(4.0 * WIDTH).reshape(4, WIDTH)


def closed(labels: list[float], weights: list[float]) -> TrainingExample:
    made = example_of(MATRIX, np.array(labels), weights=np.array(weights))
    return msgspec.structs.replace(made, kind="closed", rows_shown=6)


def test_the_size_of_the_list_is_that_of_all_that_was_shown() -> None:
    assert rows_of(example_of(MATRIX, np.zeros(4)), FEATURE_SET, WIDTH).shown == 4
    assert rows_of(positive_of(MATRIX, 1, 0), FEATURE_SET, WIDTH).shown == 4
    assert rows_of(closed([0.0] * 4, [1.0] * 4), FEATURE_SET, WIDTH).shown == 6
    assert rows_of(correction_of(MATRIX[:1], 0, 0), FEATURE_SET, WIDTH).shown == 1  # one row, twice


def test_score_weights_are_the_weights_where_none_are_given() -> None:
    plain = rows_of(example_of(MATRIX, np.zeros(4)), FEATURE_SET, WIDTH)
    assert plain.score_weights.tolist() == plain.weights.tolist()
    assert rows_of(positive_of(MATRIX, 1, 0, 0.0, 3.0), FEATURE_SET, WIDTH).score_weights.tolist() == [3.0]


@pytest.mark.parametrize("kind", ["sampled", "positive", "closed", "correction"])
def test_only_a_correction_may_take_back(kind: str) -> None:
    example = msgspec.structs.replace(correction_of(MATRIX, 0, 0), kind=kind)
    if kind == "correction":
        assert rows_of(example, FEATURE_SET, WIDTH).weights.tolist() == [1.0, -1.0]
        return
    with pytest.raises(InvalidExampleError, match="weights: want numbers from 0 to"):
        rows_of(example, FEATURE_SET, WIDTH)


def test_each_row_of_a_list_is_fresh_once() -> None:
    def fresh(example: TrainingExample) -> list[list[float]]:
        rows: list[list[float]] = rows_of(example, FEATURE_SET, WIDTH).fresh().tolist()
        return rows

    assert fresh(example_of(MATRIX, np.zeros(4), weights=np.zeros(4))) == MATRIX.tolist()
    assert fresh(positive_of(MATRIX, 2, 0)) == MATRIX[2:3].tolist()
    assert fresh(positive_of(MATRIX, 2, 0, weight=0.0)) == []  # a stronger action on a row that was learned before
    assert fresh(closed([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0])) == MATRIX[[0, 2, 3]].tolist()
    assert fresh(correction_of(MATRIX, 0, 0)) == []


def test_a_closed_list_is_whole_if_it_names_a_row_that_was_checked() -> None:
    assert rows_of(closed([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]), FEATURE_SET, WIDTH).is_whole
    assert not rows_of(closed([0.0] * 4, [1.0] * 4), FEATURE_SET, WIDTH).is_whole
    assert not rows_of(positive_of(MATRIX, 2, 0), FEATURE_SET, WIDTH).is_whole


@pytest.mark.parametrize("served", [(), (0.1, 0.2), (0.1, 0.2, 0.3, np.nan), (0.1, 0.2, 0.3, 1.1)])
def test_probabilities_as_served_that_make_no_sense_are_left_out(served: tuple[float, ...]) -> None:
    example = msgspec.structs.replace(example_of(MATRIX, np.zeros(4)), served_p=served)
    assert rows_of(example, FEATURE_SET, WIDTH).served is None


def test_probabilities_as_served_come_with_the_rows() -> None:
    example = msgspec.structs.replace(example_of(MATRIX, np.zeros(4)), served_p=(0.0, 0.5, 0.25, 1.0))
    served = rows_of(example, FEATURE_SET, WIDTH).served
    assert served is not None
    assert served.tolist() == [0.0, 0.5, 0.25, 1.0]
