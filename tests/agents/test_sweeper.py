"""What is forgotten, and that it is forgotten by the owner alone: on a real Redis."""

from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import pytest

from streamrec.agents.ownership import Hold
from streamrec.agents.sweeper import Sweeper, newest_action, over
from streamrec.events import JobPosting, MemberProfile
from streamrec.features.forgetting import DAY_MS, is_over
from streamrec.features.state import JobState, MemberState, Neighbours, pack, unpack
from streamrec.features.table import JobTable
from streamrec.local.servers import Server
from streamrec.settings import Settings
from streamrec.stores.base import FencedError, Put, Store
from streamrec.stores.keys import Keys
from streamrec.stores.redis import RedisStore
from streamrec.stores.serving import Serving

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

NOW = 1_760_000_000_000
SETTINGS = Settings(partitions=2, member_kept_days=100, job_kept_days=10)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(redis_server: Server, keys: Keys) -> AsyncIterator[Store]:
    made = RedisStore(f"redis://{redis_server.address}/0", keys)
    yield made
    await made.close()


@pytest.fixture
def keys() -> Keys:
    return Keys(f"sweep-{uuid4().hex[:8]}", SETTINGS.partitions)


class World:
    """A store, its table of jobs, and holds on all slots."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self.store, self.keys = store, keys
        self.serving = Serving(store, keys, SETTINGS, lambda: NOW)
        self.holds: list[Hold] = []
        self.sweeper = Sweeper(SETTINGS, store, keys, lambda: self.serving.table, lambda: self.holds)

    async def take(self) -> None:
        for slot in ("m0", "m1", "j0", "j1"):
            self.holds.append(Hold(slot, await self.store.take(slot), self.keys, {}))

    async def put(self, members: dict[str, MemberState], jobs: dict[str, JobState]) -> None:
        await self.store.put([Put(self.keys.member(name), pack(state)) for name, state in members.items()])
        await self.store.put([Put(self.keys.job(name), pack(state)) for name, state in jobs.items()])
        await self.store.put([Put(self.keys.neighbours(name), pack(Neighbours(5, {"x": 1.0}))) for name in jobs])
        await self.serving.load()

    async def close(self) -> None:
        for hold in self.holds:
            await hold.slot.close()


def posting(**fields: object) -> JobPosting:
    return msgspec.convert({"job_id": "j", "title": "Nurse", **fields}, JobPosting)


OLD, RECENT = NOW - 11 * DAY_MS, NOW - 9 * DAY_MS
JOBS = {
    "open": (JobState(version=1, posting=posting(posted_at=OLD), last_at=OLD), True),
    "closed-long-ago": (JobState(version=1, posting=posting(closed=True, posted_at=OLD), last_at=OLD), False),
    "closed-and-acted-on": (JobState(version=1, posting=posting(closed=True, posted_at=OLD), last_at=RECENT), True),
    "expired-long-ago": (JobState(version=1, posting=posting(posted_at=OLD, expires_at=OLD + 5), last_at=0), False),
    "expired": (JobState(version=1, posting=posting(posted_at=OLD, expires_at=RECENT), last_at=OLD), True),
    "expires-later": (JobState(version=1, posting=posting(posted_at=OLD, expires_at=NOW + 5), last_at=OLD), True),
    "removed-long-ago": (JobState(version=2, removed=True, last_at=OLD), False),
    "removed-and-acted-on": (JobState(version=2, removed=True, last_at=RECENT), True),
    "acted-on-only": (JobState(version=2, last_at=OLD), False),
}


async def test_jobs_that_are_over_are_forgotten_with_their_neighbours_and_followers_are_told(
    store: Store, keys: Keys
) -> None:
    world = World(store, keys)
    await world.take()
    await world.put({}, {name: state for name, (state, _) in JOBS.items()})
    after = await store.tail([keys.changes(slot) for slot in keys.job_slots()])
    await world.sweeper.sweep(NOW)
    left = {name for name, _ in JOBS.items() if (await store.get([keys.job(name)]))[0] is not None}
    assert left == {name for name, (_, kept) in JOBS.items() if kept}
    rows = {name for name, _ in JOBS.items() if (await store.get([keys.neighbours(name)]))[0] is not None}
    assert rows == left
    told = [job for entry in await store.follow(after, 100) for job in msgspec.msgpack.decode(entry.value)]
    assert sorted(told) == sorted(set(JOBS) - left)
    await world.close()


@pytest.mark.parametrize("name", JOBS)
def test_the_table_names_every_job_that_is_over(name: str) -> None:
    state, _ = JOBS[name]
    table = JobTable(8)
    table.upsert("j", state)
    assert (over(table, NOW, SETTINGS.job_kept_ms) == ["j"]) == is_over(state, NOW, SETTINGS.job_kept_ms)


def test_the_newest_action_is_that_on_any_job() -> None:
    table = JobTable(8)
    assert newest_action(table) == 0
    for name, (state, _) in JOBS.items():
        table.upsert(name, state)
    assert newest_action(table) == RECENT


async def test_idle_members_are_forgotten_but_for_their_profile(store: Store, keys: Keys) -> None:
    world = World(store, keys)
    await world.take()
    idle, profile = NOW - 101 * DAY_MS, MemberProfile(member_id="b", city="Olney", updated_at=5)
    members = {
        "idle": MemberState(version=4, last_at=idle, viewed={"j": idle}),
        "idle-with-profile": MemberState(version=4, last_at=idle, profile=profile, applied={"j": idle}),
        "active": MemberState(version=4, last_at=NOW - 99 * DAY_MS),
        "profile-only": MemberState(version=1, profile=profile),
    }
    await world.put(members, {})
    await world.sweeper.sweep(NOW)
    found = dict(zip(members, await store.get([keys.member(name) for name in members]), strict=True))
    assert found["idle"] is None
    assert unpack(MemberState, found["idle-with-profile"]) == MemberState(version=1, profile=profile)
    assert found["active"] == pack(members["active"])
    assert found["profile-only"] == pack(members["profile-only"])
    await world.close()


async def test_who_has_lost_a_slot_forgets_nothing_in_it(store: Store, keys: Keys) -> None:
    world = World(store, keys)
    await world.take()
    await world.put({"idle": MemberState(version=4, last_at=5)}, {"over": JOBS["removed-long-ago"][0]})
    others = [await store.take(slot) for slot in ("m0", "m1", "j0", "j1")]
    await world.sweeper.sweep(NOW)
    assert None not in await store.get([keys.member("idle"), keys.job("over")])
    assert all(hold.lost for hold in world.holds if hold.name in (keys.member_slot("idle"), keys.job_slot("over")))
    with pytest.raises(FencedError):
        await world.holds[0].slot.read([keys.member("idle")])
    await world.close()
    for other in others:
        await other.close()


async def test_rows_of_forgotten_jobs_are_given_back(store: Store, keys: Keys) -> None:
    world = World(store, keys)
    await world.take()
    gone = {f"j{number}": JOBS["removed-long-ago"][0] for number in range(1500)}
    await world.put({}, {**gone, "open": JOBS["open"][0]})
    assert len(world.serving.table) == 1501
    await world.sweeper.sweep(NOW)
    await world.serving._follow()
    assert world.serving.table.wasteful
    await world.serving.load()
    assert world.serving.table.ids == ["open"]
    await world.close()
