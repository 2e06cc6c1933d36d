from typing import Any

import httpx
import pytest

from streamrec.lookup.service import Service

from .conftest import MINUTE, NOW, Clock, Town

pytestmark = pytest.mark.anyio


async def items(client: httpx.AsyncClient, **query: Any) -> list[Any]:
    response = await client.get("/v1/popular", params=query)
    assert response.status_code == 200, response.text
    found: list[Any] = response.json()["items"]
    return found


async def test_the_most_popular_come_first_with_their_sums_as_scores(client: httpx.AsyncClient) -> None:
    found = await items(client, half_life="1h")
    assert [item["job_id"] for item in found[:3]] == ["n5", "n4", "n3"]  # two members each, the later the more
    assert found[0]["score"] == pytest.approx(2 ** (-45 / 60) + 2 ** (-25 / 60))
    assert len(found) == 15  # jobs that nobody touched are not popular
    assert [item["score"] for item in found] == sorted((item["score"] for item in found), reverse=True)


async def test_of_a_region_of_a_function_and_of_both(client: httpx.AsyncClient) -> None:
    assert {item["job_id"] for item in await items(client, region="SAXONY")} == {f"d{number}" for number in range(6)}
    assert {item["job_id"] for item in await items(client, function="driving")} == {f"d{number}" for number in range(6)}
    assert await items(client, region="Saxony", function="nursing") == []
    assert await items(client, region="Atlantis") == []  # and not everywhere


async def test_jobs_that_may_not_be_shown_are_left_out_and_others_move_up(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Clock
) -> None:
    for number in range(12):
        await town.act("ben", f"bare{number}")  # very popular, without a posting
        await town.act("clara", f"bare{number}")
    await town.post("n5", "Night Nurse", closed=True)
    await town.post("n4", "Night Nurse", expires_at=NOW + MINUTE)
    await service.serving.load()
    clock.now += 2 * MINUTE
    assert [item["job_id"] for item in await items(client, limit=1, half_life="1h")] == ["n3"]


@pytest.mark.parametrize("query", [{"half_life": "2h"}, {"limit": 101}, {"region": ""}, {"city": "Munich"}])
async def test_a_parameter_that_does_not_fit(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    assert (await client.get("/v1/popular", params=query)).status_code == 422
