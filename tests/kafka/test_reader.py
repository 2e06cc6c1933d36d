"""A topic is read to its present end, from anywhere, without a group."""

import uuid

import pytest

from streamrec.kafka.client import KafkaUnavailableError
from streamrec.kafka.producer import Producer, Record
from streamrec.kafka.reader import read, read_one
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from tests.brokers import make_topic


@pytest.fixture
def settings(broker: Server) -> Settings:
    return Settings(kafka=broker.address)


@pytest.fixture
def topic(broker: Server, settings: Settings) -> str:
    """Two partitions, with 0 to 5 in the first and 6 to 9 in the second."""
    name = uuid.uuid4().hex
    make_topic(broker.address, name, 2)
    producer = Producer(settings)
    for number in range(10):
        producer.send_now(Record(name, None, str(number).encode(), partition=int(number > 5)))
    producer.flush(10)
    producer.close()
    return name


def values(settings: Settings, topic: str, start: dict[int, int] | None = None) -> list[int]:
    return sorted(int(record.value or b"") for record in read(settings, topic, start))


@pytest.mark.servers
def test_everything_is_read_and_again(settings: Settings, topic: str) -> None:
    assert values(settings, topic) == list(range(10))
    assert values(settings, topic) == list(range(10))


@pytest.mark.servers
def test_reading_starts_anywhere_and_beyond_the_end_is_nothing(settings: Settings, topic: str) -> None:
    assert values(settings, topic, {0: 4}) == [4, 5]
    assert values(settings, topic, {0: 5, 1: 1}) == [5, 7, 8, 9]
    assert values(settings, topic, {0: 6}) == []
    assert values(settings, topic, {7: 0}) == []
    assert values(settings, uuid.uuid4().hex) == []


@pytest.mark.servers
def test_what_is_written_meanwhile_is_not_read(settings: Settings, topic: str) -> None:
    producer = Producer(settings)
    read_values = []
    for record in read(settings, topic):
        read_values.append(int(record.value or b""))
        producer.send_now(Record(topic, None, b"99", partition=record.partition))
        producer.flush(10)
    producer.close()
    assert sorted(read_values) == list(range(10))


@pytest.mark.servers
def test_one_record_by_its_offset(settings: Settings, topic: str) -> None:
    record = read_one(settings, topic, 1, 2)
    assert record is not None
    assert (record.topic, record.partition, record.offset, record.value) == (topic, 1, 2, b"8")
    assert read_one(settings, topic, 1, 4) is None
    assert read_one(settings, topic, 5, 0) is None


def test_an_absent_broker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrec.kafka.admin.PATIENCE_S", 0.3)
    with pytest.raises(KafkaUnavailableError):
        next(read(Settings(kafka=f"127.0.0.1:{free_port()}"), "t"))
