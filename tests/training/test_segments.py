"""Segments by counting, and what a profile says."""

from collections.abc import Callable
from typing import Any

import pytest

from streamrec.events import MemberProfile
from streamrec.settings import Settings
from streamrec.training.evaluate import Evaluator
from streamrec.training.replay import Due
from streamrec.training.segments import PARTS, SEGMENTS, Query, known_of, masks

Make = Callable[..., Any]


def profile(**said: Any) -> MemberProfile:
    return MemberProfile(member_id="ann", updated_at=1, **said)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ({}, "nothing"),
        ({"headline": ""}, "nothing"),
        ({"region": "MD"}, "region"),
        ({"country": "US"}, "region"),
        ({"region": "MD", "city": "Olney"}, "profile"),
        ({"desired_titles": ("Nurse",)}, "profile"),
        ({"region": "MD", "open_to_remote": False}, "profile"),
    ],
)
def test_what_a_profile_says(said: dict[str, Any], known: str) -> None:
    assert known_of(profile(**said)) == known


def test_every_query_is_in_the_segments_that_it_should_be_in() -> None:
    queries = [
        Query(0, 0, False, 0, "profile", True), Query(1, 1, True, 0, "region"), Query(2, 2, True, 0), Query(3, 1, True, 1),
        Query(4, 1, True, 4), Query(5, 1, False, 5),
    ]  # fmt: skip
    found = masks(queries, events=6)
    assert list(found) == [(segment, part) for segment in SEGMENTS for part in PARTS]
    assert {segment: found[segment, "whole"].nonzero()[0].tolist() for segment in SEGMENTS} == {
        "all": [0, 1, 2, 3, 4, 5], "warm_items": [1, 2, 3, 4], "new_items": [0, 5], "new_jobs": [0],
        "cold_members": [0, 1, 2], "cold_with_profile": [0], "cold_with_region": [1], "cold_with_nothing": [2],
        "members_with_1_to_4": [3, 4], "members_with_5_or_more": [5],
    }  # fmt: skip
    assert found["all", "second_half"].nonzero()[0].tolist() == [3, 4, 5]


def test_the_evaluation_knows_them(due: Make, posted: Make) -> None:
    first = due(0, "ann", "a")
    log = [
        posted("old", posted_at=first.at + 1000 - 3_600_000), posted("fresh", posted_at=first.at - 1), posted("undated"),
        Due(first.at, "member-profiles", "ann", profile(region="MD")),
        due(1, "ann", "old"), due(1.5, "ann", "fresh"), due(2, "bob", "undated"), due(3, "ann", "undated"),
        Due(first.at + 4000, "member-profiles", "ann", profile(region="MD", city="Olney")),
        due(4, "ann", "unposted"), due(4000, "bob", "fresh"),
    ]  # fmt: skip
    evaluator = Evaluator("catalogue", (), Settings())
    evaluator.run(log, lambda *_: None, lambda: False)
    assert [(query.earlier, query.known, query.new_job) for query in evaluator.queries] == [
        (0, "region", False), (0, "region", True), (0, "nothing", False), (2, "region", False), (3, "profile", False),
        (1, "nothing", False),
    ]  # fmt: skip
