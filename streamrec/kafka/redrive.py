"""Sending dead letters again, to the topic that they came from.

Each letter is judged first, by the very check that its consumer makes; what is to be sent goes out in batches: the records,
all acknowledged, then their marks (see `kafka.letters`). So whatever ends it, at most one batch is sent twice later on, and
its consumers drop that. They cannot if a fix gave the record another key the second time: it would have another owner. So
after a crash the same fixes are to be used again.

Memory is bounded but for some hundred bytes a letter: what is sent is read, judged and let go of batch by batch.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from streamrec import codecs
from streamrec.codecs import Redriven, redriven
from streamrec.codecs.mending import Fix, FixError, mend
from streamrec.events import Rejected
from streamrec.kafka.letters import NOT_A_LETTER, Letter, mark
from streamrec.kafka.producer import Delivered, ProduceFailedError, Producer, Record
from streamrec.kafka.reader import read
from streamrec.settings import Settings
from streamrec.topics import DEAD_LETTERS, JOB_ACTIVITY, TRAINING_EXAMPLES, load

DERIVED: Final = (
    JOB_ACTIVITY,
    TRAINING_EXAMPLES,
)  # their consumers take each source in order: what comes late is dropped
_WITHOUT_FIELDS: Final = ("unknown_schema", "undecodable", "too_long")
_BATCH: Final = 200  # records
_BATCH_BYTES: Final = 4_000_000

EntityKey = tuple[str, bytes]  # topic, key


class Kept(msgspec.Struct, frozen=True):
    """Why a letter is not sent: a fixed word, the same for people, and whether ``--force`` would send it."""

    reason: str
    detail: str
    forcible: bool = False


class Newest(msgspec.Struct):
    """The last record of an entity in each partition: ``(offset, timestamp, identity of a redriven one)``."""

    places: dict[int, tuple[int, int, str]] = msgspec.field(default_factory=dict)


class Judge:
    """What is to become of a letter.

    Parameters
    ----------
    settings
        `clock_skew_ms` of the check.
    fixes
        Applied before the check.
    now_ms
        The name `now` in fixes, and the clock of the check: the same for all letters and passes.
    force
        Send also what will be rejected again, or is outdated.
    """

    def __init__(self, settings: Settings, fixes: Sequence[Fix], now_ms: int, *, force: bool = False) -> None:
        self._skew_ms, self._fixes, self._now_ms, self._force = settings.clock_skew_ms, fixes, now_ms, force
        self.newest: Mapping[EntityKey, Newest] = {}

    def __call__(self, letter: Letter) -> Record | Kept:
        """The record to send, or why none.

        Raises
        ------
        FixError
            A fix does not fit this letter; the message names both.
        """
        dead, spec = letter.letter, load().get(letter.letter.topic)
        if dead.reason == NOT_A_LETTER or spec is None or spec.name == DEAD_LETTERS:
            return Kept(NOT_A_LETTER, "nothing says where it came from: see `streamrec dead-letters show`")
        if spec.name in DERIVED:
            return Kept("derived", f"{spec.name} is derived from events in order; one sent late would be dropped")
        key, value = dead.key, dead.value
        if self._fixes:
            names = {"failed_at": dead.failed_at, "now": self._now_ms, "origin": str(letter.case.origin)}
            try:
                mended = mend(spec.schema, key, value, self._fixes, names)
            except FixError as error:
                raise FixError(f"letter {letter.id} ({dead.topic}, {dead.reason}): {error}") from error
            if isinstance(mended, Rejected):
                return Kept(mended.reason, f"{mended.detail}: so --fix has no fields to mend")
            key, value = mended
        found = codecs.decode_record(spec.schema, key, value, self._now_ms, self._skew_ms, spec.tombstones)
        if isinstance(found, Rejected) and not self._force:
            return Kept(found.reason, found.detail + ("" if self._fixes else _remedy(found, value)), forcible=True)
        if not self._force and spec.cleanup == "compact" and key is not None and self._outdated(letter, key):
            return Kept("outdated", "its topic has a newer record of this key, which it would replace", forcible=True)
        case = Redriven(letter.case.origin, letter.case.attempt + 1)
        return Record(spec.name, key, value, headers=case.headers(dead.headers))

    def _outdated(self, letter: Letter, key: bytes) -> bool:
        """Where the letter was, offsets tell; elsewhere only what came after it had failed is certainly newer."""
        dead = letter.letter
        newest = self.newest.get((dead.topic, key), Newest())
        return any(
            (offset > dead.offset if partition == dead.partition else timestamp > dead.failed_at)
            for partition, (offset, timestamp, identity) in newest.places.items()
            if identity != letter.case.origin.identity  # sent by somebody who died before marking it
        )


def _remedy(found: Rejected, value: bytes | None) -> str:
    if value is None:
        return "; nothing can be done without --fix that names every field"
    return "" if found.reason in _WITHOUT_FIELDS else "; --fix can mend it"


def compacted(record: Record) -> EntityKey | None:
    """Topic and key of a record whose newest replaces the ones before; None for an event.

    Examples
    --------
    >>> compacted(Record("job-postings", b"j1", None)), compacted(Record("job-views", b"m1", b"..."))
    (('job-postings', b'j1'), None)
    """
    return (record.topic, record.key) if record.key is not None and load()[record.topic].cleanup == "compact" else None


def newest(settings: Settings, wanted: set[EntityKey]) -> dict[EntityKey, Newest]:
    """The last records of the `wanted` entities, by reading their topics; raises as `read` does."""
    found: dict[EntityKey, Newest] = {}
    for topic in sorted({topic for topic, _ in wanted}):
        for stored in read(settings, topic):
            if stored.key is not None and (topic, stored.key) in wanted:
                again = redriven(topic, stored.headers)
                identity = again.origin.identity if again else ""
                entity = found.setdefault((topic, stored.key), Newest())
                entity.places[stored.partition] = (stored.offset, stored.timestamp, identity)
    return found


class Sent(msgspec.Struct):
    """How far it came; `failures` holds a few reasons of what was not acknowledged."""

    sent: Counter[str] = msgspec.field(default_factory=Counter)  # by topic
    failed: int = 0
    failures: list[str] = msgspec.field(default_factory=list)
    interrupted: bool = False


def send(
    records: Iterable[tuple[Letter, Record]],
    producer: Producer,
    patience_s: float,
    stop: Callable[[], bool],
    report: Callable[[int], None],
) -> Sent:
    """Send `records` and mark their letters, batch by batch.

    Parameters
    ----------
    records
        Taken lazily: two batches are in memory at most.
    producer, patience_s
        How long a batch may take.
    stop
        Asked after each batch.
    report
        Told how many more are done.

    Raises
    ------
    ProduceFailedError
        Records were sent whose marks are not acknowledged; the message says how many.
    """
    return asyncio.run(_send(records, producer, patience_s, stop, report))


async def _send(
    records: Iterable[tuple[Letter, Record]],
    producer: Producer,
    patience_s: float,
    stop: Callable[[], bool],
    report: Callable[[int], None],
) -> Sent:
    done = Sent()
    for batch in _batches(records):
        outcomes = await producer.send([record for _, record in batch], patience_s)
        now_ms = time.time_ns() // 1_000_000
        marks = []
        for (letter, record), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                marks.append(mark(letter, record, outcome, now_ms))
                done.sent[record.topic] += 1
            else:
                done.failed += 1
                done.failures = [*done.failures, f"letter {letter.id}: {outcome}"][:5]
        try:
            await producer.send_all(marks, patience_s)
        except ProduceFailedError as error:
            raise ProduceFailedError(
                f"{done.sent.total():,} are sent again, the last {len(marks):,} of them without a mark ({error}): they "
                "will be sent once more, and their consumers drop that"
            ) from error
        report(len(batch))
        if not marks or stop():
            done.interrupted = bool(marks)
            break
    return done


def _batches(records: Iterable[tuple[Letter, Record]]) -> Iterator[list[tuple[Letter, Record]]]:
    batch: list[tuple[Letter, Record]] = []
    size = 0
    for letter, record in records:
        batch.append((letter, record))
        size += len(record.value or b"")
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
