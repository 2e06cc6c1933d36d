"""``/openapi.json`` and ``/docs``: the API's documentation, made here and served without anything from elsewhere.

The page is plain HTML without scripts: it works offline, behind any proxy and in a text browser.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

import msgspec

from streamrec.lookup import problems
from streamrec.lookup.operation import Call, Reply
from streamrec.lookup.service import DEGRADED, Service

HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)
_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--link:#0969da}
@media(prefers-color-scheme:dark){:root{--link:#6cb6ff}}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
code,pre{font:.875em/1.45 ui-monospace,monospace}code{background:var(--soft);padding:.1em .3em;border-radius:4px}
pre{background:var(--soft);padding:.8rem;border-radius:6px;overflow-x:auto}pre code{background:none;padding:0}
a{color:var(--link)}h2{margin-top:3rem;border-bottom:1px solid var(--line)}h3{margin-top:2.2rem}
h3 b{display:inline-block;min-width:3.4rem}table{border-collapse:collapse;width:100%;margin:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}
summary{cursor:pointer;margin:.5rem 0}
"""


async def openapi(service: Service, call: Call) -> Reply:  # noqa: ARG001 - a handler's signature
    """Answer with the OpenAPI document."""
    return Reply(service.openapi)


async def page(service: Service, call: Call) -> Reply:  # noqa: ARG001 - a handler's signature
    """Answer with the documentation as a page."""
    return Reply(service.docs, media_type=HTML, headers=_POLICY)


def render(document: dict[str, Any]) -> bytes:
    """The page for an OpenAPI document."""
    return "\n".join(_page(document)).encode()


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
    yield f'{_text(info["description"])}<p>For programs: <a href="openapi.json">openapi.json</a>.</p>'
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    yield "<ul>"
    for method, path, operation in operations:
        name, summary = operation["operationId"], escape(operation["summary"])
        yield f'<li><a href="#{name}"><code>{method} {escape(path)}</code></a> {summary}</li>'
    yield "</ul>"
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        for method, path, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _operation(method, path, operation)
    yield from _lists()
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{operation["operationId"]}"><b>{method}</b> <code>{escape(path)}</code></h3>'
    yield _text(operation["description"])
    parameters = [parameter for parameter in operation["parameters"] if "$ref" not in parameter]
    if parameters:
        yield "<table><tr><th>Parameter</th><th>Value</th><th>Meaning</th></tr>"
        for parameter in parameters:
            name = f"<code>{escape(parameter['name'])}</code> <small>{parameter['in']}</small>"
            kind, meaning = _kind(parameter["schema"]), _inline(parameter["description"])
            yield f"<tr><td>{name}</td><td>{kind}</td><td>{meaning}</td></tr>"
        yield "</table>"
    yield f"<pre><code>{escape(_curl(method, path, operation))}</code></pre>"
    yield "<table><tr><th>Answer</th><th>Body</th><th>Meaning</th></tr>"
    for status, response in operation["responses"].items():
        bodies = " ".join(_body(media_type, content["schema"]) for media_type, content in response["content"].items())
        yield f"<tr><td><code>{status}</code></td><td>{bodies}</td><td>{_inline(response['description'])}</td></tr>"
    yield "</table>"


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    """A command that can be pasted, relative to ``$HOST``."""
    query = []
    for parameter in operation["parameters"]:
        if parameter.get("in") == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        elif "example" in parameter:
            query.append(f"{parameter['name']}={msgspec.json.encode(parameter['example']).decode().strip(chr(34))}")
    command = f"curl '$HOST{path}{'?' if query else ''}{'&'.join(query)}'".replace("'$HOST", '"$HOST"\'')
    if method == "GET":
        return command
    example = operation["requestBody"]["content"]["application/json"]["example"]
    return f"{command} -H 'Content-Type: application/json' -d '\n{json.dumps(example, indent=2)}'"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    first = schema.get("description", "").partition("\n")[0]
    yield f'<details id="schema-{name}"><summary><code>{name}</code> {_inline(first)}</summary>'
    if "properties" in schema:
        required = set(schema.get("required", ()))
        yield "<table><tr><th>Field</th><th>Value</th><th>Meaning</th></tr>"
        for field, declared in schema["properties"].items():
            needed = " <small>required</small>" if field in required else ""
            meaning = _inline(declared.get("description", ""))
            yield f"<tr><td><code>{escape(field)}</code>{needed}</td><td>{_kind(declared)}</td><td>{meaning}</td></tr>"
        yield "</table>"
    else:
        yield f"<p>{_kind(schema)}</p>"
    yield "</details>"


def _lists() -> Iterator[str]:
    yield "<h2>Problems</h2><table><tr><th>type</th><th>Status</th><th>Meaning</th></tr>"
    for kind in problems.KINDS:
        yield f"<tr><td><code>{kind.type}</code></td><td>{kind.status}</td><td>{escape(kind.title)}</td></tr>"
    yield "</table><h2>degraded</h2><table><tr><th>Reason</th><th>Meaning</th></tr>"
    for reason, meaning in DEGRADED.items():
        yield f"<tr><td><code>{reason}</code></td><td>{_inline(meaning)}</td></tr>"
    yield "</table>"


def _kind(schema: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        return _link(schema["$ref"])
    for several in ("anyOf", "oneOf"):
        if several in schema and "properties" not in schema:
            return " or ".join(_kind(choice) for choice in schema[several])
    if "const" in schema or "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type", "any")
    words = [escape(" or ".join([kinds] if isinstance(kinds, str) else kinds))]
    if kinds == "array" and "items" in schema:
        words = ["array of " + _kind(schema["items"])]
    if isinstance(schema.get("additionalProperties"), dict):
        words = ["object of " + _kind(schema["additionalProperties"])]
    for name, text in (
        ("minimum", "≥"),
        ("maximum", "≤"),
        ("maxLength", "at most"),
        ("maxItems", "at most"),
        ("default", "default"),
    ):
        if name in schema:
            words.append(f"{text} {escape(json.dumps(schema[name]))}")
    return ", ".join(words)


def _body(media_type: str, schema: dict[str, Any]) -> str:
    return _link(schema["$ref"]) if "$ref" in schema else f"<code>{escape(media_type)}</code>"


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f'<a href="#schema-{name}">{name}</a>'


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n"))
