"""Habits: fading counts against sums over all outcomes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.training.habits import HABITS, Habits

MINUTE = 60_000


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.booleans()), max_size=60))
def test_rates_are_sums_of_fading_outcomes_drawn_towards_that_of_all(outcomes: list[tuple[str, bool]]) -> None:
    habits = Habits()
    for member, stronger in outcomes:
        habits.close(member, stronger)
    overall = (1.0 + sum(stronger for _, stronger in outcomes)) / (7.0 + len(outcomes))
    own = [stronger for member, stronger in outcomes if member == "ann"]
    for value, half_life in zip(habits.of("ann", 0), (100, 15), strict=False):
        weights = [0.5 ** (age / half_life) for age in reversed(range(len(own)))]
        positive = sum(w for w, stronger in zip(weights, own, strict=True) if stronger)
        rate = (positive + 2 * overall) / (sum(weights) + 2)
        assert value == pytest.approx(math.log(rate / (1 - rate)), abs=1e-9)


def test_the_last_stronger_action_is_known_at_once() -> None:
    habits = Habits()
    never = habits.of("ann", 0)[-1]
    habits.note("ann", 5 * MINUTE)
    assert habits.of("ann", 8 * MINUTE)[-1] == pytest.approx(math.log1p(3))
    assert habits.of("ann", 4 * MINUTE)[-1] == 0.0  # clocks of producers differ
    assert habits.of("bob", 8 * MINUTE)[-1] == never
    assert len(habits.of("ann", 0)) == len(HABITS)
