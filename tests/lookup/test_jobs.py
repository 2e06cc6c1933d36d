import httpx
import pytest

from streamrec.events import JobApplication
from streamrec.features.state import Neighbours, pack
from streamrec.lookup.service import Service
from streamrec.stores.base import Put

from .conftest import DAY, MINUTE, NOW, Clock, Town

pytestmark = pytest.mark.anyio


async def test_a_job_has_its_posting_and_what_was_done_with_it(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Clock
) -> None:
    await town.act("anna", "n3", JobApplication)
    await service.serving.load()
    job = (await client.get("/v1/jobs/n3")).json()
    assert (job["job_id"], job["open"], job["posting"]["title"]) == ("n3", True, "Night Nurse Ward 3")
    assert job["activity"]["view"]["total"] == 2
    assert job["activity"]["apply"] == {"total": 1, "recent": 1.0}
    assert job["popularity"]["1h"] == pytest.approx(1 + 2 ** (-47 / 60) + 2 ** (-27 / 60))
    assert (job["first_at"], job["last_at"]) == (NOW - 47 * MINUTE, NOW)
    clock.now += 7 * DAY
    assert (await client.get("/v1/jobs/n3")).json()["activity"]["apply"] == {"total": 1, "recent": 0.5}


async def test_a_job_nobody_touched_and_one_without_a_posting(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    await town.act("anna", "bare")
    await service.serving.load()
    quiet = (await client.get("/v1/jobs/n20")).json()
    assert quiet["first_at"] is None
    assert quiet["popularity"] == {"1h": 0.0, "1d": 0.0, "10d": 0.0}
    assert (await client.get("/v1/jobs/bare")).json()["posting"] is None


async def test_a_closed_job_is_shown_as_such_and_an_unknown_one_not_at_all(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    await town.post("n3", "Night Nurse", closed=True)
    await town.unpost("n4")
    await service.serving.load()
    assert (await client.get("/v1/jobs/n3")).json()["open"] is False
    assert (await client.get("/v1/jobs/n4")).json()["open"] is False
    assert (await client.get("/v1/jobs/never")).json()["type"] == "urn:streamrec:problem:unknown-job"


async def test_similar_jobs_are_those_touched_along_then_those_with_like_titles(client: httpx.AsyncClient) -> None:
    items = (await client.get("/v1/jobs/n4/similar?limit=12")).json()["items"]
    assert [item["rank"] for item in items] == list(range(1, 13))
    touched = [item["job_id"] for item in items if item["sources"] == ["covisited"]]
    assert set(touched) == {f"n{number}" for number in range(9)} - {"n4"}
    assert [item["job_id"] for item in items[: len(touched)]] == touched
    alike = items[len(touched) :]
    assert all(item["sources"] == ["title"] and item["job_id"].startswith("n") for item in alike)
    for part in (items[: len(touched)], alike):
        scores = [item["score"] for item in part]
        assert scores == sorted(scores, reverse=True)
    assert all(0 < item["score"] < 1 for item in alike)


async def test_similar_jobs_can_be_shown(client: httpx.AsyncClient, town: Town, service: Service) -> None:
    await town.post("n5", "Night Nurse", closed=True)
    row = Neighbours(at=NOW, weights={"n5": 9.0, "nothing": 8.0, "d1": 7.0, "n4": 6.0})
    await town.store.put([Put(town.keys.neighbours("n4"), pack(row))])
    await service.serving.load()
    items = (await client.get("/v1/jobs/n4/similar?limit=2")).json()["items"]
    assert items[0]["job_id"] == "d1"
    assert items[0]["score"] == 7.0
    assert items[1]["sources"] == ["title"]


async def test_a_job_may_be_asked_for_before_the_jobs_are_loaded(client: httpx.AsyncClient, service: Service) -> None:
    service.serving.loaded = False
    response = await client.get("/v1/jobs/never")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert response.json()["type"] == "urn:streamrec:problem:table-loading"
