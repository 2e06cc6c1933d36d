"""What jobs keep by another text, as columns."""

import random

import numpy as np

from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.make import make
from streamrec.features.cells.window import always, decay
from streamrec.features.keyed_columns import KeyedColumns

KEYED = Keyed(make("mean", always), 2)


def kept(*events: tuple[int, str, float]) -> list[object]:
    found = KEYED.fresh()
    for at, text, value in events:
        KEYED.fold(found, at, text, value)
    return found


def test_columns_by_row_and_text() -> None:
    columns = KeyedColumns(KEYED.inner, 2)
    columns.write(0, kept((1, "md", 4.0), (2, "md", 6.0), (3, "va", 1.0)))
    columns.write(2, kept((1, "md", 8.0)))
    rows = np.array([0, 1, 2, -1, 0], np.int32)
    for text, means in (("md", [5, None, 8, None, 5]), ("va", [1, None, None, None, 1]), ("x", [None] * 5)):
        found = KEYED.inner.read(columns.rows(text, rows), 9)
        assert [None if np.isnan(value) else value for value in found.tolist()] == means
    assert set(columns.of(0)) == {"md", "va"}
    assert columns.of(1) == {}
    assert columns.rows("md", np.zeros(0, np.int32)).shape == (0, 2)


def test_what_is_written_replaces_what_was() -> None:
    columns = KeyedColumns(KEYED.inner, 2)
    columns.write(0, kept((1, "md", 4.0)))
    columns.write(0, kept((1, "va", 4.0)))
    assert set(columns.of(0)) == {"va"}
    columns.write(0, None)
    columns.write(7, None)
    assert columns.of(0) == {}
    assert (columns._rows, columns._texts) == ({}, {})  # nothing is left behind


def test_many_that_come_and_go_are_what_a_mapping_of_them_says() -> None:
    columns, chance = KeyedColumns(KEYED.inner, 2), random.Random(1)
    known: dict[int, dict[str, float]] = {}
    rows = np.array([*range(40), -1], np.int32)
    for _ in range(400):
        row, texts = chance.randrange(40), chance.sample(["md", "va", "dc"], chance.randrange(3))
        known[row] = {text: float(chance.randrange(3)) for text in texts}
        columns.write(row, kept(*((1, text, value) for text, value in known[row].items())) if texts else None)
        for text in ("md", "va", "dc"):
            found = KEYED.inner.read(columns.rows(text, rows), 9).tolist()
            want = [known.get(each, {}).get(text) for each in rows.tolist()]
            assert [None if np.isnan(value) else value for value in found] == want


def test_blank_columns_read_as_nothing() -> None:
    cell = make("count", decay("7d"))
    assert cell.read(KeyedColumns(cell, 1).rows("md", np.array([0, -1], np.int32)), 5).tolist() == [0, 0]
