"""What the service does when the store is gone, slow, or comes back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_redis
from streamrec.lookup.app import create_app
from streamrec.lookup.publishing import Publisher
from streamrec.lookup.service import DEGRADED, Service, wall_clock_ms
from streamrec.settings import Settings
from streamrec.stores.keys import Keys
from streamrec.stores.redis import RedisStore

from .conftest import NOW, Clock, Town

pytestmark = [pytest.mark.anyio, pytest.mark.servers]
LIST = "/v1/members/anna/recommendations"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    """A Redis that a test may stop."""
    with start_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def store(own_redis: Server, settings: Settings) -> AsyncIterator[RedisStore]:
    opened = RedisStore(f"redis://{own_redis.address}/0", Keys(settings.namespace, settings.partitions), timeout_s=1.0)
    yield opened
    await opened.close()


async def timed(client: httpx.AsyncClient, path: str) -> tuple[Any, float]:
    began = time.monotonic()
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json(), time.monotonic() - began


@pytest.fixture(params=["gone", "stuck"])
def broken(request: pytest.FixtureRequest, own_redis: Server) -> Iterator[Any]:
    """Breaks the store when called."""

    def breaks() -> None:
        if request.param == "gone":
            own_redis.stop()
        else:
            os.kill(own_redis.pid, signal.SIGSTOP)

    yield breaks
    if request.param == "stuck":
        os.kill(own_redis.pid, signal.SIGCONT)


async def test_without_the_store_lists_are_popular_jobs_within_the_budget(
    client: httpx.AsyncClient, town: Town, service: Service, broken: Any
) -> None:
    assert (await timed(client, LIST))[0]["degraded"] == "no_model"
    broken()
    for _ in range(3):
        answer, took = await timed(client, f"{LIST}?limit=5")
        assert answer["degraded"] == "store_unavailable"
        assert answer["freshness"]["state_age_ms"] is None
        assert len(answer["items"]) == 5
        assert took < 0.6
    local, _ = await timed(client, f"{LIST}?region=Saxony")
    assert all(item["city"] == "Leipzig" for item in local["items"])


async def test_without_the_store_everything_else_answers_or_says_why_not(
    client: httpx.AsyncClient, town: Town, service: Service, broken: Any
) -> None:
    broken()
    assert (await timed(client, "/v1/jobs/n3"))[0]["job_id"] == "n3"
    assert (await timed(client, "/v1/popular"))[0]["items"]
    alike, took = await timed(client, "/v1/jobs/n3/similar")
    assert alike["degraded"] == "store_unavailable"
    assert {item["sources"][0] for item in alike["items"]} == {"title"}
    assert took < 0.6
    scores = (await client.post("/v1/rank", json={"member_id": "anna", "job_ids": ["n3"]})).json()
    assert scores["degraded"] == "store_unavailable"
    assert scores["items"][0]["score"] is not None
    member = await client.get("/v1/members/anna")
    assert member.status_code == 503
    assert member.json()["type"] == "urn:streamrec:problem:store-unavailable"
    ready = (await client.get("/health/ready")).json()
    assert ready["status"] == "degraded"
    assert "store_unavailable" in [missing["what"] for missing in ready["missing"]]


async def test_a_list_for_nobody_in_particular_is_used_again_for_a_second(
    client: httpx.AsyncClient, service: Service
) -> None:
    nobody = "/v1/members/nobody/recommendations"
    assert (await timed(client, nobody))[0]["freshness"]["ranked"] == "now"
    assert (await timed(client, nobody))[0]["freshness"]["ranked"] == "cached"
    assert (await timed(client, f"{nobody}?region=Saxony"))[0]["freshness"]["ranked"] == "now"


async def test_a_table_without_news_is_stale(client: httpx.AsyncClient, service: Service, clock: Clock) -> None:
    clock.now = NOW + 10_001
    assert (await timed(client, LIST))[0]["degraded"] == "table_stale"


async def test_every_reason_for_falling_short_is_documented() -> None:
    assert set(DEGRADED) == {
        "store_unavailable",
        "unreadable_state",
        "table_loading",
        "table_stale",
        "state_lost",
        "no_model",
        "budget",
    }


async def test_a_service_starts_without_the_store_and_mends_when_it_comes(tmp_path: Path, settings: Settings) -> None:
    port = free_port()
    keys = Keys(settings.namespace, settings.partitions)
    store = RedisStore(f"redis://127.0.0.1:{port}/0", keys)
    service = Service(settings, store, Publisher(settings), wall_clock_ms)
    transport = httpx.ASGITransport(app=create_app(service))
    async with service.running(), httpx.AsyncClient(transport=transport, base_url="http://lookup") as client:
        assert (await client.get("/health/ready")).status_code == 503
        answer, _ = await timed(client, LIST)
        assert (answer["items"], answer["degraded"]) == ([], "store_unavailable")
        with start_redis(tmp_path, port):
            writer = RedisStore(f"redis://127.0.0.1:{port}/0", keys)
            await Town(writer, keys).post("n1", "Night Nurse", posted_at=wall_clock_ms() - 1)
            async with asyncio.timeout(10):
                while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.05)
            answer, _ = await timed(client, LIST)
            assert [item["job_id"] for item in answer["items"]] == ["n1"]
            assert answer["degraded"] == "no_model"
            await Town(writer, keys).post("n2", "Night Nurse", posted_at=wall_clock_ms() - 1)
            async with asyncio.timeout(5):
                while (await client.get("/v1/jobs/n2")).status_code != 200:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.02)
            await writer.close()
