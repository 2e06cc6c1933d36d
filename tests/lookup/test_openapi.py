import re
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from streamrec.lookup.openapi import document
from streamrec.lookup.operation import Operation
from streamrec.lookup.problems import KINDS
from streamrec.lookup.routes import OPERATIONS
from streamrec.settings import Settings

from .conftest import Town

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(OPERATIONS, Settings())


def test_the_document_is_valid_openapi(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(msgspec.json.decode(msgspec.json.encode(described))).validate()


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref":"#/([^"]+)"', msgspec.json.encode(described).decode()):
        part: Any = described
        for name in reference.split("/"):
            part = part[name]


def test_every_operation_is_there_with_its_parameters_and_limits(described: dict[str, Any]) -> None:
    assert [(path, list(methods)) for path, methods in described["paths"].items()] == [
        (operation.path, [operation.method.lower()]) for operation in OPERATIONS
    ]
    parameters = {
        parameter["name"]: parameter
        for parameter in described["paths"]["/v1/members/{member_id}/recommendations"]["get"]["parameters"]
        if "name" in parameter
    }
    assert list(parameters) == [
        "member_id",
        "limit",
        "cursor",
        "surface",
        "region",
        "remote",
        "salary_min",
        "currency",
        "not_company",
        "workflow",
        "track",
        "after",
        "at",
    ]
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert parameters["remote"]["schema"] == {"type": "boolean"}
    assert parameters["region"]["schema"] == {"type": "string", "minLength": 1, "maxLength": 200}
    assert parameters["salary_min"]["schema"] == {"type": "number", "minimum": 0, "maximum": 1e12}
    assert parameters["not_company"]["schema"]["type"] == "array"
    assert parameters["track"]["schema"] == {"type": "boolean", "default": True}
    assert parameters["at"]["schema"] == {"type": "integer", "minimum": 0, "maximum": 253_402_300_799_999}
    assert "time_travel" in parameters["at"]["description"]
    assert all(parameter["description"] for parameter in parameters.values())


def test_limits_are_those_of_the_installation() -> None:
    described = document(OPERATIONS, Settings(max_limit=7, max_rank_jobs=8, max_events=9))
    limit = described["paths"]["/v1/popular"]["get"]["parameters"][-1]
    assert (limit["name"], limit["schema"]["maximum"]) == ("limit", 7)
    schemas = described["components"]["schemas"]
    assert schemas["RankRequest"]["properties"]["job_ids"]["maxItems"] == 8
    assert schemas["EventsRequest"]["anyOf"][0]["properties"]["events"]["maxItems"] == 9


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_says_what_it_does_and_how_it_fails(described: dict[str, Any], operation: Operation) -> None:
    shown = described["paths"][operation.path][operation.method.lower()]
    assert shown["summary"]
    assert shown["description"]
    assert shown["responses"]["500"]["content"]["application/problem+json"]
    said = " ".join(response["description"] for response in shown["responses"].values())
    assert all(f"`{kind.name}`" in said for kind in operation.problems)


def test_every_kind_of_problem_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) > 15


def validator(described: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]})


async def test_answers_are_as_described(client: httpx.AsyncClient, town: Town, described: dict[str, Any]) -> None:
    await town.profile("anna", headline="Nurse", skills=("care",))
    paths = {
        "/v1/members/anna/recommendations": "Recommendations",
        "/v1/members/nobody/recommendations?limit=3": "Recommendations",
        "/v1/members/anna": "Member",
        "/v1/jobs/n3": "Job",
        "/v1/jobs/n3/similar": "JobList",
        "/v1/popular": "JobList",
        "/v1/features?query=views": "FeatureList",
        "/v1/features?limit=3": "FeatureList",
        "/v1/features/save_rate": "FeatureAnswer",
        "/v1/features/job-views/lineage": "FeatureLineage",
        "/v1/features/nothing": "ProblemDocument",
        "/v1/workflows": "WorkflowList",
        "/v1/workflows/jobs": "WorkflowAnswer",
        "/v1/workflows/nothing": "ProblemDocument",
        "/v1/members/anna/recommendations?workflow=nothing": "ProblemDocument",
        "/health/live": "Live",
        "/health/ready": "Ready",
        "/v1/jobs/nothing": "ProblemDocument",
        "/v1/popular?limit=0": "ProblemDocument",
    }
    for path, name in paths.items():
        validator(described, name).validate((await client.get(path)).json())
    ranked = await client.post("/v1/rank", json={"member_id": "anna", "job_ids": ["n1", "nothing"]})
    validator(described, "Scores").validate(ranked.json())
    entities = [{"member_id": "anna", "job_id": "n1"}, {"job_id": "d1"}, {"member_id": "anna"}]
    values = await client.post("/v1/features/values", json={"entities": entities})
    validator(described, "Values").validate(values.json())
    rejected = await client.post("/v1/events", json={"type": "JobView"})
    validator(described, "EventsProblem").validate(rejected.json())


def test_the_examples_are_as_described(described: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        if operation.body is not None:
            content = described["paths"][operation.path]["post"]["requestBody"]["content"]["application/json"]
            validator(described, content["schema"]["$ref"].rpartition("/")[2]).validate(content["example"])
    one = {"type": "JobView", "member_id": "m", "job_id": "j", "occurred_at": "2026-01-01T00:00:00Z", "position": 3}
    events = validator(described, "EventsRequest")
    events.validate(one)
    wrong: Any
    for wrong in ({**one, "job": 1}, {**one, "type": "JobSave"}, {"type": "JobView", "member_id": "m"}, {"events": []}):
        assert not events.is_valid(wrong)
