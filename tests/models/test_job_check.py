import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from streamrec.events import TrainingExample
from streamrec.models.job_check import CALIBRATED_ROWS, JobCheck
from streamrec.models.planted import (
    FEATURE_SET,
    FEATURES,
    correction_of,
    example_of,
    matrix_of,
    planted_examples,
    planted_stream,
    positive_of,
)
from streamrec.models.regression import (
    INTERCEPT_LEARNING_RATE,
    LEARNING_RATE,
    LEAST_DEVIATION,
    AdaGrad,
    Head,
    ListRegression,
    Scaler,
)
from streamrec.models.rows import Floats, rows_of

NAMES = tuple(f"f{number}" for number in range(8))
SCALES = np.array([1.0, 0.2, 5.0, 100.0, 1.0, 2.0, 0.3, 1.0])
Lists = list[tuple[Floats, Floats, Floats]]


def lists(count: int, rows: int, seed: int = 0, weighted: bool = False) -> Lists:
    """Lists with flags and features of unlike scales, all with deviations far above the floor."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=len(NAMES))
    made = []
    for _ in range(count):
        standard = random.normal(size=(rows, len(NAMES)))
        standard[:, 4] = random.random(rows) < 0.5
        labels = (random.random(rows) < 1 / (1 + np.exp(-(standard @ truth - 1)))).astype(np.float64)
        weights = random.choice([0.5, 1.0, 2.0, 5.0], rows) if weighted else np.ones(rows)
        made.append(((standard + 1.0) * SCALES, labels, weights))
    return made


class River:
    """River's own two estimators, fed with data frames."""

    def __init__(self, optimizer: Any, clip_gradient: float = 1e12) -> None:
        self.scaler: Any = preprocessing.StandardScaler()
        self.regression: Any = linear_model.LogisticRegression(
            optimizer, intercept_lr=INTERCEPT_LEARNING_RATE, clip_gradient=clip_gradient
        )

    def learn_many(self, matrix: Floats, labels: Floats, weights: Floats) -> None:
        frame = pd.DataFrame(matrix, columns=list(NAMES))
        self.scaler.learn_many(frame)
        self.regression.learn_many(self.scaler.transform_many(frame), pd.Series(labels), pd.Series(weights))

    def weights(self) -> list[float]:
        return [self.regression.weights[name] for name in NAMES] + [float(self.regression.intercept)]


def own_weights(model: ListRegression) -> list[float]:
    return [*model.head.weights.tolist(), model.head.intercepts[0]]


@pytest.mark.parametrize("rows", [1, 2, 9, 20])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("ours", "rivers"),
    [
        (lambda: AdaGrad(0.1), lambda: optim.AdaGrad(0.1)),
        (lambda: optim.SGD(0.05), lambda: optim.SGD(0.05)),
        (lambda: optim.Adam(0.01), lambda: optim.Adam(0.01)),
    ],
    ids=["AdaGrad", "SGD", "Adam"],
)
def test_a_list_is_rivers_learn_many_on_the_same_rows(ours: Any, rivers: Any, rows: int, weighted: bool) -> None:
    # The very first row of all has no deviation to be divided by: there River leaves x - mean, which is 0 as well.
    model, river = ListRegression(NAMES, ours(), least_deviation=0.0), River(rivers(), model_clip())
    for matrix, labels, weights in lists(120, rows, weighted=weighted):
        model.learn_rows(matrix, labels, weights)
        river.learn_many(matrix, labels, weights)
        assert own_weights(model) == pytest.approx(river.weights(), rel=1e-8, abs=1e-9)
    assert model.scaler.means.tolist() == pytest.approx([river.scaler.means[name] for name in NAMES], rel=1e-9)
    assert model.scaler.variances.tolist() == pytest.approx([river.scaler.vars[name] for name in NAMES], rel=1e-8)
    assert model.scaler.rows == river.scaler.counts[NAMES[0]]


def model_clip() -> float:
    return ListRegression(NAMES).head.clip_gradient


def test_the_shipped_floor_changes_nothing_where_deviations_are_above_it() -> None:
    model, river = ListRegression(NAMES), River(optim.AdaGrad(LEARNING_RATE))
    for number, (matrix, labels, weights) in enumerate(lists(200, 20)):
        if number == 0:
            assert (matrix.std(axis=0) > LEAST_DEVIATION).all()
        model.learn_rows(matrix, labels, weights)
        river.learn_many(matrix, labels, weights)
    assert own_weights(model) == pytest.approx(river.weights(), rel=1e-8)


