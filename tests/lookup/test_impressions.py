"""Records of what was shown reach Kafka behind the answers' backs, or are counted as lost."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from streamrec import codecs, topics
from streamrec.events import Impression
from streamrec.kafka.admin import Admin
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.lookup import impressions
from streamrec.lookup.impressions import Impressions
from streamrec.settings import Settings

from .conftest import NOW

pytestmark = pytest.mark.anyio


def shown(name: str, made: list[str] | None = None, member_id: str = "anna") -> Callable[[], Impression]:
    def make() -> Impression:
        if made is not None:
            made.append(name)
        return Impression(
            request_id=name, member_id=member_id, served_at=NOW, workflow="w", model_name="", model_version=0,
            feature_set="f", items=(),
        )  # fmt: skip

    return make


@pytest.fixture
def counted() -> Callable[[], dict[str, float]]:
    """What became of records since the test began."""

    def now() -> dict[str, float]:
        name = "streamrec_lookup_impressions_total"
        return {
            result: REGISTRY.get_sample_value(name, {"result": result}) or 0.0
            for result in ("sent", "dropped", "failed")
        }

    before = now()
    return lambda: {result: value - before[result] for result, value in now().items()}


def read(settings: Settings, count: int) -> list[Impression]:
    """The first `count` impressions of the topic, or what there is after ten seconds."""
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415

    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition("impressions", number, 0) for number in range(settings.partitions)])
    found: list[Any] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            found.append(codecs.decode_record("Impression", message.key(), message.value(), NOW, 86_400_000))
    consumer.close()
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what happens in another thread
            await asyncio.sleep(0.02)


async def test_nothing_is_made_while_an_answer_waits_and_what_does_not_fit_is_dropped(counted: Any) -> None:
    made: list[str] = []
    queue = Impressions(Settings(kafka=f"127.0.0.1:{free_port()}"))
    for number in range(impressions._WAITING + 5):
        queue.add(shown(f"r{number}", made))
    assert made == []
    assert counted() == {"sent": 0, "dropped": 5, "failed": 0}


@pytest.mark.servers
async def test_each_record_is_in_kafka_once_and_in_order_for_a_member(broker: Server, counted: Any) -> None:
    settings = Settings(kafka=broker.address)
    Admin(settings).create(topics.load())
    already = sum(high for _, high in Admin(settings).watermarks("impressions").values())
    queue = Impressions(settings)
    running = asyncio.create_task(queue.run())
    names = [f"in-order-{number}" for number in range(300)]
    for number, name in enumerate(names):
        queue.add(shown(name, member_id=f"m{number % 3}"))
    await until(lambda: counted()["sent"] == 300)
    queue.add(shown("half a pair", member_id="\ud800"))  # cannot be encoded, and must not end the task
    await until(lambda: counted()["failed"] == 1)
    queue.add(shown("at the end"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await queue.close()
    assert counted() == {"sent": 301, "dropped": 0, "failed": 1}
    wanted = {*names, "at the end"}
    found = [record.request_id for record in await asyncio.to_thread(read, settings, already + 301)]
    by_name = [name for name in found if name in wanted]
    assert sorted(by_name) == sorted(wanted)
    for member in range(3):
        assert [name for name in by_name if name in names[member::3]] == names[member::3]


@pytest.mark.servers
async def test_what_waits_when_the_service_stops_is_produced(broker: Server, counted: Any) -> None:
    settings = Settings(kafka=broker.address)
    Admin(settings).create(topics.load())
    queue = Impressions(settings)
    queue.add(shown("just before the end"))
    await queue.close()
    assert counted() == {"sent": 1, "dropped": 0, "failed": 0}


@pytest.mark.slow
async def test_without_kafka_the_end_comes_within_bounds_and_what_is_lost_is_counted(counted: Any) -> None:
    queue = Impressions(msgspec.structs.replace(Settings(), kafka=f"127.0.0.1:{free_port()}"))
    running = asyncio.create_task(queue.run())
    for number in range(10):
        queue.add(shown(f"r{number}"))
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    began = time.monotonic()
    await queue.close()
    assert time.monotonic() - began < 3
    assert counted() == {"sent": 0, "dropped": 0, "failed": 10}
