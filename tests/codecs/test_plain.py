"""Events as JSON: the same rules, and reasons that name the field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.codecs.records import KINDS
from streamrec.events import DeadLetter, JobPosting, JobView, MemberProfile, Rejected

NOW = 1_700_000_000_000
VIEW: dict[str, Any] = {"event_id": "e1", "member_id": "m1", "job_id": "j1", "occurred_at": NOW}


def test_a_good_object_is_its_event() -> None:
    assert codecs.from_json("JobView", VIEW | {"position": 3}) == JobView(**VIEW, position=3)
    assert codecs.from_json("JobPosting", {"job_id": "j1", "title": "Nurse", "skills": ["care"], "salary_min": 3}) == (
        JobPosting(job_id="j1", title="Nurse", skills=("care",), salary_min=3.0)
    )


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.001Z", NOW + 1),
        ("2023-11-15T00:13:20.0019+02:00", NOW + 1),
    ],
)
def test_times_may_be_rfc_3339(text: str, milliseconds: int) -> None:
    assert codecs.from_json("MemberProfile", {"member_id": "m1", "updated_at": text}) == (
        MemberProfile(member_id="m1", updated_at=milliseconds)
    )


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"colour": "red"}, "unknown_field", "colour"),
        ({"job_id": None}, "bad_value", "job_id"),
        ({"job_id": 7}, "bad_value", "job_id"),
        ({"job_id": ""}, "bad_id", "job_id"),
        ({"occurred_at": True}, "bad_value", "occurred_at"),
        ({"occurred_at": "yesterday"}, "bad_time", "occurred_at"),
        ({"occurred_at": "2023-11-14T22:13:20"}, "bad_time", "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "bad_time", "occurred_at"),
        ({"occurred_at": 2**70}, "bad_time", "occurred_at"),
        ({"occurred_at": NOW + 1001}, "bad_time", "1 s in the future"),
        ({"position": 2**31}, "bad_value", ""),
        ({"dwell_ms": 2**63}, "bad_value", ""),
        ({"surface": "\ud800"}, "bad_value", ""),
        ({"surface": "x" * 20_000}, "too_long", "16,384"),
    ],
)
def test_a_bad_object_has_a_reason_that_names_the_field(change: dict[str, Any], reason: str, detail: str) -> None:
    answer = codecs.from_json("JobView", VIEW | change, NOW, 1000)
    assert isinstance(answer, Rejected)
    assert answer.reason == reason
    assert detail in answer.detail


@pytest.mark.parametrize("name", list(VIEW))
def test_a_missing_field_is_named(name: str) -> None:
    answer = codecs.from_json("JobView", {key: value for key, value in VIEW.items() if key != name})
    assert answer == Rejected("missing_field", f"a JobView needs `{name}`")


@pytest.mark.parametrize("obj", [None, [], "x", 5])
def test_only_objects_are_events(obj: object) -> None:
    assert codecs.from_json("JobView", obj) == Rejected("bad_value", "a JobView is a JSON object")


@pytest.mark.parametrize("record", ["JobActivity", "TrainingExample", "DeadLetter", "Impression", ""])
def test_internal_and_unknown_records_are_not_taken(record: str) -> None:
    answer = codecs.from_json(record, {})
    assert isinstance(answer, Rejected)
    assert answer.reason == "unknown_schema"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(codecs.PUBLIC_RECORDS), st.data())
def test_nothing_raises_and_what_passes_goes_there_and_back(record: str, data: st.DataObject) -> None:
    names = KINDS[record].type.__struct_fields__
    likely = {name: NOW if name.endswith("_at") else name for name in names if name.endswith(("_id", "_at", "title"))}
    obj = likely | data.draw(st.dictionaries(st.sampled_from(names), _JSON, max_size=2))
    answer = codecs.from_json(record, obj, NOW, 0)
    if isinstance(answer, Rejected):
        assert answer.reason in codecs.REASONS
    else:
        assert codecs.from_json(record, json.loads(json.dumps(codecs.to_json(answer))), NOW, 0) == answer


def test_bytes_are_shown_as_base64() -> None:
    letter = DeadLetter(topic="t", partition=0, offset=1, key=None, value=b"\xff", headers=(("h", b"a"),), reason="r",
                        detail="d", failed_at=5)  # fmt: skip
    shown = codecs.to_json(letter)
    assert (shown["key"], shown["value"]) == (None, "/w==")
    assert json.dumps(shown)
