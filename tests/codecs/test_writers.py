"""The Confluent wire format: schemas of every age resolve to ours as with Avro's own library, or are refused with a reason."""

import io
import json
from typing import Any

import avro.io
import avro.schema
import msgspec
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro import schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.codecs import RegisteredSchema, Writers, framing, writers
from streamrec.codecs.records import KINDS
from streamrec.events import ImpressionSeen, JobPosting, JobView, Rejected

AT = 1_700_000_000_000
VIEW = JobView(event_id="e-1", member_id="m-ü", job_id="j-1", occurred_at=AT, position=3, dwell_ms=9, surface="home")
TIME = {"type": "long", "logicalType": "timestamp-millis"}


def shipped(record: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((framing.directory() / f"{record}.avsc").read_text())
    return schema


def changed(record: str = "JobView", *, without: tuple[str, ...] = (), more: Any = (), **fields: Any) -> dict[str, Any]:
    """Our schema with fields left out, added, or given another type."""
    schema = shipped(record)
    kept = [field for field in schema["fields"] if field["name"] not in without]
    for field in kept:
        if field["name"] in fields:
            field["type"] = fields[field["name"]]
            field.pop("default", None)
    return schema | {"fields": [*kept, *more]}


def written(schema: Any, fields: dict[str, Any], schema_id: int = 7) -> bytes:
    """As a producer with that schema writes it."""
    body = io.BytesIO()
    schemaless_writer(body, writers.without_logical_types(schema), fields)
    return writers.wire_header(schema_id) + body.getvalue()


def known(schema: Any, schema_id: int = 7, **more: Any) -> Writers:
    found = Writers("http://registry")
    found.add(schema_id, RegisteredSchema(schema if isinstance(schema, str) else json.dumps(schema), **more))
    return found


def by_avro(writer: Any, reader: Any, data: bytes) -> Any:
    """What Avro's own library reads: the oracle."""
    old, new = (avro.schema.parse(json.dumps(writers.without_logical_types(schema))) for schema in (writer, reader))
    return avro.io.DatumReader(old, new).read(avro.io.BinaryDecoder(io.BytesIO(data[writers.WIRE_HEADER :])))


FIELDS = msgspec.structs.asdict(VIEW)
OLDER = changed(without=("dwell_ms", "surface", "position"))
NEWER = changed(more=[
    {"name": "colour", "type": ["null", "string"], "default": None},
    {"name": "tags", "type": {"type": "array", "items": {"type": "map", "values": "double"}}, "default": []},
    {"name": "device", "type": {"type": "record", "name": "Device", "fields": [{"name": "os", "type": "string"}]}},
])  # fmt: skip
NEWER_FIELDS = FIELDS | {"colour": "red", "tags": [{"a": 1.0}], "device": {"os": "x"}}
REORDERED = shipped("JobView") | {"fields": shipped("JobView")["fields"][::-1]}
NARROWER = changed(occurred_at="int", position="int", dwell_ms=["int", "null"], surface="string")


@pytest.mark.parametrize(
    ("writer", "fields"),
    [
        (shipped("JobView"), FIELDS), (OLDER, FIELDS), (NEWER, NEWER_FIELDS), (REORDERED, FIELDS),
        (NARROWER, FIELDS | {"occurred_at": 1_000_000}),
    ],
    ids=["the same", "older", "newer", "reordered", "narrower types"],
)  # fmt: skip
def test_an_older_or_newer_writer_is_resolved_as_avros_own_library_does_it(writer: Any, fields: Any) -> None:
    data = written(writer, fields)
    event = codecs.decode("JobView", data, known(writer))
    assert isinstance(event, JobView)
    assert msgspec.structs.asdict(event) == by_avro(writer, shipped("JobView"), data)
    assert (event.member_id, event.surface) == ("m-ü", None if writer is OLDER else "home")


_OPTIONAL = ("request_id", "session_id", "position", "dwell_ms", "surface")


@given(st.sets(st.sampled_from(_OPTIONAL)), st.randoms(use_true_random=False), st.integers(0, 2))
def test_any_evolution_of_the_schema_reads_as_with_avros_own_library(gone: set[str], random: Any, added: int) -> None:
    more = [{"name": f"new{number}", "type": ["null", "long"], "default": None} for number in range(added)]
    writer = changed(without=tuple(gone), more=more)
    random.shuffle(writer["fields"])
    data = written(writer, FIELDS | {"new0": 5, "new1": None})
    event = codecs.decode("JobView", data, known(writer))
    assert isinstance(event, JobView)
    assert msgspec.structs.asdict(event) == by_avro(writer, shipped("JobView"), data)


def test_every_public_record_is_read_in_both_framings_and_equals_confluents_serialiser() -> None:
    """Against confluent-kafka's mock registry: what its serialiser writes is what we write, byte for byte."""
    registry = SchemaRegistryClient.new_client({"url": "mock://writers"})
    found = Writers("mock")
    for record in codecs.PUBLIC_RECORDS:
        text = (framing.directory() / f"{record}.avsc").read_text().strip()  # as the serialiser registers it
        number = registry.register_schema(f"{record}-value", Schema(text, "AVRO"))
        found.add(number, RegisteredSchema(text))
        kind = KINDS[record]
        ids: dict[str, Any] = {name: f"{name}-ü" for name in kind.ids}
        fields: dict[str, Any] = ids | ({kind.time: AT} if kind.time else {}) | _REST.get(record, {})
        event: Any = kind.type(**fields)
        serialise = AvroSerializer(registry, text, lambda event, _: kind.out(event))  # noqa: B023 - called at once
        data = serialise(event, SerializationContext(record, MessageField.VALUE))
        assert codecs.encode(event, number) == data
        for value in (data, codecs.encode(event)):
            key = getattr(event, kind.key or "").encode()
            assert codecs.decode_record(record, key, value, AT, 0, writers=found) == event


_REST: dict[str, dict[str, Any]] = {
    "JobPosting": {"title": "Nurse", "skills": ("care",), "salary_min": 1.5},
    "ImpressionSeen": {"positions": (0, 1, 7)},
}


def refused(record: str, data: bytes, found: Writers | None) -> tuple[str, str]:
    answer = codecs.decode(record, data, found)
    assert isinstance(answer, Rejected)
    assert answer.reason in codecs.REASONS
    return answer.reason, answer.detail


@pytest.mark.parametrize(
    ("schema", "reason", "says"),
    [
        (changed(without=("member_id",)), "incompatible_schema", "No default value for field member_id"),
        (changed(job_id="long"), "incompatible_schema", "Schema mismatch"),
        (changed(occurred_at=TIME | {"logicalType": "timestamp-micros"}), "incompatible_schema",
         "has occurred_at as timestamp-micros, not as timestamp-millis"),
        (shipped("JobSave"), "unknown_schema", "is of streamrec.v1.JobSave, the topic carries streamrec.v1.JobView"),
        (shipped("JobView") | {"namespace": "com.acme"}, "unknown_schema", "com.acme.JobView"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "incompatible_schema", "is not of a record"),
        ("string", "incompatible_schema", "cannot be used"),
        ('"string"', "incompatible_schema", "is not of a record"),
        ({"type": "record", "name": "R"}, "incompatible_schema", "cannot be used"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "Nowhere"}]}, "incompatible_schema", "cannot be used"),
    ],
)  # fmt: skip
def test_a_schema_that_is_of_no_use_is_refused_with_the_reason(schema: Any, reason: str, says: str) -> None:
    number = 5 if schema == changed(job_id="long") else "j"
    body = io.BytesIO()
    if isinstance(schema, dict) and schema.get("name") == "JobView":
        schemaless_writer(body, writers.without_logical_types(schema), FIELDS | {"job_id": number})
    found = refused("JobView", writers.wire_header(7) + body.getvalue(), known(schema))
    assert found[0] == reason
    assert says in found[1]
    if "of the registry" in found[1]:
        assert "schema 7 of the registry at http://registry" in found[1]


