"""Whole turns of the three agents on a store in memory, with lists for the topics: what is kept unpacked changes nothing."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from streamrec import topics
from streamrec.agents.base import OwnerAgent, feed
from streamrec.agents.erasures import Erasures
from streamrec.agents.jobs import JobAgent
from streamrec.agents.labels import Labels
from streamrec.agents.members import MemberAgent
from streamrec.agents.network import NetworkAgent
from streamrec.agents.ownership import Hold
from streamrec.agents.transport import Batch
from streamrec.bench.records import Site
from streamrec.kafka.producer import Record
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.serving import Serving

PARTITIONS, MOST = 2, 100
KEYS, SETTINGS = Keys("test", PARTITIONS), Settings(partitions=PARTITIONS)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Worker:
    """The agents of all slots; what they derive comes back to them, as through Kafka."""

    def __init__(self, kept_bytes: int) -> None:
        self.store, self._kept_bytes = MemoryStore(KEYS), kept_bytes
        self.logs: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self.produced: list[Record] = []
        self._read: dict[tuple[str, int], int] = defaultdict(int)
        serving = Serving(self.store, KEYS, SETTINGS, now_ms)
        specs, erasures, producer = topics.load(), Erasures(KEYS), self
        labels = Labels(SETTINGS, KEYS, producer, lambda *place: (len(self.logs[place]), now_ms()))  # type: ignore[arg-type]
        self._agents: list[tuple[str, OwnerAgent]] = [
            ("m", MemberAgent(SETTINGS, specs, KEYS, serving, producer, lambda _: None, labels, erasures)),  # type: ignore[arg-type]
            ("j", JobAgent(SETTINGS, specs, KEYS, producer)),  # type: ignore[arg-type]
            ("m", NetworkAgent(SETTINGS, specs, KEYS, producer, lambda _: None, erasures)),  # type: ignore[arg-type]
        ]
        self._serving = serving

    async def send_all(self, records: Sequence[Record], timeout_s: float) -> None:  # noqa: ARG002
        self.produced += records
        for record in records:
            if record.topic in ("job-activity", "member-activity"):
                self.add(record)

    def add(self, record: Record) -> None:
        number = record.partition
        if number is None:
            number = partition_of((record.key or b"").decode(), PARTITIONS)
        log = self.logs[record.topic, number]
        log.append(SimpleNamespace(
            offset=len(log), key=record.key, value=record.value, headers=record.headers, timestamp=now_ms()
        ))  # fmt: skip

    async def run(self, before: Sequence[Record], records: Sequence[Record]) -> None:
        ids: dict[str, str] = defaultdict(lambda: "id")
        self._holds = {
            name: Hold(name, await self.store.take(name), KEYS, ids, self._kept_bytes)
            for name in (f"{kind}{number}" for kind in "mj" for number in range(PARTITIONS))
        }
        for part in (before, records):
            for record in part:
                self.add(record)
            while await self._turns():
                pass
            await self._serving.load()  # what is learned from an action needs the jobs
        for hold in self._holds.values():
            if hold.unfinished is not None:
                await hold.unfinished

    async def _turns(self) -> bool:
        some = False
        for number in range(PARTITIONS):
            for kind, agent in self._agents:
                if batches := self._waiting(agent.topics, number):
                    assert await feed(agent, self._holds[f"{kind}{number}"], batches, lambda: True)
                    some = True
        return some

    def _waiting(self, names: Sequence[str], number: int) -> list[Batch]:
        batches, room = [], MOST
        for name in names:
            begin = self._read[name, number]
            if part := self.logs[name, number][begin : begin + room]:
                batches.append(Batch(name, number, part, 1))
                self._read[name, number] += len(part)
                room -= len(part)
        return batches


def test_what_is_kept_unpacked_changes_no_byte_of_what_is_stored_and_produced() -> None:
    site = Site(40, 60, 600)
    before, records = site.beginning(), site.happenings(600)

    def found(kept_bytes: int) -> tuple[dict[str, bytes], list[tuple[Any, ...]]]:
        worker = Worker(kept_bytes)

        async def main() -> dict[str, bytes]:
            await worker.run(before, records)
            keys = await worker.store.scan("*")
            return {
                key: value for key, value in zip(keys, await worker.store.get(keys), strict=True) if value is not None
            }

        return asyncio.run(main()), [(record.topic, record.key, record.value) for record in worker.produced]

    nothing, all_of_it, some = found(0), found(100_000_000), found(30_000)
    assert {key.partition("}:")[2].partition(":")[0] for key in nothing[0]} >= {
        "member",
        "network",
        "job",
        "neighbours",
        "shown",
    }
    assert "training-examples" in {topic for topic, *_ in nothing[1]}
    assert all_of_it == nothing
    assert some == nothing
