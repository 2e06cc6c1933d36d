"""All events of a key."""

import statistics
from random import Random

import numpy as np
import pytest

from streamrec.features.cells.always import Always, FirstAt
from streamrec.features.cells.make import make
from streamrec.features.cells.summary import Count, Distinct, Mean, Variance
from streamrec.features.cells.window import always
from tests.features.cells.oracle import START


def test_counts_are_whole_numbers() -> None:
    cell = Always(Count())
    kept = cell.fresh()
    for late in range(100):
        cell.fold(kept, START - late)
    assert kept == [START, [100]]
    assert type(kept[1][0]) is int


def test_long_streams_of_large_numbers_lose_nothing() -> None:
    random = Random(5)
    values = [1e9 + random.random() for _ in range(20_000)]
    for of, wanted in ((Mean(), statistics.mean(values)), (Variance(), statistics.pvariance(values))):
        cell = Always(of)
        parts = [cell.fresh() for _ in range(3)]
        for place, value in enumerate(values):
            cell.fold(parts[place % 3], START + place, value)
        kept = cell.merge(cell.merge(parts[0], parts[1]), parts[2])
        assert cell.columns(kept)[0] == pytest.approx(wanted, rel=1e-13 if of == Mean() else 1e-6)


def test_the_error_of_a_sketch_is_stated() -> None:
    cell = Always(Distinct())
    assert 0.04 < cell.relative_error < 0.05
    kept = cell.fresh()
    for late in range(5000):
        cell.fold(kept, START + late, late)
    assert cell.read(np.array([cell.columns(kept)]), START).item() == pytest.approx(5000, rel=4 * cell.relative_error)


def test_the_time_to_live_of_the_first_time_is_by_the_newest_event() -> None:
    cell = FirstAt()
    kept = cell.fresh()
    for at in (START, START + 5, START - 5):
        cell.fold(kept, at)
    assert (cell.columns(kept), cell.last_at(kept)) == ((START - 5.0,), START + 5)


def test_times_are_read_as_they_are() -> None:
    cell = make("latest_at", always)
    kept = cell.fresh()
    cell.fold(kept, START)
    cell.fold(kept, START - 1)
    values = cell.read(np.array([cell.columns(kept), cell.blank()]), START + 9)
    assert values[0] == START
    assert np.isnan(values[1])
