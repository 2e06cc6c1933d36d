"""A schema may change only so that it and the last released version read each other's records.

The check is Avro's own. When a version is released, its
schemas are copied to ``avro/released/VERSION``; a copy never changes.
"""

import json
from pathlib import Path
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from streamrec.codecs import RECORDS
from streamrec.codecs.framing import directory

VERSIONS = sorted((directory() / "released").iterdir(), key=lambda path: [int(part) for part in path.name.split(".")])
LAST = VERSIONS[-1]


def _times(schema: Any) -> dict[str, str]:
    """Logical types by field: Avro's check does not look at them, but milliseconds read as microseconds are wrong."""
    found = {}
    for field in schema["fields"]:
        for part in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            if isinstance(part, dict) and "logicalType" in part:
                found[field["name"]] = part["logicalType"]
    return found


def breaks(current: Any, released: Any) -> list[str]:
    """What is wrong with `current` (parsed JSON) after `released`; empty if each reads the other's records."""
    faults = []
    new, old = avro.schema.parse(json.dumps(current)), avro.schema.parse(json.dumps(released))
    if (current["namespace"], current["name"]) != (released["namespace"], released["name"]):
        faults.append(f"renamed from {released['name']} to {current['name']}")
    for reader, writer, way in (
        (new, old, "cannot read what was written before"),
        (old, new, "cannot be read by the last release"),
    ):
        answer = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
        if answer.compatibility is not SchemaCompatibilityType.compatible:
            faults.append(f"{way}: {sorted(answer.messages)} at {sorted(answer.locations)}")
    now, then = _times(current), _times(released)
    shared = {field["name"] for field in current["fields"]} & {field["name"] for field in released["fields"]}
    faults += [f"{name}: {then.get(name)} became {now.get(name)}" for name in shared if now.get(name) != then.get(name)]
    return faults


@pytest.mark.parametrize("path", sorted(LAST.glob("*.avsc")), ids=lambda path: path.stem)
def test_the_current_schema_is_compatible_with_the_last_release_both_ways(path: Path) -> None:
    current = directory() / path.name
    assert current.exists(), f"{path.stem} was released in {LAST.name}: it cannot go"
    assert breaks(json.loads(current.read_text()), json.loads(path.read_text())) == []


def test_every_record_has_a_schema_and_every_schema_a_record() -> None:
    assert sorted(path.stem for path in directory().glob("*.avsc")) == sorted(RECORDS)


def _record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "namespace": "streamrec.v1", "fields": list(fields)}


A = {"name": "a", "type": "string"}
NULLABLE = {"name": "b", "type": ["null", "string"], "default": None}
REQUIRED = {"name": "b", "type": "string"}
MILLIS = {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}
MICROS = {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}}
LONG = {"name": "t", "type": "long"}


def _enum(*symbols: str) -> dict[str, Any]:
    return {"name": "e", "type": {"type": "enum", "name": "E", "symbols": list(symbols)}}


def _inner(*fields: dict[str, Any]) -> dict[str, Any]:
    inner = {"type": "record", "name": "X", "fields": list(fields)}
    return {"name": "r", "type": {"type": "array", "items": inner}}


@pytest.mark.parametrize(
    ("current", "released"),
    [
        (_record(A, NULLABLE), _record(A)),
        (_record(A), _record(A, NULLABLE)),
        (_record(NULLABLE, A), _record(A, NULLABLE)),
        (_record(A, {"name": "s", "type": {"type": "array", "items": "string"}, "default": []}), _record(A)),
        (_record(_inner(A, NULLABLE)), _record(_inner(A))),
        (_record({**A, "doc": "said better"}), _record(A)),
    ],
)
def test_changes_that_are_allowed(current: Any, released: Any) -> None:
    assert breaks(current, released) == []


@pytest.mark.parametrize(
    ("current", "released", "fault"),
    [
        (_record(A), _record(A, REQUIRED), "cannot be read by the last release"),
        (_record(A, REQUIRED), _record(A), "cannot read what was written before"),
        (_record(LONG), _record({**LONG, "type": "int"}), "cannot be read by the last release"),
        (_record({**LONG, "type": "int"}), _record(LONG), "cannot read what was written before"),
        (_record({**LONG, "type": "string"}), _record(LONG), "cannot"),
        (_record(A, REQUIRED), _record(A, NULLABLE), "cannot read what was written before"),
        (_record(A, NULLABLE), _record(A, {**REQUIRED, "default": "x"}), "cannot be read by the last release"),
        (_record(_enum("X", "Y")), _record(_enum("X")), "cannot be read by the last release"),
        (_record(_enum("X")), _record(_enum("X", "Y")), "cannot read what was written before"),
        (_record(_inner(A, REQUIRED)), _record(_inner(A)), "cannot read what was written before"),
        (_record(MICROS), _record(MILLIS), "timestamp-millis became timestamp-micros"),
        (_record(LONG), _record(MILLIS), "timestamp-millis became None"),
        ({**_record(A), "name": "Q"}, _record(A), "renamed"),
    ],
)  # fmt: skip
def test_changes_that_break_are_found(current: Any, released: Any, fault: str) -> None:
    assert fault in " ".join(breaks(current, released))
