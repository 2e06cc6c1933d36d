"""The policy does what it says, as often as it says."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.ranking.rerank import DEPTH, POOL, TOP, place

IDS = [f"request-{number}" for number in range(40_000)]


@pytest.mark.slow
@pytest.mark.parametrize("explore", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("jobs", [TOP + 1, TOP + 7, DEPTH])
def test_each_job_is_at_each_position_as_often_as_its_propensity_says(jobs: int, explore: float) -> None:
    seen: Counter[tuple[int, int]] = Counter()
    stated: dict[tuple[int, int], float] = {}
    for request_id in IDS:
        placed = place(jobs, explore, request_id)
        for position, (rank, propensity) in enumerate(zip(placed.ranks, placed.propensities, strict=True)):
            seen[rank, position] += 1
            assert stated.setdefault((rank, position), propensity) == propensity  # whatever else was drawn
    for cell, propensity in stated.items():
        deviation = math.sqrt(len(IDS) * propensity * (1 - propensity))
        assert seen[cell] == pytest.approx(len(IDS) * propensity, abs=5 * deviation + 1e-6), cell
    # Nothing that the policy does is left out: of each position, and of each job, they make one.
    for place_of in (0, 1):
        for number in range(jobs):
            whole = sum(propensity for cell, propensity in stated.items() if cell[place_of] == number)
            assert whole == pytest.approx(1.0, abs=1e-9)


@given(st.integers(0, 200), st.floats(0, 1), st.text())
def test_at_most_one_job_of_the_pool_changes_places_with_one_of_the_first(jobs: int, explore: float, seed: str) -> None:
    placed = place(jobs, explore, seed)
    count = min(jobs, DEPTH)
    assert sorted(placed.ranks) == list(range(count))
    assert len(placed.propensities) == count
    assert all(0 < propensity <= 1 for propensity in placed.propensities)
    moved = [position for position, rank in enumerate(placed.ranks) if position != rank]
    if moved:
        top, below = moved
        assert top < TOP <= below < TOP + POOL
        assert (placed.ranks[top], placed.ranks[below]) == (below, top)
    assert place(jobs, explore, seed) == placed


@pytest.mark.parametrize(("jobs", "explore"), [(TOP, 1.0), (3, 1.0), (0, 1.0), (DEPTH, 0.0)])
def test_a_short_ranking_and_one_without_exploration_stay_as_they_are(jobs: int, explore: float) -> None:
    for request_id in IDS[:200]:
        placed = place(jobs, explore, request_id)
        assert list(placed.ranks) == list(range(jobs))
        assert set(placed.propensities) <= {1.0}
