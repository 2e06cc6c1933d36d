from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from streamrec import codecs
from streamrec.events import Impression, JobApplication, JobDismissal
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.lookup.app import create_app
from streamrec.lookup.service import Service
from streamrec.ranking import ranked as ranked_lists
from streamrec.ranking import rerank
from streamrec.ranking.filters import NO_FILTERS
from streamrec.settings import Settings
from streamrec.stores.base import Put

from .conftest import MINUTE, NOW, Clock, Town, any_scorer

pytestmark = pytest.mark.anyio
ANNA = "/v1/members/anna/recommendations"


async def get(client: httpx.AsyncClient, path: str = ANNA, **query: Any) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: Any) -> list[str]:
    return [item["job_id"] for item in answer["items"]]


async def test_a_list_has_titles_places_and_reasons_best_first(client: httpx.AsyncClient) -> None:
    answer = await get(client, limit=5)
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    first = answer["items"][0]
    assert first["job_id"] in {"n6", "n7", "n8"}  # what clara looked at beside the jobs that anna looked at, too
    assert first["title"].startswith("Night Nurse")
    assert first["company"].startswith("Clinic")
    assert first["city"] == "Munich"
    assert "covisited" in first["sources"]
    assert first["p_check"] is None
    assert answer["member_id"] == "anna"


async def test_jobs_viewed_applied_for_and_dismissed_are_not_in_the_list(client: httpx.AsyncClient, town: Town) -> None:
    before = ids(await get(client, limit=100))
    assert not {f"n{number}" for number in range(6)} & set(before)
    await town.act("anna", before[0], JobApplication)
    await town.act("anna", before[1], JobDismissal)
    after = ids(await get(client, limit=100))
    assert not set(before[:2]) & set(after)
    assert set(before[2:]) <= set(after) | {before[0], before[1]}


async def test_pages_cover_the_list_and_never_repeat_a_job(client: httpx.AsyncClient) -> None:
    whole = ids(await get(client, limit=100))
    pages: list[str] = []
    answer = await get(client, limit=7)
    while True:
        pages += ids(answer)
        if answer["next_cursor"] is None:
            break
        answer = await get(client, limit=7, cursor=answer["next_cursor"])
    assert pages == whole
    assert len(pages) == 54  # sixty less the six that anna viewed