def test_the_gradient_of_one_heavy_row_is_cut_as_rivers() -> None:
    model, river = ListRegression(NAMES, clip_gradient=0.5), River(optim.AdaGrad(LEARNING_RATE), clip_gradient=0.5)
    for matrix, labels, weights in lists(50, 5, weighted=True):
        model.learn_rows(matrix, labels, weights * 10)
        river.learn_many(matrix, labels, weights * 10)
    assert own_weights(model) == pytest.approx(river.weights(), rel=1e-8)


def test_a_list_of_one_row_is_rivers_learn_one_pipeline() -> None:
    # learn_one: River counts a feature that has not varied as 0, and so does this.
    model = ListRegression(NAMES, least_deviation=0.0)
    pipeline: Any = preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optim.AdaGrad(LEARNING_RATE), intercept_lr=INTERCEPT_LEARNING_RATE
    )
    for matrix, labels, _ in lists(300, 1):
        x = dict(zip(NAMES, matrix[0].tolist(), strict=True))
        assert model.predict_proba_one(x)[True] == pytest.approx(pipeline.predict_proba_one(x)[True], abs=1e-9)
        model.learn_one(x, bool(labels[0]))
        pipeline.learn_one(x, bool(labels[0]))
    regression = pipeline["LogisticRegression"]
    assert own_weights(model) == pytest.approx(
        [*(regression.weights[n] for n in NAMES), regression.intercept], rel=1e-8
    )


def test_twenty_steps_of_one_row_are_not_one_step_of_twenty() -> None:
    # The reason why a list is a unit, and why the order of its rows does not matter.
    whole, single = ListRegression(NAMES), ListRegression(NAMES)
    for matrix, labels, weights in lists(20, 20):
        whole.learn_rows(matrix, labels, weights)
        for row in range(20):
            single.learn_rows(matrix[row : row + 1], labels[row : row + 1], weights[row : row + 1])
    assert own_weights(whole) != pytest.approx(own_weights(single), rel=0.1)


def test_the_scorer_is_rivers_predict_proba_one_on_the_same_weights() -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    examples = planted_examples(400)
    for example in examples[:300]:
        model.learn(example)
    learned, head = model._scaler, model._check
    varied = [name for name, variance in zip(FEATURES, learned.variances, strict=True) if variance > 1e-12]
    assert len(varied) == len(FEATURES) - 1
    pipeline: Any = preprocessing.StandardScaler._from_state(
        dict.fromkeys(FEATURES, learned.rows),
        dict(zip(FEATURES, learned.means.tolist(), strict=True)),
        # The constant: River sees no variance at all where this sees less than rounding leaves.
        {name: float(learned.variances[number]) * (name in varied) for number, name in enumerate(FEATURES)},
    ) | linear_model.LogisticRegression(initializer=optim.initializers.Zeros(), intercept_init=head.intercepts[0])
    pipeline["LogisticRegression"]._weights.update(dict(zip(FEATURES, head.weights.tolist(), strict=True)))
    scorer = model.scorer(version=1, now=0)
    for example in examples[300:]:
        matrix = rows_of(example, FEATURE_SET, len(FEATURES)).matrix
        rivers = [pipeline.predict_proba_one(dict(zip(FEATURES, row, strict=True)))[True] for row in matrix.tolist()]
        assert scorer.probabilities(matrix.astype(np.float32)) == pytest.approx(rivers, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1, 1)), min_size=1, max_size=40), st.integers(1, 5))
def test_mean_and_variance_are_those_of_all_rows_however_they_are_cut_into_lists(
    rows: list[tuple[float, float]], size: int
) -> None:
    matrix = np.array(rows)
    model = ListRegression(("a", "b"))
    for start in range(0, len(rows), size):
        part = matrix[start : start + size]
        model.learn_rows(part, np.zeros(len(part)), np.ones(len(part)))
    assert model.scaler.means == pytest.approx(matrix.mean(axis=0), rel=1e-9, abs=1e-9)
    assert model.scaler.variances == pytest.approx(matrix.var(axis=0), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=30))
def test_no_step_is_larger_than_the_learning_rate(gradients: list[list[float]]) -> None:
    optimizer, weights = AdaGrad(0.2), np.zeros(3)
    for gradient in gradients:
        before = weights.copy()
        optimizer.step(weights, np.array(gradient))
        assert (np.abs(weights - before) <= 0.2 + 1e-12).all()


