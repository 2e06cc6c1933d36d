"""Leaders follow their rows without looking at all of them (that they are right is tested with the table)."""

import math

import numpy as np
import pytest

from streamrec.features import leaders
from streamrec.features.columns import CODED, EXPIRES_AT, NEWEST, Columns
from streamrec.features.leaders import Group, Leaders

NO_CODES = (0,) * len(CODED)


@pytest.fixture(name="columns")
def _columns() -> Columns:
    columns = Columns(2000)
    columns.closed[:1000] = False
    columns.scores[:1000, 0] = np.arange(1000)
    return columns


def write(columns: Columns, made: Leaders, row: int, score: float) -> None:
    columns.closed[row] = False
    columns.scores[row, 0] = score
    made.written(row, NO_CODES, (score, -math.inf, -math.inf, -math.inf))


def test_a_thousand_writes_look_at_all_rows_a_few_times_only(columns: Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    made, looks = Leaders(columns), []
    build = Leaders._build
    monkeypatch.setattr(Leaders, "_build", lambda self, *of: looks.append(of) or build(self, *of))  # type: ignore[func-returns-value]
    for step in range(1000):
        write(columns, made, step, 1000.0 + step)
        assert made.best(Group(0), 10)[0] == step
    assert len(looks) < 5


def test_an_answer_is_kept_until_one_of_its_rows_is_written(columns: Columns) -> None:
    made = Leaders(columns)
    first = made.best(Group(0), 2000)
    assert first.tolist() == list(range(999, -1, -1))
    assert np.shares_memory(made.best(Group(0), 2000), first)
    write(columns, made, 500, 5000.0)
    assert made.best(Group(0), 2).tolist() == [500, 999]


def test_standings_are_the_places_among_the_best_whatever_is_written_and_expires(columns: Columns) -> None:
    made, chance = Leaders(columns), np.random.default_rng(3)
    columns.ties[:] = np.arange(len(columns.ties))
    for now in range(300):
        row = int(chance.integers(1000))
        columns.times[row, EXPIRES_AT] = now + int(chance.integers(1, 50))
        write(columns, made, row, float(chance.integers(900, 1100)))
        found = made.standings(Group(0), 30, now)
        best = Leaders(columns).best(Group(0), 30, now).tolist()
        assert found.rows[:-1].tolist() == sorted(best)
        assert found.places[:-1].tolist() == [best.index(each) for each in sorted(best)]
        assert found.rows[-1] >= len(columns.closed)
        assert made.standings(Group(0), 7, now).rows[:-1].tolist() == sorted(best[:7])


def test_pools_are_bounded(columns: Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaders, "_POOLS", 10)
    made = Leaders(columns)
    for region in range(1, 100):
        made.best(Group(NEWEST, region=region), 5)
        assert len(made._pools) <= 10


def test_equal_scores_come_by_tie(columns: Columns) -> None:
    made = Leaders(columns)
    columns.scores[:1000, 0] = 1.0
    columns.ties[:] = np.arange(len(columns.ties))[::-1]
    assert made.best(Group(0), 3).tolist() == [999, 998, 997]


def test_a_row_that_falls_below_the_floor_gives_way_to_one_outside_the_pool(columns: Columns) -> None:
    made = Leaders(columns)
    made.best(Group(0), 1)  # a pool of the best 256
    write(columns, made, 999, 0.5)
    assert made.best(Group(0), 256).tolist() == list(range(998, 742, -1))


def test_a_pool_does_not_keep_all_that_ever_led(columns: Columns) -> None:
    made = Leaders(columns)
    made.best(Group(0), 1)
    for row in range(1999):
        write(columns, made, row, 1000.0 + row)
        made.best(Group(0), 1)
    assert len(made._pools[Group(0)].members) <= 4 * 256 + 1
