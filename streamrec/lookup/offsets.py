"""Where a client is in a list that does not change while the service runs: an opaque text that holds an offset."""

from hashlib import blake2b
from typing import Final

from streamrec.lookup.cursor import InvalidCursorError
from streamrec.lookup.tokens import from_base64, to_base64

_VERSION: Final = 1
_FINGERPRINT_BYTES: Final = 6
_OFFSET_BYTES: Final = 4
_LENGTH: Final = 1 + _FINGERPRINT_BYTES + _OFFSET_BYTES


def _fingerprint(question: tuple[object, ...]) -> bytes:
    return blake2b(repr(question).encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES).digest()


def encode(question: tuple[object, ...], offset: int) -> str:
    """The cursor of what comes after `offset` answers to `question` (filters, and what else the list depends on).

    Examples
    --------
    >>> decode(encode(("pay", None), 20), ("pay", None))
    20
    """
    return to_base64(bytes([_VERSION]) + _fingerprint(question) + offset.to_bytes(_OFFSET_BYTES, "big"))


def decode(text: str, question: tuple[object, ...]) -> int:
    """The offset in a cursor.

    Raises
    ------
    InvalidCursorError
        The text is damaged, or was given out for another question or another list.
    """
    try:
        value = from_base64(text)
    except ValueError as error:
        raise InvalidCursorError("this is not a cursor that this service gave out") from error
    if len(value) != _LENGTH or value[0] != _VERSION:
        raise InvalidCursorError("this is not a cursor that this service gave out")
    if value[1 : 1 + _FINGERPRINT_BYTES] != _fingerprint(question):
        raise InvalidCursorError(
            "the cursor belongs to other filters or to another version of the list; ask for the first page again"
        )
    return int.from_bytes(value[1 + _FINGERPRINT_BYTES :], "big")
