"""How far a slot has read: what is stored in its `positions` and `marks` hashes.

A packed value is one format byte and the MessagePack of the struct as an array. New fields are appended with a default,
so that a value is readable one version back and forward; ``tests/golden/positions`` keeps the bytes of every version.
"""

from typing import Final, TypeVar

import msgspec

from streamrec.packed import DAMAGED

FORMAT: Final = b"\x01"


class Position(msgspec.Struct, array_like=True, frozen=True):
    """The next offset to read of one input partition, committed with the state that the records before it have made.

    `topic_id` names the very topic: a topic that was deleted and created again under the same name has another one,
    and offsets of the two must not be compared.
    """

    topic_id: str
    next_offset: int


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """The last derived entry applied from one source partition: entries at or below (`offset`, `index`) are dropped."""

    topic_id: str
    offset: int
    index: int


Kind = TypeVar("Kind", Position, Mark)

_encoder = msgspec.msgpack.Encoder()
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in (Position, Mark)}


class UnreadablePositionError(ValueError):
    """A stored position or mark is of a format that this version cannot read."""


def pack(value: Position | Mark) -> bytes:
    """The bytes to store for a position or a mark.

    Examples
    --------
    >>> unpack(Position, pack(Position("t-1", 42)))
    Position(topic_id='t-1', next_offset=42)
    """
    return FORMAT + _encoder.encode(value)


def unpack(kind: type[Kind], value: bytes) -> Kind:
    """The position or mark behind stored bytes.

    Raises
    ------
    UnreadablePositionError
        The value has an unknown format byte or is not what the format says.
    """
    if value[:1] != FORMAT:
        raise UnreadablePositionError(f"{kind.__name__} has format {value[:1]!r}, this version reads {FORMAT!r}")
    try:
        return _decoders[kind].decode(memoryview(value)[1:])  # type: ignore[return-value]
    except DAMAGED as error:
        raise UnreadablePositionError(f"{kind.__name__}: {error}") from error
