"""Fading sums against the plain definition: the sum of ``amount * 2 ** (-(now - t) / half_life)``."""

import math
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.state import Decayed
from streamrec.features.windows import DAY_MS, HOUR_MS, add, fade, log2_score, merge, value_at

START = 1_700_000_000_000
NOW = START + 30 * DAY_MS
additions = st.lists(
    st.tuples(st.floats(0.01, 100.0), st.integers(START, NOW)),
    min_size=1,
    max_size=40,
)
half_lives = st.sampled_from([HOUR_MS, DAY_MS, 10 * DAY_MS])


def folded(parts: list[tuple[float, int]], half_life_ms: float) -> Decayed:
    decayed = Decayed()
    for amount, at in parts:
        add(decayed, amount, at, half_life_ms)
    return decayed


def oracle(parts: list[tuple[float, int]], now: int, half_life_ms: float) -> float:
    return math.fsum(amount * 2.0 ** (-(now - at) / half_life_ms) for amount, at in parts)


@given(additions, half_lives, st.randoms(use_true_random=False))
def test_any_order_of_additions_gives_the_sum_by_definition(parts, half_life_ms, random):  # type: ignore[no-untyped-def]
    shuffled = random.sample(parts, len(parts))
    expected = oracle(parts, NOW, half_life_ms)
    assert value_at(folded(parts, half_life_ms), NOW, half_life_ms) == pytest.approx(expected, rel=1e-9)
    assert value_at(folded(shuffled, half_life_ms), NOW, half_life_ms) == pytest.approx(expected, rel=1e-9)


@given(additions, additions, additions, half_lives)
def test_merged_parts_are_one_stream(a, b, c, half_life_ms):  # type: ignore[no-untyped-def]
    parts = [folded(part, half_life_ms) for part in (a, b, c)]
    merged = reduce(lambda left, right: merge(left, right, half_life_ms), parts)
    whole = folded(a + b + c, half_life_ms)
    assert merged.at == whole.at
    assert merged.value == pytest.approx(whole.value, rel=1e-9)


def test_merging_leaves_its_parts_alone() -> None:
    a, b = Decayed(1.0, START), Decayed(2.0, NOW)
    merge(a, b, DAY_MS)
    assert (a, b) == (Decayed(1.0, START), Decayed(2.0, NOW))


@given(additions, half_lives)
def test_what_is_taken_back_at_its_own_time_is_gone(parts, half_life_ms):  # type: ignore[no-untyped-def]
    decayed = folded(parts, half_life_ms)
    total = decayed.value
    for amount, at in parts:
        add(decayed, -amount, at, half_life_ms)
    assert decayed.value == pytest.approx(0.0, abs=1e-9 * total)


@given(additions, additions, half_lives, st.integers(0, 60 * DAY_MS))
def test_the_score_orders_sums_alike_at_every_later_time(a, b, half_life_ms, later):  # type: ignore[no-untyped-def]
    one, other = folded(a, half_life_ms), folded(b, half_life_ms)
    now = NOW + later
    values = [oracle(a, now, half_life_ms), oracle(b, now, half_life_ms)]
    scores = [log2_score(one, half_life_ms), log2_score(other, half_life_ms)]
    if values[0] > values[1] * (1 + 1e-6):
        assert scores[0] > scores[1]
    for value, score in zip(values, scores, strict=True):
        assert 2.0 ** (score - now / half_life_ms) == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_a_sum_that_is_not_above_zero_has_the_lowest_score() -> None:
    assert log2_score(Decayed(-0.5, NOW), DAY_MS) == -math.inf


def test_an_event_from_the_future_counts_as_one_until_its_time_has_come() -> None:
    decayed = folded([(1.0, NOW + DAY_MS)], HOUR_MS)
    assert value_at(decayed, NOW, HOUR_MS) == 1.0
    assert value_at(decayed, NOW + DAY_MS + HOUR_MS, HOUR_MS) == 0.5


def test_centuries_fade_to_nothing_without_an_error() -> None:
    decayed = folded([(1.0, 0), (1.0, START), (1.0, 0)], HOUR_MS)
    assert decayed == Decayed(1.0, START)
    assert fade(START, HOUR_MS) == 0.0
