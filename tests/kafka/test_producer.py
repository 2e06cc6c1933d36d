"""Batches on the embedded broker: acknowledged in order, failures by record, and murmur2 of the key."""

import asyncio
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from streamrec.kafka.producer import Delivered, ProduceFailedError, Producer, Record
from streamrec.kafka.reader import read
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from tests.brokers import make_topic


@pytest.fixture
def settings(broker: Server) -> Settings:
    return Settings(kafka=broker.address)


@pytest.fixture
def topic(broker: Server) -> str:
    name = uuid.uuid4().hex
    make_topic(broker.address, name, 4)
    return name


@pytest.fixture
def producer(settings: Settings) -> Iterator[Producer]:
    producer = Producer(settings)
    yield producer
    producer.close()
    producer.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.servers
def test_a_batch_is_in_the_log_in_order_where_the_outcomes_say(
    producer: Producer, settings: Settings, topic: str
) -> None:
    records = [Record(topic, f"k{number % 50}".encode(), str(number).encode()) for number in range(3000)]
    outcomes = asyncio.run(producer.send(records, 20))
    stored = {(record.partition, record.offset): record for record in read(settings, topic)}
    assert len(stored) == len(records)
    for record, outcome in zip(records, outcomes, strict=True):
        assert isinstance(outcome, Delivered)
        found = stored[outcome.partition, outcome.offset]
        assert (found.key, found.value) == (record.key, record.value)
    for partition in range(4):
        numbers = [int(record.value or b"") for place, record in sorted(stored.items()) if place[0] == partition]
        assert numbers == sorted(numbers)


@pytest.mark.servers
def test_a_key_goes_where_every_part_of_streamrec_looks_for_it(producer: Producer, topic: str) -> None:
    keys = [f"member-{number}-ü" for number in range(200)]
    outcomes = asyncio.run(producer.send([Record(topic, key.encode(), b"") for key in keys], 20))
    assert [outcome.partition for outcome in outcomes if isinstance(outcome, Delivered)] == [
        partition_of(key, 4) for key in keys
    ]


@pytest.mark.servers
def test_partition_headers_and_null_values_are_kept(producer: Producer, settings: Settings, topic: str) -> None:
    record = Record(topic, b"k", None, partition=3, headers=(("a", b"1"), ("a", b"")))
    assert asyncio.run(producer.send([record], 20)) == [Delivered(3, 0)]
    (stored,) = read(settings, topic)
    assert (stored.partition, stored.key, stored.value, stored.headers) == (3, b"k", None, record.headers)
    assert abs(stored.timestamp - time.time() * 1000) < 60_000


@pytest.mark.servers
def test_one_bad_record_fails_alone(producer: Producer, topic: str) -> None:
    records = [Record(topic, b"k", b"a"), Record(topic, b"k", bytes(3_000_000)), Record(topic, b"k", b"b")]
    first, second, third = asyncio.run(producer.send(records, 20))
    assert isinstance(first, Delivered)
    assert isinstance(second, ProduceFailedError)
    assert "Message size too large" in str(second)
    assert isinstance(third, Delivered)
    assert third.offset == first.offset + 1
    with pytest.raises(ProduceFailedError, match=f"1 of 3 records are not acknowledged: {topic}: "):
        asyncio.run(producer.send_all(records, 20))


@pytest.mark.servers
def test_a_dead_letter_of_the_largest_record_fits(producer: Producer, topic: str) -> None:
    asyncio.run(producer.send_all([Record(topic, None, bytes(1_100_000))], 20))


@pytest.mark.servers
def test_batches_at_the_same_time_do_not_mix(producer: Producer, topic: str) -> None:
    async def many() -> list[list[object]]:
        batches = [[Record(topic, None, b"x", partition=number % 4)] * 300 for number in range(8)]
        return [list(outcomes) for outcomes in await asyncio.gather(*(producer.send(batch, 20) for batch in batches))]

    places = set()
    for number, outcomes in enumerate(asyncio.run(many())):
        for outcome in outcomes:
            assert isinstance(outcome, Delivered)
            assert outcome.partition == number % 4
            places.add((outcome.partition, outcome.offset))
    assert len(places) == 8 * 300


