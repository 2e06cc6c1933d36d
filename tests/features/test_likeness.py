"""What is like what the member looked at: the same in any order of the table, and about the cosine that the model reads."""

import math
from typing import Any

import numpy as np
import pytest

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.likeness import alike, likeness
from streamrec.features.state import JobState, MemberState, Recent
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView

NOW = 1_700_000_000_000
MINUTE = 60_000


def table_of(**jobs: dict[str, Any]) -> JobTable:
    table = JobTable()
    for number, (job_id, fields) in enumerate(jobs.items()):
        posting = JobPosting(job_id=job_id, **{"title": "Cook", "posted_at": NOW - (1 + number) * MINUTE, **fields})
        table.upsert(job_id, JobState(version=1, posting=posting))
    return table


def scores_of(table: JobTable, **member: Any) -> dict[str, float]:
    view = MemberView.build(MemberState(**member), {}, table, NOW)
    return dict(zip(table.ids, likeness(view, table).tolist(), strict=True))


def touched(*job_ids: str) -> list[Recent]:
    return [Recent(job_id, NOW - number * MINUTE, 0) for number, job_id in enumerate(job_ids)]


def test_a_job_in_the_place_of_all_recent_ones_has_the_weights_of_its_places() -> None:
    here = {"region": "NRW", "city": "Bonn", "industry": "care"}
    table = table_of(seen={**here, "title": "Nurse"}, other={**here, "title": "Cook"}, far={"title": "Cook"})
    found = scores_of(table, recent=touched("seen"))
    assert found["other"] == pytest.approx(2.3)
    assert found["far"] == 0.0


def test_shares_of_places_follow_the_weights_of_the_recent_jobs() -> None:
    table = table_of(a={"region": "NRW", "title": "Nurse"}, b={"region": "SH", "title": "Nurse"}, c={"region": "SH"})
    view = MemberView.build(MemberState(recent=touched("a", "b")), {}, table, NOW)
    shares = view.recent_weights / view.recent_weights.sum()
    assert likeness(view, table)[2] == pytest.approx(float(shares[1]))


def test_what_a_profile_says_is_all_there_is_of_a_new_member_and_one_half_of_others() -> None:
    table = table_of(a={"region": "NRW"}, b={"region": "SH", "title": "Nurse"})
    profile = MemberProfile(member_id="m", region="nrw", updated_at=NOW)
    assert scores_of(table, profile=profile) == {"a": 1.0, "b": 0.0}
    assert scores_of(table, profile=profile, recent=touched("b"))["a"] == 0.5


def test_words_count_about_as_their_cosine() -> None:
    table = table_of(
        seen={"title": "Night Nurse Ward"}, same={"title": "Night Nurse Ward"}, some={"title": "Night Watch"}, none={}
    )
    found = scores_of(table, recent=touched("seen"))
    assert found["seen"] == found["same"]
    assert 0.8 < found["same"] < 1.25
    assert 0.0 < found["some"] < found["same"]
    assert found["none"] == 0.0


def test_nobody_is_like_a_member_of_whom_nothing_is_known() -> None:
    table = table_of(a={"region": "NRW"}, b={})
    assert set(scores_of(table).values()) == {0.0}
    view = MemberView.build(MemberState(), {}, table, NOW)
    assert alike(view, table, 10, NOW).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_those_of_a_full_sort(seed: int) -> None:
    draw = np.random.default_rng(seed)
    jobs: dict[str, dict[str, Any]] = {
        f"j{number}": {
            "title": " ".join(draw.choice(["night", "nurse", "cook", "ward", "driver"], 2)),
            "region": str(draw.choice(["a", "b", "c"])),
            "city": str(draw.choice(["x", "y"])),
            "closed": bool(draw.random() < 0.2),
            "expires_at": NOW + int(draw.integers(-1, 2)) * MINUTE,
        }
        for number in range(60)
    }
    table = table_of(**jobs)
    view = MemberView.build(MemberState(recent=touched("j0", "j1", "j2")), {}, table, NOW)
    scores = likeness(view, table)
    open_rows = [
        row for row in range(60) if not table.closed[row] and table.expires_at[row] > NOW and scores[row] > 0.0
    ]
    best = sorted(open_rows, key=lambda row: (-scores[row], -table.posted_at[row], int(table.columns.ties[row])))
    for limit in (1, 7, 1000):
        assert alike(view, table, limit, NOW).tolist() == best[:limit]
    assert math.isfinite(float(scores.sum()))
