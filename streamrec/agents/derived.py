"""Derived records: what a source batch means for the owners of other state.

They travel packed, one record for a source batch and destination partition, and are a function of log and state alone. Each
entry carries the offset of its source record and its index in it; entries of one source arrive in that order, so a consumer
keeps one mark a source and drops what lies at or below it. Batch boundaries may differ after a restart: marks are by entry.

They carry the generation of the state that they were derived from in a header. Whoever folds them leaves out those of other
generations: a generation's own owners derive everything anew from where it begins (see `streamrec.building`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from streamrec import codecs, metrics
from streamrec.agents.transport import Record as Consumed
from streamrec.events import ActivityEntry, JobActivity, MemberActivity, NetworkEntry
from streamrec.features.fold import Effect
from streamrec.features.network import Note
from streamrec.kafka.producer import Record
from streamrec.partitioner import partition_of
from streamrec.stores.positions import Mark
from streamrec.topics import topic_of

MAX_RECORD_BYTES: Final = 400_000  # well below the brokers' default of 1 MB
GENERATION: Final = "generation"  # the header; records of an installation's first generation have none

Entry = TypeVar("Entry", ActivityEntry, NetworkEntry)


class Buffer(ABC, Generic[Entry]):
    """Collects what the records of one source batch mean, and packs it by destination partition.

    Parameters
    ----------
    topic, topic_id, partition
        The source.
    partitions
        Of the destination.
    """

    def __init__(self, topic: str, topic_id: str, partition: int, partitions: int, generation: str = "") -> None:
        self._source = (topic, topic_id, partition)
        self._headers = ((GENERATION, generation.encode()),) if generation else ()
        self._partitions = partitions
        self._entries: dict[int, list[Entry]] = {}

    def records(self) -> Iterator[Record]:
        """The records to produce, entries of each in order, none larger than MAX_RECORD_BYTES unless it has one entry only."""
        for destination, entries in sorted(self._entries.items()):
            yield from self._packed(destination, entries)

    def _packed(self, destination: int, entries: list[Entry]) -> Iterator[Record]:
        record = self._record(destination, entries)
        if len(record.value or b"") <= MAX_RECORD_BYTES or len(entries) == 1:
            yield record
            return
        half = len(entries) // 2  # rare: to add up sizes beforehand would cost every entry what this costs a few
        yield from self._packed(destination, entries[:half])
        yield from self._packed(destination, entries[half:])

    def _put(self, owner: str, entry: Entry) -> None:
        self._entries.setdefault(partition_of(owner, self._partitions), []).append(entry)

    def _record(self, destination: int, entries: list[Entry]) -> Record:
        topic, _, partition = self._source
        activity = self._wrap(tuple(entries))
        return Record(
            topic=topic_of(type(activity).__name__).name, key=f"{topic}/{partition}".encode(),
            value=codecs.encode(activity), partition=destination, headers=self._headers,
        )  # fmt: skip

    @abstractmethod
    def _wrap(self, entries: tuple[Entry, ...]) -> JobActivity | MemberActivity:
        """The record that carries `entries`."""


def entry_of(effect: Effect, offset: int = 0, index: int = 0) -> ActivityEntry:
    """The effect that has this `index` among those of the source record at `offset`, as it travels."""
    return ActivityEntry(
        offset=offset, index=index, job_id=effect.job_id, occurred_at=effect.occurred_at, action=effect.action,
        sign=effect.sign, first=effect.first, neighbours=effect.neighbours, said=effect.said, toucher=effect.toucher,
        repeats=effect.repeats,
    )  # fmt: skip


class ActivityBuffer(Buffer[ActivityEntry]):
    """For the owners of jobs."""

    def add(self, offset: int, effects: Iterable[Effect]) -> None:
        """Add what the source record at `offset` did; offsets must not fall."""
        for index, effect in enumerate(effects):
            self._put(effect.job_id, entry_of(effect, offset, index))

    def _wrap(self, entries: tuple[ActivityEntry, ...]) -> JobActivity:
        topic, topic_id, partition = self._source
        return JobActivity(
            source_topic=topic, source_topic_id=topic_id, source_partition=partition, entries=entries
        )  # fmt: skip


class NetworkBuffer(Buffer[NetworkEntry]):
    """For the owners of connections."""

    def add(self, offset: int, notes: Iterable[Note], index: int = 0) -> int:
        """Add what connections are told of the source record at `offset`; the index that comes next.

        Neither offsets nor, within one, indices may fall. Each note takes as many indices as there are partitions, so that
        the same note has the same ones whoever is told.
        """
        for note in notes:
            told: dict[int, list[str]] = {}
            for member_id in note.told:
                told.setdefault(partition_of(member_id, self._partitions), []).append(member_id)
            for destination, members in told.items():
                entry = NetworkEntry(
                    offset=offset, index=index + destination, kind=note.kind, member_id=note.member_id,
                    told=tuple(members), occurred_at=note.occurred_at, job_id=note.job_id, action=note.action,
                    sign=note.sign, connected=note.connected, company=note.company,
                )  # fmt: skip
                self._entries.setdefault(destination, []).append(entry)
            index += self._partitions
        return index

    def _wrap(self, entries: tuple[NetworkEntry, ...]) -> MemberActivity:
        topic, topic_id, partition = self._source
        return MemberActivity(
            source_topic=topic, source_topic_id=topic_id, source_partition=partition, entries=entries
        )  # fmt: skip


def generation_of(record: Consumed) -> str:
    """Id of the generation that a derived record was made from."""
    return next((value.decode(errors="replace") for name, value in record.headers if name == GENERATION), "")


def is_applied(mark: Mark | None, topic_id: str, offset: int, index: int) -> bool:
    """Whether the entry lies at or below its source's mark. A mark of another topic id says nothing.

    Examples
    --------
    >>> mark = Mark("id", 7, 1)
    >>> is_applied(mark, "id", 7, 1), is_applied(mark, "id", 7, 2), is_applied(mark, "new", 3, 0), is_applied(None, "id", 0, 0)
    (True, False, False, False)
    """
    return mark is not None and mark.topic_id == topic_id and (offset, index) <= (mark.offset, mark.index)


def fresh_entries(stored: Mapping[str, Mark], raised: dict[str, Mark], activity: Any) -> list[Any]:
    """Entries of a `JobActivity` or `MemberActivity` above their source's mark.

    Parameters
    ----------
    stored
        Marks by source, as the store holds them.
    raised
        Marks of the batch in hand; moved up to the last of the entries, in place.
    """
    source, topic_id = f"{activity.source_topic}/{activity.source_partition}", activity.source_topic_id
    mark = raised.get(source, stored.get(source))
    fresh = [entry for entry in activity.entries if not is_applied(mark, topic_id, entry.offset, entry.index)]
    if fresh:
        raised[source] = Mark(topic_id, fresh[-1].offset, fresh[-1].index)
    if dropped := len(activity.entries) - len(fresh):
        metrics.SKIPPED.labels(topic_of(type(activity).__name__).name).inc(dropped)
    return fresh
