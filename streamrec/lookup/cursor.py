"""Where a client is in a list: an opaque text that names the jobs shown so far.

The service keeps nothing between pages. The next page is the ranking of that moment minus what the cursor says was shown,
so pages never repeat a job, however much the ranking moved in between. Of a job six bytes of a hash are kept: with 200 jobs
shown and 200 more to choose from, the chance that any two collide (and one job is left out) is about 1 in 7,000,000,000.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from streamrec.lookup.tokens import from_base64, to_base64

VERSION: Final = 1
HASH_BYTES: Final = 6
_FINGERPRINT_BYTES: Final = 4
_HEAD: Final = 1 + _FINGERPRINT_BYTES


class InvalidCursorError(ValueError):
    """The text is not a cursor of this service, or it belongs to another question."""


@lru_cache(maxsize=1 << 16)
def job_hash(job_id: str) -> bytes:
    """The six bytes that stand for a job in a cursor."""
    return blake2b(job_id.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def max_length(jobs: int) -> int:
    """Characters of a cursor that names `jobs` jobs.

    Examples
    --------
    >>> max_length(200)
    1607
    """
    return -(-(_HEAD + HASH_BYTES * jobs) * 4 // 3)


def _fingerprint(question: tuple[object, ...]) -> bytes:
    return blake2b(repr(question).encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES).digest()


def encode(question: tuple[object, ...], shown: Iterable[bytes]) -> str:
    """The cursor after `shown` (hashes, see `job_hash`) in the answer to `question` (member and filters).

    Examples
    --------
    >>> text = encode(("m1", None), [job_hash("j1")])
    >>> decode(text, ("m1", None), limit=10) == {job_hash("j1"): None}
    True
    """
    return to_base64(bytes([VERSION]) + _fingerprint(question) + b"".join(shown))


def decode(text: str, question: tuple[object, ...], limit: int) -> dict[bytes, None]:
    """The hashes of the jobs shown so far, in the order in which they were shown.

    Parameters
    ----------
    text
        What `encode` gave.
    question
        What is asked now: the same member and filters as when the cursor was given out.
    limit
        The most jobs that a cursor may name.

    Raises
    ------
    InvalidCursorError
        The text is damaged, too long, of an unknown version, or was given out for another question.
    """
    if len(text) > max_length(limit):
        raise InvalidCursorError(f"a cursor has at most {max_length(limit)} characters")
    try:
        value = from_base64(text)
    except ValueError as error:
        raise InvalidCursorError("this is not a cursor that this service gave out") from error
    if not value or value[0] != VERSION or len(value) <= _HEAD or (len(value) - _HEAD) % HASH_BYTES:
        raise InvalidCursorError("this is not a cursor that this service gave out")
    if value[1:_HEAD] != _fingerprint(question):
        raise InvalidCursorError(
            "the cursor belongs to another member or to other filters; ask for the first page again"
        )
    shown = {value[i : i + HASH_BYTES]: None for i in range(_HEAD, len(value), HASH_BYTES)}
    if len(shown) * HASH_BYTES != len(value) - _HEAD:
        raise InvalidCursorError("this is not a cursor that this service gave out")
    return shown
