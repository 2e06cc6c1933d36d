"""Schemas by the ids that a registry gave them: what is needed to read the Confluent wire format.

A value in it starts with ``00`` and the id of the schema that wrote it, four bytes, big-endian; the body follows. Nothing is
fetched here: whoever reads asks the registry for what `Writers.unknown` names, and adds the answers.

References
----------
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from fastavro import parse_schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

from streamrec.events import Rejected

WIRE_MAGIC: Final = b"\x00"
WIRE_HEADER: Final = 5
_LAST_ID: Final = (
    2**31 - 1
)  # registries count in signed integers; asked for more, Confluent's does not say "no such schema"


def wire_header(schema_id: int) -> bytes:
    """The first five bytes of a value that the schema of this id wrote.

    Examples
    --------
    >>> wire_header(258).hex()
    '0000000102'
    """
    return WIRE_MAGIC + schema_id.to_bytes(4, "big")


class RegisteredSchema(msgspec.Struct, frozen=True):
    """A schema as a registry holds it: its text, those that it refers to (each after those it needs), and its language."""

    text: str
    named: tuple[str, ...] = ()
    language: str = "AVRO"


class _Writer(msgspec.Struct, frozen=True):
    """A schema ready for use; `fault` says why it can write nothing that is of use here."""

    name: str = ""  # full, with its namespace
    parsed: Any = None
    times: Mapping[str, str] = {}
    canonical: str = ""
    fault: str = ""


class Reader(msgspec.Struct, frozen=True):
    """What a record is read into: our own schema of it, without logical types, and those by field."""

    record: str
    parsed: Any
    times: Mapping[str, str]
    canonical: str


def without_logical_types(schema: Any) -> Any:
    """`schema` with times as plain longs: fastavro would make a datetime of each, at ten times the cost."""
    if isinstance(schema, Mapping):
        return {name: without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    return schema


def reader(record: str, schema: Any) -> Reader:
    """`schema` (parsed JSON), as the one that `record` is read by."""
    parsed = parse_schema(without_logical_types(schema))
    return Reader(record, parsed, _times(schema), canonical(parsed))


def canonical(parsed: Any) -> str:
    """The fingerprint of a schema: two of the same one write the same bytes."""
    return str(fingerprint(to_parsing_canonical_form(parsed), "CRC-64-AVRO"))


class Writers:
    """The schemas of one registry, as far as they have been asked for.

    Parameters
    ----------
    registry
        Its address, for people.

    Examples
    --------
    >>> writers = Writers("http://registry:8081")
    >>> writers.unknown([wire_header(7) + b"body", b"something else", None])
    {7}
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._known: dict[bytes, _Writer] = {}  # by the header that a value of it starts with
        self._resolved: dict[tuple[bytes, str], Any] = {}

    def __contains__(self, schema_id: int) -> bool:
        return wire_header(schema_id) in self._known

    def unknown(self, values: Iterable[bytes | None]) -> set[int]:
        """Ids in the headers of `values` that have not been added yet and may exist; values in other framings have none."""
        heads = {value[:WIRE_HEADER] for value in values if value is not None and value[:1] == WIRE_MAGIC}
        ids = {
            int.from_bytes(head[1:], "big") for head in heads if len(head) == WIRE_HEADER and head not in self._known
        }
        return {number for number in ids if number <= _LAST_ID}

    def add(self, schema_id: int, schema: RegisteredSchema) -> None:
        """Take up what the registry knows by this id, whatever it is: a schema of no use is told of record by record."""
        self._known[wire_header(schema_id)] = _parsed(schema)

    def of(self, read: Reader, data: bytes) -> Any:
        """The schema that wrote `data`, which is read by `read`; `read.parsed` itself where both write the same bytes.

        Returns
        -------
        parsed schema or Rejected
            The latter if the schema is not known, or can never be read as such a record.
        """
        head = data[:WIRE_HEADER]
        found = self._resolved.get((head, read.record))
        if found is None:
            if len(head) < WIRE_HEADER:
                return Rejected("unknown_schema", "starts with 00, and is too short to name a schema of the registry")
            if (writer := self._known.get(head)) is None:
                number = int.from_bytes(head[1:], "big")
                return Rejected("unknown_schema", f"the registry at {self._registry} has no schema {number}")
            found = self._resolved[head, read.record] = self._resolve(int.from_bytes(head[1:], "big"), writer, read)
        return found

    def _resolve(self, number: int, writer: _Writer, read: Reader) -> Any:
        place = f"schema {number} of the registry at {self._registry}"
        if writer.fault:
            return Rejected("incompatible_schema", f"{place} {writer.fault}")
        if writer.name not in (read.parsed["name"], *read.parsed.get("aliases", ())):
            return Rejected("unknown_schema", f"{place} is of {writer.name}, the topic carries {read.parsed['name']}")
        for field, time in read.times.items():
            # Avro resolves longs whatever they mean; microseconds read as milliseconds would be wrong.
            if (other := writer.times.get(field, time)) != time:
                return Rejected("incompatible_schema", f"{place} has {field} as {other}, not as {time}")
        return read.parsed if writer.canonical == read.canonical else writer.parsed


def _parsed(schema: RegisteredSchema) -> _Writer:
    if schema.language != "AVRO":
        return _Writer(fault=f"is {schema.language}, not Avro")
    named: dict[str, Any] = {}
    try:
        for text in schema.named:
            parse_schema(without_logical_types(json.loads(text)), named_schemas=named)
        document = json.loads(schema.text)
        parsed = parse_schema(without_logical_types(document), named_schemas=named)
        if not isinstance(parsed, dict) or parsed.get("type") != "record":
            return _Writer(fault="is not of a record")
        return _Writer(parsed["name"], parsed, _times(document), canonical(parsed))
    except Exception as error:  # noqa: BLE001 - fastavro names no error of its own for what is no schema
        return _Writer(fault=f"cannot be used: {type(error).__name__}: {error}"[:300])


def _times(schema: Any) -> dict[str, str]:
    """Logical types of the fields of a record, as far as they have one."""
    found = {}
    for field in schema["fields"]:
        for part in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            if isinstance(part, Mapping) and "logicalType" in part:
                found[field["name"]] = part["logicalType"]
    return found
