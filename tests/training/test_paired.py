"""The paired test: p-values against all flips there are, under no effect, and with an effect that is known."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from streamrec.training.paired import COMPARED, FLIPS, compared, p_values
from streamrec.training.segments import PARTS, SEGMENTS, Query


def queries_of(members: list[int]) -> list[Query]:
    return [Query(number, member, True, 3) for number, member in enumerate(members)]


def whole(queries: list[Query], first: list[int], second: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = compared(queries, first, second, len(queries))["all"]["whole"]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_p_is_the_share_of_all_flips_that_do_as_much(seed: int) -> None:
    gains = np.random.default_rng(seed).normal(0.3, 1.0, (9, 2)).round(1)
    flips = np.array(list(product((-1.0, 1.0), repeat=9)))
    expected = (np.abs(flips @ gains) >= np.abs(gains.sum(axis=0)) - 1e-9).mean(axis=0)
    padded = np.concatenate([gains, np.zeros((40, 2))])  # members for whom nothing changed say nothing
    assert p_values(padded) == pytest.approx(expected, abs=4 * 0.5 / FLIPS**0.5)


def test_without_an_effect_p_is_as_often_small_as_it_says() -> None:
    draw = np.random.default_rng(3)
    gains = draw.normal(0.0, 1.0, (60, 400))
    found = p_values(gains)
    assert (found < 0.05).mean() == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 400) ** 0.5)
    assert found.mean() == pytest.approx(0.5, abs=4 * (1 / 12 / 400) ** 0.5)


def test_an_effect_is_found_and_covered_by_the_interval() -> None:
    draw = np.random.default_rng(5)
    members = [number % 300 for number in range(3000)]
    good = draw.random(300) < 0.4  # members whom the second one helps every time
    first = [int(draw.random() < 0.2) for _ in members]
    second = [int(hit or good[member]) for hit, member in zip(first, members, strict=True)]
    cell = whole(queries_of(members), first, second)
    difference = np.mean(second) - np.mean(first)
    for metric in COMPARED:
        low, high = cell[metric]["interval"]
        assert cell[metric]["difference"] == pytest.approx(difference, abs=1e-6)
        assert 0.0 < low < difference < high
        # One of ten queries of a member says nearly as much as all ten: 0.8 gained by members of whom 0.4 are helped.
        assert high - low == pytest.approx(2 * 1.96 * 0.8 * (0.24 / 300) ** 0.5, rel=0.2)
        assert cell[metric]["p"] == 1.0 / (FLIPS + 1)
    assert (cell["queries"], cell["members"]) == (3000, 300)


def test_queries_of_one_member_are_one_piece_of_evidence() -> None:
    many = [0] * 500 + list(range(1, 21))
    first = [0] * 500 + [n % 2 for n in range(20)]
    second = [1] * 500 + [(n + 1) % 2 for n in range(20)]
    assert whole(queries_of(many), first, second)["hr@10"]["p"] > 0.5  # but for one member, as many lose as win


def test_the_same_twice_differs_by_nothing() -> None:
    ranks = [n % 13 for n in range(50)]
    cell = whole(queries_of([n % 7 for n in range(50)]), ranks, ranks)
    assert all(cell[metric] == {"difference": 0.0, "interval": [0.0, 0.0], "p": 1.0} for metric in COMPARED)


def test_turned_around_only_the_sign_changes_and_every_time_is_the_same() -> None:
    draw = np.random.default_rng(2)
    first, second = draw.integers(0, 60, (2, 80)).tolist()
    queries = queries_of([n % 20 for n in range(80)])
    one, other = whole(queries, first, second), whole(queries, second, first)
    for metric in COMPARED:
        low, high = one[metric]["interval"]
        expected = {"difference": -one[metric]["difference"], "interval": [-high, -low], "p": one[metric]["p"]}
        assert other[metric] == expected
    assert whole(queries, first, second) == one


def test_no_queries_are_no_numbers() -> None:
    found = compared([], [], [], events=0)
    for segment, part in product(SEGMENTS, PARTS):
        nothing = {"difference": None, "interval": None, "p": None}
        assert found[segment][part] == {"queries": 0, "members": 0, **dict.fromkeys(COMPARED, nothing)}
