"""The head that jobs are ordered by: gradients, parts of lists, and weights of segments."""

from typing import Any

import msgspec
import numpy as np
import pytest

from streamrec.models.job_check import SEGMENTS, JobCheck
from streamrec.models.planted import example_of
from streamrec.models.rows import CLOSED, SAMPLED, Floats, Rows
from streamrec.models.score_head import ScoreHead
from streamrec.models.segments import Segmented, segment_of
from streamrec.models.snapshot import UnreadableSnapshotError, pack, scorer_of, take, unpack

draw = np.random.default_rng(3)


def rows(count: int, kind: str = SAMPLED, chosen: int = 0, weight: float = 1.0) -> Rows:
    labels = (np.arange(count) == chosen).astype(np.float64)
    ones = np.ones(count)
    return Rows(draw.normal(size=(count, 3)), labels, ones, np.where(labels > 0, weight, ones), count, kind)


def taken(head: ScoreHead, some: Rows, segment: int | None = None) -> Floats:
    """The gradient of a first step: AdaGrad's first step is its sign, so it is told by the sums of its squares."""
    before = head.squares()
    head.learn(some.matrix, some, segment)
    return np.sqrt(head.squares() - before)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_a_sampled_list_is_learned_as_a_choice(weight: float) -> None:
    some = rows(6, chosen=2, weight=weight)
    head = ScoreHead(3, 1)
    head.weights[0] = at = np.array([0.3, -0.2, 0.1])

    def loss(weights: Floats) -> float:
        logits = some.matrix @ weights
        return float(weight * (np.log(np.exp(logits).sum()) - logits[2]))

    numeric = [(loss(at + step) - loss(at - step)) / 2e-6 for step in np.eye(3) * 1e-6]
    assert taken(head, some)[0].tolist() == pytest.approx(np.abs(numeric).tolist(), rel=1e-6)


def test_what_is_the_same_for_a_whole_list_does_not_matter_to_a_choice() -> None:
    some = rows(5)
    raised = msgspec.structs.replace(some, matrix=some.matrix.copy())
    raised.matrix[:, 1] = 7.0
    assert taken(ScoreHead(3, 1), raised)[0][1] == pytest.approx(0.0, abs=1e-12)


def test_a_shown_list_is_learned_row_by_row_and_its_parts_add_up() -> None:
    some = rows(6, CLOSED)
    whole, parts = ScoreHead(3, 1), ScoreHead(3, 1)
    slopes = 0.5 - some.labels
    assert taken(whole, some)[0].tolist() == pytest.approx(np.abs(slopes @ some.matrix).tolist())
    gradients = []
    for part in (slice(0, 1), slice(1, 6)):
        head = ScoreHead(3, 1)
        columns = {name: getattr(some, name)[part] for name in ("matrix", "labels", "weights", "score_weights")}
        taken(head, msgspec.structs.replace(some, **columns))
        gradients.append(np.abs(slopes[part] @ some.matrix[part]))
        assert np.sqrt(head.squares()[0]).tolist() == pytest.approx(gradients[-1].tolist())
    assert parts.weights.shape == (2, 3)


def test_a_segment_has_weights_of_its_own_on_top_of_the_shared_ones() -> None:
    head = ScoreHead(3, 3)
    some = rows(6)
    head.learn(some.matrix, some, 1)
    assert head.weights[0].tolist() == head.weights[2].tolist() != [0.0, 0.0, 0.0]
    assert not head.weights[[1, 3]].any()
    head.learn(some.matrix, some, None)  # nothing says which segment: the shared ones alone
    assert head.weights[0].tolist() != head.weights[2].tolist()


# As a model's


NAMES = ("x", "y", *SEGMENTS)


