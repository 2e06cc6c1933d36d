"""Gathering agrees with a plain loop over the sources, and finds enough whenever there is enough."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import JobPosting
from streamrec.features.state import JobState, MemberState
from streamrec.features.view import MemberView
from streamrec.ranking.candidates import SOURCES, Ask
from streamrec.ranking.filters import Filters, Gate
from streamrec.ranking.gather import blend_of, gather

Make = Callable[..., Any]  # a world, see conftest.py


def gate_of(world: Any, **rules: Any) -> Gate:
    return Gate(world.member, world.table, world.now, **rules)


def view_of(world: Any) -> MemberView:
    return MemberView.build(world.member, world.neighbours, world.table, world.now)


@given(st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=30)
def test_gathering_agrees_with_a_loop_over_the_sources(world: Make, seed: int, touched: int) -> None:
    here = world(seed, jobs=400, touched=touched)
    view, gate = view_of(here), gate_of(here)
    sources: dict[int, int] = {}
    blend: dict[int, float] = {}
    for number, source in enumerate(SOURCES):
        limit = source.size + min(gate.barred_count, source.size)
        rows = source.read(Ask(view, here.table, here.now, limit)).tolist()
        allowed = [row for row in rows if gate.allows(np.array([row], np.int32))[0]]
        for rank, row in enumerate(allowed[: source.size]):
            sources[row] = sources.get(row, 0) | 1 << number
            blend[row] = blend.get(row, 0.0) + source.weight / (10 + rank)
    found = gather(view, here.table, gate, here.now)
    assert dict(zip(found.rows.tolist(), found.sources.tolist(), strict=True)) == sources
    assert dict(zip(found.rows.tolist(), found.blend.tolist(), strict=True)) == pytest.approx(blend)


@given(
    st.integers(0, 2**32),
    st.integers(0, 500),
    st.sampled_from((Filters(), Filters(region="MD"), Filters(remote=True), Filters(region="NY", function="f1"))),
    st.booleans(),
    st.integers(0, 1),
)
@settings(max_examples=60)
def test_there_are_as_many_candidates_as_wanted_or_all_that_may_be_served(
    world: Make, seed: int, wanted: int, filters: Filters, without_posting: bool, stranger: int
) -> None:
    here = world(seed, jobs=500, touched=60)
    if stranger:
        here.member, here.neighbours = MemberState(), {}
    gate = gate_of(here, filters=filters, without_posting=without_posting)
    found = gather(view_of(here), here.table, gate, here.now, wanted)
    servable = set(gate.all_allowed().tolist())
    rows = found.rows.tolist()
    assert len(set(rows)) == len(rows) >= min(wanted, len(servable))
    assert set(rows) <= servable
    assert found.sources.min(initial=255) > 0
    assert found.blend.min(initial=1.0) > 0


def test_under_a_filter_each_source_is_asked_for_twice_its_size(world: Make) -> None:
    here = world(jobs=3000, touched=0)
    view, gate = view_of(here), gate_of(here, filters=Filters(remote=True))
    found = gather(view, here.table, gate, here.now)
    bits = dict(zip(found.rows.tolist(), found.sources.tolist(), strict=True))
    for number, source in enumerate(SOURCES):
        rows = source.read(Ask(view, here.table, here.now, 2 * source.size))
        for row in rows[gate.allows(rows)][: source.size].tolist():
            assert bits[row] & 1 << number


def test_a_long_history_of_popular_jobs_does_not_empty_the_list(world: Make) -> None:
    here = world(jobs=2000, touched=0)
    popular = here.table.top(2, 600).tolist()
    here.member.viewed = {here.table.ids[row]: here.now for row in popular}
    found = gather(view_of(here), here.table, gate_of(here), here.now, 200)
    assert len(found.rows) >= 200
    assert not set(found.rows.tolist()) & set(popular)


def test_a_narrow_filter_still_finds_the_best_titles(world: Make) -> None:
    here = world(seed=5, jobs=3000, touched=20)
    for number in range(5):
        posting = JobPosting(job_id=f"x{number}", title="Night Nurse Senior", city="Olney", posted_at=1)
        here.put(f"x{number}", JobState(version=1, posting=posting))
        plain = JobPosting(job_id=f"y{number}", title="Nothing", city="Olney", posted_at=here.now)
        here.put(f"y{number}", JobState(version=1, posting=plain))
    found = gather(view_of(here), here.table, gate_of(here, filters=Filters(city="OLNEY")), here.now, 20)
    assert sorted(here.table.ids[row] for row in found.rows.tolist()) == sorted(
        f"{kind}{number}" for kind in "xy" for number in range(5)
    )


def test_an_empty_table_gives_no_candidates(world: Make) -> None:
    here = world(jobs=0)
    assert len(gather(view_of(here), here.table, gate_of(here), here.now, 10).rows) == 0
    assert blend_of(view_of(here), here.table, np.array([-1], np.int32), here.now).tolist() == [0.0]


def test_the_blend_of_given_jobs_is_that_of_an_ungated_gathering(world: Make) -> None:
    here = world(jobs=50, touched=5)
    here.member.viewed = here.member.liked = here.member.saved = here.member.applied = here.member.dismissed = {}
    view, rows = view_of(here), np.array([3, -1, 1, 3], np.int32)
    said = blend_of(view, here.table, rows, here.now).tolist()
    assert said[0] == said[3]
    assert said[1] == 0.0
    for row, value in zip(rows.tolist(), said, strict=True):
        ranks = [
            (source.weight, source.read(Ask(view, here.table, here.now, source.size)).tolist()) for source in SOURCES
        ]
        expected = [w / (10 + given.index(row)) for w, given in ranks if row in given]
        assert value == pytest.approx(sum(expected))
