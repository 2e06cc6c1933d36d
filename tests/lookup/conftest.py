"""A small town of jobs and members, in a store in memory or in Redis, and a client of the service over it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import numpy as np
import pytest

from streamrec.events import ActivityEntry, JobEvent, JobPosting, JobView, MemberProfile, Tombstone
from streamrec.features.fold import fold_entry, fold_member, fold_neighbours, fold_posting
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.state import JobState, MemberState, Neighbours, pack, unpack
from streamrec.local.servers import Server
from streamrec.lookup.app import create_app
from streamrec.lookup.publishing import Publisher
from streamrec.lookup.service import Service
from streamrec.models import passed
from streamrec.models.base import Scorer
from streamrec.settings import Settings
from streamrec.stores.base import Append, Put, Store
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.redis import RedisStore

NOW = 1_760_000_000_000
MINUTE = 60_000
DAY = 86_400_000


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Town:
    """Writes to the store what the agents would write."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self.store, self.keys = store, keys
        self._count = 0

    async def post(self, job_id: str, title: str = "Clerk", **fields: Any) -> None:
        fields.setdefault("posted_at", NOW - 60 * MINUTE)
        await self._job(job_id, lambda state: fold_posting(state, JobPosting(job_id=job_id, title=title, **fields)))

    async def unpost(self, job_id: str) -> None:
        await self._job(job_id, lambda state: fold_posting(state, Tombstone(job_id)))

    async def profile(self, member_id: str, **fields: Any) -> None:
        await self._member(member_id, MemberProfile(member_id=member_id, updated_at=NOW, **fields))

    async def erase(self, member_id: str) -> None:
        await self._member(member_id, Tombstone(member_id))

    async def act(
        self, member_id: str, job_id: str, kind: type[JobEvent] = JobView, at: int = NOW, **more: Any
    ) -> None:
        self._count += 1
        event = kind(event_id=f"e{self._count}", member_id=member_id, job_id=job_id, occurred_at=at, **more)
        for index, effect in enumerate(await self._member(member_id, event)):
            entry = ActivityEntry(
                offset=self._count, index=index, job_id=effect.job_id, occurred_at=at, action=effect.action,
                sign=effect.sign, first=effect.first, repeats=effect.repeats, neighbours=effect.neighbours,
            )  # fmt: skip
            await self._entry(entry)

    async def pass_over(self, member_id: str, *job_ids: str, times: int = 1) -> None:
        key = self.keys.passed(member_id)
        kept = passed.unpack((await self.store.get([key]))[0])
        for _ in range(times):
            passed.pass_over(kept, job_ids, NOW)
        await self.store.put([Put(key, passed.pack(kept))])

    async def _entry(self, entry: ActivityEntry) -> None:
        await self._job(entry.job_id, lambda state: fold_entry(state, entry))
        key = self.keys.neighbours(entry.job_id)
        row = unpack(Neighbours, (await self.store.get([key]))[0])
        fold_neighbours(row, entry)
        await self.store.put([Put(key, pack(row))])

    async def _member(self, member_id: str, event: Any) -> list[Any]:
        key = self.keys.member(member_id)
        state = unpack(MemberState, (await self.store.get([key]))[0])
        effects = fold_member(state, event)
        await self.store.put([Put(key, pack(state))])
        return effects

    async def _job(self, job_id: str, change: Callable[[JobState], None]) -> None:
        key = self.keys.job(job_id)
        state = unpack(JobState, (await self.store.get([key]))[0])
        change(state)
        changes = Append(self.keys.changes(self.keys.job_slot(job_id)), msgspec.msgpack.encode([job_id]), 1000)
        await self.store.put([Put(key, pack(state)), changes])


def any_scorer() -> Scorer:
    """A model, two seconds old."""
    weights = np.linspace(-0.1, 0.1, len(feature_names()))
    return Scorer("job_check", 3, FEATURE_SET, weights, -1.0, learned_at=NOW - 2_000, examples=10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings(namespace=f"lookup-{uuid4().hex}", produce_timeout_s=5.0, explore=0.0)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Store]:
    keys = Keys(settings.namespace, settings.partitions)
    if request.param == "memory":
        yield MemoryStore(keys)
        return
    server: Server = request.getfixturevalue("redis_server")
    opened = RedisStore(f"redis://{server.address}/0", keys)
    yield opened
    await opened.close()


@pytest.fixture
async def town(store: Store, settings: Settings) -> Town:
    """Thirty nursing jobs in Bavaria, thirty driving jobs in Saxony (every third remote), and two members who look at some."""
    town = Town(store, Keys(settings.namespace, settings.partitions))
    for number in range(30):
        minutes = 60 + number
        await town.post(
            f"n{number}", f"Night Nurse Ward {number}", company=f"Clinic {number % 5}", city="Munich", region="Bavaria",
            function="nursing", remote=False, posted_at=NOW - minutes * MINUTE,
        )  # fmt: skip
        await town.post(
            f"d{number}", f"Truck Driver Route {number}", company=f"Haulage {number % 5}", city="Leipzig",
            region="Saxony", function="driving", remote=number % 3 == 0, posted_at=NOW - minutes * MINUTE,
        )  # fmt: skip
    for number in range(6):
        await town.act("anna", f"n{number}", at=NOW - (50 - number) * MINUTE)
        await town.act("ben", f"d{number}", at=NOW - (40 - number) * MINUTE)
    for number in range(3, 9):
        await town.act("clara", f"n{number}", at=NOW - (30 - number) * MINUTE)
    return town


@pytest.fixture
async def service(town: Town, store: Store, settings: Settings, clock: Clock) -> AsyncIterator[Service]:
    """A service over the town, its table loaded; nothing runs beside the requests."""
    service = Service(settings, store, Publisher(settings), clock)
    await service.serving.load()
    service.serving.current_at = clock.now
    yield service
    await service.after.aclose()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        transport = httpx.ASGITransport(app=create_app(service), raise_app_exceptions=False)
        yield await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://lookup"))
        await service.publisher.close()
