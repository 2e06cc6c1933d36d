"""The contract of an agent that owns slots, and the loop that feeds it batches."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from streamrec import metrics
from streamrec.agents.faults import FAULTS
from streamrec.agents.ownership import Hold
from streamrec.agents.schemas import SchemaPendingError, Schemas
from streamrec.agents.transport import Batch, Record
from streamrec.kafka.producer import ProduceFailedError
from streamrec.kafka.registry import RegistryUnavailableError
from streamrec.stores.base import FencedError, SetBackError, StoreUnavailableError

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
_LANE_RECORDS: Final = 10_000  # that wait in one lane: what comes to a busy partition while a schema is waited for


class OwnerAgent(ABC):
    """Turns batches of its `topics` into state, derived records and one fenced commit a batch.

    The order is fixed: derive, produce the derived records, wait until all are acknowledged, commit, acknowledge. What is
    derived is a function of the records and the state, so that doing it again after a crash produces the same records, and
    their consumers drop what they have applied before.
    """

    topics: ClassVar[tuple[str, ...]]
    share: ClassVar[float] = 1.0  # of the time that a lane may spend in batches; the rest it leaves to other agents

    def __init__(self, schemas: Schemas | None = None) -> None:
        self._schemas = schemas
        self._writers = None if schemas is None else schemas.writers

    async def fetch_schemas(self, topic: str, records: Sequence[Record]) -> None:
        """Have the schemas of the registry that `records` were written by, so that `handle` can decode them.

        Called without the hold's turn: the other work on a slot need not wait for the registry. Called again with the same
        records if it raised SchemaPendingError or RegistryUnavailableError.
        """
        if self._schemas is not None:
            await self._schemas.fetch(topic, records)

    @abstractmethod
    async def handle(self, hold: Hold, topic: str, partition: int, records: Sequence[Record]) -> None:
        """Fold `records` (never empty, none of them in the state) and commit.

        Called with the hold's turn, one batch of a slot at a time. Called again with the same records if it raised
        StoreUnavailableError or ProduceFailedError, unless the store turns out to hold them already. Any other exception
        ends the process: going on would skip the batch.
        """


async def feed(agent: OwnerAgent, hold: Hold, batch: Batch, ours: Callable[[], bool]) -> bool:
    """Give `batch` to the agent until its records are in the store; True if they are.

    Parameters
    ----------
    agent, hold, batch
        Who handles what, under which ownership.
    ours
        False once the partitions have been assigned anew: the batch will be read again by whoever owns it.
    """
    pause, uncertain = _FIRST_PAUSE_S, False
    while ours():
        try:
            await agent.fetch_schemas(batch.topic, batch.records)
            if not ours():
                return False
            async with hold.turn:
                if uncertain:
                    await hold.load()
                    uncertain = False
                fresh = [record for record in batch.records if record.offset >= hold.next_offset(batch.topic)]
                if skipped := len(batch.records) - len(fresh):
                    metrics.SKIPPED.labels(batch.topic).inc(skipped)
                if fresh:
                    await agent.handle(hold, batch.topic, batch.partition, fresh)
                    _observe(batch, fresh)
        except SetBackError as error:
            hold.lost = True
            log.warning("%s; the batch of %s is read again", error, batch.topic)
            return False
        except FencedError:
            hold.lost = True
            metrics.FENCED.labels(hold.name).inc()
            log.warning("lost %s to another worker; its batch of %s is left to the new owner", hold.name, batch.topic)
            return False
        except (StoreUnavailableError, ProduceFailedError, SchemaPendingError, RegistryUnavailableError) as error:
            uncertain = True
            metrics.HELD_UP.labels(batch.topic, _waits_for(error)).inc()
            log.warning("%s/%d is held up, trying again in %.2f s: %s", batch.topic, batch.partition, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            return True
    return False


def _waits_for(error: Exception) -> str:
    match error:
        case StoreUnavailableError():
            return "store"
        case ProduceFailedError():
            return "kafka"
    return "schema"


def _observe(batch: Batch, fresh: Sequence[Record]) -> None:
    metrics.EVENTS.labels(batch.topic).inc(len(fresh))
    metrics.BATCH.labels(batch.topic).observe(len(fresh))
    metrics.POSITION.labels(batch.topic, batch.partition).set(fresh[-1].offset + 1)
    now = time.time()
    age = metrics.FRESHNESS.labels(batch.topic)
    for record in fresh:
        age.observe(max(0.0, now - record.timestamp / 1000.0))


class _Lane:
    """Batches of one slot, in order; full by records, since a batch may be of one record or of a thousand.

    What has come of one partition while others had their turn is handled as one batch, of `most` records or so: under load
    batches grow, so that their fixed costs (round trips, acknowledgements, a transaction) are shared by more records.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: deque[Batch] = deque()
        self._records = 0
        self._changed = asyncio.Condition()

    @property
    def records(self) -> int:
        """How many wait."""
        return self._records

    async def put(self, batch: Batch) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._records < _LANE_RECORDS)
            self._batches.append(batch)
            self._records += len(batch.records)
            self._changed.notify_all()

    async def get(self) -> Batch:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._batches))
            batch = self._joined()
            self._records -= len(batch.records)
            self._changed.notify_all()
            return batch

    def _joined(self) -> Batch:
        """The oldest batch, with those of its partition that wait behind it, as far as they make no more than `most`."""
        first = self._batches.popleft()
        place, records = (first.topic, first.partition), first.records
        rest: deque[Batch] = deque()
        full = False
        for batch in self._batches:
            if full or (batch.topic, batch.partition) != place:
                rest.append(batch)
            elif batch.assignment != first.assignment or len(records) + len(batch.records) > self._most:
                full = True
                rest.append(batch)
            else:
                records = [*records, *batch.records]
        self._batches = rest
        return Batch(first.topic, first.partition, records, first.assignment)


