"""``POST /v1/events``: events for those who do not speak Kafka."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streamrec import codecs, topics
from streamrec.codecs import Message
from streamrec.events import (
    Connection,
    ImpressionSeen,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Rejected,
)
from streamrec.lookup import problems, request_ids, tokens
from streamrec.lookup.operation import Call, Reply
from streamrec.lookup.problems import MEDIA_TYPE, ProblemDocument
from streamrec.lookup.publishing import Failed
from streamrec.lookup.requests import invalid_body
from streamrec.lookup.service import Service
from streamrec.metrics import PRODUCED

_STRUCTS: Final = (
    JobView, JobSave, JobLike, JobApplication, JobDismissal, Connection, JobPosting, MemberProfile, ImpressionSeen,
)  # fmt: skip
TOPICS: Final = {record: topics.topic_of(record).name for record in codecs.PUBLIC_RECORDS}
_RECORDS: Final = {topic: record for record, topic in TOPICS.items()}
_ID_SHOWN: Final = 200  # characters of a wrong event_id that is given back
_TIME: Final = "Milliseconds since the epoch, or RFC 3339 with an offset"


class EventResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event, in the place that it has in the request."""

    event_id: Annotated[
        str | None, Meta(description="The event's, or the one made for it; null for records that have none.")
    ]
    status: Annotated[
        Literal["accepted", "rejected", "failed"],
        Meta(
            description="`accepted`: Kafka has it. `rejected`: it can never be used; see `reason`. `failed`: Kafka did "
            "not confirm it; send it again with the same `event_id`, which makes it count once."
        ),
    ]
    reason: Annotated[str | None, Meta(description="One of a few fixed words.")] = None
    detail: Annotated[str | None, Meta(description="What is wrong, for people.")] = None
    token: Annotated[str | None, Meta(description="For `…/recommendations?after=`; of accepted events.")] = None


class EventResults(msgspec.Struct, frozen=True, kw_only=True):
    """One result for each event, in the order of the request."""

    request_id: str
    results: tuple[EventResult, ...]


