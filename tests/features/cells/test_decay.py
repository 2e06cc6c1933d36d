"""Decayed cells beside the fading sums of `features.windows`, and what decay alone has."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features import windows
from streamrec.features.cells.base import AS_OF_MS
from streamrec.features.cells.decay import Decay, DecayedCount
from streamrec.features.cells.make import make
from streamrec.features.cells.summary import Least, Total, Variance
from streamrec.features.cells.window import decay
from streamrec.features.state import Decayed
from tests.features.cells.oracle import DAY, HOUR, MINUTE, START

times = st.lists(st.integers(START - 30 * DAY, START), min_size=1, max_size=30)


@given(times, st.sampled_from([HOUR, DAY, 30 * DAY]))
def test_a_count_is_the_fading_sum_to_the_last_bit(ats: list[int], half_life_ms: int) -> None:
    cell, decayed = DecayedCount(half_life_ms), Decayed()
    kept = cell.fresh()
    for at in ats:
        cell.fold(kept, at)
        windows.add(decayed, 1.0, at, half_life_ms)
    assert kept[:2] == [decayed.value, decayed.at]
    assert cell.columns(kept) == (windows.log2_score(decayed, half_life_ms),)


@given(times, times, st.integers(0, 300 * DAY))
def test_the_column_of_a_count_orders_keys_at_every_time(one: list[int], other: list[int], later: int) -> None:
    cell = DecayedCount(DAY)
    rows = []
    for ats in (one, other):
        kept = cell.fresh()
        for at in ats:
            cell.fold(kept, at)
        rows.append(cell.columns(kept))
    values = [math.fsum(2.0 ** (-(START + later - at) / DAY) for at in ats) for ats in (one, other)]
    if values[0] > values[1] * (1 + 1e-9):
        assert rows[0] > rows[1]
    assert cell.read(np.array(rows), START + later) == pytest.approx(values, rel=1e-9)


def test_nothing_has_the_lowest_score_also_when_all_was_taken_back() -> None:
    cell = DecayedCount(HOUR)
    kept = cell.fresh()
    for at in (START, START - MINUTE):
        cell.fold(kept, at)
    for at in (START, START - MINUTE):
        cell.fold(kept, at, sign=-1)
    assert cell.columns(kept) == cell.blank() == (-math.inf,)


def test_a_now_before_the_newest_event_reads_a_total_as_of_that_event() -> None:
    cell = Decay(HOUR, Total())
    kept = cell.fresh()
    cell.fold(kept, START, -8.0)
    rows = np.array([cell.columns(kept)])
    assert [cell.read(rows, START + late * HOUR).item() for late in (-5, 0, 3)] == [-8.0, -8.0, -1.0]


def test_a_large_mean_leaves_the_variance_its_digits() -> None:
    cell = Decay(DAY, Variance())
    kept = cell.fresh()
    for late in range(50):
        cell.fold(kept, START + late, 1e9 + late % 2)
    assert cell.read(np.array([cell.columns(kept)]), START).item() == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize("half_life", ["4m", "3651d"])
@pytest.mark.parametrize("aggregate", ["count", "total"])
def test_half_lives_out_of_range_are_refused(aggregate: str, half_life: str) -> None:
    with pytest.raises(ValueError, match="out of range: choose one from 5m to 3650d"):
        make(aggregate, decay(half_life))


def test_what_has_no_weights_cannot_decay() -> None:
    with pytest.raises(ValueError, match="use sliding or last"):
        Decay(HOUR, Least())


@pytest.mark.parametrize("years", [-5, 0, 5, 9])
@pytest.mark.parametrize("aggregate", ["count", "total", "mean", "variance"])
def test_sums_over_keys_hold_for_years(aggregate: str, years: int) -> None:
    cell, now, random = make(aggregate, decay("7d")), AS_OF_MS + years * 365 * DAY, Random(3)
    keys = [[(now - random.randrange(40 * DAY), random.gauss(3.0, 5.0)) for _ in range(9)] for _ in range(4)]
    rows = []
    for events in keys:
        kept = cell.fresh()
        for at, value in events:
            cell.fold(kept, at, value)
        rows.append(cell.columns(kept))
    weights = np.array([2.0 ** (-(now - at) / (7 * DAY)) for events in keys for at, _ in events])
    values = np.array([value for events in keys for _, value in events])
    mean = np.average(values, weights=weights)
    wanted = {
        "count": weights.sum(), "total": (weights * values).sum(), "mean": mean,
        "variance": np.average((values - mean) ** 2, weights=weights),
    }[aggregate]  # fmt: skip
    sums = cell.linear(np.array(rows)).sum(axis=0, keepdims=True)
    assert cell.read_linear(sums, now).item() == pytest.approx(wanted, rel=1e-9)


def test_short_half_lives_are_summed_as_of_a_time_near_now() -> None:
    cell, as_of = make("count", decay("1h")), START + 600 * DAY
    kept = cell.fresh()
    cell.fold(kept, as_of + HOUR)
    sums = cell.linear(np.array([cell.columns(kept)] * 3 + [cell.blank()]), as_of).sum(axis=0, keepdims=True)
    assert cell.read_linear(sums, as_of + 3 * HOUR, as_of).item() == pytest.approx(0.75, rel=1e-9)
    assert not cell.additive
    with pytest.raises(TypeError, match="pass an as_of near now, or a half-life from 7d"):
        cell.linear(np.array([cell.blank()]))


def test_what_a_key_had_is_subtracted_when_it_changes() -> None:
    cell = make("total", decay("30d"))
    kept = cell.fresh()
    cell.fold(kept, START, 5.0)
    before = cell.linear(np.array([cell.columns(kept)]))
    cell.fold(kept, START + DAY, -2.0)
    sums = before * 3 - before + cell.linear(np.array([cell.columns(kept)]))
    late = cell.read(np.array([cell.columns(kept)]), START + DAY).item()
    assert cell.read_linear(sums, START + DAY).item() == pytest.approx(10.0 * 2 ** (-1 / 30) + late)
