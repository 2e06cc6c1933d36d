import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.models import snapshot as snapshots
from streamrec.models.base import Learned
from streamrec.models.job_check import JobCheck
from streamrec.models.planted import FEATURE_SET, FEATURES, example_of, planted_examples, planted_stream
from streamrec.models.prequential import Prequential
from streamrec.models.snapshot import (
    FORMAT,
    LearnedPosition,
    OtherModelError,
    Snapshot,
    UnreadableSnapshotError,
    pack,
    restore,
    scorer_of,
    take,
    unpack,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "model"
POSITIONS = (LearnedPosition("training-examples", "t-1", 0, 42),)


def learned(count: int) -> JobCheck:
    model = JobCheck(FEATURE_SET, FEATURES)
    for example in planted_examples(count):
        model.learn(example)
    return model


def packed(model: JobCheck) -> bytes:
    return pack(take(model, version=7, now=1_700_000_000_000, code_version="0.1.0", positions=POSITIONS))


SAMPLE = packed(learned(30))


def sealed(body: bytes) -> bytes:
    """`body` with a checksum that fits: what is wrong with it must be found by reading it."""
    return FORMAT + snapshots._checksum(body) + body


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(FORMAT.__add__) | st.binary(max_size=200).map(sealed))
def test_arbitrary_bytes_are_unreadable_and_nothing_else(value: bytes) -> None:
    with pytest.raises(UnreadableSnapshotError):
        unpack(value)


@settings(deadline=None)
@given(st.integers(0, len(SAMPLE) - 1))
def test_truncated_bytes_are_unreadable(length: int) -> None:
    with pytest.raises(UnreadableSnapshotError):
        unpack(SAMPLE[:length])


@settings(deadline=None)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 7))
def test_one_flipped_bit_makes_the_bytes_unreadable(place: int, bit: int) -> None:
    altered = bytearray(SAMPLE)
    altered[place] ^= 1 << bit
    with pytest.raises(UnreadableSnapshotError):
        unpack(bytes(altered))


@settings(max_examples=300, deadline=None)
@given(st.integers(snapshots._HEADER_BYTES, len(SAMPLE) - 1), st.integers(0, 255), st.booleans())
def test_alterations_under_a_fitting_checksum_never_raise_anything_else(place: int, value: int, cut: bool) -> None:
    altered = bytearray(SAMPLE)
    altered[place] = value
    body = bytes(altered[snapshots._HEADER_BYTES : place if cut else None])
    try:
        snapshot = unpack(sealed(body))
        scorer_of(snapshot)
        restore(JobCheck(FEATURE_SET, FEATURES), snapshot)
    except (UnreadableSnapshotError, OtherModelError):
        pass


def test_bytes_after_the_end_are_unreadable() -> None:
    with pytest.raises(UnreadableSnapshotError):
        unpack(SAMPLE + b"\x00")
    with pytest.raises(UnreadableSnapshotError):
        unpack(sealed(SAMPLE[snapshots._HEADER_BYTES :] + b"\x00"))


def test_deeply_nested_bytes_are_unreadable() -> None:
    with pytest.raises(UnreadableSnapshotError):
        unpack(sealed(b"\x91" * 100_000))


def test_a_format_of_the_future_is_named() -> None:
    with pytest.raises(UnreadableSnapshotError, match=r"format b'\\x02'; this version reads b'\\x01'"):
        unpack(b"\x02" + SAMPLE[1:])


@pytest.mark.parametrize(
    "change",
    [
        {"weights": bytes(8)},
        {"weights": b"x"},
        {"bias": math.nan},
        {"weights": np.full(len(FEATURES), np.inf).tobytes()},
        {"score_weights": bytes(8)},
        {"score_bias": math.inf},
        {"deviations": np.full(len(FEATURES), np.nan).tobytes()},
    ],
)
def test_weights_that_cannot_score_are_unreadable(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableSnapshotError, match="6 features, but"):
        unpack(pack(msgspec.structs.replace(unpack(SAMPLE), **change)))


@pytest.mark.parametrize("field", ["state", "prequential", "measures"])
def test_a_state_that_cannot_be_continued_is_unreadable(field: str) -> None:
    broken = msgspec.structs.replace(unpack(SAMPLE), **{field: b"\x91\x01"})
    with pytest.raises(UnreadableSnapshotError, match="snapshot 7 of job_check"):
        restore(JobCheck(FEATURE_SET, FEATURES), broken)


