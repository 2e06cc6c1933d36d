"""Values of features over HTTP: those that the model reads, from a store in memory and from Redis."""

from typing import Any

import httpx
import numpy as np
import pytest

from streamrec.events import Connection
from streamrec.features.catalogue import Catalogue
from streamrec.features.fold import fold_member
from streamrec.features.language import Feature, FeatureSet, context, count, decay, job, one_hot, posting, views
from streamrec.features.library import JOB_CHECK, PLAN
from streamrec.features.matrix import matrix
from streamrec.features.plan import Plan
from streamrec.features.state import MemberState, pack, unpack
from streamrec.features.view import MemberView
from streamrec.lookup import feature_values
from streamrec.lookup.service import Service
from streamrec.stores.base import Put, StoreUnavailableError

from .conftest import MINUTE, NOW, Town

pytestmark = pytest.mark.anyio


async def ask(client: httpx.AsyncClient, *entities: dict[str, str], **more: Any) -> Any:
    response = await client.post("/v1/features/values", json={"entities": list(entities), **more})
    assert response.status_code == 200, response.text
    return response.json()


def pair(member_id: str, job_id: str) -> dict[str, str]:
    return {"member_id": member_id, "job_id": job_id}


async def test_values_are_what_the_model_would_read_now(
    client: httpx.AsyncClient, service: Service, town: Town
) -> None:
    await town.profile("anna", city="Munich", desired_titles=("Night Nurse",), open_to_remote=True)
    jobs = ["n3", "d7", "n20"]
    entities = [pair(member, job) for job in jobs for member in ("anna", "ben")]  # members alternate
    answer = await ask(client, *entities)
    assert answer["at"] == NOW
    assert answer["feature_set"] == PLAN.name_of(JOB_CHECK)
    assert answer["features"] == [f"{name}@1" for name in JOB_CHECK.wants]
    assert answer["degraded"] is None
    table = service.serving.table
    for item, entity in zip(answer["items"], entities, strict=True):
        assert {"member_id": item["member_id"], "job_id": item["job_id"]} == entity
        inputs = await service.inputs(entity["member_id"])
        view = MemberView.build(inputs.state, inputs.neighbours, table, NOW, inputs.network)
        wanted = matrix(view, table, table.rows([entity["job_id"]]), NOW)[0]
        columns = [column for each in PLAN.members(JOB_CHECK) for column in each.columns]
        assert list(item["values"]) == columns
        read = [item["defaults"][name] if value is None else value for name, value in item["values"].items()]
        assert np.array_equal(np.array(read, np.float32), wanted)
        assert item["needs"] == {}
    assert answer["items"][0]["values"]["same_city"] == 1.0
    assert answer["items"][0]["values"] != answer["items"][1]["values"]


async def test_what_is_missing_is_null_with_the_default_that_the_model_reads(client: httpx.AsyncClient) -> None:
    answer = await ask(client, pair("anna", "n3"), features=["pay", "level_gap", "job_views"])
    [item] = answer["items"]
    assert item["values"]["pay"] is None
    assert item["defaults"] == {"pay": 0.0, "level_gap": 1.0}
    assert item["values"]["job_views"] > 0
    assert answer["feature_set"] is None


async def test_a_member_alone_a_job_alone_and_both(client: httpx.AsyncClient) -> None:
    features = ["member_views", "job_views", "title_overlap"]
    answer = await ask(client, {"member_id": "anna"}, {"job_id": "n3"}, pair("anna", "n3"), features=features)
    member, job_, both = answer["items"]
    assert both["needs"] == {}
    assert all(value is not None for value in both["values"].values())
    assert member["values"] == {
        "member_views": both["values"]["member_views"],
        "job_views": None,
        "title_overlap": None,
    }
    assert member["needs"] == {"job_views": "job_id", "title_overlap": "job_id"}
    assert job_["values"] == {"member_views": None, "job_views": both["values"]["job_views"], "title_overlap": None}
    assert job_["needs"] == {"member_views": "member_id", "title_overlap": "member_id"}
    assert member["defaults"] == job_["defaults"] == {}
    assert (member["job_id"], job_["member_id"]) == (None, None)


async def test_values_follow_events_and_time(
    client: httpx.AsyncClient, town: Town, service: Service, clock: Any
) -> None:
    before = (await ask(client, pair("anna", "n9"), features=["member_views", "member_idle", "posting_age"]))["items"][
        0
    ]
    await town.act("anna", "n9", at=NOW)
    clock.now = NOW + 10 * MINUTE
    service.serving.current_at = clock.now
    after = (await ask(client, pair("anna", "n9"), features=["member_views", "member_idle", "posting_age"]))["items"][0]
    assert after["values"]["member_views"] > before["values"]["member_views"]
    assert after["values"]["member_idle"] == pytest.approx(np.log1p(10.0))
    assert after["values"]["posting_age"] > before["values"]["posting_age"]


