"""What a workflow declares is what happens: its sources, rules, limits, re-rankers, budgets and fallbacks."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.library import FEATURE_SET
from streamrec.features.matrix import matrix
from streamrec.features.view import MemberView
from streamrec.models.passed import HALF_LIFE_MS, Passed, pass_over
from streamrec.ranking.candidates import explain
from streamrec.ranking.diversity import spread
from streamrec.ranking.engine import BUDGET, NO_MODEL, rank, score_jobs
from streamrec.ranking.filters import Gate, barred
from streamrec.ranking.gather import gather
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.registry import Workflows
from streamrec.ranking.rerankers import at_most_per, discount, vary
from streamrec.ranking.rules import NOT_BLOCKED, NOT_SEEN, RULES
from streamrec.ranking.variety import likeness
from streamrec.ranking.workflow import BLEND, Budget, Fallback, Limits, Workflow, source
from streamrec.ranking.workflows import WORKFLOWS

Make = Callable[..., Any]  # a world, see conftest.py
JOBS, SPREAD, DIVERSE, POPULAR = (WORKFLOWS.find(name) for name in ("jobs", "diverse@1", "diverse", "popular"))


def ranked_in(world: Any, workflow: Workflow, size: int = 200, *, scorer: Any = "its own", **more: Any) -> RankedList:
    scorer = world.scorer if scorer == "its own" else scorer
    return rank(workflow, world.member, world.neighbours, world.table, scorer, world.now, size=size, **more)


def clock(*readings: float) -> Iterator[float]:
    """A clock that shows these, one at each look, and then stands still."""
    yield from readings
    while True:
        yield readings[-1]


def changed(workflow: Workflow = JOBS, **fields: Any) -> Workflow:
    return msgspec.structs.replace(workflow, **fields)


def what_is_in(listed: RankedList) -> dict[str, Any]:
    """All but what the list says of how it was made."""
    told = {"workflow", "degraded"}
    return {name: value for name, value in msgspec.structs.asdict(listed).items() if name not in told}


# Sources, limits, rules


def test_a_list_says_which_workflow_made_it(world: Make) -> None:
    here = world()
    labels = ["jobs@1", "jobs@2", "diverse@1", "diverse@2", "popular@1"]
    assert [ranked_in(here, workflow).workflow for workflow in WORKFLOWS] == labels
    assert ranked_in(here, POPULAR).degraded is None  # it has no model by its own choice
    assert ranked_in(here, POPULAR).p_check == [None] * len(ranked_in(here, POPULAR).job_ids)


@given(st.integers(0, 2**32), st.integers(1, 300))
@settings(max_examples=30)
def test_only_what_the_sources_name_is_listed(world: Make, seed: int, size: int) -> None:
    here = world(seed, jobs=400)
    listed = ranked_in(here, POPULAR, size)
    named = {name for mask in listed.sources for name in explain(mask)}
    assert named <= {"popular_hour", "popular_days", "newest"}
    assert len(listed.job_ids) == min(size, len(Gate(here.member, here.table, here.now).all_allowed()))
    narrow = changed(POPULAR, sources=(source("title", size=20), source("covisited", size=5)))
    assert {name for mask in ranked_in(here, narrow, size).sources for name in explain(mask)} <= {"title", "covisited"}


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_a_list_without_a_model_holds_features_all_the_same(world: Make, seed: int) -> None:
    here = world(seed)
    for listed in (ranked_in(here, POPULAR, 30), ranked_in(here, JOBS, 30, scorer=None)):
        view = MemberView.build(here.member, here.neighbours, here.table, here.now)
        expected = matrix(view, here.table, here.table.rows(listed.job_ids), here.now)
        assert listed.feature_set == FEATURE_SET
        assert np.array_equal(np.frombuffer(listed.features, "<f4").reshape(expected.shape), expected)


def test_no_more_candidates_are_scored_than_the_limit_and_they_are_the_best_of_the_blend(world: Make) -> None:
    here = world(jobs=900)
    by_blend = ranked_in(here, JOBS, 60, scorer=None).job_ids
    few = changed(
        sources=tuple(each._replace(size=min(each.size, 60)) for each in JOBS.sources), limits=Limits(candidates=60)
    )
    many = changed(few, limits=Limits(candidates=500))
    assert sorted(ranked_in(here, few, 60).job_ids) == sorted(ranked_in(here, few, 60, scorer=None).job_ids)
    assert ranked_in(here, few, 60).job_ids != ranked_in(here, many, 60).job_ids
    assert len(ranked_in(here, few, 100).job_ids) == 100  # never fewer than are listed
    assert len(by_blend) == 60


def test_a_list_is_as_long_as_its_workflow_lets_it_be(world: Make) -> None:
    here = world(jobs=900)
    short = changed(limits=Limits(length=7))
    assert ranked_in(here, short).job_ids == ranked_in(here, JOBS).job_ids[:7]
    assert len(ranked_in(here, short, 5).job_ids) == 5


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_a_rule_that_is_left_out_does_not_hold_and_the_others_do(world: Make, seed: int) -> None:
    here = world(seed, jobs=150, touched=80)
    seen = set(here.member.viewed) | set(here.member.liked) | set(here.member.saved)
    again = changed(filters=tuple(rule for rule in RULES if rule is not NOT_SEEN))
    served = set(ranked_in(here, again).job_ids)
    assert served & seen
    assert not served & (here.member.applied.keys() | here.member.dismissed.keys())
    assert served - seen <= set(ranked_in(here, JOBS).job_ids)
    assert (
        barred(here.member, here.now, None, again.filters) == here.member.applied.keys() | here.member.dismissed.keys()
    )


def test_blocked_companies_come_back_where_that_rule_is_left_out(world: Make) -> None:
    here = next(here for here in map(world, range(50)) if here.member.profile and here.member.profile.blocked_companies)
    code = here.table.code("company", "C1")

    def of_the_blocked(workflow: Workflow) -> int:
        return int((here.table.company[here.table.rows(ranked_in(here, workflow).job_ids)] == code).sum())

    assert of_the_blocked(JOBS) == 0
    assert of_the_blocked(changed(filters=tuple(rule for rule in RULES if rule is not NOT_BLOCKED))) > 0


# Re-rankers


def in_order(world: Any, size: int, scorer: Any) -> Any:
    """Rows of every candidate for a list of `size`, the best first: what re-rankers start from."""
    gate = Gate(world.member, world.table, world.now)
    view = MemberView.build(world.member, world.neighbours, world.table, world.now)
    found = gather(view, world.table, gate, world.now, size, JOBS.sources)
    scores = found.blend
    if scorer is not None:
        scores, _ = score_jobs(JOBS, world.member, world.neighbours, world.table, scorer, found.rows, world.now)
    keys = [(-score, world.table.ids[row]) for score, row in zip(scores.tolist(), found.rows.tolist(), strict=True)]
    return found.rows[sorted(range(len(keys)), key=keys.__getitem__)]


@given(st.integers(0, 2**32), st.integers(1, 250), st.booleans())
@settings(max_examples=30)
def test_a_spread_list_is_the_whole_ranking_spread(world: Make, seed: int, size: int, with_model: bool) -> None:
    here = world(seed, jobs=300)
    scorer = here.scorer if with_model else None
    rows = in_order(here, size, scorer)
    expected = rows[spread(here.table.company[rows].tolist(), 3, 10, size)]
    listed = ranked_in(here, SPREAD, size, scorer=scorer)
    assert listed.job_ids == [here.table.ids[row] for row in expected]
    values = dict(zip(listed.job_ids, listed.scores, strict=True))
    plain = ranked_in(here, JOBS, size, scorer=scorer)
    for job_id, score in zip(plain.job_ids, plain.scores, strict=True):  # moved, not scored otherwise
        assert values.get(job_id, score) == pytest.approx(score, abs=1e-12)
    view = MemberView.build(here.member, here.neighbours, here.table, here.now)
    expected_values = matrix(view, here.table, expected, here.now)
    assert listed.features == expected_values.astype("<f4").tobytes()


def test_rerankers_work_in_their_order(world: Make) -> None:
    two = changed(rerankers=(at_most_per("company", 2, within=8), at_most_per("region", 3, within=5)))
    back = changed(rerankers=two.rerankers[::-1])
    differ = 0
    for seed in range(6):
        here = world(seed, jobs=300)
        rows = in_order(here, 40, here.scorer)
        first = rows[spread(here.table.company[rows].tolist(), 2, 8, len(rows))]
        second = first[spread(here.table.region[first].tolist(), 3, 5, 40)]
        listed = ranked_in(here, two, 40).job_ids
        assert listed == [here.table.ids[row] for row in second]
        differ += ranked_in(here, back, 40).job_ids != listed
    assert differ


@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([0.3, 0.8]))
@settings(max_examples=30)
def test_what_was_passed_over_sinks_by_its_odds_and_nothing_else_changes(
    world: Make, seed: int, with_model: bool, per_showing: float
) -> None:
    here = world(seed, jobs=200)
    scorer = here.scorer if with_model else None
    plain = ranked_in(here, changed(rerankers=()), 150, scorer=scorer)
    over, again = plain.job_ids[:1], plain.job_ids[1:5]
    passed = Passed()
    for job_ids in (over, again, again, [*again, "unknown", "j5"]):
        pass_over(passed, job_ids, here.now - HALF_LIFE_MS)  # half of it is forgotten
    discounted = ranked_in(here, changed(rerankers=(discount(per_showing),)), 150, scorer=scorer, passed=passed)
    assert what_is_in(ranked_in(here, changed(rerankers=()), 150, scorer=scorer, passed=passed)) == what_is_in(
        msgspec.structs.replace(plain, passed_version=4)
    )
    assert (discounted.passed_version, sorted(discounted.job_ids)) == (4, sorted(plain.job_ids))
    before = {job_id: index for index, job_id in enumerate(plain.job_ids)}
    for job_id, score, p_check in zip(discounted.job_ids, discounted.scores, discounted.p_check, strict=True):
        index = before[job_id]
        factor = per_showing ** ((job_id in over) * 0.5 + (job_id in again) * 1.5 + (job_id == "j5") * 0.5)
        old = plain.scores[index]
        expected = old * factor / (1 - old + old * factor) if with_model else old * factor
        assert score == pytest.approx(expected, abs=1e-10)
        assert p_check == plain.p_check[index]
    assert discounted.scores == sorted(discounted.scores, reverse=True)
    width = plain.width
    assert discounted.features == b"".join(
        plain.features[before[job] * width : (before[job] + 1) * width] for job in discounted.job_ids
    )


def test_what_is_discounted_is_varied_by_its_lower_score(world: Make) -> None:
    here, passed = world(3, jobs=200), Passed()
    plain = ranked_in(here, changed(rerankers=(vary(0.2),)), 50, scorer=None)
    for _ in range(20):
        pass_over(passed, plain.job_ids[:1], here.now)
    both = changed(rerankers=(discount(0.5), vary(0.2)))
    assert ranked_in(here, both, 50, scorer=None).job_ids == plain.job_ids
    assert ranked_in(here, both, 50, scorer=None, passed=passed).job_ids[0] != plain.job_ids[0]


def mean_likeness(world: Any, listed: RankedList) -> float:
    found = likeness(world.table, world.table.rows(listed.job_ids[:10]))
    return float(found[np.triu_indices(len(found), 1)].mean())


@pytest.mark.parametrize("with_model", [True, False])
def test_a_varied_list_has_other_neighbours_and_the_same_scores(world: Make, with_model: bool) -> None:
    plain_likeness, varied_likeness = [], []
    for seed in range(8):
        here = world(seed, jobs=300)
        scorer = here.scorer if with_model else None
        plain, varied, unchanged = (
            ranked_in(here, workflow, 100, scorer=scorer)
            for workflow in (JOBS, DIVERSE, changed(rerankers=(vary(0.0),)))
        )
        assert what_is_in(unchanged) == what_is_in(plain)
        assert varied.job_ids[0] == plain.job_ids[0]
        assert len(varied.job_ids) == len(set(varied.job_ids)) == len(plain.job_ids)
        values = dict(zip(plain.job_ids, plain.scores, strict=True))
        for job_id, score in zip(varied.job_ids, varied.scores, strict=True):
            assert values.get(job_id, score) == pytest.approx(score, abs=1e-12)
        plain_likeness.append(mean_likeness(here, plain))
        varied_likeness.append(mean_likeness(here, varied))
    assert np.mean(varied_likeness) < 0.97 * np.mean(plain_likeness)


# Fallbacks and budgets

HASTY = changed(name="hasty", version=1, budget=Budget(whole_ms=10, features_ms=4))
AMONG = Workflows(JOBS, POPULAR, HASTY)


def test_without_the_model_that_it_wants_the_fallback_answers(world: Make) -> None:
    here = world()
    lean = changed(name="lean", fallback=Fallback(no_model="popular", budget="popular"))
    among = Workflows(lean, JOBS, POPULAR)
    for scorer in (
        None, msgspec.structs.replace(here.scorer, feature_set="job_check/0"), msgspec.structs.replace(here.scorer, name="b"),
    ):  # fmt: skip
        listed = ranked_in(here, lean, 50, scorer=scorer, among=among)
        assert (listed.workflow, listed.degraded) == ("popular@1", NO_MODEL)
        assert what_is_in(listed) == what_is_in(ranked_in(here, POPULAR, 50))
        blended = ranked_in(here, JOBS, 50, scorer=scorer)
        assert (blended.workflow, blended.degraded) == (JOBS.label, NO_MODEL)
    assert ranked_in(here, lean, 50, among=among).degraded is None


@pytest.mark.parametrize(
    ("readings", "spent"),
    [
        ((0, 1, 2), False),
        ((0, 10, 10), False),  # at the edge it is not spent yet
        ((0, 10.1), True),  # the whole, after the candidates
        ((5, 8, 15.1), True),  # the whole, after the features
        ((0, 1, 5.1), True),  # the features' own
        ((0, 6, 9.9), False),  # the candidates have none of their own
    ],
)
def test_when_the_budget_is_spent_the_fallback_answers_and_the_list_says_so(
    world: Make, readings: tuple[float, ...], spent: bool
) -> None:
    here = world()
    listed = ranked_in(here, HASTY, 50, elapsed_ms=clock(*readings).__next__, among=AMONG)
    if spent:
        assert (listed.workflow, listed.degraded, listed.model_version) == ("popular@1", BUDGET, 0)
        assert what_is_in(listed) == what_is_in(ranked_in(here, POPULAR, 50))
    else:
        assert (listed.workflow, listed.degraded, listed.model_version) == ("hasty@1", None, 7)
        assert what_is_in(listed) == what_is_in(ranked_in(here, JOBS, 50))


def test_a_spent_budget_may_leave_the_same_list_in_the_order_of_the_sources(world: Make) -> None:
    here = world()
    blending = changed(HASTY, fallback=Fallback(no_model=BLEND, budget=BLEND))
    for readings in ((0.0, 11.0), (0.0, 1.0, 6.0)):
        listed = ranked_in(here, blending, 50, elapsed_ms=clock(*readings).__next__, among=AMONG)
        assert (listed.workflow, listed.degraded) == ("hasty@1", BUDGET)
        assert what_is_in(listed) == what_is_in(ranked_in(here, JOBS, 50, scorer=None))


def test_a_fallback_has_a_budget_and_a_fallback_of_its_own_and_the_first_reason_is_told(world: Make) -> None:
    here = world()
    second = changed(HASTY, name="second", budget=Budget(candidates_ms=1))
    first = changed(HASTY, name="first", fallback=Fallback(no_model=BLEND, budget="second"))
    among = Workflows(first, second, POPULAR)
    # Two looks of the first, which is late, then the second begins anew; it may take 1 ms for its candidates.
    in_time = ranked_in(here, first, 50, elapsed_ms=clock(0, 20, 20, 20.5, 90).__next__, among=among)
    assert (in_time.workflow, in_time.degraded, in_time.model_version) == ("second@1", BUDGET, 7)
    late = ranked_in(here, first, 50, elapsed_ms=clock(0, 20, 20, 22).__next__, among=among)
    assert (late.workflow, late.degraded) == ("popular@1", BUDGET)


def test_without_a_clock_no_budget_is_spent_and_a_clock_is_read_once_a_stage(world: Make) -> None:
    here = world()
    tight = changed(HASTY, budget=Budget(whole_ms=1e-9))
    assert ranked_in(here, tight, 50, among=AMONG).degraded is None
    looks = count(0, 0)
    read: list[int] = []

    def elapsed() -> float:
        read.append(1)
        return float(next(looks))

    ranked_in(here, HASTY, 50, elapsed_ms=elapsed, among=AMONG)
    assert len(read) == 4  # at the start, after candidates, after features, after the order


def test_who_asks_is_told_what_each_stage_took(world: Make) -> None:
    here = world()
    told: list[tuple[str, float]] = []

    def timed(stage: str, spent_ms: float) -> None:
        told.append((stage, spent_ms))

    ranked_in(here, JOBS, 50, elapsed_ms=clock(5, 6, 8, 8.5).__next__, timed=timed)
    assert told == [("candidates", 1), ("features", 2), ("order", 0.5)]
    told.clear()
    ranked_in(here, POPULAR, 50, elapsed_ms=clock(5, 6, 8).__next__, timed=timed)
    assert told == [("candidates", 1), ("order", 2)]
    told.clear()
    ranked_in(here, JOBS, 50, timed=timed)
    assert told == []


def test_given_jobs_are_scored_by_the_model_or_the_sources_of_the_workflow(world: Make) -> None:
    here = world()
    listed = ranked_in(here, POPULAR, 20)
    rows = here.table.rows(listed.job_ids)
    scores, p_check = score_jobs(POPULAR, here.member, here.neighbours, here.table, here.scorer, rows, here.now)
    assert p_check is None
    only_new = changed(POPULAR, sources=(source("newest", weight=4.0),))
    fresh, _ = score_jobs(only_new, here.member, here.neighbours, here.table, here.scorer, rows, here.now)
    assert set(fresh.tolist()) <= {0.0, *(4.0 / (10 + place) for place in range(30))}
    assert not np.array_equal(scores, fresh)
