"""Golden bytes, round trips, schemas of other versions, and any bytes at all."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any, get_args, get_type_hints

import avro.schema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec import codecs, events
from streamrec.codecs import framing, writers
from streamrec.codecs.records import KINDS
from streamrec.events import ActivityEntry, ImpressionItem, NetworkEntry, Rejected

GOLDEN = Path(__file__).parent.parent / "golden" / "avro"
AT = 1_700_000_000_000
JOB_EVENT: dict[str, Any] = {
    "event_id": "e-1", "member_id": "m-ü", "job_id": "j-1", "occurred_at": AT, "request_id": "r-1", "session_id": "s-1",
    "surface": "home",
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "source_topic": "job-views",
    "source_topic_id": "AaIGhomcexKLjyKrwT0PYw",
    "source_partition": 3,
}
PLACE: dict[str, Any] = {"city": "Berlin", "region": "Berlin", "country": "DE"}
EXAMPLES: dict[str, codecs.Message] = {
    "JobView": events.JobView(**JOB_EVENT, position=0, dwell_ms=4_200),
    "JobSave": events.JobSave(**JOB_EVENT, saved=False),
    "JobLike": events.JobLike(**JOB_EVENT),
    "JobApplication": events.JobApplication(**JOB_EVENT),
    "JobDismissal": events.JobDismissal(**JOB_EVENT, reason="too far"),
    "Connection": events.Connection(event_id="e", member_id="m", other_member_id="n", occurred_at=AT, connected=False),
    "JobPosting": events.JobPosting(
        job_id="j-1", title="Nurse", company="Charité", description="Nights.", **PLACE, industry="health",
        function="nursing", seniority="junior", employment_type="full-time", remote=False, skills=("care", "German"),
        salary_min=40_000.5, salary_max=50_000.0, currency="EUR", posted_at=AT, expires_at=AT + 1, closed=True,
    ),
    "MemberProfile": events.MemberProfile(
        member_id="m-1", headline="Nurse", company="Charité", **PLACE, industry="health", function="nursing",
        seniority="senior", skills=("care",), desired_titles=("head nurse",), open_to_remote=True,
        salary_floor=45_000.0, currency="EUR", followed_companies=("Vivantes",), blocked_companies=("Acme",),
        updated_at=AT,
    ),
    "JobActivity": events.JobActivity(
        **SOURCE,
        entries=(
            ActivityEntry(
                offset=7, index=0, job_id="j-1", occurred_at=AT, action=0, first=True, neighbours=(("j-2", 0.8),),
            ),
            ActivityEntry(offset=7, index=1, job_id="j-2", occurred_at=AT, sign=-1),
        ),
    ),
    "MemberActivity": events.MemberActivity(
        **SOURCE,
        entries=(
            NetworkEntry(
                offset=7, index=0, kind="act", member_id="m-1", told=("m-2", "m-3"), occurred_at=AT, job_id="j-1", action=2,
                sign=-1,
            ),
            NetworkEntry(
                offset=8, index=1, kind="edge", member_id="m-1", told=("m-2",), occurred_at=AT, connected=False,
                company="Acme",
            ),
        ),
    ),
    "TrainingExample": events.TrainingExample(
        event_id="e-1", member_id="m-1", occurred_at=AT, **SOURCE, source_offset=7, source_index=0, surface="mail",
        feature_set="job_check/1", job_ids=("j-1", "j-2"), labels=(1.0, 0.0), weights=(1.0, 0.5),
        features=struct.pack("<4f", 1, 2, 3, 4), kind="correction", request_id="r-1", rows_shown=20,
        score_weights=(3.0, 1.0), positions=(4, 4), propensities=(0.5, 0.25), served_p=(0.125, 0.75), model_version=9, hit=1,
    ),
    "ImpressionSeen": events.ImpressionSeen(
        event_id="e-1", member_id="m-1", request_id="r-1", positions=(0, 1, 7), occurred_at=AT
    ),
    "Impression": events.Impression(
        request_id="r-1", member_id="m-1", served_at=AT, surface="home", workflow="jobs", model_name="job_check",
        model_version=9, arm="b", feature_set="job_check/1",
        items=(
            ImpressionItem(
                job_id="j-1", position=0, score=1.5, p_check=0.125, propensity=0.5, features=struct.pack("<2f", 1, 2),
                sources=("newest", "covisited"),
            ),
            ImpressionItem(
                job_id="j-2", position=1, score=-1.5, p_check=None, propensity=1.0, features=struct.pack("<2f", 3, 4),
                sources=(),
            ),
        ),
    ),
    "Erasure": events.Erasure(digest=events.digest_of("m-1"), erased_at=AT),
    "DeadLetter": events.DeadLetter(
        topic="job-views", partition=1, offset=2, key=None, value=b"\xff\x00",
        headers=(("trace", b"\x01"), ("trace", b"")), reason="undecodable", detail="not a JobView", failed_at=AT,
    ),
}  # fmt: skip
# What golden bytes of an earlier version say where that version had fewer fields.
EARLIER: dict[str, codecs.Message] = {
    "TrainingExample-0.1.0": msgspec.structs.replace(
        EXAMPLES["TrainingExample"], kind="sampled", request_id=None, rows_shown=0, score_weights=(), positions=(),
        propensities=(), served_p=(), model_version=0, hit=-1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("record", codecs.RECORDS)
def test_every_version_that_was_ever_written_is_read(record: str) -> None:
    """The newest golden bytes are also what is written today.

    After a change of a schema write ``codecs.encode(EXAMPLES[record])`` to a new file, named with the version to come.
    """
    files = sorted(GOLDEN.glob(f"{record}-*.bin"))
    assert files, f"no golden bytes of {record}"
    for path in files:
        assert codecs.decode(record, path.read_bytes()) == EARLIER.get(path.stem, EXAMPLES[record])
    assert codecs.encode(EXAMPLES[record]) == files[-1].read_bytes()


@pytest.mark.parametrize("path", sorted(framing.directory().rglob("*.avsc")), ids=lambda path: path.stem)
def test_the_fingerprint_is_that_of_avros_own_library(path: Path) -> None:
    schema = json.loads(path.read_text())
    plain = writers.without_logical_types(schema)
    # Not of `schema` itself: that library leaves {"type": "long"} of a logical type, against the specification.
    oracle = avro.schema.parse(json.dumps(plain)).fingerprint("CRC-64-AVRO")
    assert framing.header(plain) == framing.header(schema) == b"\xc3\x01" + oracle


def _type_of(avro_type: Any) -> object:
    """The Python type that a struct's field of this Avro type has."""
    match avro_type:
        case "string":
            return str
        case "bytes":
            return bytes
        case "int" | "long":
            return int
        case "double":
            return float
        case "boolean":
            return bool
        case {"type": "long", "logicalType": "timestamp-millis"}:
            return int
        case {"type": "array", "items": {"type": "record", "name": "ImpressionItem"}}:
            return tuple[ImpressionItem, ...]
        case {"type": "array", "items": {"type": "record", "fields": [{"type": first}, {"type": second}]}}:
            return tuple[tuple[_type_of(first), _type_of(second)], ...]  # type: ignore[misc]
        case {"type": "array", "items": items}:
            return tuple[_type_of(items), ...]  # type: ignore[misc]
        case ["null", other]:
            return _type_of(other) | None  # type: ignore[operator]
    raise AssertionError(avro_type)


