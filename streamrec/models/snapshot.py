"""A model at rest: everything to rank with it, to go on learning, and to say where it came from. No River in here.

The bytes are a format byte, a checksum of the rest, and the MessagePack of a `Snapshot` as an array, with arrays
inside as little-endian float64. Reading them builds numbers, texts and tuples, and nothing that could run. New fields
are appended with a default, so that a snapshot is readable one version back and forward; ``tests/golden/model`` keeps
the bytes of every version.
"""

import hashlib
import math
from typing import Final

import msgspec
import numpy as np

from streamrec.models.base import Learned, Model, Scorer
from streamrec.models.rows import SAMPLED, Floats
from streamrec.models.segments import Segmented
from streamrec.packed import DAMAGED

FORMAT: Final = b"\x01"
_CHECKSUM_BYTES: Final = 8
_HEADER_BYTES: Final = len(FORMAT) + _CHECKSUM_BYTES


class UnreadableSnapshotError(ValueError):
    """Bytes that are not a whole snapshot of a format that this version reads; nothing has been loaded."""


class OtherModelError(ValueError):
    """A sound snapshot, but of another model or of other features: it cannot be continued by this one."""


class LearnedPosition(msgspec.Struct, array_like=True, frozen=True):
    """Where learning goes on: `next_offset` of one partition of the topic with that id."""

    topic: str
    topic_id: str
    partition: int
    next_offset: int