def test_times_without_a_logical_type_are_taken_as_milliseconds() -> None:
    """As a schema that was made from ours by a library that leaves logical types out has them."""
    plain = writers.without_logical_types(shipped("JobView"))
    assert codecs.decode("JobView", written(plain, FIELDS), known(plain)) == VIEW


def test_another_language_is_refused() -> None:
    assert "is PROTOBUF, not Avro" in refused("JobView", b"\0\0\0\0\x07", known("syntax", language="PROTOBUF"))[1]


def test_a_renamed_record_is_read_by_the_alias_of_ours(tmp_path: Any) -> None:
    for record in codecs.RECORDS:
        schema = shipped(record) | ({"aliases": ["com.acme.Seen"]} if record == "JobView" else {})
        (tmp_path / f"{record}.avsc").write_text(json.dumps(schema))
    writer = shipped("JobView") | {"namespace": "com.acme", "name": "Seen"}
    assert framing.Codec(tmp_path).decode("JobView", written(writer, FIELDS), known(writer)) == VIEW
    assert refused("JobView", written(writer, FIELDS), known(writer))[0] == "unknown_schema"


def test_parts_of_a_schema_may_be_schemas_of_their_own() -> None:
    device = {"type": "record", "name": "Device", "namespace": "x", "fields": [{"name": "os", "type": "string"}]}
    writer = changed(more=[{"name": "device", "type": "x.Device"}])
    inline = changed(more=[{"name": "device", "type": device}])
    found = known(writer, named=(json.dumps(device),))
    assert codecs.decode("JobView", written(inline, FIELDS | {"device": {"os": "z"}}), found) == VIEW
    assert "cannot be used" in refused("JobView", written(inline, FIELDS | {"device": {"os": "z"}}), known(writer))[1]


