"""Spreading agrees with looking through all that is left, place by place."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.ranking.diversity import UNKNOWN, spread


def oracle(groups: Sequence[int], most: int, within: int, size: int) -> list[int]:
    """The same, slow and obvious."""
    left, placed = list(range(len(groups))), list[int]()
    while left and len(placed) < size:
        near = [groups[rank] for rank in placed[-(within - 1) :]] if within > 1 else []
        free = [rank for rank in left if groups[rank] == UNKNOWN or near.count(groups[rank]) < most]
        best = (free or left)[0]
        left.remove(best)
        placed.append(best)
    return placed


numbers = st.integers(1, 4).flatmap(lambda most: st.tuples(st.just(most), st.integers(most + 1, 12)))


@given(st.lists(st.integers(0, 5), max_size=60), numbers, st.integers(0, 70))
def test_spreading_agrees_with_the_slow_way(groups: list[int], rule: tuple[int, int], size: int) -> None:
    assert spread(groups, *rule, size) == oracle(groups, *rule, size)


@given(st.lists(st.integers(0, 9), max_size=60), numbers)
def test_nothing_is_lost_or_doubled_and_a_group_keeps_its_order(groups: list[int], rule: tuple[int, int]) -> None:
    placed = spread(groups, *rule, len(groups))
    assert sorted(placed) == list(range(len(groups)))
    for group in set(groups):
        of_group = [rank for rank in placed if groups[rank] == group]
        assert of_group == sorted(of_group)


@given(st.lists(st.integers(1, 8), min_size=8, max_size=200), numbers)
def test_no_stretch_holds_more_of_a_group_while_others_are_left(groups: list[int], rule: tuple[int, int]) -> None:
    most, within = rule
    placed = spread(groups, most, within, len(groups))
    for end in range(1, len(placed) + 1):
        counts = Counter(groups[rank] for rank in placed[max(0, end - within) : end])
        last = groups[placed[end - 1]]
        if counts[last] <= most:
            continue
        before = Counter(groups[rank] for rank in placed[max(0, end - within) : end - 1])
        assert all(before[groups[rank]] >= most for rank in placed[end:])  # nobody else could have stood there


def test_an_order_that_is_varied_already_stays() -> None:
    assert spread([1, 2, 3, 1, 2, 3], 1, 3, 6) == [0, 1, 2, 3, 4, 5]


def test_what_nothing_is_known_of_is_never_held_back() -> None:
    assert spread([UNKNOWN] * 5, 1, 5, 5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [0, 3, 9])
def test_one_group_alone_makes_a_full_list_all_the_same(size: int) -> None:
    assert spread([4] * 6, 2, 5, size) == list(range(min(6, size)))
