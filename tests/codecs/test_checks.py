"""Every rule about fields, by an example that breaks it."""

import math
from typing import Any

import msgspec
import pytest

from streamrec import codecs
from streamrec.events import (
    Connection,
    Impression,
    ImpressionItem,
    ImpressionSeen,
    JobPosting,
    JobView,
    MemberProfile,
    Rejected,
    TrainingExample,
)

NOW = 1_700_000_000_000
VIEW = JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=NOW)
CONNECTION = Connection(event_id="e1", member_id="m1", other_member_id="m2", occurred_at=NOW)
POSTING = JobPosting(job_id="j1", title="Nurse", posted_at=NOW, expires_at=NOW + 10**12, salary_min=1.0, salary_max=2.0)
PROFILE = MemberProfile(member_id="m1", updated_at=NOW, salary_floor=1.0)
EXAMPLE = TrainingExample(
    event_id="e1", member_id="m1", occurred_at=NOW, source_topic="t", source_topic_id="i", source_partition=0,
    source_offset=0, source_index=0, feature_set="f/1", job_ids=("a", "b"), labels=(1.0, 0.0), weights=(1.0, 1.0),
    features=bytes(16),
)  # fmt: skip
SEEN = ImpressionSeen(event_id="e1", member_id="m1", request_id="r1", positions=(0, 3), occurred_at=NOW)
ITEM = ImpressionItem(job_id="a", position=0, score=1.0, p_check=0.5, propensity=1.0, features=bytes(8), sources=())
OTHER = msgspec.structs.replace(ITEM, job_id="b", position=1, p_check=None)
IMPRESSION = Impression(
    request_id="r1", member_id="m1", served_at=NOW, workflow="w", model_name="m", model_version=1, feature_set="f/1",
    items=(ITEM, OTHER),
)  # fmt: skip


def with_item(**changes: Any) -> dict[str, Any]:
    return {"items": (msgspec.structs.replace(ITEM, **changes), OTHER)}


@pytest.mark.parametrize(
    "event", [VIEW, CONNECTION, POSTING, PROFILE, EXAMPLE, SEEN, IMPRESSION], ids=lambda event: type(event).__name__
)
def test_a_good_event_passes(event: codecs.Message) -> None:
    assert codecs.check(event, NOW, 0) is None


@pytest.mark.parametrize(
    ("event", "change", "reason"),
    [
        (VIEW, {"event_id": ""}, "bad_id"),
        (VIEW, {"member_id": ""}, "bad_id"),
        (VIEW, {"job_id": ""}, "bad_id"),
        (VIEW, {"job_id": "j" * 513}, "bad_id"),
        (CONNECTION, {"other_member_id": ""}, "bad_id"),
        (CONNECTION, {"other_member_id": "m1"}, "bad_value"),
        (POSTING, {"job_id": ""}, "bad_id"),
        (PROFILE, {"member_id": ""}, "bad_id"),
        (VIEW, {"occurred_at": 0}, "bad_time"),
        (VIEW, {"occurred_at": -5}, "bad_time"),
        (VIEW, {"occurred_at": NOW + 1001}, "bad_time"),
        (POSTING, {"posted_at": NOW + 1001}, "bad_time"),
        (POSTING, {"expires_at": 0}, "bad_time"),
        (POSTING, {"expires_at": 2**62}, "bad_time"),
        (PROFILE, {"updated_at": NOW + 1001}, "bad_time"),
        (POSTING, {"salary_min": math.nan}, "bad_value"),
        (POSTING, {"salary_max": math.inf}, "bad_value"),
        (PROFILE, {"salary_floor": math.nan}, "bad_value"),
        (EXAMPLE, {"labels": (1.0,)}, "bad_value"),
        (EXAMPLE, {"weights": (1.0,)}, "bad_value"),
        (EXAMPLE, {"weights": (1.0, math.nan)}, "bad_value"),
        (EXAMPLE, {"features": bytes(15)}, "bad_value"),
        (EXAMPLE, {"job_ids": (), "labels": (), "weights": ()}, "bad_value"),
        (EXAMPLE, {"score_weights": (1.0,)}, "bad_value"),
        (EXAMPLE, {"score_weights": (1.0, math.nan)}, "bad_value"),
        (EXAMPLE, {"served_p": (1.0,)}, "bad_value"),
        (SEEN, {"request_id": ""}, "bad_id"),
        (SEEN, {"positions": (1, -1)}, "bad_value"),
        (IMPRESSION, {"request_id": ""}, "bad_id"),
        (IMPRESSION, {"served_at": NOW + 1001}, "bad_time"),
        (IMPRESSION, with_item(job_id=""), "bad_id"),
        (IMPRESSION, with_item(job_id="b"), "bad_value"),
        (IMPRESSION, with_item(position=1), "bad_value"),
        (IMPRESSION, with_item(position=-1), "bad_value"),
        (IMPRESSION, with_item(propensity=0.0), "bad_value"),
        (IMPRESSION, with_item(propensity=math.nan), "bad_value"),
        (IMPRESSION, with_item(p_check=1.5), "bad_value"),
        (IMPRESSION, with_item(features=bytes(4)), "bad_value"),
        (IMPRESSION, with_item(features=bytes(7)), "bad_value"),
    ],
)
def test_a_broken_rule_has_its_reason(event: Any, change: dict[str, Any], reason: str) -> None:
    answer = codecs.check(msgspec.structs.replace(event, **change), NOW, 1000)
    assert isinstance(answer, Rejected)
    assert answer.reason == reason
    assert answer.reason in codecs.REASONS


def test_the_edges_of_what_is_allowed() -> None:
    assert codecs.check(msgspec.structs.replace(VIEW, job_id="j" * 512, occurred_at=NOW + 1000), NOW, 1000) is None
    assert codecs.check(msgspec.structs.replace(VIEW, occurred_at=1), NOW, 1000) is None
    assert codecs.check(msgspec.structs.replace(POSTING, posted_at=None, expires_at=None), NOW, 0) is None


def test_without_a_clock_only_impossible_dates_are_too_late() -> None:
    assert codecs.check(msgspec.structs.replace(VIEW, occurred_at=NOW * 100)) is None
    answer = codecs.check(msgspec.structs.replace(VIEW, occurred_at=2**60))
    assert answer == Rejected("bad_time", "occurred_at is after the year 9999")
