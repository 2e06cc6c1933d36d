"""Partitions merged by time, each in the order of its offsets; see what happens where one is far ahead of the others."""

import itertools
import random
import uuid

import pytest
from confluent_kafka import Producer

from streamrec.kafka import merged
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaUnavailableError
from streamrec.kafka.merged import MergedLog
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from tests.brokers import make_topic

COUNTS = {0: 900, 1: 60, 2: 0}


@pytest.fixture
def topic(broker: Server) -> str:
    """Three partitions: one with many records, one with few, one with none; times grow within each, but for one record."""
    name = uuid.uuid4().hex
    make_topic(broker.address, name, 3)
    producer, chance = Producer({"bootstrap.servers": broker.address}), random.Random(1)
    for partition, count in COUNTS.items():
        times = sorted(chance.randrange(1_000, 100_000) for _ in range(count))
        if times:
            times[3] = 50  # written by a clock that is wrong
        for number, at in enumerate(times):
            producer.produce(name, str(number).encode(), partition=partition, timestamp=at)
    assert producer.flush(10) == 0
    return name


@pytest.mark.servers
def test_each_partition_is_in_order_and_all_are_merged_by_time(
    broker: Server, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "_MANY", 50)
    monkeypatch.setattr(merged, "_FULL", 100)  # so that the first partition is paused and read on several times
    monkeypatch.setattr(merged, "_LOW", 20)
    settings = Settings(kafka=broker.address)
    spans = Admin(settings).bounds([topic])
    found = list(MergedLog(settings, spans))
    for partition, count in COUNTS.items():
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == list(range(count))
    times = [record.timestamp for record in found if record.timestamp != 50]
    falls = sum(earlier > later for earlier, later in itertools.pairwise(times))
    assert falls <= 2, "only what stands behind a wrong time comes late"


@pytest.mark.servers
def test_a_span_begins_and_ends_where_it_says(broker: Server, topic: str) -> None:
    settings = Settings(kafka=broker.address)
    spans = {(topic, 0): (10, 13), (topic, 1): (59, 60), (topic, 2): (0, 0)}
    found = [(record.partition, record.offset) for record in MergedLog(settings, spans)]
    assert sorted(found) == [(0, 10), (0, 11), (0, 12), (1, 59)]


@pytest.mark.servers
def test_a_lead_takes_records_earlier(broker: Server, topic: str) -> None:
    settings = Settings(kafka=broker.address)
    spans = Admin(settings).bounds([topic])
    plain, led = (list(MergedLog(settings, spans, lead)) for lead in ({}, {topic: 10**6}))
    assert plain == led, "all of one topic: nothing changes between them"


def test_no_kafka_is_said() -> None:
    settings = Settings(kafka=f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaUnavailableError):
        list(MergedLog(settings, {("t", 0): (0, 5)}, patience_s=1.0))