@pytest.mark.parametrize("record", codecs.RECORDS)
def test_struct_and_schema_have_the_same_fields_types_and_defaults(record: str) -> None:
    schema = json.loads((framing.directory() / f"{record}.avsc").read_text())
    kind = getattr(events, record)
    hints = get_type_hints(kind)
    fields = {field["name"]: field for field in schema["fields"]}
    assert (schema["namespace"], schema["name"]) == ("streamrec.v1", record)
    assert set(fields) == set(kind.__struct_fields__)
    for field in msgspec.structs.fields(kind):
        declared = fields[field.name]
        if record in ("JobActivity", "MemberActivity") and field.name == "entries":
            assert declared["type"] == "bytes"
        else:
            assert _type_of(declared["type"]) == hints[field.name], field.name
        nullable = type(None) in get_args(hints[field.name])
        if field.required:
            assert declared.get("default", None) is None, field.name
            assert ("default" in declared) == nullable, field.name
        else:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            assert declared["default"] == (list(default) if isinstance(default, tuple) else default), field.name
        assert declared["doc"]
        assert (declared["type"] in (TIME, ["null", TIME])) == field.name.endswith("_at"), field.name
    assert schema["doc"]


def test_the_items_of_an_impression_have_the_fields_of_their_struct() -> None:
    schema = json.loads((framing.directory() / "Impression.avsc").read_text())
    [items] = [field["type"]["items"] for field in schema["fields"] if field["name"] == "items"]
    declared = {field["name"]: _type_of(field["type"]) for field in items["fields"]}
    assert declared == get_type_hints(ImpressionItem)
    assert all(field["doc"] for field in items["fields"])