def lists(count: int, seed: int) -> list[Any]:
    """In a session x decides, coming back y does; of new members nothing is known."""
    some = np.random.default_rng(seed)
    made = []
    for number in range(count):
        matrix = some.normal(size=(8, 4)).astype("<f4")
        segment = number % 3
        matrix[:, 2:] = [[0, 0], [1, 0], [0, 1]][segment]
        chosen = int(np.argmax(matrix[:, 0] if segment == 1 else matrix[:, 1] if segment == 2 else -matrix[:, 0]))
        labels = (np.arange(8) == chosen).astype(np.float64)
        made.append(msgspec.structs.replace(example_of(matrix, labels, number), feature_set="f/1"))
    return made


def learned(count: int = 600) -> JobCheck:
    model = JobCheck("f/1", NAMES)
    for example in lists(count, 1):
        model.learn(example)
    return model


def test_each_segment_is_ordered_by_what_it_wants() -> None:
    scorer = learned().scorer(1, 0)
    probe = np.zeros((2, 4), np.float32)
    probe[0, 0] = probe[1, 1] = 1.0
    for segment, flags in enumerate([[0, 0], [1, 0], [0, 1]]):
        probe[:, 2:] = flags
        x, y = scorer.scores(probe).tolist()
        assert (x > y) == (segment == 1), segment
    mixed = np.vstack([probe, probe])
    mixed[:2, 2:] = [1, 0]
    apart = np.concatenate([scorer.scores(mixed[:2]), scorer.scores(mixed[2:])])
    assert scorer.scores(mixed).tolist() == pytest.approx(apart.tolist(), rel=1e-9)
    assert scorer.scores(mixed[:0]).shape == (0,)


def test_segments_come_back_from_a_snapshot_and_go_on() -> None:
    model = learned(100)
    value = pack(take(model, version=1, now=0, code_version="c"))
    stored, direct = scorer_of(unpack(value)), model.scorer(1, 0)
    matrix = np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
    matrix[:, 2:] = [0, 1]
    assert stored.scores(matrix).tolist() == direct.scores(matrix).tolist()
    twin = JobCheck("f/1", NAMES)
    twin.load(model.state())
    for example in lists(50, 2):
        model.learn(example)
        twin.learn(example)
    assert twin.state() == model.state()


def test_a_snapshot_whose_segments_make_no_sense_is_not_read() -> None:
    snapshot = take(learned(10), version=1, now=0, code_version="c")
    for change in (
        {"segment_flags": ("x", "z")}, {"segment_flags": ("x",)}, {"segment_weights": snapshot.segment_weights[:-8]},
        {"segment_biases": np.full(3, np.nan).tobytes()},
    ):  # fmt: skip
        with pytest.raises(UnreadableSnapshotError, match="segments"):
            unpack(pack(msgspec.structs.replace(snapshot, **change)))


def test_weights_of_segments_move_with_their_columns() -> None:
    model = learned()
    matrix = np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
    matrix[:, 2:] = [1, 0]
    before = model.scorer(1, 0)
    names = ("y", "new", *SEGMENTS, "x")
    matrix_after = np.column_stack([matrix[:, 1], np.zeros(9), matrix[:, 2:], matrix[:, 0]]).astype(np.float32)
    moved = before.moved(NAMES, "f/2", names)
    assert moved.scores(matrix_after).tolist() == pytest.approx(before.scores(matrix).tolist(), rel=1e-9)
    model.move("f/2", names)
    assert model.scorer(2, 0).scores(matrix_after).tolist() == pytest.approx(before.scores(matrix).tolist(), rel=1e-9)
    assert before.moved(NAMES, "f/3", ("x", "y")).segmented is None


def test_rows_are_told_apart_by_the_first_flag_that_is_set() -> None:
    segmented = Segmented((1, 2), np.zeros((3, 3)), np.array([1.0, 2.0, 3.0]))
    matrix = np.array([[9.0, 0.0, 0.0], [9.0, 1.0, 1.0], [9.0, 0.0, 1.0]])
    assert segmented.segments(matrix).tolist() == [0, 1, 2] == [segment_of(row, (1, 2)) for row in matrix]
    assert segmented.logits(matrix).tolist() == [1.0, 2.0, 3.0]
