"""Tables fit a pipe without breaking lines."""

import pytest

from streamrec.cli.tables import new_table, show_table


def test_a_line_of_a_table_is_a_line_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("topic", "what")
    table.add_row("job-views", "words " * 25)
    show_table(table)
    show_table(table, err=True)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert captured.err == captured.out
