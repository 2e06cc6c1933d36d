"""A request may choose how its list is made; what answered is said in the answer, in the record of it, and in its cursors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import REGISTRY

from streamrec.events import Impression
from streamrec.lookup.app import create_app
from streamrec.lookup.service import Service
from streamrec.ranking import ranked as ranked_lists
from streamrec.ranking.filters import NO_FILTERS
from streamrec.ranking.registry import Workflows
from streamrec.ranking.rerankers import discount, explore
from streamrec.ranking.rules import DECLARABLE, NOT_SEEN, RULES
from streamrec.ranking.workflow import Budget, Fallback, Workflow
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings, SettingsError
from streamrec.stores.base import Put

from .conftest import DAY, NOW, Clock, Town, any_scorer

pytestmark = pytest.mark.anyio
ANNA = "/v1/members/anna/recommendations"
JOBS, DIVERSE, POPULAR = (WORKFLOWS.find(name) for name in ("jobs", "diverse", "popular"))


def changed(workflow: Workflow, **fields: Any) -> Workflow:
    return msgspec.structs.replace(workflow, **fields)


HASTY = changed(
    JOBS, name="hasty", version=1, budget=Budget(whole_ms=20), fallback=Fallback(no_model="popular", budget="popular")
)
AGAIN = changed(JOBS, name="again", filters=tuple(rule for rule in RULES if rule is not NOT_SEEN))
BOLD = changed(POPULAR, name="bold", rerankers=(explore(1.0),))
SHY = changed(POPULAR, name="shy", rerankers=())
TIRED = changed(JOBS, name="tired", rerankers=(discount(0.8),))
PAID = changed(JOBS, name="paid", filters=DECLARABLE)
OURS = Workflows(*WORKFLOWS, HASTY, changed(POPULAR, version=2), AGAIN, BOLD, SHY, PAID, TIRED)


@asynccontextmanager
async def asking(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lookup") as client:
        yield client


class Stopwatch:
    """Shows `step` more ms at each look."""

    def __init__(self) -> None:
        self.now = self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
async def service(town: Town, settings: Settings, clock: Clock, stopwatch: Stopwatch, service: Service) -> Service:
    """A service with workflows of these tests, and a model."""
    ours = Service(settings, town.store, service.publisher, clock, workflows=OURS, elapsed_ms=stopwatch)
    await ours.serving.load()
    ours.serving.current_at = NOW
    ours.serving.scorer = any_scorer()
    return ours


async def get(client: httpx.AsyncClient, path: str = ANNA, **query: Any) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: Any) -> list[str]:
    return [item["job_id"] for item in answer["items"]]


def queued(service: Service) -> list[Impression]:
    return [make() for make in service.impressions._waiting]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_default_answers_where_none_is_named(client: httpx.AsyncClient, service: Service) -> None:
    plain, named, exact = await get(client), await get(client, workflow="jobs"), await get(client, workflow=JOBS.label)
    assert plain["workflow"] == named["workflow"] == exact["workflow"] == JOBS.label
    assert plain["items"] == named["items"] == exact["items"]
    assert [made.workflow for made in queued(service)] == [JOBS.label] * 3


@pytest.mark.parametrize(
    ("name", "label"),
    [("popular", "popular@2"), ("popular@1", "popular@1"), ("diverse", "diverse@2"), ("diverse@1", "diverse@1")],
)
async def test_a_named_one_answers_in_its_latest_version_or_the_one_named(
    client: httpx.AsyncClient, service: Service, name: str, label: str
) -> None:
    before = counted("streamrec_lookup_workflow_answers_total", workflow=label)
    answer = await get(client, workflow=name, limit=30)
    assert (answer["workflow"], answer["degraded"]) == (label, None)
    assert [made.workflow for made in queued(service)] == [label]
    assert counted("streamrec_lookup_workflow_answers_total", workflow=label) == before + 1
    assert (answer["model"] is None) == (not name.startswith("diverse"))
    if not name.startswith("diverse"):
        assert {name for item in answer["items"] for name in item["sources"]} <= {
            "popular_hour",
            "popular_days",
            "newest",
        }


@pytest.mark.parametrize("name", ["nothing", "jobs@9", "JOBS", "x" * 80])
async def test_an_unknown_one_is_refused_with_those_that_exist(client: httpx.AsyncClient, name: str) -> None:
    for response in (
        await client.get(ANNA, params={"workflow": name}),
        await client.post("/v1/rank", json={"member_id": "anna", "job_ids": ["n1"], "workflow": name}),
    ):
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["type"] == "urn:streamrec:problem:invalid-workflow"
        assert (
            "jobs (jobs@1, jobs@2), diverse (diverse@1, diverse@2), popular (popular@1, popular@2)" in problem["detail"]
        )
        assert problem["errors"][0]["name"] == "workflow"
    assert (await client.get(ANNA, params={"workflow": ""})).status_code == 422


async def test_pages_go_on_as_they_began_without_being_asked_to(client: httpx.AsyncClient, service: Service) -> None:
    whole = ids(await get(client, workflow="popular@1", limit=100))
    assert whole != ids(await get(client, limit=100))
    for again in ({}, {"workflow": "popular"}, {"workflow": "popular@1"}):  # popular is version 2 by now
        pages: list[str] = []
        answer = await get(client, workflow="popular@1", limit=7)
        while True:
            assert answer["workflow"] == "popular@1"
            pages += ids(answer)
            if answer["next_cursor"] is None:
                break
            answer = await get(client, limit=7, cursor=answer["next_cursor"], **again)
        assert pages == whole


async def test_a_cursor_is_good_for_its_own_workflow_only(client: httpx.AsyncClient, service: Service) -> None:
    plain = (await get(client, limit=5))["next_cursor"]
    named = (await get(client, limit=5, workflow="diverse"))["next_cursor"]
    for query in (
        {"cursor": plain, "workflow": "diverse"}, {"cursor": named, "workflow": "jobs"}, {"cursor": named, "workflow": "popular"},
    ):  # fmt: skip
        response = await client.get(ANNA, params=query)
        assert response.status_code == 400
        assert response.json()["type"] == "urn:streamrec:problem:invalid-cursor"
        assert "another workflow" in response.json()["detail"]
    assert (await get(client, limit=5, cursor=plain, workflow=JOBS.label))["workflow"] == JOBS.label
    service.workflows = Workflows(JOBS, POPULAR)  # as after an upgrade that dropped it
    response = await client.get(ANNA, params={"cursor": named})
    assert (response.status_code, response.json()["type"]) == (400, "urn:streamrec:problem:invalid-cursor")
    assert "'diverse@2'" in response.json()["detail"]


async def test_only_lists_of_the_default_are_kept_and_served_from_what_is_kept(
    client: httpx.AsyncClient, service: Service, town: Town
) -> None:
    for name in ("diverse", "popular", "hasty"):
        for _ in range(2):
            assert (await get(client, workflow=name))["freshness"]["ranked"] == "now"
            await service.background.flush()
    assert await town.store.get([town.keys.ranked("anna")]) == [None]
    assert (await get(client))["freshness"]["ranked"] == "now"
    await service.background.flush()
    assert (await get(client))["freshness"]["ranked"] == "cached"
    assert (await get(client, workflow="jobs"))["freshness"]["ranked"] == "cached"
    assert (await get(client, workflow="diverse"))["freshness"]["ranked"] == "now"


@pytest.mark.parametrize(
    ("label", "how"), [(JOBS.label, "cached"), ("", "now"), ("popular@1", "now"), ("jobs@1", "now"), ("jobs@9", "now")]
)
async def test_a_kept_list_of_another_workflow_is_not_used(
    client: httpx.AsyncClient, service: Service, town: Town, label: str, how: str
) -> None:
    """An empty label is of a version that had but one workflow: what is now jobs@1, and not the default any more."""
    ranked, _ = service.rank(await service.serving.inputs("anna"), NO_FILTERS)
    ranked.workflow = label
    await town.store.put([Put(town.keys.ranked("anna"), ranked_lists.pack(ranked))])
    answer = await get(client)
    assert (answer["freshness"]["ranked"], answer["workflow"]) == (how, JOBS.label)
    assert [made.workflow for made in queued(service)] == [JOBS.label]


async def test_when_the_time_is_spent_the_fallback_answers_and_is_named(
    client: httpx.AsyncClient, service: Service, stopwatch: Stopwatch, town: Town
) -> None:
    labels = {"workflow": "hasty@1", "reason": "budget"}
    before = counted("streamrec_workflow_fallbacks_total", **labels)
    in_time = await get(client, workflow="hasty")
    assert (in_time["workflow"], in_time["degraded"]) == ("hasty@1", None)
    stopwatch.step = 21.0
    late = await get(client, workflow="hasty")
    assert (late["workflow"], late["degraded"], late["model"]) == ("popular@2", "budget", None)
    assert ids(late) == ids(await get(client, workflow="popular"))
    assert [made.workflow for made in queued(service)] == ["hasty@1", "popular@2", "popular@2"]
    assert counted("streamrec_workflow_fallbacks_total", **labels) == before + 1


async def test_a_list_that_was_made_for_want_of_time_is_not_kept(
    client: httpx.AsyncClient, service: Service, stopwatch: Stopwatch, town: Town
) -> None:
    stopwatch.step = 300.0
    assert (await get(client))["workflow"] == "popular@2"
    await service.background.flush()
    assert await town.store.get([town.keys.ranked("anna")]) == [None]


async def test_a_list_of_another_moment_has_all_the_time_it_takes(
    town: Town, settings: Settings, clock: Clock, stopwatch: Stopwatch, service: Service
) -> None:
    stopwatch.step = 300.0
    travelling = Service(
        msgspec.structs.replace(settings, time_travel=True), town.store, service.publisher, clock, elapsed_ms=stopwatch
    )
    await travelling.serving.load()
    travelling.serving.scorer = any_scorer()
    async with asking(travelling) as client:
        assert (await get(client, at=NOW))["workflow"] == JOBS.label
        assert (await get(client))["workflow"] == "popular@1"


async def test_a_budget_is_measured_by_the_real_clock(
    town: Town, settings: Settings, clock: Clock, service: Service
) -> None:
    """End to end but for the processes: HTTP, the store, and a microsecond to rank in."""
    hasty = Workflows(*WORKFLOWS, changed(HASTY, budget=Budget(candidates_ms=0.001)))
    real = Service(settings, town.store, service.publisher, clock, workflows=hasty)
    await real.serving.load()
    real.serving.current_at = NOW
    real.serving.scorer = any_scorer()
    async with asking(real) as client:
        answer = await get(client, workflow="hasty")
        assert (answer["workflow"], answer["degraded"]) == ("popular@1", "budget")
        assert len(answer["items"]) == 20
        assert (await get(client))["degraded"] is None


async def test_without_the_model_that_it_wants_its_own_fallback_answers(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.serving.scorer = None
    answer = await get(client, workflow="hasty")
    assert (answer["workflow"], answer["degraded"]) == ("popular@2", "no_model")
    assert (await get(client))["workflow"] == JOBS.label
    assert (await get(client, workflow="popular"))["degraded"] is None


async def test_a_rule_that_a_workflow_leaves_out_does_not_hold_for_what_it_serves(client: httpx.AsyncClient) -> None:
    seen = {f"n{number}" for number in range(6)}
    assert not seen & set(ids(await get(client, limit=100)))
    assert seen <= set(ids(await get(client, limit=100, workflow="again")))


async def test_what_a_member_passed_over_sinks_where_a_workflow_discounts(
    client: httpx.AsyncClient, town: Town, clock: Clock
) -> None:
    ben, nobody = "/v1/members/ben/recommendations", "/v1/members/nobody/recommendations"
    for path, other in ((ANNA, ben), (nobody, "/v1/members/else/recommendations")):
        before = await get(client, path, workflow="tired", limit=50)
        others = await get(client, other, workflow="tired", limit=50)
        assert {item["passed_over"] for item in before["items"]} == {0.0}
        first = ids(before)[:3]
        await town.pass_over(path.split("/")[3], *first, times=40)
        after = await get(client, path, workflow="tired", limit=50)
        assert not set(first) & set(ids(after)[:10])
        assert set(ids(await get(client, path, workflow="tired", limit=100))) >= set(first)  # further down
        told = {item["job_id"]: item for item in (await get(client, path, workflow="jobs@1", limit=50))["items"]}
        assert [told[job_id]["passed_over"] for job_id in first] == [40.0] * 3
        assert list(told) == ids(await get(client, path, workflow="jobs@1", limit=50))
        plain = {item["job_id"]: item["p_check"] for item in before["items"]}
        assert all(item["p_check"] == plain.get(item["job_id"], item["p_check"]) for item in after["items"])
        assert (await get(client, other, workflow="tired", limit=50))["items"] == others["items"]
    clock.now += 8 * DAY
    later = (await get(client, nobody, workflow="jobs@1", limit=100))["items"]
    assert sorted(item["passed_over"] for item in later)[-4:] == [0.0, 10.0, 10.0, 10.0]


async def test_a_kept_list_is_of_what_was_passed_over_by_then_where_its_workflow_discounts(
    town: Town, settings: Settings, clock: Clock, service: Service
) -> None:
    for name, then in (("tired", "now"), ("jobs@1", "cached")):
        ours = Service(
            msgspec.structs.replace(settings, workflow=name), town.store, service.publisher, clock, workflows=OURS
        )
        await ours.serving.load()
        ours.serving.current_at, ours.serving.scorer = NOW, any_scorer()
        async with asking(ours) as client:
            first = await get(client)
            await ours.background.flush()
            assert (await get(client))["freshness"]["ranked"] == "cached"
            await town.pass_over("anna", ids(first)[0])
            answer = await get(client)
            assert (answer["freshness"]["ranked"], answer["items"][0]["passed_over"] > 0) == (then, then == "cached")
            await ours.background.flush()
            assert (await get(client))["freshness"]["ranked"] == "cached"


async def test_the_salary_floor_of_the_profile_holds_where_a_workflow_declares_it(
    client: httpx.AsyncClient, service: Service, town: Town
) -> None:
    await town.profile("anna", salary_floor=50_000, currency="EUR")
    for job_id, pay, currency in (("low", 49_000, "eur"), ("high", 50_000, "EUR"), ("abroad", 9_000, "USD")):
        await town.post(job_id, salary_max=pay, currency=currency)
    await service.serving.load()
    everything = set(ids(await get(client, limit=100, workflow="jobs@1")))
    assert everything - set(ids(await get(client, limit=100, workflow="paid"))) == {"low"}
    assert {"low", "high", "abroad"} <= everything


async def test_a_workflow_explores_as_it_declares(client: httpx.AsyncClient, service: Service) -> None:
    """The installation's share is 0 here."""
    for name, tried in (("popular", False), ("bold", True), ("shy", False)):
        service.impressions._waiting.clear()
        await get(client, workflow=name, limit=50)
        (made,) = queued(service)
        assert (min(item.propensity for item in made.items) < 1.0) == tried


