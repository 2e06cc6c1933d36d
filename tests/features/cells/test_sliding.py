"""Which panes a window holds, to the millisecond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.cells.make import make
from streamrec.features.cells.sliding import Sliding
from streamrec.features.cells.summary import Count, Distinct
from streamrec.features.cells.window import sliding
from tests.features.cells.oracle import DAY, HOUR, MINUTE, START


def count_at(cell: Sliding, kept: list[object], now: int) -> float:
    found = float(cell.read(np.array([cell.columns(kept)]), now)[0])
    assert cell.value(kept, now) == found  # the shorter way to the same
    return found


@pytest.mark.parametrize("panes", [1, 7, 12, 64])
@given(at=st.integers(START, START + DAY), length_ms=st.sampled_from([5 * MINUTE, HOUR, 30 * DAY]))
def test_an_event_counts_for_the_length_and_at_most_a_pane_more(panes: int, at: int, length_ms: int) -> None:
    cell = Sliding(length_ms, Count(), panes)
    kept = cell.fresh()
    cell.fold(kept, at)
    pane_ms = length_ms / panes
    assert count_at(cell, kept, at) == count_at(cell, kept, at + length_ms - 1) == 1.0
    end = (at // pane_ms + 1 + panes) * pane_ms  # its own pane's end, and the whole panes after it
    assert count_at(cell, kept, int(end) - 1) == 1.0
    assert count_at(cell, kept, int(end) + 1) == 0.0
    assert int(end) + 1 <= at + length_ms + pane_ms + 1


def test_a_late_event_counts_while_its_pane_is_kept() -> None:
    cell = Sliding(HOUR, Count(), 12)
    kept = cell.fresh()
    newest = START // HOUR * HOUR
    for at in (newest, newest - 60 * MINUTE, newest - 60 * MINUTE - 1):
        cell.fold(kept, at)
    assert [count_at(cell, kept, newest + late * MINUTE) for late in (-30, 0, 4, 5, 64, 65)] == [
        2.0,
        2.0,
        2.0,
        1.0,
        1.0,
        0.0,
    ]


def test_at_most_one_pane_more_than_asked_is_kept() -> None:
    cell = Sliding(HOUR, Distinct(), 4)
    kept = cell.fresh()
    for late in range(300):
        cell.fold(kept, START + late * MINUTE, str(late))
    assert len(kept[1]) == 5
    assert cell.width == 6 == len(cell.columns(kept))


def test_distinct_values_of_several_panes_are_counted_once() -> None:
    cell = Sliding(HOUR, Distinct(), 4)
    kept = cell.fresh()
    for at, value in ((0, "a"), (15, "b"), (30, "a"), (31, "c")):
        cell.fold(kept, START // HOUR * HOUR + at * MINUTE, value)
    assert cell.columns(kept)[1:] == (2.0, 3.0, 3.0, 3.0, 3.0)


def test_before_1970_time_goes_on_in_the_same_panes() -> None:
    cell = Sliding(5 * MINUTE, Count(), 5)
    kept = cell.fresh()
    for at in (-1, 0):
        cell.fold(kept, at)
    assert [pane for pane, _ in kept[1]] == [-1, 0]


@pytest.mark.parametrize("length", ["299s", "31d"])
def test_lengths_out_of_range_are_refused(length: str) -> None:
    with pytest.raises(ValueError, match="out of range: choose one from 5m to 30d"):
        make("count", sliding(length))


@pytest.mark.parametrize("panes", [0, -1, 65])
def test_panes_out_of_range_are_refused(panes: int) -> None:
    with pytest.raises(ValueError, match="out of range: choose from 1 to 64"):
        make("count", sliding("1h", panes=panes))
