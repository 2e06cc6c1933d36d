"""Several topics read as one log: each partition in order, all of them merged by the time at which records were written."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from streamrec.kafka.client import KafkaUnavailableError, explained, open_client
from streamrec.kafka.ends import Place
from streamrec.kafka.reader import Stored, stored
from streamrec.settings import Settings

_MANY: Final = 2000  # records taken at once
_POLL_S: Final = 0.2
_FULL: Final = 20_000  # records of a partition that wait for those of others: then it is paused
_LOW: Final = 2_000  # … and read on


class MergedLog:
    """Records of many partitions in the order of their timestamps; within a partition in that of their offsets.

    Read by no group: nothing is committed, nobody else is disturbed. A partition that is far ahead of the others in time is
    paused, so that memory is bounded by some thousand records a partition.

    Parameters
    ----------
    settings
        Where Kafka is.
    spans
        By topic and partition the first offset to read, and the one to end before. What was compacted away between them
        is passed over.
    lead_ms
        By topic, how much earlier than written its records are taken.
    patience_s
        How long to wait for the next record.
    """

    def __init__(
        self, settings: Settings, spans: Mapping[Place, tuple[int, int]], lead_ms: Mapping[str, int] | None = None,
        patience_s: float = 10.0,
    ) -> None:  # fmt: skip
        self._settings, self._lead_ms, self._patience_s = settings, lead_ms or {}, patience_s
        self._ends = {place: end for place, (start, end) in spans.items() if start < end}
        self._starts = {place: spans[place][0] for place in self._ends}
        self._read: dict[Place, deque[Stored]] = {place: deque() for place in self._ends}
        self._open = set(self._ends)  # not read to the end yet
        self._paused: set[Place] = set()

    def __iter__(self) -> Iterator[Stored]:
        """The records.

        Raises
        ------
        KafkaUnavailableError
            Kafka does not answer, or stops answering.
        KafkaRefusedError
            It answers with an error.
        """
        if not self._ends:
            return
        consumer = open_client(Consumer, self._settings, "builder", {
            "group.id": "streamrec-builder",  # the client wants one; it is never joined, and nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        })  # fmt: skip
        try:
            consumer.assign([TopicPartition(*place, offset) for place, offset in self._starts.items()])
            yield from self._merge(consumer)
        finally:
            consumer.close()

    def _merge(self, consumer: Consumer) -> Iterator[Stored]:
        heads: list[tuple[int, Place]] = []  # the next record of each partition, by time
        missing = set(self._ends)  # partitions whose next record is not known
        while True:
            if missing:
                self._fill(consumer, missing)
                for place in missing:
                    if self._read[place]:
                        heappush(heads, (self._at(self._read[place][0]), place))
                missing = set()
            if not heads:
                return
            _, place = heappop(heads)
            waiting = self._read[place]
            yield waiting.popleft()
            if waiting:
                heappush(heads, (self._at(waiting[0]), place))
            elif place in self._open:
                missing.add(place)
            if place in self._paused and len(waiting) <= _LOW:
                self._paused.discard(place)
                consumer.resume([TopicPartition(*place)])

    def _at(self, record: Stored) -> int:
        return record.timestamp - self._lead_ms.get(record.topic, 0)

    def _fill(self, consumer: Consumer, missing: set[Place]) -> None:
        """Read until each of `missing` has a record, or has ended."""
        heard = time.monotonic()
        while any(place in self._open and not self._read[place] for place in missing):
            messages = consumer.consume(_MANY, _POLL_S)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() > heard + self._patience_s:
                raise KafkaUnavailableError(
                    f"Kafka at {self._settings.kafka} has not sent a record for {self._patience_s:g} s"
                )
            full = set()
            for message in messages:
                place, error = (message.topic(), message.partition()), message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise explained(error, self._settings)
                if place not in self._open:
                    continue  # written after the end that was asked for
                end, offset = self._ends[place], message.offset()
                if error is None and offset < end:
                    self._read[place].append(stored(message))
                    if len(self._read[place]) >= _FULL:
                        full.add(place)
                if error is not None or offset >= end - 1:
                    self._open.discard(place)
            if full := (full & self._open) - self._paused - missing:
                self._paused |= full
                consumer.pause([TopicPartition(*place) for place in full])
