"""``GET /v1/features`` and what lies below it: the catalogue of features."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from streamrec.features.catalogue import Entry, UnknownFeatureError
from streamrec.features.lineage import Edge, Node, UnknownNodeError
from streamrec.features.search import LONGEST
from streamrec.lookup import offsets, problems
from streamrec.lookup.cursor import InvalidCursorError
from streamrec.lookup.operation import Call
from streamrec.lookup.problems import Problem
from streamrec.lookup.service import Service
from streamrec.ranking.catalogue import catalogue, lineage, search

_WORD: Final = 200  # characters of a tag, an owner, …

Word = Annotated[str, Meta(min_length=1, max_length=_WORD)]


class FeaturesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the query."""

    query: Annotated[
        Annotated[str, Meta(min_length=1, max_length=LONGEST)] | None,
        Meta(
            description="Words to look for in names, descriptions, owners, tags and expressions; typos do no harm. The best "
            "comes first. Default all features, in the order of their declaration.",
            examples=["popularity"],
        ),
    ] = None
    tag: Annotated[Word | None, Meta(description="Only features with this tag.")] = None
    owner: Annotated[Word | None, Meta(description="Only those of this owner.")] = None
    entity: Annotated[Word | None, Meta(description="Only those about this: `member`, `job`, `pair`, …")] = None
    model: Annotated[Word | None, Meta(description="Only those that this model reads.")] = None
    limit: Annotated[int, Meta(ge=1, description="Features, at most.")] = 20
    cursor: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="`next_cursor` of the page before.")
    ] = None


class FeatureItem(Entry, frozen=True, kw_only=True):
    """A feature of a list."""

    found_in: Annotated[tuple[str, ...], Meta(description="Where the words of `query` are, the best place first.")] = ()


class FeatureList(msgspec.Struct, frozen=True):
    """A page of features."""

    request_id: str
    total: Annotated[int, Meta(description="On all pages together.")]
    items: tuple[FeatureItem, ...]
    next_cursor: Annotated[str | None, Meta(description="Of the next page; null on the last one.")]


class FeatureAnswer(Entry, frozen=True, kw_only=True):
    """A feature, as the catalogue knows it."""

    request_id: str


class FeatureLineage(msgspec.Struct, frozen=True):
    """Where something comes from, and where it goes."""

    request_id: str
    node: Node
    upstream: Annotated[tuple[Node, ...], Meta(description="All that it comes from.")]
    downstream: Annotated[tuple[Node, ...], Meta(description="All that comes from it.")]
    edges: Annotated[
        tuple[Edge, ...], Meta(description="Between all of these, each from what is read to who reads it.")
    ]


async def features(service: Service, call: Call) -> FeatureList:  # noqa: ARG001 - a handler's signature
    """Answer with a page of the features that fit."""
    query: FeaturesQuery = call.query
    question = (_edition(), query.query, query.tag, query.owner, query.entity, query.model)
    try:
        start = 0 if query.cursor is None else offsets.decode(query.cursor, question)
    except InvalidCursorError as error:
        raise Problem(problems.INVALID_CURSOR, str(error)) from error
    among = catalogue().select(tag=query.tag, owner=query.owner, entity=query.entity, model=query.model)
    found: Sequence[FeatureItem]
    if query.query is None:
        found = [_item(entry, ()) for entry in among]
    else:
        chosen = {entry.id for entry in among}
        hits = search().find(query.query, lambda entry: entry.id in chosen)
        found = [_item(hit.entry, hit.found_in) for hit in hits]
    end = start + query.limit
    more = offsets.encode(question, end) if end < len(found) else None
    return FeatureList(call.request_id, len(found), tuple(found[start:end]), more)


async def feature(service: Service, call: Call) -> FeatureAnswer:  # noqa: ARG001
    """Answer with one feature."""
    return FeatureAnswer(request_id=call.request_id, **_fields(find(call.path["name"])))


async def feature_lineage(service: Service, call: Call) -> FeatureLineage:  # noqa: ARG001
    """Answer with what a feature, or anything else on the way, comes from and goes into."""
    graph = lineage()
    try:
        node = graph.find(call.path["name"])
    except UnknownNodeError as error:
        raise Problem(problems.UNKNOWN_FEATURE, str(error)) from error
    up, down = graph.upstream(node), graph.downstream(node)
    return FeatureLineage(call.request_id, node, up, down, graph.edges((*up, node, *down)))


def find(name: str) -> Entry:
    """A feature by name or ``name@version``; Problem where there is none."""
    try:
        return catalogue().find(name)
    except UnknownFeatureError as error:
        raise Problem(problems.UNKNOWN_FEATURE, explain(error)) from error


def explain(error: UnknownFeatureError) -> str:
    """What was asked for in vain, and what was perhaps meant."""
    hint = f"did you mean {', '.join(error.near)}?" if error.near else "GET /v1/features lists all"
    return f"there is no feature {error.name!r}; {hint}"


def _item(entry: Entry, found_in: tuple[str, ...]) -> FeatureItem:
    return FeatureItem(found_in=found_in, **_fields(entry))


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__struct_fields__}


@cache
def _edition() -> str:
    """Changes with the features: a cursor of another version of the service may not fit."""
    return ",".join(entry.id for entry in catalogue().entries)
