"""Derived records: what a source batch means for the owners of other state.

They travel packed, one record for a source batch and destination partition, and are a function of log and state alone. Each
entry carries the offset of its source record and its index in it; entries of one source arrive in that order, so a consumer
keeps one mark a source and drops what lies at or below it. Batch boundaries may differ after a restart: marks are by entry.

They carry the generation of the state that they were derived from in a header. Whoever folds them leaves out those of other
generations: a generation's own owners derive everything anew from where it begins (see `streamrec.building`).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from streamrec import codecs
from streamrec.agents.transport import Record as Consumed
from streamrec.events import ActivityEntry, JobActivity
from streamrec.features.fold import Effect
from streamrec.kafka.producer import Record
from streamrec.partitioner import partition_of
from streamrec.stores.positions import Mark

MAX_RECORD_BYTES: Final = 400_000  # well below the brokers' default of 1 MB
GENERATION: Final = "generation"  # the header; records of an installation's first generation have none
_ENTRY_BYTES, _NEIGHBOUR_BYTES = 40, 10  # besides the ids


class ActivityBuffer:
    """Collects the effects of one source batch and packs them by destination partition."""

    def __init__(self, topic: str, topic_id: str, partition: int, partitions: int, generation: str = "") -> None:
        self._source = (topic, topic_id, partition)
        self._headers = ((GENERATION, generation.encode()),) if generation else ()
        self._partitions = partitions
        self._entries: dict[int, list[ActivityEntry]] = {}

    def add(self, offset: int, effects: Iterable[Effect]) -> None:
        """Add what the source record at `offset` did; offsets must not fall."""
        for index, effect in enumerate(effects):
            entry = ActivityEntry(
                offset=offset, index=index, job_id=effect.job_id, occurred_at=effect.occurred_at, action=effect.action,
                sign=effect.sign, first=effect.first, neighbours=effect.neighbours,
            )  # fmt: skip
            self._entries.setdefault(partition_of(effect.job_id, self._partitions), []).append(entry)

    def records(self) -> Iterator[Record]:
        """The records to produce to ``job-activity``, entries of each in order, none much larger than MAX_RECORD_BYTES."""
        for destination, entries in sorted(self._entries.items()):
            chunk: list[ActivityEntry] = []
            size = 0
            for entry in entries:
                chunk.append(entry)
                size += _ENTRY_BYTES + len(entry.job_id)
                size += sum(_NEIGHBOUR_BYTES + len(job_id) for job_id, _ in entry.neighbours)
                if size >= MAX_RECORD_BYTES:
                    yield self._record(destination, chunk)
                    chunk, size = [], 0
            if chunk:
                yield self._record(destination, chunk)

    def _record(self, destination: int, entries: list[ActivityEntry]) -> Record:
        topic, topic_id, partition = self._source
        activity = JobActivity(
            source_topic=topic, source_topic_id=topic_id, source_partition=partition, entries=tuple(entries)
        )
        key = f"{topic}/{partition}".encode()
        value = codecs.encode(activity)
        return Record(topic="job-activity", key=key, value=value, partition=destination, headers=self._headers)


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
