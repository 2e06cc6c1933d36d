"""Where a client is in a list: an opaque text that names the jobs shown so far.

The service keeps nothing between pages. The next page is the ranking of that moment minus what the cursor says was shown,
so pages never repeat a job, however much the ranking moved in between. Of a job six bytes of a hash are kept: with 200 jobs
shown and 200 more to choose from, the chance that any two collide (and one job is left out) is about 1 in 7,000,000,000.

Version 1 is for the default workflow. A list of another one has version 2, which names it, so that the pages that follow are
made in the same way without being asked to.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from streamrec.lookup.tokens import from_base64, to_base64

VERSION: Final = 1
NAMED_VERSION: Final = 2  # after the fingerprint: length and label of the workflow
HASH_BYTES: Final = 6
_FINGERPRINT_BYTES: Final = 4
_HEAD: Final = 1 + _FINGERPRINT_BYTES


class InvalidCursorError(ValueError):
    """The text is not a cursor of this service, or it belongs to another question."""


@lru_cache(maxsize=1 << 16)
def job_hash(job_id: str) -> bytes:
    """The six bytes that stand for a job in a cursor."""
    return blake2b(job_id.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def max_length(jobs: int, workflow: str | None = None) -> int:
    """Characters of a cursor that names `jobs` jobs, and perhaps a workflow.

    Examples
    --------
    >>> max_length(200)
    1607
    """
    return -(-(_HEAD + (0 if workflow is None else 1 + len(workflow)) + HASH_BYTES * jobs) * 4 // 3)


def _fingerprint(question: tuple[object, ...], workflow: str | None) -> bytes:
    asked = question if workflow is None else (*question, workflow)
    return blake2b(repr(asked).encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES).digest()


def encode(question: tuple[object, ...], shown: Iterable[bytes], workflow: str | None = None) -> str:
    """The cursor after `shown` (hashes, see `job_hash`) in the answer to `question` (member and filters).

    `workflow` is the label of the one that makes the list; None for the default.

    Examples
    --------
    >>> text = encode(("m1", None), [job_hash("j1")])
    >>> decode(text, ("m1", None), limit=10) == {job_hash("j1"): None}
    True
    """
    fingerprint = _fingerprint(question, workflow)
    if workflow is None:
        return to_base64(bytes([VERSION]) + fingerprint + b"".join(shown))
    name = workflow.encode()
    return to_base64(bytes([NAMED_VERSION]) + fingerprint + bytes([len(name)]) + name + b"".join(shown))


def workflow_in(text: str) -> str | None:
    """The label of the workflow that a cursor names, None where it names none or is none: `decode` says what is wrong then.

    Examples
    --------
    >>> workflow_in(encode(("m1", None), [job_hash("j1")], "diverse@1"))
    'diverse@1'
    """
    try:
        value = from_base64(text)
        if value[:1] == bytes([NAMED_VERSION]) and len(value) > _HEAD:
            return value[_HEAD + 1 : _HEAD + 1 + value[_HEAD]].decode("ascii")
    except ValueError:
        pass
    return None


def decode(text: str, question: tuple[object, ...], limit: int, workflow: str | None = None) -> dict[bytes, None]:
    """The hashes of the jobs shown so far, in the order in which they were shown.

    Parameters
    ----------
    text
        What `encode` gave.
    question
        What is asked now: the same member and filters as when the cursor was given out.
    limit
        The most jobs that a cursor may name.
    workflow
        As in `encode`.

    Raises
    ------
    InvalidCursorError
        The text is damaged, too long, of an unknown version, or was given out for another question.
    """
    if len(text) > max_length(limit, workflow):
        raise InvalidCursorError(f"a cursor has at most {max_length(limit, workflow)} characters")
    try:
        value = from_base64(text)
    except ValueError as error:
        raise InvalidCursorError("this is not a cursor that this service gave out") from error
    if len(value) <= _HEAD or value[0] not in (VERSION, NAMED_VERSION):
        raise InvalidCursorError("this is not a cursor that this service gave out")
    if value[1:_HEAD] != _fingerprint(question, workflow):
        raise InvalidCursorError(
            "the cursor belongs to another member, to other filters or to another workflow; ask for the first page again"
        )
    start = _HEAD if workflow is None else _HEAD + 1 + value[_HEAD]
    shown = {value[i : i + HASH_BYTES]: None for i in range(start, len(value), HASH_BYTES)}
    if not shown or len(shown) * HASH_BYTES != len(value) - start:
        raise InvalidCursorError("this is not a cursor that this service gave out")
    return shown
