"""Tests of streamrec.agents.transport: real Faust workers on a real broker, in processes of their own."""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streamrec.local.servers import Server
from tests.brokers import make_topic

pytestmark = pytest.mark.servers

RECORDS = 3_000
# A worker that starts each partition where the test says, and writes down what it was given.
WORKER = """
import json, os, sys
from faust.types import TP
from streamrec.agents.app import StreamApp
from streamrec.agents.process import run
from streamrec.settings import Settings
topic, start, stop_after, transport, kafka, data, group = sys.argv[1:]
app = StreamApp("test", Settings(kafka=kafka, data_dir=data, group=group, transport=transport, session_timeout_s=3.0))

class Ownership:
    async def take(self, assigned):
        return {tp: int(start) for tp in assigned}

app.ownership = Ownership()
seen = []

@app.agent(app.topic(topic, schema=app.batch_schema))
async def read(stream):
    async for batch in stream:
        seen.append([batch.partition, [record.offset for record in batch.records]])
        app.advance(batch.topic, batch.partition, batch.records[-1].offset + 1)
        if sum(len(offsets) for _, offsets in seen) >= int(stop_after):
            await app.consumer.commit()
            print(json.dumps(seen), flush=True)
            app.halt(0)

sys.exit(run(app, 5.0))
"""


def batches(
    broker: Server, directory: Path, topic: str, start: int, count: int, transport: str, group: str
) -> list[Any]:
    arguments = [topic, str(start), str(count), transport, broker.address, str(directory), group]
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def topic(broker: Server) -> str:
    name = f"transport-{uuid.uuid4().hex[:8]}"
    make_topic(broker.address, name, 4)
    producer = Producer({"bootstrap.servers": broker.address})
    for number in range(RECORDS):
        producer.produce(name, key=str(number), value=b"x", partition=number % 4)
    assert producer.flush(20) == 0
    return name


def test_a_message_is_a_whole_partition_batch_in_order(broker: Server, topic: str, tmp_path: Path) -> None:
    seen = batches(broker, tmp_path, topic, 0, RECORDS, "batched", f"g-{uuid.uuid4()}")
    assert len(seen) <= 4 * 3
    for partition in range(4):
        offsets = [offset for number, batch in seen if number == partition for offset in batch]
        assert offsets == list(range(RECORDS // 4))


def test_stock_faust_delivers_the_same_one_by_one(broker: Server, topic: str, tmp_path: Path) -> None:
    seen = batches(broker, tmp_path, topic, 0, RECORDS, "stock", f"g-{uuid.uuid4()}")
    assert {len(batch) for _, batch in seen} == {1}
    for partition in range(4):
        offsets = [offset for number, batch in seen if number == partition for offset in batch]
        assert offsets == list(range(RECORDS // 4))


def test_reading_starts_at_the_stored_position_whatever_kafka_has_committed(
    broker: Server, topic: str, tmp_path: Path
) -> None:
    group = f"g-{uuid.uuid4()}"
    first = batches(broker, tmp_path, topic, 0, RECORDS, "batched", group)
    again = batches(broker, tmp_path, topic, 700, 4 * 50, "batched", group)
    assert first
    assert min(offset for _, batch in again for offset in batch) == 700


def test_committed_offsets_follow_the_store(broker: Server, topic: str, tmp_path: Path) -> None:
    group = f"g-{uuid.uuid4()}"
    batches(broker, tmp_path, topic, 0, RECORDS, "batched", group)
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": f"{group}-test"})
    deadline = time.monotonic() + 10
    committed = -1
    while committed < RECORDS and time.monotonic() < deadline:
        found = consumer.committed([TopicPartition(topic, number) for number in range(4)], timeout=10)
        committed = sum(max(0, partition.offset) for partition in found)
    consumer.close()
    assert committed == RECORDS
