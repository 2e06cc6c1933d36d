"""Columns grow and keep what they hold."""

from streamrec.features.columns import NEVER, Columns


def test_growing_keeps_the_rows_and_a_blank_one_at_the_end() -> None:
    columns = Columns(2, (-1.0, 7.0))
    for row in range(50):
        columns.hold(row + 1)
        columns.codes[row] = row + 1
        columns.times[row] = row + 1
        columns.scores[row] = row
        columns.cells[row] = row
        columns.closed[row] = False
        assert columns.closed[-1]
        assert columns.times[-1].tolist() == [0, 0, 0, NEVER]
        assert columns.cells[-1].tolist() == [-1.0, 7.0]
    assert columns.codes[:50, 0].tolist() == list(range(1, 51))
    assert columns.cells[:50, 1].tolist() == list(range(50))
    assert columns.scores[:50, 3].tolist() == list(range(50))
    assert not columns.closed[:50].any()
    assert columns.closed[50:].all()


def test_an_array_taken_before_stays_as_it_was() -> None:
    columns = Columns(2)
    before = columns.scores
    columns.hold(100)
    assert columns.capacity > 100
    columns.scores[0] = 7.0
    assert before[0, 0] != 7.0
