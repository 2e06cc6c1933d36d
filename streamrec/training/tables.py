"""Tables in other forms than text: Avro object container files and Parquet, row by row as `rows.Table` gives them.

Which one a file is shows from its first bytes. Cells keep their types: a list is a list, a time may be a datetime.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import fastavro

from streamrec.training.rows import BadRow, FileError, Row, Table

_AVRO: Final = b"Obj\x01"
_PARQUET: Final = b"PAR1"
_BATCH: Final = 10_000  # rows of a Parquet file in memory
# What members did, by the record that says so: the cell `event` of a row.
EVENT_OF: Final = {
    "JobView": "view", "JobLike": "like", "JobSave": "save", "JobApplication": "apply", "JobDismissal": "dismiss",
    "Connection": "connect",
}  # fmt: skip
_WANTED: Final = ("occurred_at", "member_id", "job_id", "event")


class Rows(Protocol):
    """What is asked of a table; `bytes_read` of `size` is how far it has been read."""

    path: Path
    columns: list[str]
    size: int
    bytes_read: int

    def __iter__(self) -> Iterator[Row | BadRow]:
        """The rows; raises FileError where the file cannot be read further."""


def open_table(path: Path) -> Rows:
    """The table in a file: CSV (also gzipped), Avro or Parquet.

    Raises
    ------
    FileError
        It cannot be read, or only with the extra ``parquet``.
    """
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    if magic == _AVRO:
        return AvroTable(path)
    return ParquetTable(path) if magic == _PARQUET else Table(path)


class AvroTable:
    """An Avro object container file of one of the project's records, or of a union of several.

    Columns are the fields of all of them, and `event`, which says what the record is.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size, self.bytes_read = path, path.stat().st_size, 0
        try:
            with path.open("rb") as raw:
                schema = fastavro.reader(raw).writer_schema
        except (ValueError, KeyError, EOFError, OSError, fastavro.schema.SchemaParseException) as error:
            raise FileError(f"{path}: no Avro file: {error}") from error
        schemas = schema if isinstance(schema, list) else [schema]
        if not all(isinstance(each, dict) and each.get("type") == "record" for each in schemas):
            raise FileError(f"{path}: its schema is no record: write one of those in avro/, or a union of several")
        self._records = {each["name"]: each["name"].rpartition(".")[2] for each in schemas}
        names = [field["name"] for each in schemas for field in each["fields"]]
        events = any(name in EVENT_OF for name in self._records.values())
        self.columns = list(dict.fromkeys([*names, *(_WANTED if events else ())]))

    def __iter__(self) -> Iterator[Row | BadRow]:
        number = 0
        with self.path.open("rb") as raw:
            reader = fastavro.reader(raw, return_record_name=True, return_record_name_override=False)
            single = next(iter(self._records.values())) if len(self._records) == 1 else None
            try:
                for number, datum in enumerate(reader, 1):
                    name, fields = (single, datum) if isinstance(datum, dict) else datum
                    self.bytes_read = raw.tell()
                    event = EVENT_OF.get(self._records.get(name, name) or "", "")
                    yield Row(number, [event if column == "event" else fields.get(column) for column in self.columns])
            except (ValueError, EOFError, OSError, IndexError, TypeError) as error:
                raise FileError(f"{self.path}: after record {number}: {error}") from error
        self.bytes_read = self.size


class ParquetTable:
    """A Parquet file with the columns that a CSV file would have."""

    def __init__(self, path: Path) -> None:
        self.path, self.size, self.bytes_read = path, path.stat().st_size, 0
        parquet = _parquet(path)
        try:
            with parquet.ParquetFile(path) as file:
                self.columns: list[str] = list(file.schema_arrow.names)
                self._count = max(1, file.metadata.num_rows)
        except (ValueError, OSError) as error:
            raise FileError(f"{path}: no Parquet file: {error}") from error

    def __iter__(self) -> Iterator[Row | BadRow]:
        number = 0
        try:
            with _parquet(self.path).ParquetFile(self.path) as file:
                for batch in file.iter_batches(_BATCH):
                    for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        number += 1
                        yield Row(number, list(cells))
                    self.bytes_read = self.size * number // self._count
        except (ValueError, OSError) as error:
            raise FileError(f"{self.path}: after row {number}: {error}") from error
        self.bytes_read = self.size


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import parquet  # noqa: PLC0415  (an extra)
    except ImportError:
        raise FileError(f"{path} is a Parquet file: to read it, pip install 'streamrec[parquet]'") from None
    return parquet
