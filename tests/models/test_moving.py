"""A model that moves to other features keeps what it knows, and goes on learning as well as before."""

import msgspec
import numpy as np
import pytest

from streamrec.events import TrainingExample
from streamrec.models.job_check import TRUSTED_ROWS, JobCheck
from streamrec.models.moving import Move
from streamrec.models.planted import FEATURE_SET, FEATURES, planted_examples, planted_stream
from streamrec.models.rows import InvalidExampleError
from streamrec.models.snapshot import pack as packed
from streamrec.models.snapshot import restore, take, unpack

NEW = (*FEATURES[::-1], "late")  # another order, and one more


def moved(example: TrainingExample, late: float = 0.25) -> TrainingExample:
    """The example as a process with the new features makes it."""
    matrix = np.frombuffer(example.features, "<f4").reshape(len(example.job_ids), -1)
    column = np.full(len(matrix), late, np.float32) * (1.0 + np.arange(len(matrix)) % 3)
    wide = np.column_stack([matrix[:, ::-1], column]).astype("<f4")
    return msgspec.structs.replace(example, feature_set="planted/new", features=wide.tobytes())


def learned(rows: int = 300) -> JobCheck:
    model = JobCheck(FEATURE_SET, FEATURES)
    for example in (*planted_examples(rows), *planted_stream(40, window=5.0)):
        model.learn(example)
    return model


def test_columns_go_by_their_names() -> None:
    move = Move(("a", "b", "c"), ("c", "new", "a"))
    assert move.of(np.array([1.0, 2.0, 3.0])).tolist() == [3.0, 0.0, 1.0]
    assert move.of(np.ones((2, 3)), np.array([7.0, 8.0, 9.0])).tolist() == [[1.0, 8.0, 1.0]] * 2
    assert move.of(np.zeros((0, 3))).shape == (0, 3)


def test_what_is_predicted_does_not_change_by_moving() -> None:
    model, before = learned(), learned()
    model.move("planted/new", NEW)
    for example in planted_examples(20, seed=5):
        was = np.frombuffer(example.features, "<f4").reshape(len(example.job_ids), -1).astype(np.float64)
        now = np.frombuffer(moved(example).features, "<f4").reshape(len(example.job_ids), -1).astype(np.float64)
        assert model.predict(now) == pytest.approx(before.predict(was), rel=1e-12)
        assert model.scorer(1, 0).scores(now) == pytest.approx(before.scorer(1, 0).scores(was), rel=1e-12)
    assert (model.feature_set, model.feature_names) == ("planted/new", NEW)
    assert model.former == {FEATURE_SET: FEATURES}


def test_examples_of_both_sets_are_learned_after_it() -> None:
    model = learned()
    model.move("planted/new", NEW)
    count = model.examples
    for example in planted_examples(30, seed=3):
        model.learn(example)
        model.learn(moved(example))
    assert model.examples == count + 60
    with pytest.raises(InvalidExampleError, match="feature_set"):
        model.learn(msgspec.structs.replace(moved(planted_examples(1)[0]), feature_set="planted/unknown"))


def test_an_example_of_the_former_set_teaches_nothing_of_the_new_column() -> None:
    model = learned()
    model.move("planted/new", NEW)
    for example in planted_examples(30, seed=3):
        model.learn(example)
    weights, _ = model.folded()
    assert weights[-1] == 0.0
    for example in planted_examples(30, seed=4):
        model.learn(moved(example))
    assert model.folded()[0][-1] != 0.0


def test_a_new_column_is_scaled_by_what_comes_and_not_by_the_nothing_before() -> None:
    model = learned()
    model.move("planted/new", NEW)
    for example in planted_examples(600, seed=6):
        model.learn(moved(example, 40.0))
    values = np.concatenate([40.0 * (1.0 + np.arange(len(each.job_ids)) % 3) for each in planted_examples(600, seed=6)])
    rows = len(values)
    share = rows / (rows + TRUSTED_ROWS)
    assert share > 0.5
    assert model.deviations()[-1] == pytest.approx(
        np.sqrt(share * values.var() + share * (1.0 - share) * values.mean() ** 2), rel=0.05
    )


def test_moving_in_the_first_window_of_shown_lists_keeps_what_is_to_be_learned_anew() -> None:
    model = JobCheck(FEATURE_SET, FEATURES)
    stream = planted_stream(40, window=5.0)
    first = next(number for number, example in enumerate(stream) if example.kind == "closed")
    assert first > 1
    for example in stream[: first - 1]:
        model.learn(example)
    model.move("planted/new", NEW)
    for example in stream[first - 1 :]:
        model.learn(moved(example, 0.0))
    stayed = JobCheck(FEATURE_SET, FEATURES)
    for example in stream:
        stayed.learn(example)
    assert model.folded()[0][:-1] == pytest.approx(stayed.folded()[0][::-1], rel=0.05, abs=0.02)


def test_a_snapshot_says_what_the_model_has_moved_from() -> None:
    model = learned()
    model.move("planted/new", NEW)
    snapshot = unpack(packed(take(model, version=1, now=0, code_version="0")))
    twin = JobCheck("planted/new", NEW)
    restore(twin, snapshot)
    for example in planted_examples(20, seed=8):
        for each in (example, moved(example)):
            model.learn(each)
            twin.learn(each)
    assert (twin.former, twin.state()) == (model.former, model.state())


def test_only_the_last_few_sets_are_remembered_and_one_may_come_again() -> None:
    model = learned(10)
    for number in range(5):
        model.move(f"planted/{number}x", FEATURES)
    assert list(model.former) == ["planted/1x", "planted/2x", "planted/3x"]
    model.move("planted/2x", FEATURES)
    assert list(model.former) == ["planted/1x", "planted/3x", "planted/4x"]
