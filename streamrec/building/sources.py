"""A past log as records in the order of time: from files, or from the installation's own topics."""

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from streamrec import codecs, topics
from streamrec.agents.labels import IMPRESSIONS
from streamrec.building.builder import Past
from streamrec.codecs import Message
from streamrec.events import Rejected, Tombstone
from streamrec.kafka.ends import Place
from streamrec.kafka.merged import MergedLog
from streamrec.kafka.reader import Stored
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from streamrec.topics import JOB_ACTIVITY, JOB_TOPICS, MEMBER_ACTIVITY, MEMBER_TOPICS
from streamrec.training.replay import Due, Replay
from streamrec.training.rows import BadRow
from streamrec.training.tables import open_table

SOURCES: Final = (
    *(name for name in (*MEMBER_TOPICS, *JOB_TOPICS) if name not in (JOB_ACTIVITY, MEMBER_ACTIVITY)),
)  # state comes of these


class Unusable(msgspec.Struct, frozen=True):
    """A record or row that means nothing: where it is, a word for its kind, and what is wrong for people."""

    where: str
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}: {self.detail}"


class Files(msgspec.Struct, frozen=True):
    """A log in files, as ``streamrec replay`` takes them; several logs are merged by time."""

    logs: tuple[Path, ...]
    catalogue: Path | None = None
    members: Path | None = None
    event_names: dict[str, str] = {}
    columns: dict[str, str] = {}

    def fingerprint(self) -> str:
        """Names, sizes and options: work that was begun with other files is not gone on with."""
        files = [path for path in (*self.logs, self.catalogue, self.members) if path is not None]
        sizes = [f"{path.resolve()}:{path.stat().st_size}" for path in files]
        return "\n".join((*sizes, repr(sorted(self.event_names.items())), repr(sorted(self.columns.items()))))


class FileLog:
    """The records of files. A row is a record of its own also where its event is equal to another's.

    Raises
    ------
    ValueError
        A file cannot be read as a log, or an option does not fit it: as by `Replay`.
    """

    def __init__(self, files: Files, settings: Settings) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._replays = [
            Replay(
                log, None if number else files.catalogue, None if number else files.members,
                event_names=files.event_names, columns=_columns(files, number), now_ms=now_ms,
                skew_ms=settings.clock_skew_ms,
            )
            for number, log in enumerate(files.logs)
        ]  # fmt: skip
        self.warnings = [warning for replay in self._replays for warning in replay.warnings]

    @property
    def progress(self) -> float:
        """Share that has been read, 0 to 1."""
        return sum(replay.progress for replay in self._replays) / len(self._replays)

    def __iter__(self) -> Iterator[Past | Unusable]:
        """Records in the order of their times; raises FileError as `Replay` does."""
        for _, item in heapq.merge(*map(_timed, self._replays), key=lambda pair: pair[0]):
            if isinstance(item, BadRow):
                yield Unusable(f"{item.file}:{item.line}", item.reason, item.detail)
            else:
                yield Past(item.at, item.topic, item.event)


def _columns(files: Files, number: int) -> dict[str, str]:
    """The names of columns that mean a log: the first one comes with catalogue and members, the others have fewer."""
    if not number:
        return files.columns
    there = open_table(files.logs[number]).columns
    return {name: column for name, column in files.columns.items() if column in there}


def _timed(replay: Replay) -> Iterator[tuple[int, Due | BadRow]]:
    latest = 0
    for item in replay:
        latest = item.at if isinstance(item, Due) else latest
        yield latest, item


class TopicLog:
    """The records of the installation's topics, merged by the time at which they were written.

    Parameters
    ----------
    settings
        Of the installation.
    spans
        By topic and partition, the first offset and the one to end before.
    counts
        Partition counts by which keys were partitioned, now and in former times.
    """

    def __init__(self, settings: Settings, spans: Mapping[Place, tuple[int, int]], counts: Sequence[int]) -> None:
        self._specs, self._counts, self._skew_ms = topics.load(), tuple(counts), settings.clock_skew_ms
        # Impressions are written a moment after the answer: actions on it must not come before them.
        self._log = MergedLog(settings, spans, {IMPRESSIONS: int(settings.idle_watermark_s * 1000)})

    def __iter__(self) -> Iterator[tuple[Stored, Past | Unusable]]:
        """Records as they are in the log, with what they say; raises KafkaUnavailableError, KafkaRefusedError."""
        for record in self._log:
            event = self._decoded(record)
            if isinstance(event, Rejected):
                where = f"{record.topic}/{record.partition} at {record.offset}"
                yield record, Unusable(where, event.reason, event.detail)
            else:
                yield record, Past(record.timestamp, record.topic, event, record.partition, record.offset)

    def _decoded(self, record: Stored) -> Message | Tombstone | Rejected:
        spec = self._specs[record.topic]
        now_ms = time.time_ns() // 1_000_000
        event = codecs.decode_record(
            spec.schema, record.key, record.value, now_ms, self._skew_ms, tombstones=spec.tombstones
        )
        if isinstance(event, Rejected):
            return event
        owner = (record.key or b"").decode()
        if any(partition_of(owner, count) == record.partition for count in self._counts):
            return event
        return Rejected("wrong_partition", f"the key does not belong there with {self._counts[-1]} partitions")