TIME = {"type": "long", "logicalType": "timestamp-millis"}

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_INT = st.integers(-(2**31), 2**31 - 1)
_BY_TYPE: dict[object, st.SearchStrategy[Any]] = {
    str: _TEXT, int: _INT, float: st.floats(allow_nan=False), bool: st.booleans(), bytes: st.binary(max_size=20),
}  # fmt: skip
for _part in (str, int, float, tuple[str, bytes]):
    _BY_TYPE[tuple[_part, ...]] = st.lists(  # type: ignore[valid-type]
        _BY_TYPE.get(_part, st.tuples(_TEXT, st.binary(max_size=20))), max_size=4
    ).map(tuple)
_BY_TYPE[tuple[ActivityEntry, ...]] = st.lists(
    st.builds(
        ActivityEntry, offset=st.integers(0, 2**63 - 1), index=_INT, job_id=_TEXT, occurred_at=_INT,
        action=st.none() | st.integers(0, 4), sign=st.sampled_from((1, -1)), first=st.booleans(),
        neighbours=st.lists(st.tuples(_TEXT, st.floats(allow_nan=False)), max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)  # fmt: skip

_BY_TYPE[tuple[NetworkEntry, ...]] = st.lists(
    st.builds(
        NetworkEntry, offset=_INT, index=_INT, kind=st.sampled_from(("act", "edge", "work", "gone", "full")),
        member_id=_TEXT, told=st.lists(_TEXT, max_size=3).map(tuple), occurred_at=_BY_TYPE[int], job_id=_TEXT,
        action=st.integers(0, 4), sign=st.sampled_from((1, -1)), connected=st.booleans(), company=st.none() | _TEXT,
    ),
    max_size=3,
).map(tuple)  # fmt: skip
_BY_TYPE[tuple[ImpressionItem, ...]] = st.lists(
    st.builds(
        ImpressionItem, job_id=_TEXT, position=_INT, score=_BY_TYPE[float], p_check=st.none() | _BY_TYPE[float],
        propensity=_BY_TYPE[float], features=_BY_TYPE[bytes], sources=_BY_TYPE[tuple[str, ...]],
    ),
    max_size=3,
).map(tuple)  # fmt: skip


def _messages(record: str) -> st.SearchStrategy[Any]:
    kind = getattr(events, record)
    fields = {}
    for name, hint in get_type_hints(kind).items():
        options = [part for part in get_args(hint) if part is not type(None)]
        nullable = len(options) < len(get_args(hint))
        fields[name] = st.none() | _BY_TYPE[options[0]] if nullable else _BY_TYPE[hint]
    return st.builds(kind, **fields)


@given(st.sampled_from(codecs.RECORDS).flatmap(_messages))
def test_what_is_encoded_is_decoded_the_same(event: codecs.Message) -> None:
    assert codecs.decode(type(event).__name__, codecs.encode(event)) == event


@settings(max_examples=500)
@given(st.sampled_from(codecs.RECORDS), st.binary(max_size=200), st.booleans())
def test_any_bytes_give_an_event_or_a_reason(record: str, data: bytes, framed: bool) -> None:
    if framed:
        data = codecs.encode(EXAMPLES[record])[:10] + data
    answer = codecs.decode(record, data)
    assert isinstance(answer, Rejected | getattr(events, record))
    assert not isinstance(answer, Rejected) or answer.reason in codecs.REASONS


@given(st.sampled_from(codecs.RECORDS), st.data())
def test_a_damaged_value_gives_an_event_or_a_reason(record: str, data: st.DataObject) -> None:
    value = bytearray(codecs.encode(EXAMPLES[record]))
    place = data.draw(st.integers(10, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    assert isinstance(codecs.decode(record, bytes(value)), Rejected | getattr(events, record))


@pytest.mark.parametrize("record", codecs.RECORDS)
def test_a_cut_value_is_undecodable_and_so_is_a_long_one(record: str) -> None:
    value = codecs.encode(EXAMPLES[record])
    for end in range(10, len(value)):
        assert codecs.decode(record, value[:end]).reason == "undecodable"  # type: ignore[union-attr]
    answer = codecs.decode(record, value + b"\x00\x00")
    assert answer == Rejected("undecodable", f"2 bytes after the end of the {record}")


def test_an_unknown_schema_says_what_came_instead() -> None:
    save = codecs.encode(EXAMPLES["JobSave"])
    for data, detail in [
        (save, "the value is a JobSave, the topic carries JobView"),
        (b"\xc3\x01" + b"\x07" * 8 + save[10:], "no known version of JobView has the fingerprint 0707070707070707"),
        (b"\x00\x00\x00\x00\x01" + save[10:], "a schema registry's framing?"),
        (b'{"job_id": 1}', "starts with 7b22, not with c301"),
        (b"", "starts with nothing"),
    ]:
        answer = codecs.decode("JobView", data)
        assert isinstance(answer, Rejected)
        assert answer.reason == "unknown_schema"
        assert detail in answer.detail


def test_a_value_longer_than_such_a_record_can_be_is_not_even_decoded() -> None:
    view = msgspec.structs.replace(EXAMPLES["JobView"], surface="x" * 20_000)
    assert codecs.decode("JobView", codecs.encode(view)).reason == "too_long"  # type: ignore[union-attr]


def _directory_with(path: Path, record: str, version: str | None, **changes: Any) -> Path:
    """A copy of the shipped schemas in which `record`, current or released as `version`, is changed."""
    shutil.copytree(framing.directory(), path, dirs_exist_ok=True)
    file = path / f"{record}.avsc" if version is None else path / "released" / version / f"{record}.avsc"
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = json.loads((path / f"{record}.avsc").read_text())
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in changes.get("without", ())]
    schema["fields"] += changes.get("more", [])
    file.write_text(json.dumps(schema))
    return path


def test_a_value_of_an_earlier_release_is_resolved_to_the_current_schema(tmp_path: Path) -> None:
    earlier = framing.Codec(_directory_with(tmp_path / "old", "JobView", None, without=("dwell_ms", "surface")))
    written = earlier.encode(EXAMPLES["JobView"])
    assert codecs.decode("JobView", written).reason == "unknown_schema"  # type: ignore[union-attr]
    current = framing.Codec(_directory_with(tmp_path / "new", "JobView", "0.0.9", without=("dwell_ms", "surface")))
    assert current.decode("JobView", written) == msgspec.structs.replace(
        EXAMPLES["JobView"], dwell_ms=None, surface=None
    )  # fmt: skip


def test_a_value_of_a_later_release_loses_what_is_not_known_yet(tmp_path: Path) -> None:
    more = [{"name": "colour", "type": ["null", "string"], "default": None}]
    later = framing.Codec(_directory_with(tmp_path, "JobView", "0.2.0", more=more))
    head = framing.header(json.loads((tmp_path / "released" / "0.2.0" / "JobView.avsc").read_text()))
    written = head + codecs.encode(EXAMPLES["JobView"])[10:] + b"\x02\x06red"
    assert later.decode("JobView", written) == EXAMPLES["JobView"]


def test_entries_of_an_activity_may_gain_and_lose_fields() -> None:
    entries = msgspec.msgpack.encode([{"offset": 1, "index": 0, "job_id": "j", "occurred_at": 5, "colour": "red"}])
    into = KINDS["JobActivity"].into
    assert into is not None
    answer = into({**SOURCE, "entries": entries})
    assert isinstance(answer, events.JobActivity)
    assert answer.entries == (ActivityEntry(offset=1, index=0, job_id="j", occurred_at=5),)
