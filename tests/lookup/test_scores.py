from typing import Any

import httpx
import pytest

from streamrec.events import JobApplication
from streamrec.lookup.service import Service

from .conftest import Town, any_scorer

pytestmark = pytest.mark.anyio


async def rank(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await client.post("/v1/rank", json=body)


async def test_jobs_are_scored_in_the_order_given(client: httpx.AsyncClient, service: Service, town: Town) -> None:
    service.serving.scorer = any_scorer()
    await town.act("anna", "n8", JobApplication)
    job_ids = ["d9", "n8", "nothing", "n1", "d9"]
    answer = (await rank(client, {"member_id": "anna", "job_ids": job_ids})).json()
    items = {item["job_id"]: item for item in answer["items"]}
    assert [item["job_id"] for item in answer["items"]] == job_ids
    assert items["nothing"] == {"job_id": "nothing", "score": None, "p_check": None}
    assert all(0 < items[job_id]["p_check"] < 1 for job_id in ("d9", "n8", "n1"))
    assert answer["model"] == {"name": "job_check", "version": 3}
    assert answer["degraded"] is None


async def test_scores_order_jobs_as_the_list_does(client: httpx.AsyncClient, service: Service) -> None:
    service.serving.scorer = any_scorer()
    listed = (await client.get("/v1/members/anna/recommendations?limit=20")).json()["items"]
    answer = (await rank(client, {"member_id": "anna", "job_ids": [item["job_id"] for item in listed]})).json()
    given, ranked = ([item["p_check"] for item in items] for items in (answer["items"], listed))
    assert given == pytest.approx(ranked, abs=1e-6)


async def test_without_a_model_and_for_an_unknown_member(client: httpx.AsyncClient) -> None:
    answer = (await rank(client, {"member_id": "nobody", "job_ids": ["n4", "d20"], "track": True})).json()
    assert answer["degraded"] == "no_model"
    assert answer["model"] is None
    assert [item["p_check"] for item in answer["items"]] == [None, None]
    assert answer["items"][0]["score"] > answer["items"][1]["score"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], ""), ({"job_ids": ["a"]}, ""), ({"member_id": "", "job_ids": ["a"]}, "member_id"),
        ({"member_id": "a", "job_ids": []}, "job_ids"), ({"member_id": "a", "job_ids": ["x"] * 1001}, "job_ids"),
        ({"member_id": "a", "job_ids": ["x" * 513]}, "job_ids[0]"), ({"member_id": 1, "job_ids": ["a"]}, "member_id"),
        ({"member_id": "a", "job_ids": ["a"], "more": 1}, ""),
    ],
)  # fmt: skip
async def test_a_body_that_does_not_fit(client: httpx.AsyncClient, body: Any, where: str) -> None:
    response = await rank(client, body)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:streamrec:problem:invalid-body"
    assert response.json()["errors"][0]["name"] == where
