"""Work in progress on disk, so that an interrupted build goes on where it was.

The bytes are a format byte, a checksum of the rest, and the MessagePack of a `Checkpoint` as an array. A file of another
format is not gone on with: the work is begun anew, which costs time and nothing else.
"""

import hashlib
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from streamrec.agents.due import Due
from streamrec.building.builder import Builder, Kept
from streamrec.features.state import JobState, MemberState, Neighbours, Network, pack, unpack
from streamrec.models import passed as passed_over
from streamrec.models import shown as shown_lists
from streamrec.models import snapshot as snapshots
from streamrec.packed import DAMAGED
from streamrec.settings import Settings
from streamrec.stores.disk import write_atomically
from streamrec.stores.positions import Mark

FORMAT: Final = b"\x01"
_CHECKSUM_BYTES: Final = 16


class UnusableCheckpointError(ValueError):
    """The file is not whole, of another version, or of other work; ``--restart`` begins anew."""


class Span(msgspec.Struct, array_like=True):
    """Of one input partition: the first offset of its log, the next one to take, and the one to end before."""

    topic: str
    partition: int
    low: int
    next: int
    end: int


class Work(msgspec.Struct, array_like=True):
    """What is being built, and how far: fixed at the start but for `rows`, `spans` and the counts.

    Attributes
    ----------
    kind
        ``bootstrap`` or ``rebuild``, with whatever else makes work of its own: files, learning, partitions.
    topic_ids
        Of all topics that are consumed.
    counts
        See `stores.generations.Generation`.
    trained_to
        Offset in `training-examples` up to which the model has learned, or that its learning begins at.
    version
        Of the model's last snapshot.
    rows
        Taken from files.
    spans
        Of the topics that state comes of.
    records, unusable
        Taken so far; of these, how many meant nothing, by reason.
    seconds
        Spent so far.
    not_before
        When producers know of new partitions (ms): until then records come in the old ones.
    """

    kind: str
    topic_ids: dict[str, str]
    counts: tuple[int, ...]
    trained_to: int
    version: int
    spans: list[Span]
    rows: int = 0
    files_done: bool = False
    records: int = 0
    unusable: dict[str, int] = msgspec.field(default_factory=dict)
    seconds: float = 0.0
    not_before: int = 0


class Checkpoint(msgspec.Struct, array_like=True):
    """The whole: `Work` and the builder's content, packed as in the store."""

    work: Work
    members: dict[str, bytes]
    jobs: dict[str, bytes]
    neighbours: dict[str, bytes]
    shown: dict[str, tuple[bytes, int]]
    due: dict[int, list[Due]]
    closed: dict[int, int]
    clock: int
    model: bytes
    marks: dict[str, Mark]
    counts: tuple[int, int, int, int]
    networks: dict[str, bytes]
    erased: dict[str, int]
    passed: dict[str, bytes] = msgspec.field(default_factory=dict)


def save(path: Path, work: Work, builder: Builder, marks: dict[str, Mark]) -> int:
    """Write what there is, in place of what was there before; bytes written. Raises OSError."""
    body = msgspec.msgpack.encode(Checkpoint(
        work,
        {key: pack(state) for key, state in builder.members.items()},
        {key: pack(state) for key, state in builder.jobs.items()},
        {key: pack(row) for key, row in builder.neighbours.items()},
        {key: (shown_lists.pack(kept.shown), kept.until) for key, kept in builder.shown.items()},
        {partition: list(waiting) for partition, waiting in builder.due.items()},
        builder.closed, builder.clock,
        snapshots.pack(snapshots.take(builder.model, version=0, now=0, code_version="")),
        marks, builder.counts(), {key: pack(network) for key, network in builder.networks.items()}, builder.erased,
        {key: passed_over.pack(passed) for key, passed in builder.passed.items()},
    ))  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, FORMAT + _checksum(body) + body)
    return len(body)


def load(path: Path, kind: str, settings: Settings, learn: float) -> tuple[Work, Builder, dict[str, Mark]] | None:
    """What was saved there; None if nothing was.

    Raises
    ------
    UnusableCheckpointError
        It cannot be gone on with.
    """
    try:
        value = path.read_bytes()
    except FileNotFoundError:
        return None
    body = value[len(FORMAT) + _CHECKSUM_BYTES :]
    again = "run it with --restart to begin anew"
    if value[:1] != FORMAT:
        raise UnusableCheckpointError(f"{path} was written by another version of streamrec: {again}")
    if value[1 : 1 + _CHECKSUM_BYTES] != _checksum(body):
        raise UnusableCheckpointError(f"{path} is damaged: {again}")
    try:
        found = msgspec.msgpack.decode(body, type=Checkpoint)
        if found.work.kind != kind:
            raise UnusableCheckpointError(
                f"{path} is of other work than this (other files, options or topics): {again}"
            )
        return found.work, _restored(found, settings, learn), found.marks
    except (*DAMAGED, snapshots.UnreadableSnapshotError, snapshots.OtherModelError) as error:
        raise UnusableCheckpointError(f"{path}: {error}: {again}") from error


def _restored(found: Checkpoint, settings: Settings, learn: float) -> Builder:
    builder = Builder(settings, found.work.topic_ids, found.marks, learn, found.erased)
    builder.members = {key: unpack(MemberState, value) for key, value in found.members.items()}
    builder.jobs = {key: unpack(JobState, value) for key, value in found.jobs.items()}
    builder.neighbours = {key: unpack(Neighbours, value) for key, value in found.neighbours.items()}
    builder.networks = {key: unpack(Network, value) for key, value in found.networks.items()}
    builder.shown = {key: Kept(shown_lists.unpack(value), until) for key, (value, until) in found.shown.items()}
    builder.passed = {key: passed_over.unpack(value) for key, value in found.passed.items()}
    builder.due = {partition: deque(waiting) for partition, waiting in found.due.items()}
    builder.closed, builder.clock = found.closed, found.clock
    snapshots.restore(builder.model, snapshots.unpack(found.model))
    builder.resume(found.counts)
    return builder


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(FORMAT + body, digest_size=_CHECKSUM_BYTES).digest()
