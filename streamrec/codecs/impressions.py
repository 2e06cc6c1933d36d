"""The Avro body of an impression, written by hand: each tracked answer makes one, and what is general takes six times as long.

A test holds it equal to what the general writer makes of the schema.
"""

import struct
from functools import lru_cache
from typing import Final

from streamrec.events import Impression, ImpressionItem

_NULL, _VALUE, _END = b"\x00", b"\x02", b"\x00"  # branches of a union with null; the end of an array
_numbers = struct.Struct("<dBdd").pack  # score, branch of p_check, p_check, propensity
_numbers_without = struct.Struct("<dBd").pack


def _any_long(value: int) -> bytes:
    """A number as Avro has it: zigzag, seven bits a byte.

    Examples
    --------
    >>> _any_long(-1), _any_long(64)
    (b'\\x01', b'\\x80\\x01')
    """
    rest = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_SMALL: Final = tuple(_any_long(value) for value in range(2048))  # lengths and positions


def _long(value: int) -> bytes:
    return _SMALL[value] if 0 <= value < len(_SMALL) else _any_long(value)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _maybe(value: str | None) -> bytes:
    return _NULL if value is None else _VALUE + _text(value)


@lru_cache(maxsize=4096)
def _texts(values: tuple[str, ...]) -> bytes:
    return (_long(len(values)) + b"".join(map(_text, values)) if values else b"") + _END


def _item(item: ImpressionItem) -> tuple[bytes, ...]:
    job_id, score, p_check, features = item.job_id.encode(), item.score, item.p_check, item.features
    likely = item.propensity
    numbers = _numbers_without(score, 0, likely) if p_check is None else _numbers(score, 2, p_check, likely)
    return (
        _long(len(job_id)), job_id, _long(item.position), numbers, _long(len(features)), features, _texts(item.sources),
    )  # fmt: skip


def write(impression: Impression) -> bytes:
    """The body of the record, without the header of its framing.

    Raises
    ------
    ValueError
        A text holds half of a surrogate pair.
    """
    items = impression.items
    return b"".join([
        _text(impression.request_id), _text(impression.member_id), _long(impression.served_at),
        _maybe(impression.surface), _text(impression.workflow), _text(impression.model_name),
        _long(impression.model_version), _maybe(impression.arm), _text(impression.feature_set),
        _long(len(items)) if items else b"", *(part for item in items for part in _item(item)), _END,
    ])  # fmt: skip