async def test_pages_do_not_repeat_a_job_when_the_ranking_moves_in_between(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    first = await get(client, limit=10)
    for number in range(20, 30):
        await town.act("anna", f"d{number}")
    await service.serving.load()
    second = await get(client, limit=50, cursor=first["next_cursor"])
    assert not set(ids(first)) & set(ids(second))


async def test_a_cursor_of_another_member_or_with_other_filters_is_refused(client: httpx.AsyncClient) -> None:
    cursor = (await get(client, limit=5))["next_cursor"]
    for path, query in (
        ("/v1/members/ben/recommendations", {}),
        (ANNA, {"region": "Saxony"}),
        (ANNA, {"remote": "true"}),
        (ANNA, {"salary_min": "1"}),
        (ANNA, {"not_company": "Clinic 1"}),
    ):
        response = await client.get(path, params={"cursor": cursor, **query})
        assert response.status_code == 400
        assert response.json()["type"] == "urn:streamrec:problem:invalid-cursor"
    assert (await client.get(ANNA, params={"cursor": "nonsense"})).status_code == 400


async def test_filters_by_region_and_remote(client: httpx.AsyncClient) -> None:
    saxon = await get(client, region="saxony", limit=100)
    assert set(ids(saxon)) == {f"d{number}" for number in range(30)}
    remote = await get(client, region="Saxony", remote="true", limit=100)
    assert set(ids(remote)) == {f"d{number}" for number in range(0, 30, 3)}
    assert ids(await get(client, region="Atlantis")) == []


async def test_filters_by_pay_in_a_currency(client: httpx.AsyncClient, town: Town, service: Service) -> None:
    for job_id, low, high, currency in (
        ("p1", 40_000, 59_000, "EUR"), ("p2", 40_000, 60_000, "EUR"), ("p3", 70_000, None, "USD"), ("p4", None, None, "EUR"),
    ):  # fmt: skip
        await town.post(job_id, salary_min=low, salary_max=high, currency=currency)
    await service.serving.load()
    assert set(ids(await get(client, salary_min="6e4"))) == {"p2", "p3"}
    assert set(ids(await get(client, salary_min=60_000, currency="eur"))) == {"p2"}
    assert set(ids(await get(client, currency="EUR"))) == {"p1", "p2", "p4"}
    assert ids(await get(client, currency="CHF")) == []
    for path in (ANNA, "/v1/members/nobody/recommendations"):
        first = await get(client, path, salary_min=1, limit=2)
        second = await get(client, path, salary_min=1, limit=2, cursor=first["next_cursor"])
        assert {*ids(first), *ids(second)} == {"p1", "p2", "p3"}


async def test_companies_are_left_out_by_name_as_often_as_the_parameter_is_given(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    await town.post("odd", company="Haulage, Inc.")
    await town.post("nobodys")
    await service.serving.load()
    left = await get(client, not_company=["clinic 1", "Haulage, Inc.", "nobody"], limit=100)
    everything = set(ids(await get(client, limit=100)))
    assert everything - set(ids(left)) == {"n11", "n16", "n21", "n26", "n6", "odd"}
    assert "nobodys" in ids(left)


async def test_an_unknown_member_gets_what_is_popular_or_new_of_the_region(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/members/nobody/recommendations", limit=10)
    assert len(answer["items"]) == 10
    assert answer["freshness"]["state_age_ms"] is None
    assert set(ids(answer)) & {"n3", "n4", "n5", "n6", "n7", "n8"}
    local = await get(client, "/v1/members/nobody/recommendations", region="Saxony", limit=10)
    assert len(local["items"]) == 10
    assert all(job_id.startswith("d") for job_id in ids(local))


async def test_a_closed_an_expired_and_a_removed_job_are_gone(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Clock
) -> None:
    first, second, third = ids(await get(client, limit=3))
    await town.post(first, "Night Nurse", closed=True)
    await town.post(second, "Night Nurse", expires_at=NOW + MINUTE)
    await town.unpost(third)
    await service.serving.load()
    clock.now += 2 * MINUTE
    assert not {first, second, third} & set(ids(await get(client, limit=100)))


async def keep_list(town: Town, service: Service, **changes: Any) -> list[str]:
    """Put a list for anna into the cache, as the worker does, and return its jobs."""
    inputs = await service.serving.inputs("anna")
    ranked, _ = service.rank(inputs, NO_FILTERS)
    ranked.job_ids = list(reversed(ranked.job_ids))  # so that it can be told from one ranked now
    for name, value in changes.items():
        setattr(ranked, name, value)
    await town.store.put([Put(town.keys.ranked("anna"), ranked_lists.pack(ranked))])
    return ranked.job_ids


async def test_a_kept_list_is_used_and_its_age_is_told(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Clock
) -> None:
    kept = await keep_list(town, service)
    clock.now += 5_000
    answer = await get(client, limit=20)
    assert ids(answer) == kept[:20]
    assert answer["freshness"]["ranked"] == "cached"
    assert answer["freshness"]["list_age_ms"] == 5_000
    assert answer["freshness"]["state_age_ms"] == 45 * MINUTE + 5_000


async def test_a_kept_list_is_checked_again_when_it_is_served(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    kept = await keep_list(town, service)
    await town.post(kept[0], "Night Nurse", closed=True)
    await service.serving.load()
    answer = await get(client, limit=20)
    assert answer["freshness"]["ranked"] == "cached"
    assert ids(answer) == kept[1:21]


@pytest.mark.parametrize("why", ["older than the state", "by an old model", "filters", "made before there was a model"])
async def test_a_kept_list_is_not_used_when_it_is_out_of_date(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Clock, why: str
) -> None:
    query = {}
    match why:
        case "older than the state":
            await keep_list(town, service)
            await town.act("anna", "d1")
        case "by an old model":
            await keep_list(town, service, model_version=7, model_name="job_check", model_at=NOW)
            clock.now += service.settings.model_max_age_ms + 1
        case "filters":
            await keep_list(town, service)
            query = {"region": "Bavaria"}
        case _:
            await keep_list(town, service)
            service.serving.scorer = any_scorer()
    assert (await get(client, **query))["freshness"]["ranked"] == "now"


async def test_with_a_model_there_are_probabilities_and_its_age(client: httpx.AsyncClient, service: Service) -> None:
    assert (await get(client))["degraded"] == "no_model"
    assert (await get(client))["model"] is None
    service.serving.scorer = any_scorer()
    answer = await get(client)
    assert answer["degraded"] is None
    assert answer["model"] == {"name": "job_check", "version": 3}
    assert answer["freshness"]["model_age_ms"] == 2_000
    assert all(0 < item["p_check"] < 1 for item in answer["items"])


async def test_a_list_ranked_for_an_answer_serves_the_next_one_and_the_member_is_marked_as_asked_for(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    assert (await get(client))["freshness"]["ranked"] == "now"
    await service.background.flush()
    assert (await get(client))["freshness"]["ranked"] == "cached"
    assert (await town.store.get([town.keys.asked("anna")]))[0] is not None
    await get(client, "/v1/members/nobody/recommendations")
    await service.background.flush()
    assert await town.store.get([town.keys.asked("nobody"), town.keys.ranked("nobody")]) == [None, None]


@pytest.mark.parametrize(("choice", "expected"), [("yes", True), ("no", False), ("auto", False)])
async def test_a_job_without_a_posting_is_served_as_the_setting_says(
    town: Town, settings: Settings, clock: Clock, service: Service, choice: Any, expected: bool
) -> None:
    await town.act("clara", "bare")
    changed = Service(
        msgspec.structs.replace(settings, serve_without_posting=choice), town.store, service.publisher, clock
    )
    await changed.serving.load()
    changed.serving.current_at = NOW
    transport = httpx.ASGITransport(app=create_app(changed))
    async with httpx.AsyncClient(transport=transport, base_url="http://lookup") as client:
        assert ("bare" in ids(await get(client, limit=100))) == expected


async def test_auto_serves_jobs_without_postings_while_there_is_none(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    await town.act("clara", "bare")
    for number in range(30):
        await town.unpost(f"n{number}")
        await town.unpost(f"d{number}")
    await service.serving.load()
    assert ids(await get(client, limit=100)) == ["bare"]


async def test_viewed_jobs_come_back_after_the_time_that_the_setting_names(
    town: Town, settings: Settings, clock: Clock, service: Service
) -> None:
    changed = Service(
        msgspec.structs.replace(settings, viewed_again_after_ms=47 * MINUTE), town.store, service.publisher, clock
    )
    await changed.serving.load()
    transport = httpx.ASGITransport(app=create_app(changed))
    async with httpx.AsyncClient(transport=transport, base_url="http://lookup") as client:
        served = set(ids(await get(client, limit=100)))
    assert {"n0", "n1", "n2", "n3"} <= served  # viewed 50, 49, 48 and 47 minutes ago
    assert not {"n4", "n5"} & served


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("lmit=3", "lmit"),
        ("remote=maybe", "remote"), ("region=", "region"), ("track=2", "track"), ("surface=" + "x" * 101, "surface"),
        ("region=" + "x" * 201, "region"), ("after=" + "x" * 513, "after"), ("salary_min=much", "salary_min"),
        ("salary_min=-1", "salary_min"), ("salary_min=nan", "salary_min"), ("salary_min=1&salary_min=2", "salary_min"),
        ("currency=dollars", "currency"), ("currency=", "currency"), ("not_company=", "not_company"),
        ("not_company=a&not_company=", "not_company"), ("&".join(["not_company=a"] * 21), "not_company"),
    ],
)  # fmt: skip
async def test_a_parameter_that_does_not_fit_is_named(client: httpx.AsyncClient, query: str, name: str) -> None:
    response = await client.get(f"{ANNA}?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:streamrec:problem:invalid-parameter"
    assert [error["name"] for error in problem["errors"]] == [name]


async def test_an_id_may_hold_any_characters_up_to_a_length(client: httpx.AsyncClient) -> None:
    for member_id in ("a/b", "ü c", "%2F", "a?b#c", "x" * 512):
        path = f"/v1/members/{''.join(f'%{byte:02X}' for byte in member_id.encode())}/recommendations"
        assert (await get(client, path))["member_id"] == member_id
    assert (await client.get(f"/v1/members/{'x' * 513}/recommendations")).status_code == 422
    assert (await client.get("/v1/members/%FF/recommendations")).status_code == 422


def queued(service: Service) -> list[Impression]:
    """What waits to be produced; nothing of it is lost, since nothing runs beside the requests."""
    return [make() for make in service.impressions._waiting]


async def test_a_tracked_answer_is_recorded_with_the_features_that_made_its_scores(
    client: httpx.AsyncClient, service: Service
) -> None:
    scorer = service.serving.scorer = any_scorer()
    answers = [await get(client, limit=7, surface="home")]
    await service.background.flush()
    answers.append(await get(client, limit=7, surface="home"))
    answers.append(await get(client, limit=7, cursor=answers[0]["next_cursor"]))
    assert [answer["freshness"]["ranked"] for answer in answers] == ["now", "cached", "cached"]
    for answer, made, first in zip(answers, queued(service), (0, 0, 7), strict=True):
        assert (made.request_id, made.member_id, made.served_at) == (answer["request_id"], "anna", NOW)
        assert (made.workflow, made.model_name, made.model_version) == ("jobs@2", "job_check", 3)
        assert made.surface == (None if first else "home")
        assert [item.position for item in made.items] == list(range(first, first + 7))
        values = np.array([np.frombuffer(item.features, "<f4") for item in made.items])
        assert scorer.probabilities(values) == pytest.approx([item.p_check for item in made.items], abs=1e-12)
        for item, shown in zip(made.items, answer["items"], strict=True):
            assert (item.job_id, item.position, item.score, item.p_check, list(item.sources)) == tuple(
                shown[name] for name in ("job_id", "position", "score", "p_check", "sources")
            )
            assert item.propensity == 1.0
        assert codecs.check(made) is None
        assert codecs.decode("Impression", codecs.encode(made)) == made


async def test_without_a_model_the_features_are_recorded_all_the_same(
    client: httpx.AsyncClient, service: Service
) -> None:
    await get(client, limit=3)
    (made,) = queued(service)
    assert (made.model_name, made.model_version, made.feature_set) == ("", 0, FEATURE_SET)
    assert [item.p_check for item in made.items] == [None] * 3
    assert {len(item.features) for item in made.items} == {4 * len(feature_names())}


async def test_what_nobody_sees_is_not_recorded(client: httpx.AsyncClient, service: Service) -> None:
    await get(client, track="false")
    await get(client, "/v1/members/streamrec-probe-1/recommendations")  # tracked, but a probe sees nothing
    await get(client, region="Atlantis")  # an empty list
    assert queued(service) == []


async def test_a_job_is_tried_on_the_first_page_of_a_tracked_answer_only(
    town: Town, settings: Settings, clock: Clock, service: Service
) -> None:
    bold = Service(msgspec.structs.replace(settings, explore=1.0), town.store, service.publisher, clock)
    await bold.serving.load()
    bold.serving.current_at = NOW
    transport = httpx.ASGITransport(app=create_app(bold))
    async with httpx.AsyncClient(transport=transport, base_url="http://lookup") as client:
        plain = ids(await get(client, limit=100, track="false"))
        seen = set()
        for number in range(30):
            response = await client.get(ANNA, params={"limit": 100}, headers={"X-Request-Id": f"r{number}"})
            placed = rerank.place(50, 1.0, f"r{number}")
            listed = ids(response.json())
            assert listed == [plain[rank] for rank in placed.ranks] + plain[50:]
            assert [item.propensity for item in queued(bold)[-1].items] == [*placed.propensities, *[1.0] * 4]
            seen.add(tuple(listed))
        assert len(seen) > 20
        first = await get(client, limit=20)
        second = await get(client, limit=20, cursor=first["next_cursor"])
        assert ids(second) == [job_id for job_id in plain if job_id not in ids(first)][:20]
        assert {item.propensity for item in queued(bold)[-1].items} == {1.0}
        assert [item.position for item in queued(bold)[-1].items] == list(range(20, 40))


async def test_a_kept_list_holds_few_jobs_and_deeper_pages_are_ranked_now(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    whole = ids(await get(client, limit=100))
    await service.background.flush()
    (kept,) = await town.store.get([town.keys.ranked("anna")])
    assert kept is not None
    assert ranked_lists.unpack(kept).job_ids == whole[:50]
    pages: list[str] = []
    hows: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await get(client, limit=20, **cursor)
        pages += ids(answer)
        hows.append(answer["freshness"]["ranked"])
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert (pages, hows) == (whole, ["cached", "cached", "now"])
    assert (await get(client, limit=50))["next_cursor"] is not None  # where the kept list ends, the ranking does not


async def test_a_list_that_was_kept_before_it_had_features_is_ranked_anew(
    client: httpx.AsyncClient, town: Town, service: Service
) -> None:
    await keep_list(town, service, feature_set="", features=b"")
    assert (await get(client))["freshness"]["ranked"] == "now"


async def test_another_moment_is_refused_unless_the_setting_allows_it(client: httpx.AsyncClient) -> None:
    response = await client.get(ANNA, params={"at": NOW})
    assert response.status_code == 400
    problem = response.json()
    assert problem["type"] == "urn:streamrec:problem:no-time-travel"
    assert "time_travel" in problem["detail"]
    assert [error["name"] for error in problem["errors"]] == ["at"]


@pytest.fixture
async def traveller(town: Town, settings: Settings, clock: Clock, service: Service) -> Service:
    """A service that answers as of other moments."""
    made = Service(msgspec.structs.replace(settings, time_travel=True), town.store, service.publisher, clock)
    await made.serving.load()
    return made


async def test_a_list_as_of_another_moment_goes_by_that_moment(town: Town, traveller: Service, clock: Clock) -> None:
    await town.post("brief", "Night Nurse Brief", posted_at=NOW - MINUTE, expires_at=NOW + MINUTE)
    await traveller.serving.load()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(traveller)), base_url="http://t") as client:
        for _ in range(2):  # whatever was kept or shared by the answer before
            assert "brief" in ids(await get(client, limit=100, at=NOW))
            assert "brief" not in ids(await get(client, limit=100, at=NOW + 2 * MINUTE))
            unknown = "/v1/members/nobody/recommendations"
            assert "brief" in ids(await get(client, unknown, limit=100, at=NOW))
            assert "brief" not in ids(await get(client, unknown, limit=100, at=NOW + 2 * MINUTE))
        then = await get(client, limit=100, at=NOW + 2 * MINUTE)
        clock.now = NOW + 2 * MINUTE
        assert ids(await get(client, limit=100)) == ids(then)
        assert then["freshness"]["ranked"] == "now"
        wrong = await client.get(ANNA, params={"at": "-1"})
        assert (wrong.status_code, wrong.json()["errors"][0]["name"]) == (422, "at")


async def test_a_list_as_of_another_moment_leaves_no_trace(town: Town, traveller: Service) -> None:
    traveller.serving.scorer = any_scorer()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(traveller)), base_url="http://t") as client:
        assert ids(await get(client, at=NOW - 5))
        await traveller.background.flush()
        assert await town.store.get([town.keys.asked("anna"), town.keys.ranked("anna")]) == [None, None]
        assert queued(traveller) == []
        await get(client)  # of now, tracked
        await traveller.background.flush()
        assert None not in await town.store.get([town.keys.asked("anna"), town.keys.ranked("anna")])
        assert len(queued(traveller)) == 1
        kept = await get(client, at=NOW)
        assert kept["freshness"]["ranked"] == "now"
