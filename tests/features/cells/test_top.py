"""The heaviest texts against sums by definition, while nothing is cut and after."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.cells.top import Top
from tests.features.cells.oracle import DAY, HOUR, LEAST, START

events = st.lists(
    st.tuples(st.integers(START, START + 30 * DAY) | st.integers(START - 2000 * DAY, START), st.sampled_from("abcdefgh"),
              st.floats(0.1, 10.0)),
    max_size=30,
)  # fmt: skip
NOW = START + 31 * DAY


def by_definition(known: list[tuple[int, str, float]], now: int, half_life_ms: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for at, name, weight in known:
        sums[name] = sums.get(name, 0.0) + weight * 2.0 ** (-(now - at) / half_life_ms)
    return sums


@given(events, st.sampled_from([6 * HOUR, DAY, 30 * DAY]), st.randoms(use_true_random=False))
def test_weights_are_sums_by_definition_in_any_order_and_merged(known, half_life_ms, random):  # type: ignore[no-untyped-def]
    cell = Top(8, half_life_ms)
    newest = max((at for at, _, _ in known), default=NOW)
    there = [name for name, weight in by_definition(known, newest, half_life_ms).items() if weight >= 1e-12]
    wanted = {name: weight for name, weight in by_definition(known, NOW, half_life_ms).items() if name in there}
    shuffled = random.sample(known, len(known))
    whole, one, other = cell.fresh(), cell.fresh(), cell.fresh()
    for place, (at, name, weight) in enumerate(shuffled):
        cell.add(whole, at, name, weight)
        cell.add((one, other)[place % 2], at, name, weight)
    for kept in (whole, cell.merge(one, other)):
        weights = cell.weights(kept, NOW)
        assert weights == pytest.approx(wanted, rel=1e-9, abs=LEAST)
        assert list(weights.values()) == sorted(weights.values(), reverse=True)
        assert cell.columns(kept) == (float(len(wanted)),)


def test_ties_are_in_the_order_of_texts_and_the_rest_is_cut() -> None:
    cell = Top(4, DAY)
    kept = cell.fresh()
    for name in "gfedcb":
        cell.fold(kept, START, name)
    assert sorted(kept[2]) == list("bcdefg")
    cell.fold(kept, START, "a")
    assert sorted(kept[2]) == list("abcd") == list(cell.weights(kept, START))


def test_what_is_heavy_survives_a_long_tail() -> None:
    random, cell = Random(11), Top(10, 7 * DAY)
    kept = cell.fresh()
    for late in range(20_000):
        name = f"heavy-{random.randrange(8)}" if random.random() < 0.3 else f"tail-{random.randrange(5000)}"
        cell.fold(kept, START + late * 60_000, name)
        assert len(kept[2]) <= 15
    assert sorted(cell.weights(kept, START + 20_000 * 60_000))[:8] == [f"heavy-{place}" for place in range(8)]


def test_centuries_leave_finite_weights() -> None:
    cell = Top(3, HOUR)
    kept = cell.fresh()
    for at, name in ((0, "a"), (START, "b"), (10**15, "c"), (5, "d")):
        cell.fold(kept, at, name)
    assert cell.weights(kept, 10**15) == {"c": 1.0}
    assert all(math.isfinite(weight) for weight in cell.weights(kept, 0).values())


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_weights_that_are_none_are_passed_over(weight: float) -> None:
    cell = Top(3, HOUR)
    kept = cell.fresh()
    cell.add(kept, START, "a", weight)
    assert kept == cell.fresh()


@pytest.mark.parametrize(("k", "half_life_ms"), [(0, DAY), (1001, DAY), (5, 1000), (5, 4000 * DAY)])
def test_parameters_out_of_range_are_refused(k: int, half_life_ms: int) -> None:
    with pytest.raises(ValueError, match="choose"):
        Top(k, half_life_ms)
