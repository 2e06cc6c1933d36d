"""The last k events and the last k distinct texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.cells.last import Last, LatestDistinct
from streamrec.features.cells.make import make
from streamrec.features.cells.summary import Distinct, Mean
from streamrec.features.cells.window import last
from tests.features.cells.oracle import START

events = st.lists(st.tuples(st.integers(START, START + 20), st.sampled_from("abcdefgh")), max_size=40)


def by_definition(known: list[tuple[int, str]], k: int) -> list[str]:
    newest = {name: max(at for at, other in known if other == name) for _, name in known}
    return sorted(newest, key=lambda name: (-newest[name], name))[:k]


@given(events, st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_last_texts_are_those_with_the_newest_times(known, k, random):  # type: ignore[no-untyped-def]
    cell = LatestDistinct(k)
    for order in (known, random.sample(known, len(known))):
        kept = cell.fresh()
        for at, name in order:
            cell.fold(kept, at, name)
        assert cell.values(kept) == by_definition(known, k)
        middle = len(order) // 2
        one, other = cell.fresh(), cell.fresh()
        for part, half in ((one, order[:middle]), (other, order[middle:])):
            for at, name in half:
                cell.fold(part, at, name)
        assert cell.merge(one, other) == kept


def test_of_equal_times_the_largest_values_are_kept() -> None:
    cell = Last(Mean(), 2)
    kept = cell.fresh()
    for value in (1.0, 3.0, 2.0):
        cell.fold(kept, START, value)
    assert kept == [[START, 2.0], [START, 3.0]]


def test_distinct_values_of_the_last_are_exact() -> None:
    cell = Last(Distinct(), 500)
    kept = cell.fresh()
    for late in range(1000):
        cell.fold(kept, START + late, str(late % 300))
    assert cell.columns(kept) == (300.0,)
    assert cell.relative_error == 0.0


@pytest.mark.parametrize("k", [0, -1, 1001])
@pytest.mark.parametrize("aggregate", ["count", "texts"])
def test_numbers_out_of_range_are_refused(aggregate: str, k: int) -> None:
    with pytest.raises(ValueError, match="choose from 1 to 1000"):
        make(aggregate, last(k))
