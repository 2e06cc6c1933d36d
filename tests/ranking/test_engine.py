"""A ranking keeps its promises: nothing excluded, always full, sorted, the same every time."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.library import FEATURE_SET
from streamrec.features.matrix import matrix
from streamrec.features.state import JobState, MemberState
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.ranking.engine import NO_MODEL, rank, recent_ids, score_jobs
from streamrec.ranking.filters import Filters, Gate, barred
from streamrec.ranking.gather import gather
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.workflows import WORKFLOWS

Make = Callable[..., Any]  # a world, see conftest.py
JOBS = WORKFLOWS.find("jobs")


def ranked_in(world: Any, size: int = 200, *, scorer: Any = "its own", **rules: Any) -> RankedList:
    scorer = world.scorer if scorer == "its own" else scorer
    return rank(JOBS, world.member, world.neighbours, world.table, scorer, world.now, size=size, **rules)


@given(st.integers(0, 2**32), st.booleans(), st.sampled_from((None, 0, 3_600_000)), st.booleans())
@settings(max_examples=60)
def test_no_excluded_job_is_ever_served(
    world: Make, seed: int, with_model: bool, again_after_ms: int | None, without_posting: bool
) -> None:
    here = world(seed, jobs=120, touched=60)
    listed = ranked_in(
        here,
        scorer=here.scorer if with_model else None,
        viewed_again_after_ms=again_after_ms,
        without_posting=without_posting,
    )
    excluded = barred(here.member, here.now, again_after_ms)
    for job_id, job in here.jobs.items():
        posting = job.posting
        if (
            job.removed
            or (posting is None and not without_posting)
            or (posting is not None and (posting.closed or (posting.expires_at or here.now + 1) <= here.now))
        ):
            excluded.add(job_id)
    assert not excluded & set(listed.job_ids)


@given(st.integers(0, 2**32), st.integers(1, 80), st.booleans())
@settings(max_examples=40)
def test_a_ranking_is_the_head_of_a_full_sort(world: Make, seed: int, size: int, with_model: bool) -> None:
    here = world(seed, jobs=150, touched=25)
    scorer = here.scorer if with_model else None
    gate = Gate(here.member, here.table, here.now)
    view = MemberView.build(here.member, here.neighbours, here.table, here.now)
    found = gather(view, here.table, gate, here.now, size, JOBS.sources)
    scores = dict(zip(found.rows.tolist(), found.blend.tolist(), strict=True))
    if with_model:
        values, _ = score_jobs(JOBS, here.member, here.neighbours, here.table, scorer, found.rows, here.now)
        scores = dict(zip(found.rows.tolist(), values.tolist(), strict=True))
    expected = sorted((-score, here.table.ids[row]) for row, score in scores.items())[:size]
    listed = ranked_in(here, size, scorer=scorer)
    assert listed.job_ids == [job_id for _, job_id in expected]
    assert listed.scores == pytest.approx([-score for score, _ in expected], abs=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 300))
@settings(max_examples=40)
def test_a_list_is_full_while_there_are_jobs_that_may_be_served(world: Make, seed: int, size: int) -> None:
    here = world(seed, jobs=250, touched=100)
    servable = len(Gate(here.member, here.table, here.now).all_allowed())
    assert len(ranked_in(here, size).job_ids) == min(size, servable)


@given(st.integers(0, 2**32), st.sampled_from((Filters(region="md"), Filters(remote=True, region="NY"))))
@settings(max_examples=30)
def test_a_filtered_list_is_full_and_holds_what_was_asked_for(world: Make, seed: int, filters: Filters) -> None:
    here = world(seed, jobs=900, touched=40)
    listed = ranked_in(here, 25, filters=filters)
    gate = Gate(here.member, here.table, here.now, filters=filters)
    assert len(listed.job_ids) == min(25, len(gate.all_allowed()))
    for job_id in listed.job_ids:
        posting = here.jobs[job_id].posting
        assert posting.region == (filters.region or "").upper()
        assert filters.remote in (None, posting.remote)


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_the_order_in_which_jobs_were_loaded_does_not_matter(world: Make, seed: int) -> None:
    here = world(seed, jobs=100)
    first = ranked_in(here)
    job_ids = list(here.jobs)
    random.Random(seed).shuffle(job_ids)
    here.table = JobTable()
    for job_id in job_ids:
        here.table.upsert(job_id, here.jobs[job_id])
    second = ranked_in(here)
    assert second.job_ids == first.job_ids
    assert second.p_check == pytest.approx(first.p_check)


def test_equal_scores_are_ordered_by_job_id(world: Make) -> None:
    here = world(jobs=0)
    for job_id in ("b", "d", "a", "c"):
        here.put(job_id, JobState(version=1, posting=JobPosting(job_id=job_id, title="Cook", posted_at=5)))
    here.scorer = msgspec.structs.replace(here.scorer, weights=np.zeros_like(here.scorer.weights))
    assert ranked_in(here, 3).job_ids == ["a", "b", "c"]


def test_a_list_says_what_it_reflects(world: Make) -> None:
    here = world()
    listed = ranked_in(here, 10)
    assert (listed.member_version, listed.ranked_at, listed.degraded) == (3, here.now, None)
    assert (listed.model_name, listed.model_version, listed.model_at) == ("job_check", 7, here.now - 1000)
    assert listed.p_check == listed.scores
    assert len(listed.job_ids) == len(listed.sources) == 10


def test_jobs_are_ordered_by_score_and_told_with_the_probability(world: Make) -> None:
    here = world()
    plain = dict(zip(*lists_of(ranked_in(here)), strict=True))
    # The head for scores wants the opposite, and nothing of that may show in the probabilities.
    here.scorer = msgspec.structs.replace(here.scorer, score_weights=-here.scorer.weights, score_bias=0.5)
    listed = ranked_in(here)
    assert listed.scores == sorted(listed.scores, reverse=True)
    assert [p for p in listed.p_check if p is not None] == sorted(p for p in listed.p_check if p is not None)
    assert dict(zip(*lists_of(listed), strict=True)) == plain
    rows = here.table.rows([*listed.job_ids, "unknown"])
    scores, p_check = score_jobs(JOBS, here.member, here.neighbours, here.table, here.scorer, rows, here.now)
    assert scores[:-1].tolist() == listed.scores
    assert p_check is not None
    assert p_check[:-1].tolist() == listed.p_check
    assert np.isnan([scores[-1], p_check[-1]]).all()


def lists_of(listed: RankedList) -> tuple[list[str], list[float | None]]:
    return listed.job_ids, listed.p_check


def test_without_a_model_the_blend_of_sources_leads_and_the_list_says_so(world: Make) -> None:
    here = world()
    other = msgspec.structs.replace(here.scorer, feature_set="job_check/0")
    for scorer in (None, other):
        listed = ranked_in(here, 10, scorer=scorer)
        assert (listed.degraded, listed.model_version, listed.model_at) == (NO_MODEL, 0, 0)
        assert listed.p_check == [None] * 10
        assert listed.scores == sorted(listed.scores, reverse=True)


def test_an_unknown_member_gets_what_is_popular_and_new(world: Make) -> None:
    here = world()
    here.member, here.neighbours = MemberState(), {}
    listed = ranked_in(here, 20, scorer=None)
    gate = Gate(here.member, here.table, here.now)
    popular = here.table.top(0, 300, now=here.now)
    assert here.table.ids[popular[gate.allows(popular)][0]] in listed.job_ids[:3]
    assert len(listed.job_ids) == 20


def test_a_new_member_of_whom_only_the_region_is_known_gets_jobs_of_that_region_first(world: Make) -> None:
    here = world(jobs=1000)
    here.member = MemberState(version=1, profile=MemberProfile(member_id="m", region="MD", updated_at=1))
    here.neighbours = {}
    regions = [here.jobs[job_id].posting.region for job_id in ranked_in(here, 20, scorer=None).job_ids]
    assert regions[:3] == ["MD"] * 3
    assert regions.count("MD") >= 10


def test_no_jobs_make_an_empty_list(world: Make) -> None:
    here = world(jobs=0)
    assert ranked_in(here).job_ids == []
    assert ranked_in(world(), filters=Filters(region="Atlantis")).job_ids == []


def test_given_jobs_are_scored_in_the_order_given_and_as_in_a_ranking(world: Make) -> None:
    here = world()
    listed = ranked_in(here, 30)
    backwards = listed.job_ids[::-1]
    rows = here.table.rows([*backwards, "unknown"])
    scores, p_check = score_jobs(JOBS, here.member, here.neighbours, here.table, here.scorer, rows, here.now)
    assert scores[:-1].tolist() == pytest.approx(listed.scores[::-1], abs=1e-12)
    assert p_check is not None
    assert np.isnan(scores[-1])
    assert np.isnan(p_check[-1])


def test_without_a_model_given_jobs_are_scored_by_the_blend(world: Make) -> None:
    here = world()
    rows = np.array([1, -1, 0], np.int32)
    scores, p_check = score_jobs(JOBS, here.member, here.neighbours, here.table, None, rows, here.now)
    assert p_check is None
    assert np.isnan(scores).tolist() == [False, True, False]


def test_no_given_jobs_have_no_scores(world: Make) -> None:
    here = world()
    for scorer in (here.scorer, None):
        scores, _ = score_jobs(JOBS, here.member, here.neighbours, here.table, scorer, np.zeros(0, np.int32), here.now)
        assert scores.tolist() == []


def test_a_ranking_needs_the_neighbours_of_at_most_twenty_jobs(world: Make) -> None:
    here = world(touched=60)
    wanted = recent_ids(here.member)
    assert len(wanted) == 20
    others = {job_id: row for job_id, row in here.neighbours.items() if job_id in wanted}
    assert (
        rank(JOBS, here.member, others, here.table, here.scorer, here.now, size=50)
        == rank(
            JOBS,
            here.member,
            {**here.neighbours, "j1": here.neighbours[wanted[0]]},
            here.table,
            here.scorer,
            here.now,
            size=50,
        )
        or "j1" in wanted
    )


@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 120))
@settings(max_examples=30)
def test_a_list_holds_the_features_that_made_its_scores(world: Make, seed: int, with_model: bool, size: int) -> None:
    here = world(seed, jobs=100)
    listed = ranked_in(here, size, scorer=here.scorer if with_model else None)
    view = MemberView.build(here.member, here.neighbours, here.table, here.now)
    expected = matrix(view, here.table, here.table.rows(listed.job_ids), here.now)
    held = np.frombuffer(listed.features, "<f4").reshape(len(listed.job_ids), -1)
    assert listed.feature_set == FEATURE_SET
    assert np.array_equal(held, expected)
    if with_model:
        # Rounded, and BLAS may sum other numbers of rows in another order.
        assert listed.p_check == pytest.approx(here.scorer.probabilities(held).tolist(), abs=2e-12)
    assert listed.cut == (len(listed.job_ids) == size)