async def test_those_of_whom_nothing_is_known_share_lists_of_one_workflow_only(client: httpx.AsyncClient) -> None:
    nobody = "/v1/members/nobody/recommendations"
    hows = [
        (await get(client, nobody, **query)) for query in ({}, {"workflow": "diverse"}, {}, {"workflow": "diverse"})
    ]
    assert [answer["freshness"]["ranked"] for answer in hows] == ["now", "now", "cached", "cached"]
    assert [answer["workflow"] for answer in hows] == [JOBS.label, DIVERSE.label] * 2


async def test_given_jobs_are_scored_by_the_workflow_that_is_named(client: httpx.AsyncClient) -> None:
    body = {"member_id": "anna", "job_ids": ["n8", "d1"]}
    plain = (await client.post("/v1/rank", json=body)).json()
    popular = (await client.post("/v1/rank", json={**body, "workflow": "popular"})).json()
    assert (plain["workflow"], plain["model"]) == (JOBS.label, {"name": "job_check", "version": 3})
    assert (popular["workflow"], popular["model"], popular["degraded"]) == ("popular@2", None, None)
    assert [item["p_check"] for item in popular["items"]] == [None, None]
    assert popular["items"][0]["score"] > 0


async def test_workflows_are_described(client: httpx.AsyncClient) -> None:
    listed = (await get(client, "/v1/workflows"))["workflows"]
    assert [each["label"] for each in listed] == [each.label for each in OURS]
    assert [each["label"] for each in listed if each["default"]] == [JOBS.label]
    for name, label in (("popular", "popular@2"), ("popular@1", "popular@1"), ("popular%401", "popular@1")):
        one = (await get(client, f"/v1/workflows/{name}"))["workflow"]
        assert one == next(each for each in listed if each["label"] == label)
    response = await client.get("/v1/workflows/nothing")
    assert (response.status_code, response.json()["type"]) == (404, "urn:streamrec:problem:unknown-workflow")
    assert "jobs (jobs@1, jobs@2)" in response.json()["detail"]


async def test_the_default_is_that_of_the_installation_and_is_checked_at_the_start(
    town: Town, settings: Settings, clock: Clock, service: Service
) -> None:
    other = Service(msgspec.structs.replace(settings, workflow="popular"), town.store, service.publisher, clock)
    await other.serving.load()
    other.serving.current_at = NOW
    other.serving.scorer = any_scorer()
    async with asking(other) as client:
        assert (await get(client))["workflow"] == "popular@1"
        await other.background.flush()
        assert (await get(client))["freshness"]["ranked"] == "cached"  # though there is a model that did not rank it
        assert (await get(client, workflow="jobs"))["freshness"]["ranked"] == "now"
    with pytest.raises(SettingsError, match="there is no workflow 'nothing'"):
        Service(msgspec.structs.replace(settings, workflow="nothing"), town.store, service.publisher, clock)
