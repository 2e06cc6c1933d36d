"""Which values count: numbers that keep sums finite, and texts, by their hash or as they are."""

from hashlib import blake2b
from struct import pack
from typing import Final

MOST: Final = (
    1e18  # the square of it, times 2^800 (see `decay`), times all events of the world is still a finite number
)
MARK_BYTES: Final = 8
TEXT_BYTES: Final = 256  # of a text that is kept as it is: a member could send sixteen thousand


def number(value: object) -> float | None:
    """The value as a float, None where it is no number that can be used: another type, NaN, or beyond `MOST`.

    Examples
    --------
    >>> number(3), number(float("nan")), number("3"), number(True), number(10**400)
    (3.0, None, None, None, None)
    """
    if isinstance(value, (float, int)) and not isinstance(value, bool) and -MOST <= value <= MOST:
        return float(value) + 0.0  # -0.0 is 0.0
    return None


def text(value: object) -> str | None:
    """The value if it is a text that can be written as UTF-8, in at most `TEXT_BYTES`; else None.

    Examples
    --------
    >>> text("nurse"), text(3.0), text("\\ud800"), text("x" * 257)
    ('nurse', None, None, None)
    """
    if not isinstance(value, str) or len(value) > TEXT_BYTES:
        return None
    if not value.isascii():
        try:
            if len(value.encode()) > TEXT_BYTES:
                return None
        except UnicodeEncodeError:
            return None
    return value


def mark(value: object) -> bytes | None:
    """A hash of a text or of a number, the same on every machine; None where the value is neither.

    Examples
    --------
    >>> mark("nurse").hex(), mark(1) == mark(1.0), mark(-0.0) == mark(0.0), mark("1") == mark(1), mark(None)
    ('0ec2a851ecacbbf2', True, True, False, None)
    """
    if isinstance(value, str):
        try:
            return blake2b(value.encode(), digest_size=MARK_BYTES).digest()
        except UnicodeEncodeError:
            return None
    known_number = number(value)
    if known_number is None:
        return None
    return blake2b(pack("<d", known_number), digest_size=MARK_BYTES, person=b"number").digest()
