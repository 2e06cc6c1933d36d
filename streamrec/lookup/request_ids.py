"""Names of requests: taken from the client where it sends a usable one, made otherwise."""

import random
import re
import time
from collections.abc import Iterable
from typing import Final

HEADER: Final = b"x-request-id"
MAX_LENGTH: Final = 128
PATTERN: Final = rf"[A-Za-z0-9._:/+=@-]{{1,{MAX_LENGTH}}}"

_usable = re.compile(PATTERN.encode()).fullmatch


def new() -> str:
    """A UUID of version 7 (RFC 9562): its text sorts by time, to the millisecond.

    Not for secrets: its random bits come from a generator that can be guessed.

    Examples
    --------
    >>> import uuid
    >>> uuid.UUID(new()).version, uuid.UUID(new()).variant
    (7, 'specified in RFC 4122')
    """
    value = (time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | random.getrandbits(12) << 64
    text = f"{value | 0b10 << 62 | random.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def identify(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's ``X-Request-Id`` if it can be used (see `PATTERN`), else a new one.

    Examples
    --------
    >>> identify([(b"x-request-id", b"trace-7")])
    'trace-7'
    >>> identify([(b"x-request-id", b"no spaces, please")]) == "no spaces, please"
    False
    """
    for name, value in headers:
        if name == HEADER and _usable(value):
            return value.decode("ascii")
    return new()
