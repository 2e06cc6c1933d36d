import asyncio
import contextlib
import time
from typing import Any

import httpx
import pytest

from streamrec.lookup.after import After
from streamrec.lookup.problems import Problem
from streamrec.lookup.service import Service
from streamrec.lookup.tokens import Token, encode
from streamrec.stores.base import PutFields, Store, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.positions import Position, pack

from .conftest import Town

pytestmark = pytest.mark.anyio
PATH = "/v1/members/anna/recommendations"


async def read_up_to(store: Store, keys: Keys, next_offset: int, topic_id: str = "t", slot: str = "m1") -> None:
    await store.put([PutFields(keys.positions(slot), {"job-views": pack(Position(topic_id, next_offset))})])


async def test_an_event_that_is_in_the_state_is_not_waited_for(client: httpx.AsyncClient, town: Town) -> None:
    await read_up_to(town.store, town.keys, 6)
    began = time.monotonic()
    answer = (await client.get(PATH, params={"after": encode(Token("t", "job-views", 1, 5))})).json()
    assert answer["freshness"]["after"] == "reached"
    assert time.monotonic() - began < 0.5


async def test_an_event_that_arrives_in_time_is_waited_for(client: httpx.AsyncClient, town: Town) -> None:
    await read_up_to(town.store, town.keys, 5)
    request = asyncio.create_task(client.get(PATH, params={"after": encode(Token("t", "job-views", 1, 5))}))
    await asyncio.sleep(0.1)
    assert not request.done()
    await read_up_to(town.store, town.keys, 6)
    assert (await request).json()["freshness"]["after"] == "reached"


@pytest.mark.parametrize("position", [None, 5])
async def test_when_the_budget_is_used_up_the_answer_says_so(
    client: httpx.AsyncClient, town: Town, service: Service, position: int | None
) -> None:
    if position is not None:
        await read_up_to(town.store, town.keys, position)
    began = time.monotonic()
    answer = (await client.get(PATH, params={"after": encode(Token("t", "job-views", 1, 5))})).json()
    assert answer["freshness"]["after"] == "budget_exceeded"
    assert answer["items"]
    assert 0.9 < time.monotonic() - began < service.settings.after_budget_ms / 1000 + 0.7


async def test_without_a_token_nothing_is_said(client: httpx.AsyncClient) -> None:
    assert (await client.get(PATH)).json()["freshness"]["after"] is None


async def test_a_token_of_a_topic_that_was_created_anew(client: httpx.AsyncClient, town: Town) -> None:
    await read_up_to(town.store, town.keys, 100, topic_id="new")
    response = await client.get(PATH, params={"after": encode(Token("old", "job-views", 1, 5))})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:streamrec:problem:topic-recreated"


@pytest.mark.parametrize(
    "token",
    ["x", *(encode(Token("t", *where, 1)) for where in (("no-such-topic", 0), ("job-views", 4), ("job-activity", 0)))],
)
async def test_a_token_that_is_none_of_ours(client: httpx.AsyncClient, token: str) -> None:
    response = await client.get(PATH, params={"after": token})
    assert response.status_code == 400
    assert response.json()["type"] == "urn:streamrec:problem:invalid-token"


async def test_a_posting_is_waited_for_in_the_slot_of_the_jobs(town: Town) -> None:
    async with contextlib.aclosing(After(town.store, town.keys)) as after:
        token = Token("t", "job-postings", 2, 5)
        assert await after.wait(token, 30) == "budget_exceeded"
        await town.store.put([PutFields(town.keys.positions("j2"), {"job-postings": pack(Position("t", 6))})])
        assert await after.wait(token, 20_000) == "reached"


class Counting(MemoryStore):
    looks = 0
    away = False

    async def get_fields(self, key: str) -> dict[str, bytes]:
        self.looks += 1
        await asyncio.sleep(0.002)
        if self.away:
            raise StoreUnavailableError("away")
        return await super().get_fields(key)


async def test_those_who_wait_on_one_slot_share_each_look_at_it() -> None:
    keys = Keys("after", 4)
    store = Counting(keys)
    after = After(store, keys)
    waiting = [asyncio.create_task(after.wait(Token("t", "job-views", 1, number), 2000)) for number in range(100)]
    await asyncio.sleep(0.2)
    assert 2 < store.looks < 60
    await read_up_to(store, keys, 100)
    assert set(await asyncio.gather(*waiting)) == {"reached"}


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    keys = Keys("after", 4)
    store = Counting(keys)
    after = After(store, keys)
    token = Token("t", "job-views", 1, 5)
    patient = asyncio.create_task(after.wait(token, 2000))
    assert await after.wait(token, 20) == "budget_exceeded"
    await read_up_to(store, keys, 6)
    assert await patient == "reached"


async def test_a_look_that_nobody_waits_for_any_more_ends_with_the_service() -> None:
    keys = Keys("after", 4)
    store = Counting(keys)
    after = After(store, keys)
    before = asyncio.all_tasks()
    assert await after.wait(Token("t", "job-views", 1, 5), 1) == "budget_exceeded"
    assert asyncio.all_tasks() > before
    await after.aclose()
    assert asyncio.all_tasks() == before


async def test_a_store_that_is_away_counts_as_not_there_yet() -> None:
    keys = Keys("after", 4)
    store = Counting(keys)
    store.away = True
    after = After(store, keys)
    assert await after.wait(Token("t", "job-views", 1, 5), 100) == "budget_exceeded"
    assert store.looks < 10
    waiting = asyncio.create_task(after.wait(Token("t", "job-views", 1, 5), 2000))
    await asyncio.sleep(0.06)
    store.away = False
    await read_up_to(store, keys, 6)
    assert await waiting == "reached"


async def test_a_position_that_cannot_be_read_counts_as_not_there_yet() -> None:
    keys = Keys("after", 4)
    store: Any = MemoryStore(keys)
    await store.put([PutFields(keys.positions("m1"), {"job-views": b"\x09?"})])
    assert await After(store, keys).wait(Token("t", "job-views", 1, 5), 30) == "budget_exceeded"


async def test_all_who_wait_are_told_of_a_topic_created_anew() -> None:
    keys = Keys("after", 4)
    store = Counting(keys)
    after = After(store, keys)
    await read_up_to(store, keys, 1, topic_id="new")
    outcomes = await asyncio.gather(
        *(after.wait(Token("old", "job-views", 1, 5), 500) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Problem] * 3


async def test_whoever_comes_while_a_look_is_done_and_not_yet_put_away_holds_up_nobody() -> None:
    """To wait for what is done gives the event loop no turn: it would stand still until the budget is used up."""
    keys = Keys("test", 4)
    after = After(MemoryStore(keys), keys)
    done: asyncio.Task[dict[str, bytes]] = asyncio.create_task(asyncio.sleep(0, {}))
    await done
    after._looks["m1"] = done
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    ticking = asyncio.create_task(others())
    assert await after.wait(Token("t", "job-views", 1, 5), 300) == "budget_exceeded"
    ticking.cancel()
    assert turns >= 3
    await after.aclose()
