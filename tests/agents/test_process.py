"""How a worker ends: a real one on a real broker, told to stop while it has a batch in hand."""

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streamrec.local.servers import Server
from tests.brokers import make_topic

pytestmark = pytest.mark.servers

# A worker whose batches take as long as the test says; its store is in memory, everything else is as in production.
WORKER = """
import asyncio, logging, sys
from streamrec.agents.app import StreamApp
from streamrec.agents.base import OwnerAgent, attach
from streamrec.agents.ownership import Ownership
from streamrec.agents.process import run
from streamrec.settings import Settings
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
topic, batch_s, patience_s, kafka, data = sys.argv[1:]
logging.basicConfig(level=logging.WARNING)
logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.INFO)

class Slow(OwnerAgent):
    topics = (topic,)
    async def handle(self, hold, batches):
        print("begun", flush=True)
        await asyncio.sleep(float(batch_s))
        await hold.commit([], {batch.topic: batch.next_offset for batch in batches}, {})
        print("done", flush=True)

async def topic_ids(names):
    return dict.fromkeys(names, "id")

async def watermarks(partitions):
    return dict.fromkeys(partitions, (0, 9))

app = StreamApp("test", Settings(kafka=kafka, data_dir=data, group=topic, session_timeout_s=2.0))
keys = Keys("t", 1)
app.ownership = Ownership(MemoryStore(keys), keys, lambda topic, number: f"m{number}", topic_ids, watermarks)
attach(app, Slow(), "slow")
sys.exit(run(app, float(patience_s)))
"""


class Worker:
    """Such a worker, with one record to read."""

    def __init__(self, broker: Server, directory: Path, batch_s: float, patience_s: float) -> None:
        self.topic, self._broker, self._errors = f"process-{uuid.uuid4().hex[:8]}", broker, directory / "stderr"
        make_topic(broker.address, self.topic, 1)
        producer = Producer({"bootstrap.servers": broker.address})
        producer.produce(self.topic, b"x")
        assert producer.flush(10) == 0
        arguments = [self.topic, str(batch_s), str(patience_s), broker.address, str(directory)]
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def said(self) -> str:
        return self._errors.read_text()

    def wait_until_said(self, what: str) -> None:
        deadline = time.monotonic() + 10
        while what not in self.said():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def end(self) -> tuple[int, str]:
        """Exit code, and what it printed after `begun`."""
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output

    def committed(self) -> int:
        """The offset that Kafka has for its group."""
        consumer = Consumer({"bootstrap.servers": self._broker.address, "group.id": f"{self.topic}-test"})
        [found] = consumer.committed([TopicPartition(self.topic, 0)], timeout=10)
        consumer.close()
        return int(found.offset)


@pytest.fixture
def make(broker: Server, tmp_path: Path) -> Iterator[Callable[[float, float], Worker]]:
    made: list[Worker] = []

    def start(batch_s: float, patience_s: float) -> Worker:
        worker = Worker(broker, tmp_path, batch_s, patience_s)
        made.append(worker)
        assert worker.process.stdout is not None
        assert worker.process.stdout.readline() == "begun\n", worker.said()
        return worker

    yield start
    for worker in made:
        worker.process.kill()
        worker.process.communicate()


def test_what_is_in_hand_is_finished_and_the_group_left(make: Callable[[float, float], Worker]) -> None:
    worker = make(1.0, 15.0)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end() == (0, "done\n"), worker.said()
    assert worker.committed() == 1
    assert "LeaveGroup request succeeded" in worker.said()


def test_what_takes_too_long_is_left_and_so_is_the_group(make: Callable[[float, float], Worker]) -> None:
    worker = make(600.0, 0.5)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end() == (0, ""), worker.said()
    assert worker.committed() <= 0
    assert "leaving with something unfinished after 0.5 s" in worker.said()
    assert "LeaveGroup request succeeded" in worker.said()


def test_a_second_signal_ends_it_at_once(make: Callable[[float, float], Worker]) -> None:
    worker = make(600.0, 600.0)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_until_said("told to stop by SIGTERM")  # of two equal signals that are not taken yet, one is delivered
    worker.process.send_signal(signal.SIGINT)
    assert worker.end() == (128 + signal.SIGINT, ""), worker.said()