def test_a_flag_first_seen_after_thousands_of_rows_does_not_throw_the_model_off() -> None:
    def shift(least_deviation: float) -> float:
        model = ListRegression(("flag", "x"), least_deviation=least_deviation)
        random = np.random.default_rng(0)
        for _ in range(3000):
            matrix = np.column_stack([np.zeros(9), random.normal(size=9)])
            model.learn_rows(matrix, (random.random(9) < 0.1).astype(np.float64), np.ones(9))
        rare = np.array([[1.0, 0.0], [0.0, 0.0]])
        model.learn_rows(rare, np.array([1.0, 0.0]), np.ones(2))
        weights, _ = model.folded()
        return float(weights[0])

    # Log odds that the flag adds after it was seen once: without the floor, more than a hundred times the odds.
    assert shift(0.0) > 5.0
    assert 0.0 < shift(LEAST_DEVIATION) <= LEARNING_RATE / LEAST_DEVIATION + 1e-9


def test_rounding_does_not_make_a_constant_feature_matter() -> None:
    model = ListRegression(("constant",))
    for _ in range(50):
        model.learn_rows(np.full((9, 1), 0.1) * np.array([[1.0 + 1e-16]]), np.eye(9)[0], np.ones(9))
    weights, _ = model.folded()
    assert weights[0] == 0.0


def test_equal_rows_give_equal_bits_wherever_they_lie_in_memory() -> None:
    shifted, straight = ListRegression(NAMES), ListRegression(NAMES)
    for matrix, labels, weights in lists(100, 9):
        straight.learn_rows(matrix, labels, weights)
        room = np.zeros(matrix.size + 1)
        room[1:] = matrix.ravel()
        shifted.learn_rows(room[1:].reshape(matrix.shape), labels, weights)
    assert own_weights(shifted) == own_weights(straight)


def test_heavier_rows_pull_harder() -> None:
    def learned(weight: float) -> float:
        model = ListRegression(("x",))
        for _ in range(30):
            model.learn_rows(np.array([[0.0], [1.0], [1.0]]), np.array([0.0, 1.0, 0.0]), np.array([1.0, weight, 1.0]))
        return float(model.predict_proba_one({"x": 1.0})[True])

    assert learned(0.2) < learned(1.0) < learned(5.0)


def test_a_missing_feature_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(KeyError, match="f1"):
        ListRegression(NAMES).learn_one({"f0": 1.0}, True)


def test_an_untrained_model_says_one_half() -> None:
    assert JobCheck(FEATURE_SET, FEATURES).predict(np.ones((2, len(FEATURES)))).tolist() == [0.5, 0.5]


def test_the_check_head_of_a_whole_sampled_list_is_rivers_learn_many() -> None:
    model = JobCheck("f/1", NAMES)
    check = River(optim.AdaGrad(LEARNING_RATE), model_clip())
    for number, (matrix, labels, _) in enumerate(lists(200, 20)):
        weights = np.where(labels > 0, 3.0, 1.0)
        stored = matrix.astype("<f4")
        model.learn(
            msgspec.structs.replace(
                example_of(stored, labels, number), feature_set="f/1", score_weights=tuple(weights.tolist())
            )
        )
        check.learn_many(stored.astype(np.float64), labels, np.ones(20))
    assert [*model._check.weights.tolist(), model._check.intercepts[0]] == pytest.approx(check.weights(), rel=1e-7)


def test_the_parts_of_a_list_add_up_to_rivers_step_on_the_list() -> None:
    # With plain gradient steps, where the order of small steps hardly matters; the scaler has seen the list in both.
    rate = 1e-6
    scaler, head, river = Scaler(len(NAMES), 0.0), Head(len(NAMES), optim.SGD(rate), 1e-6), River(optim.SGD(rate))
    river.regression.intercept_lr = optim.schedulers.Constant(1e-6)
    [(matrix, labels, ones)] = lists(1, 20, seed=3)
    scaler.learn(matrix)
    scaled = scaler.scale(matrix)
    for part in ([0], [1], list(range(2, 20))):
        head.learn(scaled[part], labels[part], ones[part], shown=20)
    river.learn_many(matrix, labels, ones)
    assert [*head.weights.tolist(), head.intercepts[0]] == pytest.approx(river.weights(), rel=1e-4)


def test_without_shown_lists_p_is_that_of_sampled_ones_and_not_called_calibrated() -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    matrix = np.zeros((1, len(FEATURES)))
    for example in planted_examples(100):
        model.learn(example)
    assert model.predict(matrix) == model.predict(matrix, "sampled")
    stream, learned = iter(planted_stream(40, rows=20, window=2.0)), 0
    while not model.calibrated:
        example = next(stream)
        model.learn(example)
        learned += len(example.labels) if example.kind == "closed" else 0
    assert CALIBRATED_ROWS <= learned < CALIBRATED_ROWS + 40
    assert model.predict(matrix) != model.predict(matrix, "sampled")


