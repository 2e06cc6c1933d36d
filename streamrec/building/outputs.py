"""What a replay leaves: states as Avro files, and values of features as Parquet, CSV or JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import fastavro
import msgspec

from streamrec.building.part import Folded
from streamrec.building.values import Value
from streamrec.training.rows import FileError

FORMATS: Final = (".parquet", ".csv", ".jsonl")
_SCHEMA: Final = {
    "type": "record", "name": "State", "namespace": "streamrec",
    "doc": "One entity, and its state as it is in the store: see streamrec.features.state.",
    "fields": [{"name": "id", "type": "string"}, {"name": "state", "type": "bytes"}],
}  # fmt: skip
_MARKER: Final = b"streamrec states"  # 16 bytes between blocks: a fixed one, so that equal states are equal files
_ROWS: Final = 50_000


def write_states(folded: Folded, directory: Path) -> list[Path]:
    """``members.avro``, ``jobs.avro``, ``neighbours.avro`` and ``networks.avro``, in the order of ids; raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ("members", "jobs", "neighbours", "networks"):
        states: dict[str, bytes] = getattr(folded, name)
        paths.append(directory / f"{name}.avro")
        records = ({"id": key, "state": states[key]} for key in sorted(states))
        with paths[-1].open("wb") as out:
            fastavro.writer(out, fastavro.parse_schema(_SCHEMA), records, codec="deflate", sync_marker=_MARKER)
    return paths


def write_values(values: Iterable[Value], path: Path) -> int:
    """Write the values in the format that the name says; how many there are.

    Raises
    ------
    FileError
        The name says none of `FORMATS`, or Parquet without the extra ``parquet``.
    OSError
        It cannot be written.
    """
    check_format(path)
    if path.suffix == ".parquet":
        return _parquet(values, path)
    count = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        if path.suffix == ".csv":
            writer.writerow(Value.__struct_fields__)
        for value in values:
            count += 1
            if path.suffix == ".csv":
                writer.writerow(msgspec.structs.astuple(value))
            else:
                out.write(json.dumps(msgspec.to_builtins(value)) + "\n")
    return count


def check_format(path: Path) -> None:
    """Raise FileError as `write_values` does, before anything is computed."""
    if path.suffix not in FORMATS:
        raise FileError(f"{path}: values are written to files that end with {', '.join(FORMATS)}")
    if path.suffix == ".parquet":
        _modules(path)


def _parquet(values: Iterable[Value], path: Path) -> int:
    arrow, parquet = _modules(path)
    schema = arrow.schema([
        ("member_id", arrow.string()), ("job_id", arrow.string()), ("feature", arrow.string()), ("value", arrow.float32()),
    ])  # fmt: skip
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for some in _batches(values):
            rows = [msgspec.structs.astuple(value) for value in some]
            columns = [
                arrow.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
            count += len(rows)
    return count


def _batches(values: Iterable[Value]) -> Iterator[list[Value]]:
    source = iter(values)
    while some := list(islice(source, _ROWS)):
        yield some


def _modules(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415  (an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise FileError(f"{path}: to write Parquet, pip install 'streamrec[parquet]'") from None
    return pyarrow, parquet
