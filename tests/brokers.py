"""The brokers that tests run on; the fixtures are in ``conftest.py``."""

import time
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from streamrec.local import jars
from streamrec.local.brokers import StartBroker as StartBroker  # noqa: PLC0414 - for the tests

BOTH: Final = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))
ON_EMBEDDED: Final = pytest.mark.parametrize("broker_kind", BOTH[:1], indirect=True)
ON_KAFKA: Final = pytest.mark.parametrize("broker_kind", BOTH[1:], indirect=True)

DIRECTORY: Final = Path(__file__).parent.parent / ".streamrec" / "kafka"  # Apache Kafka's jars, kept between sessions
CHANGES: Final = {  # of Apache Kafka's settings
    "group.min.session.timeout.ms": "500",  # else 6 s: tests do not wait that long for the dead
    "broker.session.timeout.ms": "2000",  # a killed broker comes back only when the controllers take it for dead
    "broker.heartbeat.interval.ms": "500",
}
LACK: Final = jars.missing(DIRECTORY)  # what this machine lacks to run Apache Kafka; None: nothing


def make_topic(address: str, name: str, partitions: int, **config: str) -> None:
    """Create a topic, and wait until it can be written to: Apache Kafka acknowledges it before its brokers know of it."""
    client = AdminClient({"bootstrap.servers": address})
    client.create_topics([NewTopic(name, partitions, config=config)])[name].result(10)
    ends = {TopicPartition(name, number): OffsetSpec.latest() for number in range(partitions)}
    deadline = time.monotonic() + 10
    while True:
        client.list_topics(timeout=10)  # else it goes by the metadata that it has
        try:
            for answer in client.list_offsets(ends).values():
                answer.result(10)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
