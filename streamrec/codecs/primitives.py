"""Avro's primitive types, as their bytes: for the few records that are written by hand.

References
----------
https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from typing import Final

_NULL, _VALUE = b"\x00", b"\x02"  # branches of a union with null
END: Final = b"\x00"  # of an array


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


def long(value: int) -> bytes:
    """A whole number of either length."""
    return _SMALL[value] if 0 <= value < len(_SMALL) else _any_long(value)


def binary(value: bytes) -> bytes:
    """Bytes, their length before them."""
    return long(len(value)) + value


def text(value: str) -> bytes:
    """A string; raises ValueError for half of a surrogate pair."""
    return binary(value.encode())


def maybe(value: str | None) -> bytes:
    """A string in a union with null, null first."""
    return _NULL if value is None else _VALUE + text(value)
