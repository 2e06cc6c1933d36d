"""Who is read together, and what each of them gets."""

import asyncio
from collections.abc import Sequence

import pytest

from streamrec.stores.base import Put, Store, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.together import Together

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Held:
    """A store whose reads wait until they are let go."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[list[str]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        self.asked.append(list(keys))
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return await self._store.get(keys)


@pytest.fixture
async def held() -> Held:
    store = MemoryStore(Keys("sr", 1))
    await store.put([Put(f"k{number}", b"%d" % number) for number in range(200)])
    return Held(store)


async def asking(together: Together, count: int) -> list["asyncio.Task[list[bytes | None]]"]:
    """Tasks that wait for their values, each for two of which one is not there."""
    tasks = [asyncio.create_task(together.get([f"k{number}", f"no{number}"])) for number in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)  # each has its turn
    return tasks


async def test_those_who_wait_are_read_in_one_go_and_each_gets_its_own(held: Held) -> None:
    tasks = await asking(Together(held), 50)  # type: ignore[arg-type]
    assert [len(keys) for keys in held.asked] == [2, 2]
    held.go.set()
    assert await asyncio.gather(*tasks) == [[b"%d" % number, None] for number in range(50)]
    assert [len(keys) for keys in held.asked] == [2, 2, 64, 32]


async def test_nobody_waits_where_there_is_nobody_else(held: Held) -> None:
    held.go.set()
    together = Together(held)  # type: ignore[arg-type]
    for number in (3, 4, 5):
        assert await together.get([f"k{number}"]) == [b"%d" % number]
    assert held.asked == [["k3"], ["k4"], ["k5"]]


async def test_what_went_wrong_is_told_to_all_and_the_next_are_read_again(held: Held) -> None:
    together = Together(held)  # type: ignore[arg-type]
    tasks = await asking(together, 5)
    held.error = StoreUnavailableError("away")
    held.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [StoreUnavailableError] * 5
    held.error = None
    assert await asyncio.gather(*await asking(together, 5)) == [[b"%d" % number, None] for number in range(5)]


async def test_whoever_gives_up_is_not_read_and_holds_up_nobody(held: Held) -> None:
    together = Together(held)  # type: ignore[arg-type]
    tasks = await asking(together, 6)
    for task in (tasks[0], tasks[2], tasks[3]):
        task.cancel()
    await asyncio.wait([tasks[0], tasks[2], tasks[3]])
    await asyncio.sleep(0)
    assert held.asked == [["k0", "no0"], ["k1", "no1"], ["k4", "no4", "k5", "no5"]]
    held.go.set()
    assert await asyncio.gather(tasks[1], *tasks[4:]) == [[b"%d" % number, None] for number in (1, 4, 5)]
