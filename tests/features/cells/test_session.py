"""Where a session begins and ends."""

import math

import numpy as np
import pytest

from streamrec.features.cells.session import Session
from streamrec.features.cells.summary import Count, Mean, Summary
from tests.features.cells.oracle import MINUTE, START


def read(of: Summary, ats: list[int], now: int, keep: int = 64) -> float:
    cell = Session(of, 30 * MINUTE, keep)
    kept = cell.fresh()
    for at in ats:
        cell.fold(kept, START + at, float(at))
    return float(cell.read(np.array([cell.columns(kept)]), START + now)[0])


def test_a_pause_as_long_as_the_gap_does_not_end_it_and_a_longer_one_does() -> None:
    gap = 30 * MINUTE
    assert read(Count(), [0, gap, 2 * gap], 3 * gap) == 3.0
    assert read(Count(), [0, gap + 1, 2 * gap + 1], 3 * gap) == 2.0
    assert read(Count(), [0, gap, 2 * gap], 3 * gap + 1) == 0.0
    assert math.isnan(read(Mean(), [0, gap, 2 * gap], 3 * gap + 1))


def test_a_late_event_joins_two_sessions_to_one() -> None:
    assert read(Count(), [0, 50 * MINUTE], 50 * MINUTE) == 1.0
    assert read(Count(), [0, 50 * MINUTE, 25 * MINUTE], 50 * MINUTE) == 3.0


def test_of_a_long_session_the_newest_events_are_kept() -> None:
    assert read(Mean(), [5, 1, 4, 2, 3], 5, keep=2) == 4.5


@pytest.mark.parametrize("gap_ms", [0, 999, 31 * 24 * 60 * MINUTE])
def test_gaps_out_of_range_are_refused(gap_ms: int) -> None:
    with pytest.raises(ValueError, match="out of range: choose one from 1s to 30d"):
        Session(Count(), gap_ms)


@pytest.mark.parametrize("keep", [0, 1001])
def test_numbers_to_keep_out_of_range_are_refused(keep: int) -> None:
    with pytest.raises(ValueError, match="choose from 1 to 1000"):
        Session(Count(), MINUTE, keep)