def test_a_snapshot_of_other_features_is_not_continued_even_under_the_same_name() -> None:
    for other in (JobCheck("planted/2", FEATURES), JobCheck(FEATURE_SET, tuple(reversed(FEATURES)))):
        with pytest.raises(OtherModelError, match=r"learned by 0\.1\.0"):
            restore(other, unpack(SAMPLE))


def test_a_snapshot_comes_back_whole() -> None:
    snapshot = unpack(SAMPLE)
    assert pack(snapshot) == SAMPLE
    assert (snapshot.version, snapshot.examples, snapshot.positions) == (7, 30, POSITIONS)


def test_positions_and_marks_are_stored_in_one_order() -> None:
    model = learned(1)
    there = (LearnedPosition("a", "1", 0, 3), LearnedPosition("a", "1", 1, 2))
    marks = {"x": (1, 2), "y": (3, 4)}
    back = dict(reversed(marks.items()))
    first = take(model, version=1, now=0, code_version="c", positions=there, marks=marks)
    second = take(model, version=1, now=0, code_version="c", positions=there[::-1], marks=back)
    assert pack(first) == pack(second)


values = st.floats(-50, 50, width=32) | st.sampled_from([0.0, 0.1, 1.0, 1e6, -1e6])
row = st.tuples(*[values] * len(FEATURES))


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], int]:
    lists = draw(st.lists(st.lists(row, min_size=1, max_size=4), min_size=1, max_size=12))
    made = []
    for rows in lists:
        size = len(rows)
        labels = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size))
        weights = draw(st.lists(st.sampled_from([0.0, 1.0, 5.0, 1e6]), min_size=size, max_size=size))
        made.append((np.array(rows), np.array(labels), np.array(weights)))
    return made, draw(st.integers(0, len(lists)))


@settings(deadline=None)
@given(sequences())
def test_a_restored_model_that_learns_the_rest_is_byte_for_byte_one_that_never_stopped(
    sequence: tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], int],
) -> None:
    lists, cut = sequence
    kinds = ("sampled", "closed", "positive", "correction")
    examples = [
        msgspec.structs.replace(
            example_of(matrix, labels, i, weights), kind=kinds[i * 7 % 5 % 4], surface=f"s{i}", hit=i % 3 - 1
        )
        for i, (matrix, labels, weights) in enumerate(lists)
    ]
    straight, first, second = (JobCheck(FEATURE_SET, FEATURES) for _ in range(3))
    for example in examples:
        straight.learn(example)
    for example in examples[:cut]:
        first.learn(example)
    restore(second, unpack(packed(first)))
    for example in examples[cut:]:
        second.learn(example)
    assert packed(second) == packed(straight)


def test_the_bytes_of_version_1_are_still_read_and_learned_on() -> None:
    value = (GOLDEN / "snapshot-v1.bin").read_bytes()
    snapshot = unpack(value)
    assert (snapshot.name, snapshot.version, snapshot.feature_set, snapshot.feature_names) == (
        "job_check",
        7,
        FEATURE_SET,
        FEATURES,
    )
    assert (snapshot.learned_at, snapshot.examples, snapshot.code_version) == (1_700_000_000_000, 3, "0.1.0")
    assert snapshot.positions == POSITIONS
    assert snapshot.marks == {"job-views/0": (41, 0)}
    model = JobCheck(FEATURE_SET, FEATURES)
    restore(model, snapshot)
    scorer = scorer_of(snapshot)
    assert (scorer.score_weights, scorer.calibrated) == (None, False)
    assert model.learned == {"sampled": Learned(3)}
    assert model.prequential.rows == 27
    # Version 1 had one head: the other goes on from it, and from the same sums of the optimizer.
    said = predictions(model)
    assert said == pytest.approx(golden_predictions("v1"), rel=1e-9)
    assert model.scorer(1, 0).scores(MATRIX) == pytest.approx(model.predict(MATRIX), rel=1e-12)
    assert scorer.probabilities(MATRIX)[:5] == pytest.approx(said, rel=1e-9)
    for example in planted_examples(10)[3:]:
        model.learn(example)
    assert model.examples == 10
    assert np.isfinite(model.predict(MATRIX)).all()


