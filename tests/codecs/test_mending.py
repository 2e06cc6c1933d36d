"""Tests of streamrec.codecs.mending."""

from typing import Any

import pytest

from streamrec import codecs
from streamrec.codecs.mending import FixError, mend, parse_fix
from streamrec.events import JobPosting, JobView, Rejected

VIEW = JobView(event_id="e1", member_id="m1", job_id=" J1 ", occurred_at=7_000_000)
NAMES = {"failed_at": 6_000, "now": 9_000, "origin": "job-views/0@3"}


def mended(*texts: str, key: bytes | None = b"m1", value: bytes | None = codecs.encode(VIEW)) -> tuple[Any, Any]:
    made = mend("JobView", key, value, [parse_fix(text) for text in texts], NAMES)
    assert not isinstance(made, Rejected)
    return made[0], codecs.decode("JobView", made[1])


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("occurred_at = failed_at", "occurred_at", 6_000),
        ("occurred_at = occurred_at // 1000", "occurred_at", 7_000),
        ("occurred_at = occurred_at if occurred_at < now else now", "occurred_at", 9_000),
        ("job_id = job_id.strip().lower()", "job_id", "j1"),
        ("job_id=job_id[1:3]", "job_id", "J1"),
        ("surface = 'web=1'", "surface", "web=1"),
        ("request_id = None", "request_id", None),
        ("session_id = origin", "session_id", "job-views/0@3"),
    ],
)
def test_a_field_becomes_what_the_expression_says(text: str, field: str, value: object) -> None:
    key, view = mended(text)
    assert key == b"m1"
    assert getattr(view, field) == value


def test_fixes_build_on_each_other_in_their_order() -> None:
    _, view = mended("job_id = job_id.strip()", "surface = job_id", "job_id = job_id + '!'")
    assert (view.job_id, view.surface) == ("J1!", "J1")


def test_the_key_follows_its_field_unless_it_is_assigned_itself() -> None:
    assert mended("member_id = 'm2'")[0] == b"m2"
    assert mended("member_id = key", key=b"m9")[0] == b"m9"
    assert mended("key = member_id", key=None)[0] == b"m1"
    assert mended("member_id = 'm2'", "key = 'm3'")[0] == b"m3"
    assert mended("job_id = 'j2'", key=b"wrong")[0] == b"wrong"


def test_a_null_value_is_mended_by_naming_every_field() -> None:
    fields = ("event_id = origin", "member_id = key", "job_id = 'j1'", "occurred_at = failed_at")
    key, view = mended(*fields, value=None)
    assert key == b"m1"
    assert view == JobView(event_id="job-views/0@3", member_id="m1", job_id="j1", occurred_at=6_000)
    with pytest.raises(FixError, match="event_id"):
        mended("member_id = key", value=None)


def test_a_tuple_can_be_assigned() -> None:
    posting = codecs.encode(JobPosting(job_id="j1", title="t", skills=("a", "b")))
    made = mend("JobPosting", b"j1", posting, [parse_fix("skills = [skills[1]]")], {})
    assert not isinstance(made, Rejected)
    assert codecs.decode("JobPosting", made[1]) == JobPosting(job_id="j1", title="t", skills=("b",))


def test_a_value_that_cannot_be_decoded_has_no_fields() -> None:
    assert isinstance(mend("JobView", b"m1", b"nothing", [parse_fix("job_id = 'j'")], {}), Rejected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "no field `colour`; it has event_id, member_id"),
        ("job_id = colour", "colour"),
        ("job_id = 5", "job_id: Expected `str`, got `int`"),
        ("occurred_at = failed_at / 2", "occurred_at: Expected `int`, got `float`"),
        ("occurred_at = job_id + 1", "job_id \\+ 1"),
        ("occurred_at = 1 // 0", "zero"),
        ("occurred_at = 2 ** 70", "cannot be written"),
        ("key = 5", "a key is a text"),
        ("job_id = job_id.__class__", "__class__"),
        ("job_id = job_id.format_map(1)", "format_map"),
        ("job_id = __import__('os').getcwd()", "__import__"),
        ("job_id = open('/etc/passwd').read()", "open"),
        ("job_id = (lambda: 'x')()", "job_id"),
    ],
)
def test_a_fix_that_does_not_fit_is_told_with_its_text(text: str, says: str) -> None:
    with pytest.raises(FixError, match=says):
        mended(text)


@pytest.mark.parametrize(
    "text", ["", "job_id", "job_id == 'a'", "a = b = 1", "a, b = 1, 2", "a += 1", "a = ", "x = 1; y = 2"]
)
def test_what_is_no_assignment_is_told(text: str) -> None:
    with pytest.raises(FixError, match="is not FIELD = EXPRESSION"):
        parse_fix(text)
