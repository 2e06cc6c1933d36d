"""What a ranking sees of one member."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamrec.events import JobApplication, JobDismissal, JobPosting, JobView, MemberProfile
from streamrec.features import view as module
from streamrec.features.fold import NEIGHBOUR_HALF_LIFE_MS, fold_member
from streamrec.features.state import JobState, MemberState, Neighbours
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView, sources
from streamrec.features.windows import DAY_MS, HOUR_MS

NOW = 1_700_000_000_000


def table_of(*postings: JobPosting) -> JobTable:
    table = JobTable(capacity=2)
    for posting in postings:
        table.upsert(posting.job_id, JobState(posting=posting))
    return table


def viewed(*job_ids: str, profile: MemberProfile | None = None) -> MemberState:
    """A member who viewed these jobs, one an hour, the last one now."""
    state = MemberState(profile=profile)
    for number, job_id in enumerate(job_ids):
        at = NOW - (len(job_ids) - 1 - number) * HOUR_MS
        fold_member(state, JobView(event_id=job_id, member_id="m", job_id=job_id, occurred_at=at))
    return state


JOBS = table_of(
    JobPosting(job_id="a", title="Night Nurse", city="Bonn", region="NRW", function="Care", company="Acme"),
    JobPosting(job_id="b", title="Truck Driver", city="Olney", region="MD", function="Road", company="Initech"),
    JobPosting(job_id="c", title="Senior Nurse", city="Bonn", region="NRW", company="Umbrella"),
)


def word(text: str) -> int:
    return JOBS.titles.codes_of([text])[0]


def test_a_stranger_has_nothing() -> None:
    view = MemberView.build(MemberState(), {}, JOBS, NOW)
    assert view.recent_rows.tolist() == view.covisit_rows.tolist() == view.covisit_scores.tolist() == []
    assert (view.token_weights, view.city, view.region) == ({}, 0, 0)


def test_the_newest_touch_weighs_most_and_an_application_more_than_a_view() -> None:
    state = viewed("a", "unknown", "b")
    fold_member(state, JobApplication(event_id="x", member_id="m", job_id="a", occurred_at=NOW - 2 * HOUR_MS))
    view = MemberView.build(state, {}, JOBS, NOW + 99 * DAY_MS)  # a pause changes no proportions
    assert view.recent_rows.tolist() == [1, 0]
    assert view.recent_weights.tolist() == pytest.approx([1.0, 5 * 0.9**2 * 2.0 ** (-2 / 24 / 7)])


def test_a_dismissed_job_is_no_interest() -> None:
    state = viewed("a", "b")
    fold_member(state, JobDismissal(event_id="x", member_id="m", job_id="b", occurred_at=NOW))
    view = MemberView.build(state, {"b": Neighbours(NOW, {"c": 1.0})}, JOBS, NOW)
    assert (view.recent_rows.tolist(), view.covisit_rows.tolist(), sources(state)) == ([0], [], ["a"])
    assert set(view.token_weights) == {word("night"), word("nurse")}


def test_words_come_from_recent_titles_desired_titles_and_the_headline() -> None:
    profile = MemberProfile(
        member_id="m", headline="Senior captain", desired_titles=("Driver", "truck driver"), updated_at=NOW
    )
    view = MemberView.build(viewed("a", "c", profile=profile), {}, JOBS, NOW)
    earlier = 0.9 * 2.0 ** (-1 / 24 / 7)
    assert view.token_weights == pytest.approx(
        {word("senior"): 1.5, word("nurse"): 1 + earlier, word("night"): earlier, word("driver"): 2, word("truck"): 2}
    )
    assert view.desired_weights == {word("driver"): 1.0, word("truck"): 1.0}
    assert view.last_weights == {word("senior"): 1.0, word("nurse"): 1.0}


def test_only_the_words_that_say_most_are_kept() -> None:
    postings = [JobPosting(job_id=f"j{n}", title=f"common word{n}a word{n}b word{n}c") for n in range(30)]
    table = table_of(*postings)
    view = MemberView.build(viewed(*[posting.job_id for posting in postings]), {}, table, NOW)
    assert len(view.token_weights) == module._WORDS
    oldest = table.titles.codes_of(["word0a", "word0b", "word0c"])
    assert not set(oldest) & set(view.token_weights)


def test_ties_add_up_over_recent_jobs_and_fade() -> None:
    neighbours = {
        "a": Neighbours(NOW - NEIGHBOUR_HALF_LIFE_MS, {"c": 4.0, "gone": 9.0}),
        "b": Neighbours(NOW, {"c": 1.0, "a": 0.5}),
        "never touched": Neighbours(NOW, {"c": 100.0}),
    }
    view = MemberView.build(viewed("a", "b"), neighbours, JOBS, NOW)
    both = 1.0 + 0.95 * 2.0
    assert view.covisit_rows.tolist() == [2, 0]
    assert view.covisit_scores.tolist() == pytest.approx([both, 0.5])
    tied = view.covisits(np.array([0, 1, 2, -1], np.int32))
    assert tied.scores.tolist() == pytest.approx([0.5, 0.0, both, 0.0])
    assert tied.ranks.tolist() == [1, -1, 0, -1]
    assert tied.last.tolist() == pytest.approx([0.5, 0.0, 1.0, 0.0])  # "b" was touched last


def test_nothing_is_tied_to_a_newest_job_without_ties() -> None:
    view = MemberView.build(viewed("a", "b"), {"a": Neighbours(NOW, {"c": 4.0})}, JOBS, NOW)
    tied = view.covisits(np.array([2], np.int32))
    assert tied.scores.tolist() == pytest.approx([0.95 * 4.0])
    assert tied.last.tolist() == [0.0]


def test_only_the_newest_twenty_jobs_tie() -> None:
    state = viewed("a", *[f"j{number}" for number in range(20)])
    assert len(sources(state)) == module.SOURCES
    assert "a" not in sources(state)
    view = MemberView.build(state, {"a": Neighbours(NOW, {"c": 1.0})}, JOBS, NOW)
    assert view.covisit_rows.tolist() == []


def test_the_profile_says_where_the_member_is_and_else_the_recent_jobs_do() -> None:
    said = MemberProfile(member_id="m", region="md", company="ACME", updated_at=NOW)
    view = MemberView.build(viewed("a", "c", profile=said), {}, JOBS, NOW)
    assert (view.region, view.city) == (JOBS.code("region", "MD"), JOBS.code("city", "bonn"))
    assert MemberView.build(viewed("b", "a"), {}, JOBS, NOW).region == JOBS.code("region", "NRW")


def test_a_place_that_is_not_half_of_the_recent_jobs_is_nobodys_home() -> None:
    table = table_of(*[JobPosting(job_id=f"j{n}", title="Nurse", region=f"R{n}") for n in range(3)])
    assert MemberView.build(viewed("j0", "j1", "j2"), {}, table, NOW).region == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_table_filled_in_another_order_shows_the_same_member(seed: int, make_world: Callable[..., Any]) -> None:
    world = make_world(seed)
    one, other = world.table(), JobTable()
    for job_id in reversed(world.jobs):
        other.upsert(job_id, world.jobs[job_id])
    for member in world.members.values():
        views = [MemberView.build(member, world.neighbours, table, world.now) for table in (one, other)]
        ids = [[t.ids[row] for row in v.covisit_rows] for t, v in zip((one, other), views, strict=True)]
        assert sorted(ids[0]) == sorted(ids[1])
        assert views[0].covisit_scores.tolist() == pytest.approx(views[1].covisit_scores.tolist(), rel=1e-6)
        assert views[0].recent_weights.tolist() == views[1].recent_weights.tolist()
        assert sorted(views[0].token_weights.values()) == pytest.approx(sorted(views[1].token_weights.values()))


def test_ties_from_the_future_count_in_full() -> None:
    century = 36_500 * DAY_MS
    view = MemberView.build(viewed("a"), {"a": Neighbours(NOW + century, {"c": 2.0})}, JOBS, NOW)
    assert view.covisit_scores.tolist() == [2.0]
