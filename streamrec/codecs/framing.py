"""Avro's single-object encoding: ``C3 01``, the schema's 8-byte fingerprint, the body.

So no registry is needed: the fingerprints of the current schemas (``avro/*.avsc``) and of all released ones
(``avro/released/VERSION/*.avsc``) are known, and a body of an earlier version is resolved to the current schema.

Where there is a registry, its Confluent wire format is read and written too: see `codecs.writers`. Each value says by its first
bytes which framing it has, so that both may stand in one topic.

References
----------
https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from streamrec.codecs.records import KINDS, Message
from streamrec.codecs.writers import (
    WIRE_HEADER,
    WIRE_MAGIC,
    Reader,
    Writers,
    canonical,
    reader,
    wire_header,
)
from streamrec.events import Rejected

_MAGIC: Final = b"\xc3\x01"
_HEADER: Final = 10


def directory() -> Path:
    """Where the schemas are: inside the package when installed, else at the top of the checkout."""
    here = Path(__file__).parent.parent
    installed = here / "_avro"
    return installed if installed.is_dir() else here.parent / "avro"


def header(schema: object) -> bytes:
    """The first ten bytes of a value that `schema` (parsed JSON) wrote.

    Examples
    --------
    >>> header("null").hex()
    'c3018a8f25cce724dd63'
    """
    return _MAGIC + bytes.fromhex(canonical(parse_schema(schema)))  # little-endian as the framing wants it


class Codec:
    """Schemas of one directory, parsed once; the functions of this module use that of the shipped ones."""

    def __init__(self, where: Path) -> None:
        self._current: dict[str, tuple[bytes, Any]] = {}  # record -> (header, schema)
        self._earlier: dict[bytes, tuple[str, Any]] = {}  # header -> (record, schema)
        self._readers: dict[str, Reader] = {}
        for path in [*sorted(where.glob("released/*/*.avsc")), *sorted(where.glob("*.avsc"))]:
            read = reader(path.stem, json.loads(path.read_text(encoding="utf-8")))
            self._earlier[header(read.parsed)] = (path.stem, read.parsed)
            if path.parent == where:
                self._current[path.stem] = (header(read.parsed), read.parsed)
                self._readers[path.stem] = read

    def encode(self, event: Message, schema_id: int | None = None) -> bytes:
        """See the function of this name."""
        name = type(event).__name__
        head, schema = self._current[name]
        if schema_id is not None:
            head = wire_header(schema_id)
        kind = KINDS[name]
        if kind.write is not None:
            return head + kind.write(event)
        output = BytesIO()
        output.write(head)
        schemaless_writer(output, schema, kind.out(event))
        return output.getvalue()

    def decode(self, record: str, data: bytes, writers: Writers | None = None) -> Message | Rejected:
        """See the function of this name."""
        kind = KINDS[record]
        if kind.max_bytes is not None and len(data) > kind.max_bytes:
            return Rejected("too_long", f"{len(data):,} bytes; a {record} has at most {kind.max_bytes:,}")
        head, schema = self._current[record]
        writer, start = schema, _HEADER
        if data[:_HEADER] != head:
            writer, start = self._written_by(record, data, writers)
            if type(writer) is Rejected:
                return writer
        body = BytesIO(data)
        body.seek(start)
        try:
            fields = schemaless_reader(body, writer, None if writer is schema else schema)
            event = msgspec.convert(fields, kind.type) if kind.into is None else kind.into(fields)
        except SchemaResolutionError as error:
            return Rejected("incompatible_schema", f"written by a schema that is no {record} for us: {error}"[:500])
        except Exception as error:  # noqa: BLE001 - any bytes may come, and fastavro names no error of its own for them
            return Rejected("undecodable", f"not a {record}: {type(error).__name__}: {error}"[:500])
        if body.tell() != len(data):
            return Rejected("undecodable", f"{len(data) - body.tell()} bytes after the end of the {record}")
        return event

    def _written_by(self, record: str, data: bytes, writers: Writers | None) -> tuple[Any, int]:
        """The schema that wrote `data`, which is not the current one in single-object encoding, and where the body starts."""
        name, writer = self._earlier.get(data[:_HEADER], ("", None))
        if name == record:
            return writer, _HEADER
        if data[:1] == WIRE_MAGIC and writers is not None:
            return writers.of(self._readers[record], data), WIRE_HEADER
        return Rejected("unknown_schema", _strange(record, name, data)), 0


def _strange(record: str, other: str, data: bytes) -> str:
    if other:
        return f"the value is a {other}, the topic carries {record}"
    if data[:2] == _MAGIC:
        return f"no known version of {record} has the fingerprint {data[2:_HEADER].hex()}"
    if data[:1] == WIRE_MAGIC:
        return "starts with 00: a schema registry's framing? Set STREAMREC_SCHEMA_REGISTRY to the registry's address to read it"
    return f"starts with {data[:2].hex() or 'nothing'}, not with c301: Avro single-object encoding is expected"


_codec = Codec(directory())


def encode(event: Message, schema_id: int | None = None) -> bytes:
    """The value of `event` on Kafka, by the current schema.

    Parameters
    ----------
    event
        Of any record.
    schema_id
        What a registry calls that schema: for the Confluent wire format. None is for single-object encoding.

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
    >>> encode(view, schema_id=7).hex()[:10]
    '0000000007'
    """
    return _codec.encode(event, schema_id)


def decode(record: str, data: bytes, writers: Writers | None = None) -> Message | Rejected:
    """The event in `data`, which should be a `record`, written by the current or any released version of its schema.

    In the Confluent wire format it may be any schema of `writers` that Avro's rules resolve to ours.
    Never raises, whatever the bytes. What is in the fields is not looked at: see `check`.

    Examples
    --------
    >>> decode("JobView", b"hello")
    Rejected(reason='unknown_schema', detail='starts with 6865, not with c301: Avro single-object encoding is expected')
    """
    return _codec.decode(record, data, writers)
