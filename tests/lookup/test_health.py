import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamrec.lookup.health import forget_dead_processes
from streamrec.lookup.service import Service

from .conftest import NOW, Clock, any_scorer

pytestmark = pytest.mark.anyio


async def ready(client: httpx.AsyncClient) -> tuple[int, Any]:
    response = await client.get("/health/ready")
    return response.status_code, response.json()


async def test_a_process_that_answers_lives(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/live")
    assert (response.status_code, response.json()["status"]) == (200, "live")


async def test_ready_when_nothing_is_missing(client: httpx.AsyncClient, service: Service) -> None:
    service.serving.scorer = any_scorer()
    status, answer = await ready(client)
    assert (status, answer["status"], answer["missing"]) == (200, "ready", [])
    assert (answer["jobs"], answer["table_age_ms"], answer["model_age_ms"]) == (60, 0, 2_000)


async def test_degraded_without_a_model_or_news_of_the_jobs_but_still_in_service(
    client: httpx.AsyncClient, service: Service, clock: Clock
) -> None:
    service.serving.current_at = NOW
    clock.now += 10_001
    status, answer = await ready(client)
    assert (status, answer["status"]) == (200, "degraded")
    assert [missing["what"] for missing in answer["missing"]] == ["table_stale", "no_model"]
    assert "10 s" in answer["missing"][0]["detail"]


async def test_not_ready_before_the_jobs_are_loaded(client: httpx.AsyncClient, service: Service) -> None:
    service.serving.loaded = False
    status, answer = await ready(client)
    assert (status, answer["status"], answer["table_age_ms"]) == (503, "not_ready", None)
    assert "table_loading" in [missing["what"] for missing in answer["missing"]]
    listed = (await client.get("/v1/members/anna/recommendations")).json()
    assert listed["degraded"] == "table_loading"


def test_gauges_of_processes_that_are_gone_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, dead = tmp_path / f"gauge_max_{os.getpid()}.db", tmp_path / "gauge_livemax_99999999.db"
    counter = tmp_path / "counter_99999999.db"
    for path in (mine, dead, counter):
        path.touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    forget_dead_processes()
    assert sorted(tmp_path.iterdir()) == sorted([mine, counter])


async def test_metrics_are_in_prometheus_format(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "# TYPE streamrec_lookup_requests_total counter" in response.text