@pytest.mark.servers
def test_an_empty_batch_is_done_at_once(producer: Producer) -> None:
    assert asyncio.run(producer.send([], 0)) == []


@pytest.mark.servers
def test_the_sender_is_not_held_while_kafka_is_waited_for(producer: Producer, topic: str) -> None:
    """The acknowledgement of a small batch comes within milliseconds: no waiting for a poll interval to end."""

    async def rounds() -> float:
        await producer.send_all([Record(topic, b"k", b"warm")], 20)
        started = time.monotonic()
        for _ in range(20):
            await producer.send_all([Record(topic, b"k", b"x")], 20)
        return (time.monotonic() - started) / 20

    assert asyncio.run(rounds()) < 0.08


def test_without_kafka_a_batch_fails_in_time(silent_port: int) -> None:
    producer = Producer(Settings(kafka=f"127.0.0.1:{silent_port}", produce_timeout_s=30))
    started = time.monotonic()
    outcomes = asyncio.run(producer.send([Record("t", b"k", b"v")] * 3, 0.3))
    assert time.monotonic() - started < 5
    assert [str(outcome) for outcome in outcomes] == ["t: not acknowledged within 0.3 s"] * 3
    producer.close(0)


@pytest.mark.slow
def test_librdkafka_gives_up_by_itself_after_the_setting(silent_port: int) -> None:
    producer = Producer(Settings(kafka=f"127.0.0.1:{silent_port}", produce_timeout_s=0.5))
    outcomes = asyncio.run(producer.send([Record("t", b"k", b"v")], 20))
    assert "timed out" in str(outcomes[0])
    producer.close(0)


@pytest.mark.servers
def test_commands_push_more_than_the_queue_holds(producer: Producer, settings: Settings, topic: str) -> None:
    for number in range(150_000):
        producer.send_now(Record(topic, None, b"x", partition=number % 4))
    producer.flush(60)
    assert sum(1 for _ in read(settings, topic)) == 150_000


@pytest.mark.slow
def test_flush_tells_what_was_not_acknowledged(silent_port: int) -> None:
    producer = Producer(Settings(kafka=f"127.0.0.1:{silent_port}", produce_timeout_s=0.3))
    for _ in range(3):
        producer.send_now(Record("t", b"k", b"v"))
    with pytest.raises(ProduceFailedError, match="3 records are not acknowledged: t: "):
        producer.flush(20)
    producer.flush(20)
    with pytest.raises(ProduceFailedError, match="Message size too large"):
        producer.send_now(Record("t", b"k", bytes(3_000_000)))
    producer.close(0)


@pytest.mark.servers
def test_after_a_fatal_error_the_next_batch_goes_through(producer: Producer, topic: str) -> None:
    asyncio.run(producer.send_all([Record(topic, b"k", b"1")], 20))
    before = producer._client
    producer._on_error(KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, "as if the broker had forgotten us", fatal=True))
    asyncio.run(producer.send_all([Record(topic, b"k", b"2")], 20))
    assert producer._client is not before


@pytest.mark.slow
def test_a_full_queue_is_waited_for_and_then_an_error(silent_port: int) -> None:
    producer = Producer(Settings(kafka=f"127.0.0.1:{silent_port}", produce_timeout_s=30))
    outcomes = asyncio.run(producer.send([Record("t", b"k", b"v")] * 100_001, 3))
    assert str(outcomes[0]) == "t: not acknowledged within 3 s"
    assert str(outcomes[-1]) == "t: the queue to Kafka is full"
    producer.close(0)


@pytest.mark.slow
def test_an_offer_to_a_full_queue_is_refused_at_once() -> None:
    producer = Producer(Settings(kafka=f"127.0.0.1:{free_port()}", produce_timeout_s=1.0), queue_records=3)
    reports: list[Any] = []
    began = time.monotonic()
    taken = [
        producer.offer(Record(topic="job-views", key=b"m", value=b"v"), lambda e, _: reports.append(e)) for _ in "12345"
    ]
    assert taken == [True, True, True, False, False]
    assert time.monotonic() - began < 0.5
    while len(reports) < 3 and time.monotonic() - began < 10:
        time.sleep(0.02)
    assert len(reports) == 3
    assert all(error is not None for error in reports)
    producer.close()