MATRIX = np.random.default_rng(1).normal(size=(50, len(FEATURES)))


def predictions(model: JobCheck) -> list[float]:
    """What it says of some rows."""
    return [float(chance) for chance in model.predict(MATRIX)[:5]]


def golden_predictions(version: str) -> list[float]:
    """What a model said when its snapshot was written, whatever rates models have learned at since."""
    found: list[float] = json.loads((GOLDEN / "predictions.json").read_text())[version]
    return found


def shown_model() -> JobCheck:
    """Has learned all kinds of examples: sampled ones on one surface, then shown ones on another."""
    model = learned(3)
    for example in planted_stream(60, rows=8, window=5.0, late=0.2):
        model.learn(msgspec.structs.replace(example, surface="home", score_weights=()))
    return model


@pytest.mark.parametrize("version", ["v2", "v3", "v4", "v5", "v6", "v7"])
def test_the_bytes_of_later_versions_are_still_read_and_learned_on(version: str) -> None:
    value = (GOLDEN / f"snapshot-{version}.bin").read_bytes()
    snapshot = unpack(value)
    assert (pack(snapshot) == value) == (version in ("v5", "v6", "v7"))  # the others lack a field that came later
    assert snapshot.calibrated
    assert snapshot.former == ({"toy/0": ("x",)} if version in ("v4", "v5", "v6", "v7") else {})
    model, twin = JobCheck(FEATURE_SET, FEATURES), JobCheck(FEATURE_SET, FEATURES)
    restore(model, snapshot)
    restore(twin, snapshot)
    again = shown_model()
    assert model.learned == again.learned == snapshot.learned
    assert set(model.learned) == {"sampled", "positive", "closed", "correction"}
    assert model.measures.surfaces("shown") == ["home"]
    assert model.measures.of("shown", "home").rows == again.measures.of("shown").rows > 0
    assert model.measures.hits == again.measures.hits
    assert predictions(model) == pytest.approx(golden_predictions(version), rel=1e-9)
    if version == "v7":  # before, p_check had no slope, and then the newest weights
        assert predictions(model) == pytest.approx(predictions(again), rel=1e-9)
    for example in planted_stream(10, seed=1):
        model.learn(example)
        twin.learn(example)
    assert model.state() == twin.state()


class _Old(msgspec.Struct, array_like=True):
    """What version 1 reads: it must be able to rank by what version 2 writes."""

    name: str
    version: int
    feature_set: str
    feature_names: tuple[str, ...]
    weights: bytes
    bias: float
    learned_at: int
    examples: int
    positions: tuple[LearnedPosition, ...]
    marks: dict[str, tuple[int, int]]
    code_version: str
    state: bytes
    prequential: bytes


class _OldState(msgspec.Struct, array_like=True):
    rows: int
    steps: int
    intercept: float
    means: bytes
    variances: bytes
    weights: bytes
    squares: bytes


def test_the_version_before_reads_what_this_one_writes() -> None:
    model = shown_model()
    old = msgspec.msgpack.decode(packed(model)[snapshots._HEADER_BYTES :], type=_Old)
    weights, bias = model.folded()
    assert np.frombuffer(old.weights, "<f8").tolist() == weights.tolist()
    assert old.bias == bias
    assert msgspec.msgpack.decode(old.state, type=_OldState).rows == model._scaler.rows
    Prequential().load(old.prequential)


def test_a_field_that_a_later_version_appends_is_passed_over() -> None:
    fields = msgspec.msgpack.decode(SAMPLE[snapshots._HEADER_BYTES :])
    assert unpack(sealed(msgspec.msgpack.encode([*fields, "new"]))) == unpack(SAMPLE)


def test_nothing_but_plain_values_comes_out_of_the_bytes() -> None:
    snapshot = unpack(SAMPLE)
    assert type(snapshot) is Snapshot
    plain = (str, int, float, bytes)
    for field in Snapshot.__struct_fields__:
        value = getattr(snapshot, field)
        parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        assert all(type(part) in (*plain, bool, LearnedPosition, Learned, tuple) for part in parts), field