class Snapshot(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One version of a model.

    Attributes
    ----------
    name, version
        Which model, and a number that grows with every snapshot.
    feature_set, feature_names
        The features it was learned on, in the order of `weights`.
    weights, bias
        On unscaled features, for `scorer_of`; `weights` are d little-endian float64.
    learned_at
        When it was taken, in ms since the epoch.
    examples
        Examples learned, over all restarts.
    positions
        Up to where it has learned.
    marks
        High-water mark of each source: source -> (offset, index) of the last example learned.
    code_version
        Of the program that learned it.
    state, prequential
        `Model.state`, and `Prequential.state` of the sampled lists: with these and `measures`, learning goes on as if it
        had never stopped.
    score_weights, score_bias, calibrated
        See `Scorer`; no `score_weights` (version 1): those of the probability. Since version 2, as all that follows.
    deviations
        Of each feature, d float64, for people.
    learned
        What was learned, by kind.
    measures
        `Measures.state`: the figures of all other lists.
    former
        See `Model`: sets of features that it has moved from.
    segment_flags, segment_weights, segment_biases
        See `Segmented`: the names of its columns, and float64. Since version 5; without them nobody is of a segment.
    """

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
    score_weights: bytes = b""
    score_bias: float = 0.0
    calibrated: bool = False
    deviations: bytes = b""
    learned: dict[str, Learned] = {}
    measures: bytes = b""
    former: dict[str, tuple[str, ...]] = {}
    segment_flags: tuple[str, ...] = ()
    segment_weights: bytes = b""
    segment_biases: bytes = b""


_decoder = msgspec.msgpack.Decoder(Snapshot)


def take(
    model: Model,
    *,
    version: int,
    now: int,
    code_version: str,
    positions: tuple[LearnedPosition, ...] = (),
    marks: dict[str, tuple[int, int]] | None = None,
) -> Snapshot:
    """A snapshot of `model` as of `now` (ms since the epoch). Called by the trainer between two examples.

    `positions` and `marks` must be those of the examples that `model` has learned, neither more nor less. They are
    put in order, so that equal ones give equal bytes.
    """
    (weights, bias), (score_weights, score_bias) = model.folded(), model.folded_score()
    segmented = model.segmented()
    return Snapshot(
        name=model.name,
        version=version,
        feature_set=model.feature_set,
        feature_names=model.feature_names,
        weights=weights.astype("<f8").tobytes(),
        bias=bias,
        learned_at=now,
        examples=model.examples,
        positions=tuple(sorted(positions, key=lambda position: (position.topic, position.partition))),
        marks=dict(sorted((marks or {}).items())),
        code_version=code_version,
        state=model.state(),
        prequential=model.prequential.state(),
        score_weights=score_weights.astype("<f8").tobytes(),
        score_bias=score_bias,
        calibrated=model.calibrated,
        deviations=model.deviations().astype("<f8").tobytes(),
        learned=dict(sorted(model.learned.items())),
        measures=model.measures.state(),
        former=model.former,
        segment_flags=() if segmented is None else tuple(model.feature_names[place] for place in segmented.columns),
        segment_weights=b"" if segmented is None else segmented.weights.astype("<f8").tobytes(),
        segment_biases=b"" if segmented is None else segmented.biases.astype("<f8").tobytes(),
    )


def restore(model: Model, snapshot: Snapshot) -> None:
    """Make a fresh `model` what it was when `snapshot` was taken. Called by the trainer when it starts.

    Raises
    ------
    OtherModelError
        The snapshot is of another model or of other features: begin anew, or with the code that it names.
    UnreadableSnapshotError
        What the model keeps in it makes no sense to this version. Throw the half-made `model` away.
    """
    ours = (model.name, model.feature_set, model.feature_names)
    theirs = (snapshot.name, snapshot.feature_set, snapshot.feature_names)
    if ours != theirs:
        raise OtherModelError(f"the snapshot is of {theirs}, learned by {snapshot.code_version}; this model is {ours}")
    try:
        model.load(snapshot.state)
        model.measures.load(snapshot.prequential, snapshot.measures)
    except ValueError as error:
        raise UnreadableSnapshotError(f"snapshot {snapshot.version} of {snapshot.name}: {error}") from error
    model.examples, model.former = snapshot.examples, dict(snapshot.former)
    # Version 1 knew sampled examples only, and did not count rows by label.
    model.learned = dict(snapshot.learned) or ({SAMPLED: Learned(snapshot.examples)} if snapshot.examples else {})


def pack(snapshot: Snapshot) -> bytes:
    """The bytes to store; equal snapshots give equal bytes."""
    body = msgspec.msgpack.encode(snapshot)
    return FORMAT + _checksum(body) + body


def unpack(value: bytes) -> Snapshot:
    """The snapshot behind stored bytes.

    Raises
    ------
    UnreadableSnapshotError
        The bytes are cut short, altered, or of an unknown format. Nothing else is ever raised, whatever the bytes are.
    """
    if value[:1] != FORMAT:
        raise UnreadableSnapshotError(f"format {value[:1]!r}; this version reads {FORMAT!r}")
    checksum, body = value[len(FORMAT) : _HEADER_BYTES], value[_HEADER_BYTES:]
    if checksum != _checksum(body):
        raise UnreadableSnapshotError(f"the checksum does not fit the {len(body)} bytes that it is for")
    try:
        snapshot = _decoder.decode(body)
    except DAMAGED as error:
        raise UnreadableSnapshotError(str(error)) from error
    width = len(snapshot.feature_names)
    for name in ("weights", "score_weights", "deviations"):
        values = floats_of(getattr(snapshot, name))
        absent = name != "weights" and not getattr(snapshot, name)
        if not absent and (len(values) != width or not np.isfinite(values).all()):
            raise UnreadableSnapshotError(f"{width} features, but the {name} are {values}")
    if not (math.isfinite(snapshot.bias) and math.isfinite(snapshot.score_bias)):
        raise UnreadableSnapshotError(f"{width} features, but the biases are {snapshot.bias}, {snapshot.score_bias}")
    if snapshot.segment_biases:
        _check_segments(snapshot)
    return snapshot


def _check_segments(snapshot: Snapshot) -> None:
    flags, biases = snapshot.segment_flags, floats_of(snapshot.segment_biases)
    weights = floats_of(snapshot.segment_weights)
    fits = len(biases) == 1 + len(flags) and len(weights) == len(biases) * len(snapshot.feature_names)
    if not (fits and set(flags) <= set(snapshot.feature_names) and np.isfinite([*biases, *weights]).all()):
        raise UnreadableSnapshotError(f"the weights of the segments by {flags} make no sense")


def scorer_of(snapshot: Snapshot) -> Scorer:
    """The scorer of a snapshot: cheap, and needs nothing of the library that learned it."""
    return Scorer(
        name=snapshot.name,
        version=snapshot.version,
        feature_set=snapshot.feature_set,
        weights=floats_of(snapshot.weights),
        bias=snapshot.bias,
        learned_at=snapshot.learned_at,
        examples=snapshot.examples,
        score_weights=floats_of(snapshot.score_weights) if snapshot.score_weights else None,
        score_bias=snapshot.score_bias,
        calibrated=snapshot.calibrated,
        segmented=segmented_of(snapshot),
    )


def segmented_of(snapshot: Snapshot) -> Segmented | None:
    """The weights of the segments; None where the snapshot has none."""
    if not snapshot.segment_biases:
        return None
    columns = tuple(map(snapshot.feature_names.index, snapshot.segment_flags))
    weights, biases = floats_of(snapshot.segment_weights), floats_of(snapshot.segment_biases)
    return Segmented(columns, weights.reshape(len(biases), -1), biases)


def floats_of(value: bytes) -> Floats:
    """The numbers in one of a snapshot's arrays; bytes beyond the last whole one are left out."""
    return np.frombuffer(value[: 8 * (len(value) // 8)], "<f8").astype(np.float64)


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(FORMAT + body, digest_size=_CHECKSUM_BYTES).digest()
