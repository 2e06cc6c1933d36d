"""The contract of an agent that owns slots, and the loop that feeds it batches."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from streamrec import metrics, tracing
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
    """Turns batches of its `topics` into state, derived records and one fenced commit a turn.

    The order is fixed: derive, produce the derived records, wait until all are acknowledged, commit, acknowledge. What is
    derived is a function of the records and the state, so that doing it again after a crash produces the same records, and
    their consumers drop what they have applied before.
    """

    topics: ClassVar[tuple[str, ...]]
    share: ClassVar[float] = 1.0  # of the time that a lane may spend in batches; the rest it leaves to other agents
    pause_s: ClassVar[float] = (
        0.0  # after a turn behind which something waits, so that what comes meanwhile shares the next
    )

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
    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        """Fold the records of `batches` (one of a topic at the most, none empty, nothing of them in the state) and commit.

        Called with the hold's turn, one turn of a slot at a time. Called again with the same records if it raised
        StoreUnavailableError or ProduceFailedError, unless the store turns out to hold them already. Any other exception
        ends the process: going on would skip the batches.
        """


async def feed(agent: OwnerAgent, hold: Hold, batches: Sequence[Batch], ours: Callable[[], bool]) -> bool:
    """Give `batches` to the agent until their records are in the store; True if they are.

    Parameters
    ----------
    agent, hold, batches
        Who handles what, under which ownership.
    ours
        False once the partitions have been assigned anew: the batches will be read again by whoever owns them.
    """
    pause, uncertain = _FIRST_PAUSE_S, False
    topics = ", ".join(batch.topic for batch in batches)
    while ours():
        try:
            for batch in batches:
                await agent.fetch_schemas(batch.topic, batch.records)
            if not ours():
                return False
            async with hold.turn:
                if uncertain:
                    await hold.load()
                    uncertain = False
                if fresh := [left for batch in batches if (left := _fresh(hold, batch)) is not None]:
                    try:
                        with tracing.turn(fresh):
                            await agent.handle(hold, fresh)
                    except BaseException:
                        hold.forget()
                        raise
                    for batch in fresh:
                        _observe(batch)
        except SetBackError as error:
            hold.refused(error)
            log.warning("%s; the batch of %s is read again", error, topics)
            return False
        except FencedError as error:
            hold.refused(error)
            log.warning("lost %s to another worker; its batch of %s is left to the new owner", hold.name, topics)
            return False
        except (StoreUnavailableError, ProduceFailedError, SchemaPendingError, RegistryUnavailableError) as error:
            uncertain = True
            for batch in batches:
                metrics.HELD_UP.labels(batch.topic, _waits_for(error)).inc()
            log.warning("%s of %s is held up, trying again in %.2f s: %s", topics, hold.name, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            return True
    return False


def _fresh(hold: Hold, batch: Batch) -> Batch | None:
    """What of the batch is not in the state; None for nothing."""
    next_offset = hold.next_offset(batch.topic)
    if batch.records[0].offset >= next_offset:  # as nearly always
        return batch
    records = [record for record in batch.records if record.offset >= next_offset]
    metrics.SKIPPED.labels(batch.topic).inc(len(batch.records) - len(records))
    return Batch(batch.topic, batch.partition, records, batch.assignment) if records else None


def _waits_for(error: Exception) -> str:
    match error:
        case StoreUnavailableError():
            return "store"
        case ProduceFailedError():
            return "kafka"
    return "schema"


def _observe(batch: Batch) -> None:
    records = batch.records
    metrics.EVENTS.labels(batch.topic).inc(len(records))
    metrics.BATCH.labels(batch.topic).observe(len(records))
    metrics.POSITION.labels(batch.topic, batch.partition).set(records[-1].offset + 1)
    now = time.time()
    ages = [max(0.0, now - record.timestamp / 1000.0) for record in records]
    metrics.observe_all(metrics.FRESHNESS.labels(batch.topic), ages)


class _Lane:
    """Batches of one slot, in order; full by records, since a batch may be of one record or of a thousand.

    What has come while the slot had its turn is the next turn, of `most` records or so: the batches of one topic joined, and
    those of several topics together. So the fixed costs of a turn (round trips, acknowledgements, a transaction) are shared,
    and no record waits for the turns of other topics. `most` bounds how long a turn takes, and what one transaction holds.
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

    async def get(self) -> list[Batch]:
        """The next turn: one batch of a topic, in the order in which the first of each came."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._batches))
            taken = self._turn()
            self._records -= sum(len(batch.records) for batch in taken)
            self._changed.notify_all()
            return taken

    def _turn(self) -> list[Batch]:
        waiting = self._batches
        taken = [waiting.popleft()]
        assignment, records = taken[0].assignment, len(taken[0].records)
        while waiting and waiting[0].assignment == assignment and records + len(waiting[0].records) <= self._most:
            records += len(waiting[0].records)
            taken.append(waiting.popleft())
        places: dict[tuple[str, int], list[Record]] = {}
        for batch in taken:
            places.setdefault((batch.topic, batch.partition), []).extend(batch.records)
        return [Batch(*place, joined, assignment) for place, joined in places.items()]


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
            batches = await lane.get()
            began = time.monotonic()
            try:
                await self._handle(batches)
            except Exception:
                places = ", ".join(f"{batch.topic}/{batch.partition}" for batch in batches)
                log.exception("%s failed on %s; stopping rather than skip events", self._name, places)
                self._app.halt(1)
            pause = (time.monotonic() - began) * (1.0 / self._agent.share - 1.0)
            if lane.records:
                pause = max(self._agent.pause_s, pause)
            if pause:
                await asyncio.sleep(pause)

    async def _handle(self, batches: Sequence[Batch]) -> None:
        app, first = self._app, batches[0]

        def ours() -> bool:
            return bool(app.consumer.assignments == first.assignment)

        hold = app.ownership.hold(first.topic, first.partition)
        if hold is None or not ours() or not await feed(self._agent, hold, batches, ours) or not ours():
            return
        for batch in batches:
            if hold.position(batch.topic) is not None:
                FAULTS.reach("before-ack", batch.topic)
                app.advance(batch.topic, batch.partition, hold.next_offset(batch.topic))


def attach(app: Any, agent: OwnerAgent, name: str) -> Lanes:
    """Make `agent` a Faust agent of `app` (an `agents.app.StreamApp`); where its batches wait."""
    lanes = Lanes(app, agent, name)

    async def run(stream: Any) -> None:
        async for batch in stream:
            await lanes.put(batch)

    app.agent(app.topic(*agent.topics, schema=app.batch_schema), name=f"streamrec.{name}")(run)
    return lanes
