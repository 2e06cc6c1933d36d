"""Rows of a CSV file, plain or gzipped, one bad row at a time."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

_GZIP_MAGIC: Final = b"\x1f\x8b"
_DELIMITERS: Final = ",;\t|"
_MAX_CELL: Final = 1 << 20  # characters; a description can be long


class FileError(ValueError):
    """A file cannot be read as a table, or no further; the message says what is wrong and what to do."""


class BadRow(msgspec.Struct, frozen=True):
    """A row that means nothing to streamrec: where it is, a word for its kind, and what is wrong for people."""

    file: str
    line: int  # 1-based, the header counted
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}: {self.detail}"


class Row(msgspec.Struct, frozen=True):
    """The cells of one row, as many as there are columns."""

    line: int
    cells: list[Any]  # texts, or values of their own types in files that have them (see `tables`); None where empty


class Table:
    """A CSV file with a header; comma, semicolon, tab or bar as its delimiter, UTF-8.

    Parameters
    ----------
    path
        Whether it is gzipped shows from its first bytes.

    Raises
    ------
    FileError
        It is not there, or empty, or two columns have one name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory) / "log.csv"
    ...     _ = path.write_text("ts,event\\n1,view\\n2\\n")
    ...     table = Table(path)
    ...     table.columns, list(table)[0]
    (['ts', 'event'], Row(line=2, cells=['1', 'view']))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_read = 0
        try:
            self.size = path.stat().st_size
            with path.open("rb") as raw:
                self._gzipped = raw.read(2) == _GZIP_MAGIC
            with self._open() as (_, text):
                header = text.readline()
        except (OSError, EOFError, zlib.error) as error:
            raise FileError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        self._delimiter = max(_DELIMITERS, key=header.count)
        rows = list(csv.reader([header], delimiter=self._delimiter))
        self.columns = [name.strip() for name in rows[0]] if rows else []
        if not any(self.columns):
            raise FileError(f"{path}: empty; the first line must name the columns")
        if twice := {name for name in self.columns if self.columns.count(name) > 1}:
            raise FileError(f"{path}: two columns are named {', '.join(sorted(twice))}")

    def _open(self) -> "_Opened":
        return _Opened(self.path, self._gzipped)

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Rows after the header; blank lines are passed over.

        Raises
        ------
        FileError
            The file cannot be read further, such as a gzip file cut short.
        """
        csv.field_size_limit(_MAX_CELL)
        name, width = self.path.name, len(self.columns)
        with self._open() as (raw, text):
            reader = csv.reader(text, delimiter=self._delimiter)
            try:
                next(reader)
                while True:
                    try:
                        cells = next(reader)
                    except csv.Error as error:
                        yield BadRow(name, reader.line_num, "unreadable", str(error))
                        continue
                    self.bytes_read = raw.tell()
                    if len(cells) == width:
                        if _is_utf8("".join(cells)):
                            yield Row(reader.line_num, cells)
                        else:
                            yield BadRow(name, reader.line_num, "unreadable", "not UTF-8")
                    elif cells:
                        detail = f"{len(cells)} cells where the header has {width}"
                        yield BadRow(name, reader.line_num, "cell_count", detail)
            except StopIteration:
                self.bytes_read = self.size
            except (OSError, EOFError, zlib.error) as error:
                raise FileError(f"{self.path}: after line {reader.line_num}: {error}: fetch the file again") from error


class _Opened:
    """The file, and its text: how far the first has been read is the progress, also of a gzipped one."""

    def __init__(self, path: Path, gzipped: bool) -> None:
        self._raw = path.open("rb")
        source = gzip.GzipFile(fileobj=self._raw) if gzipped else self._raw
        # A byte that is not UTF-8 spoils its row only: it comes as a lone surrogate, which no valid text has.
        self._text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def __enter__(self) -> tuple[io.BufferedReader, io.TextIOWrapper]:
        return self._raw, self._text

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._raw.close()


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
