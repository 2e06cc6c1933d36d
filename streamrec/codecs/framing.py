"""Avro's single-object encoding: ``C3 01``, the schema's 8-byte fingerprint, the body.

So no registry is needed: the fingerprints of the current schemas (``avro/*.avsc``) and of all released ones
(``avro/released/VERSION/*.avsc``) are known, and a body of an earlier version is resolved to the current schema.

References
----------
https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding
"""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from streamrec.codecs.records import KINDS, Message
from streamrec.events import Rejected

_MAGIC: Final = b"\xc3\x01"
_HEADER: Final = 10


def directory() -> Path:
    """Where the schemas are: inside the package when installed, else at the top of the checkout."""
    here = Path(__file__).parent.parent
    installed = here / "_avro"
    return installed if installed.is_dir() else here.parent / "avro"


def _without_logical_types(schema: Any) -> Any:
    """`schema` with times as plain longs: fastavro would make a datetime of each, at ten times the cost."""
    if isinstance(schema, Mapping):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    return schema


def header(schema: object) -> bytes:
    """The first ten bytes of a value that `schema` (parsed JSON) wrote.

    Examples
    --------
    >>> header("null").hex()
    'c3018a8f25cce724dd63'
    """
    crc = fingerprint(to_parsing_canonical_form(parse_schema(schema)), "CRC-64-AVRO")
    return _MAGIC + bytes.fromhex(crc)  # little-endian as the framing wants it


class Codec:
    """Schemas of one directory, parsed once; the functions of this module use that of the shipped ones."""

    def __init__(self, where: Path) -> None:
        self._current: dict[str, tuple[bytes, Any]] = {}  # record -> (header, schema)
        self._earlier: dict[bytes, tuple[str, Any]] = {}  # header -> (record, schema)
        for path in [*sorted(where.glob("released/*/*.avsc")), *sorted(where.glob("*.avsc"))]:
            schema = parse_schema(_without_logical_types(json.loads(path.read_text(encoding="utf-8"))))
            self._earlier[header(schema)] = (path.stem, schema)
            if path.parent == where:
                self._current[path.stem] = (header(schema), schema)

    def encode(self, event: Message) -> bytes:
        """See the function of this name."""
        name = type(event).__name__
        head, schema = self._current[name]
        kind = KINDS[name]
        if kind.write is not None:
            return head + kind.write(event)
        output = BytesIO()
        output.write(head)
        schemaless_writer(output, schema, kind.out(event))
        return output.getvalue()

    def decode(self, record: str, data: bytes) -> Message | Rejected:
        """See the function of this name."""
        kind = KINDS[record]
        if kind.max_bytes is not None and len(data) > kind.max_bytes:
            return Rejected("too_long", f"{len(data):,} bytes; a {record} has at most {kind.max_bytes:,}")
        head, reader = self._current[record]
        writer = reader
        if data[:_HEADER] != head:
            name, writer = self._earlier.get(data[:_HEADER], ("", None))
            if name != record:
                return Rejected("unknown_schema", _strange(record, name, data))
        body = BytesIO(data)
        body.seek(_HEADER)
        try:
            fields = schemaless_reader(body, writer, None if writer is reader else reader)
            event = msgspec.convert(fields, kind.type) if kind.into is None else kind.into(fields)
        except Exception as error:  # noqa: BLE001 - any bytes may come, and fastavro names no error of its own for them
            return Rejected("undecodable", f"not a {record}: {type(error).__name__}: {error}"[:500])
        if body.tell() != len(data):
            return Rejected("undecodable", f"{len(data) - body.tell()} bytes after the end of the {record}")
        return event


def _strange(record: str, other: str, data: bytes) -> str:
    if other:
        return f"the value is a {other}, the topic carries {record}"
    if data[:2] == _MAGIC:
        return f"no known version of {record} has the fingerprint {data[2:_HEADER].hex()}"
    if data[:1] == b"\x00":
        return "starts with 00: a schema registry's framing? Avro single-object encoding is expected"
    return f"starts with {data[:2].hex() or 'nothing'}, not with c301: Avro single-object encoding is expected"


_codec = Codec(directory())


def encode(event: Message) -> bytes:
    """The value of `event` on Kafka, by the current schema.

    Raises
    ------
    ValueError, OverflowError, TypeError
        A field holds what its type in Avro cannot (a number of more than 64 bits, say).

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> view = JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=1_700_000_000_000)
    >>> encode(view).hex()[:4], decode("JobView", encode(view)) == view
    ('c301', True)
    """
    return _codec.encode(event)


def decode(record: str, data: bytes) -> Message | Rejected:
    """The event in `data`, which should be a `record`, written by the current or any released version of its schema.

    Never raises, whatever the bytes. What is in the fields is not looked at: see `check`.

    Examples
    --------
    >>> decode("JobView", b"hello")
    Rejected(reason='unknown_schema', detail='starts with 6865, not with c301: Avro single-object encoding is expected')
    """
    return _codec.decode(record, data)