class Lanes:
    """One queue a slot: the batches of a slot are handled one after another, those of different slots side by side.

    So that one slot's wait for Kafka or the store is another's time to work, while each key keeps its one writer.
    """

    def __init__(self, app: Any, agent: OwnerAgent, name: str) -> None:
        self._app, self._agent, self._name = app, agent, name
        self._lanes: dict[str, _Lane] = {}

    @property
    def waiting(self) -> int:
        """Records that have been fetched and not begun with."""
        return sum(lane.records for lane in self._lanes.values())

    async def put(self, batch: Batch) -> None:
        """Hand a batch to its slot's lane; waits while the lane is full, which in the end holds back the fetches."""
        slot = self._app.ownership.slot_name(batch.topic, batch.partition)
        if slot not in self._lanes:
            self._lanes[slot] = _Lane(self._app.settings.batch_records)
            self._app.add_future(self._run(self._lanes[slot]))
        await self._lanes[slot].put(batch)

    async def _run(self, lane: _Lane) -> None:
        while True:
            batch = await lane.get()
            began = time.monotonic()
            try:
                await self._handle(batch)
            except Exception:
                log.exception(
                    "%s failed on %s/%d; stopping rather than skip events", self._name, batch.topic, batch.partition
                )
                self._app.halt(1)
            if self._agent.share < 1.0:
                await asyncio.sleep((time.monotonic() - began) * (1.0 / self._agent.share - 1.0))

    async def _handle(self, batch: Batch) -> None:
        app, topic, partition = self._app, batch.topic, batch.partition

        def ours() -> bool:
            return bool(app.consumer.assignments == batch.assignment)

        hold = app.ownership.hold(topic, partition)
        if hold is None or not ours():
            return
        if await feed(self._agent, hold, batch, ours) and ours() and hold.position(topic) is not None:
            FAULTS.reach("before-ack", topic)
            app.advance(topic, partition, hold.next_offset(topic))


def attach(app: Any, agent: OwnerAgent, name: str) -> Lanes:
    """Make `agent` a Faust agent of `app` (an `agents.app.StreamApp`); where its batches wait."""
    lanes = Lanes(app, agent, name)

    async def run(stream: Any) -> None:
        async for batch in stream:
            await lanes.put(batch)

    app.agent(app.topic(*agent.topics, schema=app.batch_schema), name=f"streamrec.{name}")(run)
    return lanes
