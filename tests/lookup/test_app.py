import logging
from typing import Any

import httpx
import pytest

from streamrec.lookup import popular
from streamrec.lookup.service import Service

pytestmark = pytest.mark.anyio


def problem(response: httpx.Response, status: int, name: str) -> Any:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"urn:streamrec:problem:{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def test_a_path_that_is_not_there(client: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/v1",
        "/v1/popular/",
        "/v1/members/",
        "/v1/members/a/b",
        "/docs/x",
        "//",
        "/v1/jobs/a/similar/b",
    ):
        problem(await client.get(path), 404, "not-found")


async def test_a_method_that_is_not_taken(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v1/rank")
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"
    assert (await client.post("/v1/popular")).headers["allow"] == "GET, HEAD"


async def test_head_is_answered_like_get(client: httpx.AsyncClient) -> None:
    assert (await client.head("/health/live")).status_code == 200


async def test_a_request_keeps_its_name_in_good_answers_and_bad(client: httpx.AsyncClient) -> None:
    for path in ("/v1/popular", "/v1/jobs/none", "/nothing", "/v1/popular?limit=x", "/docs", "/metrics"):
        response = await client.get(path, headers={"X-Request-Id": "trace-7"})
        assert response.headers["x-request-id"] == "trace-7"
        if "json" in response.headers["content-type"]:
            assert response.json()["request_id"] == "trace-7"


async def test_answers_are_not_stored_on_the_way(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/popular")).headers["cache-control"] == "no-store"


async def test_a_body_that_is_too_large(client: httpx.AsyncClient, service: Service) -> None:
    body = b"[" + b" " * service.settings.max_body_bytes + b"]"
    for path in ("/v1/rank", "/v1/events"):
        response = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        problem(response, 413, "body-too-large")


async def test_a_body_that_is_not_json(client: httpx.AsyncClient) -> None:
    for path in ("/v1/rank", "/v1/events"):
        for body in (b"", b"{", b"{'a': 1}"):
            response = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            problem(response, 400, "invalid-json")
        problem(await client.post(path, content=b"{}"), 415, "unsupported-media-type")


async def test_a_failure_of_ours_is_a_problem_that_gives_nothing_away(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(popular, "_top", fail)
    with caplog.at_level(logging.ERROR):
        response = await client.get("/v1/popular")
    body = problem(response, 500, "internal-error")
    assert "secret" not in response.text
    assert body["request_id"] in caplog.text
    assert "the secret is 42" in caplog.text


async def test_requests_are_counted_by_operation_and_never_by_what_clients_make_up(client: httpx.AsyncClient) -> None:
    await client.get("/v1/jobs/n1")
    await client.get("/made-up-path")
    text = (await client.get("/metrics")).text
    assert 'streamrec_lookup_requests_total{route="job",status="200"}' in text
    assert 'streamrec_lookup_requests_total{route="none",status="404"}' in text
    assert "made-up-path" not in text
