"""States that are kept are those that the store holds, or are forgotten."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from streamrec.agents.base import OwnerAgent, feed
from streamrec.agents.kept import Kept, Wanted
from streamrec.agents.network import state_of
from streamrec.agents.ownership import Hold, state_delete, state_write
from streamrec.agents.transport import Batch
from streamrec.features.state import MemberState, pack, unpack
from streamrec.stores.base import FencedError, Put, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

KEYS = Keys("test", 1)
ANN = KEYS.member("ann")
WANTED = [Wanted(ANN, state_of)]


class Counting(OwnerAgent):
    """Counts records in the version of one state; `fail` is raised at a point of the turn, once."""

    topics: ClassVar[tuple[str, ...]] = ("job-views",)

    def __init__(self, fail: Exception | None = None, *, after_commit: bool = False) -> None:
        super().__init__()
        self._fail, self._after_commit = fail, after_commit

    def _break(self, point: bool) -> None:
        if self._fail is not None and point is self._after_commit:
            failure, self._fail = self._fail, None
            raise failure

    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        [state] = await hold.read(WANTED)
        state.version += sum(len(batch.records) for batch in batches)
        writes = [state_write(hold, ANN, state)]
        self._break(False)
        await hold.commit(writes, {batch.topic: batch.next_offset for batch in batches}, {})
        self._break(True)


async def hold_of(store: MemoryStore, kept_bytes: int = 1_000_000) -> Hold:
    hold = Hold("m0", await store.take("m0"), KEYS, {"job-views": "id"}, kept_bytes)
    await hold.load()
    return hold


def batch(*offsets: int, topic: str = "job-views") -> Batch:
    records: list[Any] = [SimpleNamespace(offset=offset, timestamp=0, value=None) for offset in offsets]
    return Batch(topic, 0, records, 1)


async def version(store: MemoryStore) -> int:
    return unpack(MemberState, (await store.get([ANN]))[0]).version


def test_the_states_used_least_recently_make_room() -> None:
    kept = Kept(2_000)
    kept.keep("a", "A", 50)
    kept.keep("b", "B", 50)
    assert kept.find("a") == "A"
    kept.keep("c", "C", 50)
    assert [kept.find(key) for key in "abc"] == ["A", None, "C"]
    kept.keep("d", "D", 1_000)  # larger than all that there is room for: the others stay
    assert [kept.find(key) for key in "acd"] == ["A", "C", None]
    kept.drop("a")
    kept.keep("c", "C", 0)
    assert kept.bytes == 400
    kept.clear()
    assert (kept.bytes, kept.find("c")) == (0, None)


def test_what_the_store_lets_expire_is_kept_no_longer() -> None:
    now = [0.0]
    kept = Kept(10_000, lambda: now[0])
    kept.keep("a", "A", 50, ttl_s=10)
    now[0] = 9.9
    assert kept.find("a") == "A"
    now[0] = 10.0
    assert (kept.find("a"), kept.bytes) == (None, 0)


def test_a_state_is_read_once_and_those_that_expire_each_time() -> None:
    async def main() -> None:
        store = MemoryStore(KEYS)
        await store.put([Put(ANN, pack(MemberState(version=3)))])
        hold = await hold_of(store)
        [first] = await hold.read(WANTED)
        [second] = await hold.read(WANTED)
        assert first is second
        expiring = [Wanted(KEYS.shown("ann"), state_of, expires=True)]
        assert (await hold.read(expiring))[0] is not (await hold.read(expiring))[0]
        state_delete(hold, ANN)
        assert (await hold.read(WANTED))[0] is not first
        none = await hold_of(store, 0)
        assert (await none.read(WANTED))[0] is not (await none.read(WANTED))[0]

    asyncio.run(main())


@pytest.mark.parametrize("after_commit", [False, True], ids=["before the commit", "after it"])
def test_a_turn_that_failed_leaves_nothing_of_itself(after_commit: bool) -> None:
    async def main() -> None:
        store = MemoryStore(KEYS)
        hold = await hold_of(store)
        agent = Counting()
        assert await feed(agent, hold, [batch(0, 1)], lambda: True)
        agent = Counting(StoreUnavailableError("away"), after_commit=after_commit)
        assert await feed(agent, hold, [batch(2, 3, 4)], lambda: True)
        assert await feed(agent, hold, [batch(5)], lambda: True)
        assert await version(store) == 6
        assert (await hold.read(WANTED))[0].version == 6

    asyncio.run(main())


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), FencedError("another owner")], ids=["a bug", "the fence"])
def test_whatever_ends_a_turn_has_the_states_forgotten(failure: Exception) -> None:
    async def main() -> None:
        hold = await hold_of(MemoryStore(KEYS))
        if isinstance(failure, FencedError):
            assert not await feed(Counting(failure), hold, [batch(0)], lambda: True)
        else:
            with pytest.raises(RuntimeError):
                await feed(Counting(failure), hold, [batch(0)], lambda: True)
        assert hold.kept.bytes == 0

    asyncio.run(main())


def test_a_former_owner_cannot_write_what_it_keeps() -> None:
    async def main() -> None:
        store = MemoryStore(KEYS)
        former = await hold_of(store)
        assert await feed(Counting(), former, [batch(0)], lambda: True)
        owner = await hold_of(store)
        assert await feed(Counting(), owner, [batch(1)], lambda: True)
        assert not await feed(Counting(), former, [batch(1, 2)], lambda: True)
        assert former.lost
        assert await version(store) == 2

    asyncio.run(main())


def test_several_topics_are_one_turn() -> None:
    async def main() -> None:
        store = MemoryStore(KEYS)
        hold = Hold("m0", await store.take("m0"), KEYS, {"job-views": "v", "job-saves": "s"}, 1_000_000)
        assert await feed(Counting(), hold, [batch(0, 1), batch(7, topic="job-saves")], lambda: True)
        await hold.load()
        assert (hold.next_offset("job-views"), hold.next_offset("job-saves"), await version(store)) == (2, 8, 3)
        again = [batch(1, 2), batch(7, topic="job-saves")]  # read again in part
        assert await feed(Counting(), hold, again, lambda: True)
        assert (hold.next_offset("job-views"), hold.next_offset("job-saves"), await version(store)) == (3, 8, 4)

    asyncio.run(main())