class EventsProblem(ProblemDocument, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document with the result of each event: none was accepted."""

    results: tuple[EventResult, ...] = ()


async def events(service: Service, call: Call) -> Reply:
    """Validate events, send those that fit to Kafka, and answer once Kafka has them."""
    items = _items(call.body, service.settings.max_events)
    now = service.clock_ms()
    results: list[EventResult | None] = []
    good: list[Message] = []
    for item in items:
        event, event_id = _read(item, now, service.settings.clock_skew_ms)
        if isinstance(event, Rejected):
            PRODUCED.labels(_topic(item), "rejected").inc()
            results.append(EventResult(event_id=event_id, status="rejected", reason=event.reason, detail=event.detail))
        else:
            results.append(None)
            good.append(event)
    sent = iter(zip(good, await service.publisher.publish(good) if good else (), strict=True))
    finished = tuple(_finish(*next(sent)) if result is None else result for result in results)
    return _reply(call.request_id, finished)


def _items(body: object, most: int) -> list[object]:
    """The events in a body: of ``{"events": […]}``, or the body itself."""
    if not isinstance(body, dict):
        raise invalid_body("", 'Expected `object`: one event, or {"events": […]}')
    if "events" not in body:
        return [body]
    if set(body) != {"events"}:
        other = next(name for name in body if name != "events")
        raise invalid_body(str(other)[:80], "nothing else stands beside `events`")
    items = body["events"]
    if not isinstance(items, list) or not items:
        raise invalid_body("events", "Expected `array` of length >= 1")
    if len(items) > most:
        raise invalid_body("events", f"Expected `array` of length <= {most}")
    return items


def _read(item: object, now: int, skew_ms: int) -> tuple[Message | Rejected, str | None]:
    """The event that an item describes, with what it leaves out, and its id."""
    if not isinstance(item, dict):
        return Rejected("bad_value", "an event is a JSON object"), None
    fields: dict[str, Any] = dict(item)
    record, topic = fields.pop("type", None), fields.pop("topic", None)
    event_id = fields.get("event_id")
    shown = event_id[:_ID_SHOWN] if isinstance(event_id, str) else None
    if record is None and topic is None:
        return Rejected("unknown_schema", f"needs `type` (one of {', '.join(TOPICS)}) or `topic`"), shown
    for name, value, known in (("type", record, TOPICS), ("topic", topic, _RECORDS)):
        if value is not None and (not isinstance(value, str) or value not in known):
            return Rejected("unknown_schema", f"no such {name}; known are {', '.join(known)}"), shown
    if record is None:
        record = _RECORDS[topic]
    elif topic is not None and TOPICS[record] != topic:
        return Rejected("unknown_schema", f"{record} goes to {TOPICS[record]}, not to {topic}"), shown
    if _HAS_EVENT_ID[record]:
        if fields.get("event_id") is None:
            shown = fields["event_id"] = request_ids.new()
        if fields.get("occurred_at") is None:
            fields["occurred_at"] = now
    elif record == "MemberProfile" and fields.get("updated_at") is None:
        fields["updated_at"] = now
    return codecs.from_json(record, fields, now, skew_ms), shown


_HAS_EVENT_ID: Final = {kind.__name__: "event_id" in kind.__struct_fields__ for kind in _STRUCTS}


def _topic(item: object) -> str:
    """The label of a rejected item in the metrics: never a text that a client made up."""
    if isinstance(item, dict):
        for name, known in (("type", TOPICS), ("topic", {topic: topic for topic in _RECORDS})):
            value = item.get(name)
            if isinstance(value, str) and value in known:
                return known[value]
    return "unknown"


def _finish(event: Message, placed: tokens.Token | Failed) -> EventResult:
    event_id = getattr(event, "event_id", None)
    topic = TOPICS[type(event).__name__]
    if isinstance(placed, Failed):
        PRODUCED.labels(topic, "failed").inc()
        return EventResult(event_id=event_id, status="failed", reason=placed.reason, detail=placed.detail)
    PRODUCED.labels(topic, "accepted").inc()
    return EventResult(event_id=event_id, status="accepted", token=tokens.encode(placed))


def _reply(request_id: str, results: tuple[EventResult, ...]) -> Reply:
    statuses = {result.status for result in results}
    if "accepted" in statuses:
        body = msgspec.json.encode(EventResults(request_id=request_id, results=results))
        return Reply(body, 200 if len(statuses) == 1 else 207)
    if "failed" in statuses:
        kind, detail = problems.KAFKA_UNAVAILABLE, "Kafka did not confirm in time: send again, with the same event ids"
    else:
        kind, detail = problems.EVENTS_REJECTED, f"none of the {len(results)} events can be used; see `results`"
    document = EventsProblem(
        type=kind.type, title=kind.title, status=kind.status, detail=detail, request_id=request_id, results=results
    )
    retry = ((b"retry-after", b"2"),) if kind.status == problems.KAFKA_UNAVAILABLE.status else ()
    return Reply(msgspec.json.encode(document), kind.status, MEDIA_TYPE, retry)


def body_schema(components: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body: one event, or many. Adds the schemas of the records to `components`."""
    _, records = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    for name, topic in TOPICS.items():
        schema = records[name]
        kind = {"type": "string", "const": name, "description": f"What it is; `topic: {topic}` says the same."}
        made = {"event_id", "occurred_at"} if _HAS_EVENT_ID[name] else {"updated_at"}
        said = {
            "event_id": "Unique over all topics. Give one, so that sending again counts once; made if left out.",
            "occurred_at": f"{_TIME}; now if left out.",
            "updated_at": f"{_TIME}; now if left out.",
        }
        properties = {"type": kind, "topic": {"type": "string", "const": topic}, **schema["properties"]}
        for field in ("occurred_at", "updated_at", "posted_at", "expires_at"):
            if field in properties:
                kinds = ["integer", "string", *(["null"] if "default" in properties[field] else [])]
                properties[field] = {"type": kinds, "description": said.get(field, _TIME)}
        if "event_id" in properties:
            properties["event_id"] = {**properties["event_id"], "description": said["event_id"]}
        required = [field for field in schema["required"] if field not in made]
        components[f"{name}Event"] = {
            **schema,
            "title": f"{name}Event",
            "properties": properties,
            "required": required,
            "anyOf": [{"required": ["type"]}, {"required": ["topic"]}],
        }
    one = {"oneOf": [{"$ref": f"#/components/schemas/{name}Event"} for name in TOPICS]}
    components["Event"] = one
    components["EventsRequest"] = {
        "title": "EventsRequest",
        "description": "One event, or many.",
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}, "minItems": 1}
                },
                "required": ["events"],
                "additionalProperties": False,
            },
            {"$ref": "#/components/schemas/Event"},
        ],
    }
    return {"$ref": "#/components/schemas/EventsRequest"}
