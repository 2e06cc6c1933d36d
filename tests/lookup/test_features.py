from typing import Any

import httpx
import msgspec
import pytest

from streamrec.features.catalogue import Entry
from streamrec.lookup.service import Service
from streamrec.ranking.catalogue import catalogue, lineage, search

pytestmark = pytest.mark.anyio

IDS = [entry.id for entry in catalogue().entries]


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_pages_list_every_feature_once_in_the_order_of_declaration(client: httpx.AsyncClient) -> None:
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await get(client, "/v1/features", limit=20, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == len(IDS)
        found += [item["id"] for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert found == IDS
    assert pages == -(-len(IDS) // 20)


async def test_a_search_bears_typos_and_says_where_it_found_what(client: httpx.AsyncClient) -> None:
    page = await get(client, "/v1/features", query="populrity", limit=2)
    assert [item["name"] for item in page["items"]] == ["popularity_day", "popularity_days"]
    assert page["items"][0]["found_in"] == ["name"]
    assert page["total"] == len(search().find("populrity"))
    rest = await get(client, "/v1/features", query="populrity", limit=99, cursor=page["next_cursor"])
    assert len(rest["items"]) == page["total"] - 2
    assert rest["next_cursor"] is None
    nothing = await get(client, "/v1/features", query="flibbertigibbet")
    assert (nothing["total"], nothing["items"], nothing["next_cursor"]) == (0, [], None)


async def test_filters_apply_with_and_without_a_query(client: httpx.AsyncClient) -> None:
    listed = await get(client, "/v1/features", tag="age", entity="member")
    assert [item["name"] for item in listed["items"]] == ["member_idle"]
    found = await get(client, "/v1/features", query="views", entity="member", model="job_check", owner="platform")
    assert found["items"]
    assert all(item["entity"] == "member" and item["models"] for item in found["items"])
    assert (await get(client, "/v1/features", owner="nobody"))["items"] == []


async def test_a_cursor_belongs_to_its_question(client: httpx.AsyncClient) -> None:
    cursor = (await get(client, "/v1/features", limit=2, tag="popularity"))["next_cursor"]
    for query in (
        {"tag": "age", "cursor": cursor},
        {"cursor": "not one"},
        {"query": "views", "tag": "popularity", "cursor": cursor},
    ):
        response = await client.get("/v1/features", params=query)
        assert (response.status_code, response.json()["type"]) == (400, "urn:streamrec:problem:invalid-cursor")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"q": "x"}, "q"), ({"query": ""}, "query"),
        ({"query": "x" * 201}, "query"), ({"tag": ""}, "tag"), ({"cursor": "x" * 65}, "cursor"),
    ],
)  # fmt: skip
async def test_parameters_that_do_not_fit(client: httpx.AsyncClient, query: dict[str, Any], name: str) -> None:
    response = await client.get("/v1/features", params=query)
    assert response.status_code == 422
    assert response.json()["errors"][0]["name"] == name


async def test_a_feature_is_what_the_catalogue_says(client: httpx.AsyncClient) -> None:
    for name in ("save_rate", "save_rate@1"):
        answer = await get(client, f"/v1/features/{name}")
        assert answer.pop("request_id")
        assert msgspec.convert(answer, Entry) == catalogue().find("save_rate")


async def test_an_unknown_feature_is_told_with_those_like_it(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/features/save_rte", headers={"X-Request-Id": "mine"})
    assert response.status_code == 404
    problem = response.json()
    assert (problem["type"], problem["request_id"]) == ("urn:streamrec:problem:unknown-feature", "mine")
    assert problem["detail"] == "there is no feature 'save_rte'; did you mean save_rate?"
    assert (await client.get("/v1/features/xyzzy")).json()["detail"].endswith("; GET /v1/features lists all")


@pytest.mark.parametrize("name", ["job_views", "job-postings.title", "job-views", "job_check", "jobs", "feature:pay@1"])
async def test_lineage_of_anything_on_the_way(client: httpx.AsyncClient, name: str) -> None:
    answer = await get(client, f"/v1/features/{name}/lineage")
    node = lineage().find(name)
    assert answer["node"] == msgspec.to_builtins(node)
    assert answer["upstream"] == [msgspec.to_builtins(each) for each in lineage().upstream(node)]
    assert answer["downstream"] == [msgspec.to_builtins(each) for each in lineage().downstream(node)]
    inside = {f"{each['kind']}:{each['name']}" for each in (*answer["upstream"], answer["node"], *answer["downstream"])}
    assert all(edge["source"] in inside and edge["reader"] in inside for edge in answer["edges"])
    assert answer["edges"]


async def test_lineage_of_a_set_whose_name_has_a_slash_and_of_nothing(client: httpx.AsyncClient) -> None:
    name = lineage().find("job_check").name
    answer = await get(client, f"/v1/features/{name.replace('/', '%2F')}/lineage")
    assert answer["node"]["name"] == name
    response = await client.get("/v1/features/jbo_views/lineage")
    assert (response.status_code, response.json()["type"]) == (404, "urn:streamrec:problem:unknown-feature")
    assert "did you mean job_views" in response.json()["detail"]


async def test_the_catalogue_answers_without_the_store(client: httpx.AsyncClient, service: Service) -> None:
    service.serving.loaded = False
    assert (await client.get("/v1/features/pay")).status_code == 200
    assert (await client.get("/v1/features/values")).status_code == 404  # a name like any other, where it is asked for
