"""Sets of features that processes compute, as they tell the trainer: which columns an example's numbers are.

Worker and lookup say so when they start, before they make the first example. So the trainer, and whoever serves its model,
need not be of the same version: what is learned of a column goes by its name.
"""

from typing import Final

import msgspec

from streamrec.packed import DAMAGED

_FORMAT: Final = b"\x01"
_decoder = msgspec.msgpack.Decoder(tuple[str, ...])


def pack(columns: tuple[str, ...]) -> bytes:
    """The bytes to store for the names of a set's columns.

    Examples
    --------
    >>> unpack(pack(("job_views", "save_rate")))
    ('job_views', 'save_rate')
    """
    return _FORMAT + msgspec.msgpack.encode(columns)


def unpack(value: bytes | None) -> tuple[str, ...] | None:
    """The names of the columns; None where there is nothing, or nothing that this version reads."""
    if value is None or value[:1] != _FORMAT:
        return None
    try:
        return _decoder.decode(value[1:])
    except DAMAGED:
        return None