def test_one_id_serves_the_topic_of_its_record_only() -> None:
    found = known(shipped("JobView"))
    assert codecs.decode("JobView", written(shipped("JobView"), FIELDS), found) == VIEW
    assert refused("JobSave", written(shipped("JobView"), FIELDS), found)[0] == "unknown_schema"
    assert codecs.decode("JobView", written(shipped("JobView"), FIELDS), found) == VIEW


def test_what_has_not_been_added_is_unknown_and_what_is_asked_for_is_only_that() -> None:
    found = known(shipped("JobView"))
    values = [written(OLDER, FIELDS, number) for number in (7, 8, 2**31 - 1, 2**31, 2**32 - 1, 8)]
    assert found.unknown([*values, None, b"", b"\0", b"\0\0\0\0", codecs.encode(VIEW)]) == {8, 2**31 - 1}
    assert 7 in found
    assert 8 not in found
    assert refused("JobView", values[3], found)[0] == "unknown_schema"
    assert refused("JobView", values[1], found) == ("unknown_schema", "the registry at http://registry has no schema 8")
    found.add(8, RegisteredSchema(json.dumps(OLDER)))
    assert isinstance(codecs.decode("JobView", values[1], found), JobView)


def test_without_a_registry_the_setting_is_named() -> None:
    assert "STREAMREC_SCHEMA_REGISTRY" in refused("JobView", codecs.encode(VIEW, 7), None)[1]


def test_too_short_too_long_cut_and_trailing_values_are_refused() -> None:
    found, value = known(shipped("JobView")), codecs.encode(VIEW, 7)
    for end in range(1, 5):
        assert refused("JobView", value[:end], found)[0] == "unknown_schema"
    for end in range(5, len(value)):
        assert refused("JobView", value[:end], found)[0] == "undecodable"
    assert refused("JobView", value + b"\0", found) == ("undecodable", "1 bytes after the end of the JobView")
    assert (
        refused("JobView", codecs.encode(msgspec.structs.replace(VIEW, surface="x" * 20_000), 7), found)[0]
        == "too_long"
    )


@given(st.sampled_from(codecs.RECORDS), st.binary(max_size=100))
def test_nothing_raises(record: str, body: bytes) -> None:
    answer = codecs.decode(record, writers.wire_header(7) + body, known(NEWER))
    assert isinstance(answer, Rejected | JobView | JobPosting | ImpressionSeen)
