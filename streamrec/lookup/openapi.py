"""The OpenAPI document, made from the declarations that also validate the requests."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from streamrec.lookup import problems, request_ids
from streamrec.lookup.operation import ID_LENGTH, JSON, Operation
from streamrec.lookup.problems import Kind, ProblemDocument
from streamrec.settings import Settings

DESCRIPTION: Final = """\
Ranked jobs for members of a job site, made from what members do, as it happens.

All times are milliseconds since the Unix epoch, UTC, unless said otherwise. Errors are problem documents (RFC 9457);
programs should look at their `type`. Each answer names its `request_id`, which is that of the header `X-Request-Id` if
the client sent one. Unknown parameters are refused, so that a misspelt filter is never passed over."""

_ANY: Final = (problems.INVALID_REQUEST, problems.INVALID_PARAMETER, problems.INTERNAL_ERROR)
_BODY: Final = (
    problems.INVALID_JSON, problems.BODY_TIMEOUT, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE,
    problems.INVALID_BODY,
)  # fmt: skip
_REF: Final = "#/components/schemas/{name}"
_ANSWER_HEADERS: Final = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
_HEADERS: Final = {
    "RequestId": {
        "description": "Names this request in answers and logs: the client's, or a new UUID.",
        "schema": {"type": "string"},
    }
}
_PARAMETERS: Final = {
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "A name for this request; one that does not fit the pattern is replaced by a new UUID.",
        "schema": {"type": "string", "pattern": f"^{request_ids.PATTERN}$"},
        "required": False,
    }
}


def document(operations: Sequence[Operation], settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these operations, with the limits of this installation."""
    kinds = list(dict.fromkeys([*(kind for operation in operations for kind in _structs(operation)), ProblemDocument]))
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, settings, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamrec",
            "version": version("streamrec"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {"schemas": components, "headers": _HEADERS, "parameters": _PARAMETERS},
    }


def _structs(operation: Operation) -> Iterator[type]:
    if operation.body is not None and operation.body_schema is None:
        yield operation.body
    for kind, _ in operation.answers.values():
        if not isinstance(kind, str):
            yield kind


def _operation(operation: Operation, settings: Settings, components: dict[str, Any]) -> dict[str, Any]:
    bounds = operation.bounds(settings)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [{"$ref": "#/components/parameters/RequestId"}, *_path(operation), *_query(operation, bounds)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        if operation.body_schema is not None:
            schema = operation.body_schema(components)
        else:
            schema = {"$ref": _REF.format(name=operation.body.__name__)}
        body = components[schema["$ref"].rpartition("/")[2]]
        for field, most in bounds.items():
            for part in (body, *body.get("anyOf", ())):
                if field in part.get("properties", {}):
                    part["properties"][field]["maxItems"] = most
        content = {"schema": schema, "example": operation.body_example}
        described["requestBody"] = {
            "required": True,
            "description": f"At most {settings.max_body_bytes:,} bytes.",
            "content": {JSON: content},
        }
    return described


def _path(operation: Operation) -> Iterator[dict[str, Any]]:
    for parameter in operation.path_parameters:
        yield {
            "name": parameter.name,
            "in": "path",
            "required": True,
            "description": parameter.description,
            "schema": {"type": "string", "minLength": 1, "maxLength": ID_LENGTH},
            "example": parameter.example,
        }


def _query(operation: Operation, bounds: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    _, components = msgspec.json.schema_components([operation.query])
    for name, declared in components[operation.query.__name__]["properties"].items():
        schema = _without_null(declared)
        described = {"name": name, "in": "query", "required": False, "description": schema.pop("description", "")}
        if name in bounds:
            schema["maximum"] = bounds[name]
        if examples := schema.pop("examples", None):
            described["example"] = examples[0]
        yield {**described, "schema": schema}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out, of which None is the default: it cannot be sent as null."""
    plain = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    choices = [choice for choice in plain.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**plain, **choices[0]}
    return {**plain, "anyOf": choices} if choices else plain


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, (kind, description) in sorted(operation.answers.items()):
        shape = {"type": "object" if kind == JSON else "string"}
        content = {kind: {"schema": shape}} if isinstance(kind, str) else _json(kind)
        responses[str(status)] = {"description": description, "headers": _ANSWER_HEADERS, "content": content}
    by_status: dict[int, list[Kind]] = {}
    for kind in dict.fromkeys((*operation.problems, *(_BODY if operation.body is not None else ()), *_ANY)):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        text = "; ".join(f"`{kind.name}`: {kind.title}" for kind in kinds)
        responses.setdefault(
            str(status),
            {
                "description": text,
                "headers": _ANSWER_HEADERS,
                "content": {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(name=ProblemDocument.__name__)}}},
            },
        )
    return responses


def _json(kind: type) -> dict[str, Any]:
    media_type = problems.MEDIA_TYPE if issubclass(kind, ProblemDocument) else JSON
    return {media_type: {"schema": {"$ref": _REF.format(name=kind.__name__)}}}