async def test_categories_have_a_value_a_column_and_the_request_counts(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(
        [
            Feature("field_of_work", one_hot(posting.function, "nursing", "driving"), "of the job", "0, 1"),
            Feature("place", one_hot(context.surface, "home", "email"), "where the member looks", "0, 1"),
            Feature("seen", count(views, by=job, window=decay("7d")), "views", "events"),
        ],
        [FeatureSet("other", ("field_of_work", "place"))],
    )  # fmt: skip
    use(monkeypatch, plan)
    answer = await ask(client, {"job_id": "d1"}, model="other", surface="Email")
    [item] = answer["items"]
    assert item["values"] == {
        "field_of_work=nursing": 0.0, "field_of_work=driving": 1.0, "place=home": 0.0, "place=email": 1.0,
    }  # fmt: skip
    assert answer["feature_set"] == plan.name_of(plan.sets[0])


async def test_two_versions_of_one_feature_have_a_column_each(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = count(views, by=job, window=decay("7d"))
    use(
        monkeypatch,
        Plan([Feature("seen", seen, "views", "events"), Feature("seen", seen, "views", "events", version=2)]),
    )
    assert (await ask(client, {"job_id": "n1"}, features=["seen", "seen@2", "seen"]))["features"] == ["seen@2"]
    both = await ask(client, {"job_id": "n1"}, features=["seen", "seen@1"])
    assert (both["features"], list(both["items"][0]["values"])) == (["seen@2", "seen@1"], ["seen@2", "seen"])


def use(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    """Have the operation know other features; what they count is in the state already."""
    monkeypatch.setattr(feature_values, "PLAN", plan)
    monkeypatch.setattr(feature_values, "catalogue", lambda: Catalogue(plan, {}))
    monkeypatch.setattr(feature_values, "_reader", feature_values._reader.__wrapped__)


async def test_unknown_features_are_all_told(client: httpx.AsyncClient) -> None:
    body = {"entities": [{"job_id": "n1"}], "features": ["job_views", "jbo_views", "xyzzy"]}
    response = await client.post("/v1/features/values", json=body)
    assert (response.status_code, response.json()["type"]) == (404, "urn:streamrec:problem:unknown-feature")
    assert response.json()["errors"] == [
        {"where": "body", "name": "features[1]", "detail": "there is no feature 'jbo_views'; did you mean job_views?"},
        {"where": "body", "name": "features[2]", "detail": "there is no feature 'xyzzy'; GET /v1/features lists all"},
    ]


async def test_unknown_members_and_jobs_are_told(client: httpx.AsyncClient, town: Town) -> None:
    await town.erase("ben")
    body = {"entities": [pair("anna", "n1"), pair("nobody", "n1"), {"member_id": "ben"}]}
    response = await client.post("/v1/features/values", json=body)
    assert (response.status_code, response.json()["type"]) == (404, "urn:streamrec:problem:unknown-member")
    assert [each["name"] for each in response.json()["errors"]] == ["entities[1].member_id", "entities[2].member_id"]
    response = await client.post("/v1/features/values", json={"entities": [pair("anna", "nothing")]})
    assert (response.status_code, response.json()["type"]) == (404, "urn:streamrec:problem:unknown-job")
    assert "'nothing'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], ""), ({}, ""), ({"entities": []}, "entities"), ({"entities": [{}]}, "entities[0]"),
        ({"entities": [{"job_id": "n1"}, {"member_id": None}]}, "entities[1]"),
        ({"entities": [{"job_id": "n1"}] * 101}, "entities"), ({"entities": [{"job_id": "n1", "more": 1}]}, "entities[0]"),
        ({"entities": [{"job_id": ""}]}, "entities[0].job_id"), ({"entities": [{"job_id": "n1"}], "model": "none"}, "model"),
        ({"entities": [{"job_id": "n1"}], "features": ["pay"] * 101}, "features"),
        ({"entities": [{"job_id": "n1"}], "features": [1]}, "features[0]"),
        ({"entities": [{"job_id": "n1"}], "surface": ""}, "surface"),
    ],
)  # fmt: skip
async def test_a_body_that_does_not_fit(client: httpx.AsyncClient, body: Any, where: str) -> None:
    response = await client.post("/v1/features/values", json=body)
    assert (response.status_code, response.json()["type"]) == (422, "urn:streamrec:problem:invalid-body")
    assert response.json()["errors"][0]["name"] == where


async def test_without_the_store_there_is_no_value_to_fall_back_on(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(member_id: str) -> Any:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(service.serving, "stored", away)
    response = await client.post("/v1/features/values", json={"entities": [pair("anna", "n1")]})
    assert (response.status_code, response.json()["type"]) == (503, "urn:streamrec:problem:store-unavailable")
    assert response.headers["retry-after"] == "2"
    assert (await ask(client, {"job_id": "n1"}))["items"][0]["values"]["job_views"] > 0  # what is known without it


async def test_a_state_of_another_version_and_a_table_that_is_not_there_yet(
    client: httpx.AsyncClient, service: Service, town: Town
) -> None:
    await town.store.put([Put(town.keys.member("anna"), b"\x7fwhat is this")])
    response = await client.post("/v1/features/values", json={"entities": [pair("anna", "n1")]})
    assert (response.status_code, response.json()["type"]) == (500, "urn:streamrec:problem:unreadable-state")
    service.serving.loaded = False
    response = await client.post("/v1/features/values", json={"entities": [{"job_id": "not yet"}]})
    assert (response.status_code, response.json()["type"]) == (503, "urn:streamrec:problem:table-loading")


async def test_a_table_that_does_not_follow_is_told(client: httpx.AsyncClient, clock: Any) -> None:
    clock.now = NOW + MINUTE
    assert (await ask(client, {"job_id": "n1"}))["degraded"] == "table_stale"


async def test_a_member_of_whom_only_connections_are_known_is_known(client: httpx.AsyncClient, town: Town) -> None:
    state = unpack(MemberState, None)
    fold_member(
        state, Connection(event_id="c1", member_id="carl", other_member_id="anna", connected=True, occurred_at=NOW)
    )
    await town.store.put([Put(town.keys.member("carl"), pack(state))])
    assert (await ask(client, {"member_id": "carl"}, features=["member_idle"]))["items"][0]["values"][
        "member_idle"
    ] == 0.0
