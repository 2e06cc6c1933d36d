"""Tables in files: what is read, and what becomes of rows that cannot be."""

import gzip
from pathlib import Path

import pytest

from streamrec.training.rows import BadRow, FileError, Row, Table


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_carry_the_line_that_an_editor_shows(tmp_path: Path) -> None:
    table = Table(written(tmp_path / "a.csv", '\ufeffa,b\r\n1,"two\nlines"\r\n\r\n3,4\r\n'))
    assert table.columns == ["a", "b"]
    assert list(table) == [Row(3, ["1", "two\nlines"]), Row(5, ["3", "4"])]


def test_a_table_can_be_read_again(tmp_path: Path) -> None:
    table = Table(written(tmp_path / "a.csv", "a\n1\n"))
    assert list(table) == list(table) == [Row(2, ["1"])]


def test_a_gzipped_table_is_known_by_its_content_and_tells_how_far_it_is_read(tmp_path: Path) -> None:
    lines = "".join(f"{number},x\n" for number in range(100_000))
    table = Table(written(tmp_path / "a.csv", gzip.compress(f"a,b\n{lines}".encode())))
    rows = iter(table)
    assert next(rows) == Row(2, ["0", "x"])
    assert 0 < table.bytes_read <= table.size
    assert sum(1 for _ in rows) == 99_999
    assert table.bytes_read == table.size


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    table = Table(written(tmp_path / "a.csv", f"a{delimiter}b\n1{delimiter}2,5\n"))
    assert list(table) == [Row(2, ["1", "2,5"])]


def test_a_bad_row_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = b"a,b\n1,2\n1\n1,2,3\n\xff,2\nJos\xc3\xa9,4\n"
    assert list(Table(written(tmp_path / "a.csv", text))) == [
        Row(2, ["1", "2"]),
        BadRow("a.csv", 3, "cell_count", "1 cells where the header has 2"),
        BadRow("a.csv", 4, "cell_count", "3 cells where the header has 2"),
        BadRow("a.csv", 5, "unreadable", "not UTF-8"),
        Row(6, ["José", "4"]),
    ]


def test_a_cell_without_end_is_a_bad_row(tmp_path: Path) -> None:
    huge = "x" * ((1 << 20) + 1)
    rows = list(Table(written(tmp_path / "a.csv", f"a\n{huge}\n2\n")))
    assert isinstance(rows[0], BadRow)
    assert "field larger than field limit" in rows[0].detail
    assert rows[-1] == Row(3, ["2"])


def test_a_gzip_file_cut_short_gives_what_it_has_and_then_an_error(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{number * 7919}\n" for number in range(50_000)).encode())
    table = Table(written(tmp_path / "a.csv.gz", whole[: len(whole) // 2]))
    seen: list[object] = []
    with pytest.raises(FileError, match=r"a\.csv\.gz: after line \d+: "):
        seen.extend(table)
    rows = iter(table)
    next(rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the first line must name the columns"), ("\n\n", "must name the columns"), ("a,b,a\n", "are named a")],
)
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        Table(written(tmp_path / "a.csv", text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.csv: No such file"):
        Table(tmp_path / "none.csv")
    with pytest.raises(FileError, match="Is a directory"):
        Table(tmp_path)
