"""An unknown id is waited for within bounds, an outage without; neither holds up what needs no new schema."""

import asyncio
from collections.abc import Coroutine, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from streamrec import codecs, metrics
from streamrec.agents.base import Lanes, OwnerAgent
from streamrec.agents.schemas import SchemaPendingError, Schemas
from streamrec.agents.transport import Batch
from streamrec.events import JobView, Rejected
from streamrec.kafka.registry import Registry, RegistryUnavailableError
from streamrec.kafka.subjects import schema_text
from streamrec.settings import Settings

VIEW = JobView(event_id="e", member_id="m", job_id="j", occurred_at=5)
PATIENCE_S = 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def records(*ids: int | None) -> list[Any]:
    """Records by the schemas of these ids; None is single-object encoding."""
    return [SimpleNamespace(value=codecs.encode(VIEW, number), offset=place) for place, number in enumerate(ids)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schemas(registry_server: Any, clock: Clock) -> Schemas:
    settings = Settings(schema_registry=registry_server.url, registry_timeout_s=1.0)
    return Schemas(Registry(settings), PATIENCE_S, clock)


def run(work: Coroutine[Any, Any, Any]) -> None:
    asyncio.run(work)


def test_there_are_none_without_a_registry() -> None:
    assert Schemas.of(Settings()) is None


def test_a_schema_is_asked_for_once_and_other_records_ask_for_nothing(schemas: Schemas, registry_server: Any) -> None:
    number = registry_server.add("job-views-value", schema_text("JobView"))
    tombstone = SimpleNamespace(value=None, offset=9)

    async def go() -> None:
        await asyncio.gather(*(schemas.fetch("job-views", [*records(None, number), tombstone]) for _ in range(5)))
        assert codecs.decode("JobView", codecs.encode(VIEW, number), schemas.writers) == VIEW
        await schemas.fetch("job-views", records(None, None))

    run(go())
    assert len(registry_server.asked) == 1


def test_an_unknown_id_is_pending_and_then_found(schemas: Schemas, registry_server: Any, clock: Clock) -> None:
    async def go() -> None:
        number = registry_server.next_id
        with pytest.raises(SchemaPendingError, match=f"no schema {number} yet"):
            await schemas.fetch("job-views", records(number))
        clock.now += PATIENCE_S - 0.1
        with pytest.raises(SchemaPendingError):
            await schemas.fetch("job-views", records(number))
        assert registry_server.add("job-views-value", schema_text("JobView")) == number
        await schemas.fetch("job-views", records(number))
        assert number in schemas.writers

    run(go())


def test_an_unknown_id_is_given_up_after_the_patience_and_asked_for_again_a_minute_later(
    schemas: Schemas, registry_server: Any, clock: Clock
) -> None:
    async def go() -> None:
        number = registry_server.next_id
        with pytest.raises(SchemaPendingError):
            await schemas.fetch("job-views", records(number))
        clock.now += PATIENCE_S
        await schemas.fetch("job-views", records(number))
        assert number not in schemas.writers
        asked = len(registry_server.asked)
        clock.now += 59
        await schemas.fetch("job-views", records(number))
        assert len(registry_server.asked) == asked
        clock.now += 2
        await schemas.fetch("job-views", records(number))  # asked for, not waited for
        assert len(registry_server.asked) == asked + 1
        registry_server.add("job-views-value", schema_text("JobView"))
        clock.now += 61
        await schemas.fetch("job-views", records(number))
        assert number in schemas.writers

    run(go())


def test_an_outage_is_waited_for_however_long_it_lasts_and_gives_no_id_up(
    schemas: Schemas, registry_server: Any, clock: Clock
) -> None:
    async def go() -> None:
        number = registry_server.next_id
        with pytest.raises(SchemaPendingError):
            await schemas.fetch("job-views", records(number))
        registry_server.stop()
        for _ in range(3):
            clock.now += 1_000
            with pytest.raises(RegistryUnavailableError):
                await schemas.fetch("job-views", records(number))
        registry_server.start()
        with pytest.raises(SchemaPendingError):  # the patience begins anew
            await schemas.fetch("job-views", records(number))
        assert registry_server.add("job-views-value", schema_text("JobView")) == number
        await schemas.fetch("job-views", records(number))

    run(go())


def test_an_id_that_no_registry_gives_is_not_waited_for(schemas: Schemas, registry_server: Any) -> None:
    """Garbage after a zero byte: Confluent's registry answers as if there were no such page, which else means an outage."""
    registry = Registry(Settings(schema_registry=registry_server.url))
    with pytest.raises(RegistryUnavailableError):
        registry.schema(2**31)
    run(schemas.fetch("job-views", records(2**31, 2**32 - 1)))
    assert len(registry_server.asked) == 1


def test_what_is_known_needs_no_registry(schemas: Schemas, registry_server: Any) -> None:
    async def go() -> None:
        number = registry_server.add("job-views-value", schema_text("JobView"))
        await schemas.fetch("job-views", records(number))
        registry_server.stop()
        await schemas.fetch("job-views", records(number, None, number))

    run(go())


def test_garbage_cannot_hold_up_a_partition_for_good(schemas: Schemas, registry_server: Any, clock: Clock) -> None:
    """Ids that nobody will ever register, another in each batch: three are waited for, then each is asked for once."""

    async def waits(number: int) -> bool:
        try:
            await schemas.fetch("job-views", records(number))
        except SchemaPendingError:
            clock.now += PATIENCE_S
            await schemas.fetch("job-views", records(number))
            return True
        return False

    async def go() -> None:
        assert [await waits(number) for number in range(1_000, 1_006)] == [True] * 3 + [False] * 3
        clock.now += 60
        assert await waits(2_000)

    run(go())
    assert len(registry_server.asked) == 3 * 2 + 3 + 2


def test_many_unknown_ids_in_a_batch_are_not_all_asked_for_at_once(schemas: Schemas, registry_server: Any) -> None:
    async def go() -> None:
        with pytest.raises(SchemaPendingError, match="…"):
            await schemas.fetch("job-views", records(*range(1, 1_000)))

    run(go())
    assert len(registry_server.asked) == 20


def test_lookups_and_waits_are_counted(schemas: Schemas, registry_server: Any) -> None:
    def figures() -> list[float]:
        kinds = [metrics.REGISTRY_LOOKUPS.labels(kind) for kind in ("found", "unknown", "unavailable")]
        return [figure._value.get() for figure in [*kinds, metrics.HELD_BY_REGISTRY.labels("counted")]]

    async def go() -> None:
        await schemas.fetch("counted", records(registry_server.add("s", schema_text("JobView"))))
        with pytest.raises(SchemaPendingError):
            await schemas.fetch("counted", records(99))
        registry_server.stop()
        with pytest.raises(RegistryUnavailableError):
            await schemas.fetch("counted", records(98))

    before = figures()
    run(go())
    assert [after - old for after, old in zip(figures(), before, strict=True)] == [1, 1, 1, 2]


class Agent(OwnerAgent):
    """Notes what it handles."""

    topics: ClassVar[tuple[str, ...]] = ("job-views",)

    def __init__(self, schemas: Schemas) -> None:
        super().__init__(schemas)
        self.handled: list[tuple[int, int]] = []
        self._more = asyncio.Condition()

    async def handle(self, hold: Any, batches: Sequence[Batch]) -> None:  # noqa: ARG002
        for batch in batches:
            for record in batch.records:
                assert not isinstance(codecs.decode("JobView", record.value or b"", self._writers), Rejected)
        async with self._more:
            self.handled += [(batch.partition, record.offset) for batch in batches for record in batch.records]
            self._more.notify_all()

    async def until(self, partition: int, offset: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: (partition, offset) in self.handled)


class App:
    """As much of the application as lanes need."""

    def __init__(self) -> None:
        self.ownership, self.settings = self, Settings()
        self.consumer = SimpleNamespace(assignments=1)
        self.tasks: list[asyncio.Task[None]] = []
        self._hold = [
            SimpleNamespace(turn=asyncio.Lock(), name=str(number), lost=False, next_offset=lambda _: 0, load=self._load,
                            position=lambda _: None)
            for number in range(2)
        ]  # fmt: skip

    async def _load(self) -> None: ...

    def slot_name(self, _topic: str, partition: int) -> str:
        return str(partition)

    def hold(self, _topic: str, partition: int) -> Any:
        return self._hold[partition]

    def add_future(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))


def test_one_partition_waits_for_its_schema_while_another_goes_on_and_keeps_its_order(
    schemas: Schemas, registry_server: Any
) -> None:
    async def go() -> None:
        app, agent = App(), Agent(schemas)
        lanes = Lanes(app, agent, "test")
        number = registry_server.next_id

        async def put(partition: int, offset: int, schema_id: int | None) -> None:
            record = SimpleNamespace(value=codecs.encode(VIEW, schema_id), offset=offset, timestamp=0)
            await lanes.put(Batch("job-views", partition, [record], 1))

        async with asyncio.timeout(20):
            await put(0, 0, number)
            for offset in range(1, 100):
                await put(0, offset, None)  # more batches behind it than any queue of a few would take
                await put(1, offset, None)
            await agent.until(1, 99)
            assert not [offset for partition, offset in agent.handled if partition == 0]
            assert registry_server.add("job-views-value", schema_text("JobView")) == number
            await agent.until(0, 99)
        for partition in (0, 1):
            offsets = [offset for place, offset in agent.handled if place == partition]
            assert offsets == list(range(partition, 100))
        for task in app.tasks:
            task.cancel()
        await asyncio.gather(*app.tasks, return_exceptions=True)

    run(go())
