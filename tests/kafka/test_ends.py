"""The embedded broker's word on the end of a log is mended; where it is right, nothing changes."""

import uuid
from collections.abc import Sequence

import pytest
from confluent_kafka import Producer as Client
from confluent_kafka.admin import AdminClient

from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaUnavailableError
from streamrec.kafka.ends import EMBEDDED_CLUSTER_ID, FetchedEnds
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from tests.brokers import ON_EMBEDDED, make_topic


def produce(broker: Server, topic: str, batches: Sequence[int]) -> None:
    """Batches of so many records each, to partition 0."""
    client = Client({"bootstrap.servers": broker.address, "linger.ms": 1000})
    for size in batches:
        for _ in range(size):
            client.produce(topic, b"x", partition=0)
        client.flush(10)


@pytest.fixture
def topic(broker: Server) -> str:
    name = uuid.uuid4().hex
    make_topic(broker.address, name, 3)
    return name


@pytest.mark.servers
@pytest.mark.parametrize("batches", [(), (1,), (5,), (1, 1), (5, 3, 4), (4, 1), (3000,)])
def test_the_end_is_the_next_offset_however_the_batches_lie(broker: Server, topic: str, batches: Sequence[int]) -> None:
    produce(broker, topic, batches)
    admin = Admin(Settings(kafka=broker.address))
    for _ in range(2):
        assert admin.watermarks(topic) == {0: (0, sum(batches)), 1: (0, 0), 2: (0, 0)}


@pytest.mark.servers
def test_several_topics_are_asked_for_in_one_go(broker: Server, topic: str) -> None:
    produce(broker, topic, [7])
    bounds = Admin(Settings(kafka=broker.address)).bounds([topic, "nowhere"])
    assert bounds == {(topic, 0): (0, 7), (topic, 1): (0, 0), (topic, 2): (0, 0)}


@pytest.mark.servers
@ON_EMBEDDED
def test_the_embedded_broker_is_known_by_its_cluster_id(broker: Server) -> None:
    client = AdminClient({"bootstrap.servers": broker.address})
    assert client.list_topics(timeout=10).cluster_id == EMBEDDED_CLUSTER_ID


def test_without_an_answer_the_patience_ends() -> None:
    ends = FetchedEnds(Settings(kafka=f"127.0.0.1:{free_port()}"), patience_s=0.3)
    with pytest.raises(KafkaUnavailableError):
        ends.ends({("t", 0): 5})
    assert ends.ends({("t", 0): 0}) == {("t", 0): 0}