def test_a_stronger_action_later_changes_the_score_and_not_the_probability() -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    for example in planted_stream(100, rows=8, window=3.0):
        model.learn(example)
    matrix = matrix_of(planted_examples(1)[0])
    before, scaler_rows = model.scorer(1, 0), model._scaler.rows
    model.learn(positive_of(matrix, 0, 0, weight=0.0, score_weight=4.0))
    after = model.scorer(2, 0)
    assert after.probabilities(matrix).tolist() == before.probabilities(matrix).tolist()
    assert after.scores(matrix[:1])[0] > before.scores(matrix[:1])[0]
    assert model._scaler.rows == scaler_rows


def test_a_check_that_moves_to_another_list_is_no_late_check() -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    for example in planted_stream(50, rows=8, window=3.0, late=0.0):
        model.learn(example)
    moved = msgspec.structs.replace(
        example_of(np.zeros((1, len(FEATURES))), np.ones(1), 1, -np.ones(1)), kind="correction", rows_shown=8
    )
    model.learn(moved)
    assert model._whole_lists.late == 0.0
    model.learn(correction_of(np.zeros((8, len(FEATURES))), 0, 0))
    assert model._whole_lists.late > 0.0


@pytest.mark.parametrize(
    ("number", "value"),
    [
        *enumerate([-1, -1, math.nan, b"", np.full(6, -1.0).tobytes(), np.full(6, np.nan).tobytes(), b"x"]),
        (7, math.inf),
        (8, -1),
        (9, [0.0]),
        (9, [0.0, math.nan]),
        (10, b""),
        (11, np.full(6, -1.0).tobytes()),
        (12, [math.nan, 0.0, 0.0, 1, 1]),
        (13, [0.0, -1.0, 0.0, 1, 1]),
        (13, [0.0, 0.0, 1.5, 1, 1]),
        (14, -1),
        (15, -1),
        (16, 2),
    ],
)
def test_a_state_that_makes_no_sense_is_a_value_error_and_changes_nothing(number: int, value: Any) -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    model.learn(example_of(np.ones((2, len(FEATURES))), np.array([1.0, 0.0])))
    before = model.state()
    spoiled: list[Any] = msgspec.msgpack.decode(before)
    spoiled[number] = value
    with pytest.raises(ValueError, match=r"."):
        model.load(msgspec.msgpack.encode(spoiled))
    assert model.state() == before


def first_window(rows: int = 8) -> tuple[list[TrainingExample], list[TrainingExample]]:
    """Checks of the first window, and then its lists as they close."""
    stream = planted_stream(40, rows=rows, late=0.0)
    parts = [example for example in stream if example.kind == "positive"]
    closed = [example for example in stream if example.kind == "closed"]
    dated = [msgspec.structs.replace(example, occurred_at=at) for at, example in enumerate([*parts, *closed], 1_000)]
    return dated[: len(parts)], dated[len(parts) :]


def test_the_first_window_is_learned_anew_once_there_are_negatives() -> None:
    """Of its lists nothing but checks had been learned: in the end they count as lists that were learned whole."""
    parts, closed = first_window()
    model, whole = JobCheck(FEATURE_SET, FEATURES), JobCheck(FEATURE_SET, FEATURES)
    for example in [*parts, *closed]:
        model.learn(example)
    for example in closed:
        ones = (1.0,) * len(example.labels)
        recovered = example.occurred_at <= 2 * closed[0].occurred_at - parts[0].occurred_at
        whole.learn(msgspec.structs.replace(example, weights=ones, score_weights=ones) if recovered else example)
    for ours, theirs in ((model.folded(), whole.folded()), (model.folded_score(), whole.folded_score())):
        assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
        assert ours[1] == pytest.approx(theirs[1], rel=1e-12)
    assert model.deviations() == pytest.approx(whole.deviations(), rel=1e-12)
    assert model.learned["positive"].examples == len(parts) > 20


def test_a_restart_within_the_first_window_changes_nothing() -> None:
    parts, closed = first_window()
    straight, restarted = JobCheck(FEATURE_SET, FEATURES), JobCheck(FEATURE_SET, FEATURES)
    for example in [*parts, *closed]:
        straight.learn(example)
        restarted.learn(example)
        again = JobCheck(FEATURE_SET, FEATURES)
        again.load(restarted.state())
        again.learned = restarted.learned
        restarted = again
    assert restarted.state() == straight.state()


def test_what_was_sampled_before_the_first_window_is_kept() -> None:
    model, sampled = JobCheck(FEATURE_SET, FEATURES), planted_examples(200)
    for example in sampled:
        model.learn(example)
    before = model.folded("sampled")[0]
    parts, closed = first_window()
    for example in parts:
        model.learn(example)
    moved = np.abs(model.folded("sampled")[0] - before).sum()
    model.learn(closed[0])
    assert np.abs(model.folded("sampled")[0] - before).sum() < 0.5 * moved
