"""Reading a topic from some offset to its present end, by no group: nothing is committed, nobody else is disturbed."""

import time
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaUnavailableError, explained, open_client
from streamrec.settings import Settings

_MANY: Final = 1000  # records taken at once
_POLL_S: Final = 0.05  # `consume` waits as long for the rest of so many, even at the end of the log


class Stored(msgspec.Struct, frozen=True):
    """A record as it is in the log; `timestamp` is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def read(
    settings: Settings, topic: str, start: Mapping[int, int] | None = None, patience_s: float = 10.0
) -> Iterator[Stored]:
    """All records of `topic` that are there now, in order within each partition.

    Parameters
    ----------
    settings
        Where Kafka is.
    topic
        Its name; one that does not exist has no records.
    start
        First offset by partition, of the partitions to read; default: all from the beginning.
    patience_s
        How long to wait for the next record, once Kafka has answered at all.

    Raises
    ------
    KafkaUnavailableError
        Kafka does not answer, or stops answering.
    KafkaRefusedError
        It answers with an error.
    """
    bounds = Admin(settings).watermarks(topic)
    wanted = start if start is not None else dict.fromkeys(bounds, 0)
    ends = {}
    places = []
    for partition, offset in wanted.items():
        low, high = bounds.get(partition, (0, 0))
        first = max(offset, low)  # what lies before has been deleted
        if first < high:
            ends[partition] = high
            places.append(TopicPartition(topic, partition, first))
    if not places:
        return
    consumer = open_client(Consumer, settings, "reader", {
        "group.id": "streamrec-reader",  # the client wants one; it is never joined, and nothing is committed
        "enable.auto.commit": False,
        "enable.partition.eof": True,  # where the last records before the end were compacted away
    })  # fmt: skip
    try:
        consumer.assign(places)
        yield from _until(consumer, settings, ends, patience_s)
    finally:
        consumer.close()


def _until(consumer: Consumer, settings: Settings, ends: dict[int, int], patience_s: float) -> Iterator[Stored]:
    heard = time.monotonic()
    while ends:
        messages = consumer.consume(_MANY, _POLL_S)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() > heard + patience_s:
            raise KafkaUnavailableError(f"Kafka at {settings.kafka} has not sent a record for {patience_s:g} s")
        for message in messages:
            partition, error = message.partition(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise explained(error, settings)
            if partition not in ends:
                continue  # written after we began
            if error is None and message.offset() < ends[partition]:
                yield stored(message)
            if error is not None or message.offset() >= ends[partition] - 1:
                del ends[partition]


def read_one(settings: Settings, topic: str, partition: int, offset: int) -> Stored | None:
    """The record at one offset; None if there is none (any more). Raises as `read` does."""
    records = read(settings, topic, {partition: offset})
    try:
        found = next(records, None)
    finally:
        records.close()  # type: ignore[attr-defined]
    return found if found is not None and found.offset == offset else None


def stored(message: Message) -> Stored:
    """A record of the client's as a value."""
    return Stored(
        message.topic(), message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(),
        tuple(message.headers() or ()),
    )  # fmt: skip
