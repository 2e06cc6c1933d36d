"""Jobs that were shown to a member, seen and not checked: how often, and when last; packed into one value a member.

What was passed over again and again is less and less likely to be checked: P. Lee, L. V. S. Lakshmanan, M. Tiwari, S. Shah,
"Modeling Impression Discounting in Large-scale Recommender Systems", KDD 2014.

Rules
-----
* *Counted* is what is learned: a row of a closed list that is a negative (see `models.labels`), at the time of showing it. A job
  that the member has checked elsewhere meanwhile does not count.
* *A check* of the job, wherever, clears it.
* *Fading*: a showing counts half after `HALF_LIFE_MS`, whichever of them arrives first.
* *Bounds*: a member keeps the `KEPT` jobs that were shown last.

A packed value is one format byte and the MessagePack of the struct as an array. New fields are appended with a default, so that
a value is readable one version back and forward; ``tests/golden/passed`` keeps the bytes of every version.
"""

from collections.abc import Iterable
from math import exp2
from typing import Final

import msgspec

from streamrec.models.shown import Shown
from streamrec.packed import DAMAGED

FORMAT: Final = b"\x01"
KEPT: Final = 200
HALF_LIFE_MS: Final = 4 * 86_400_000
LIFETIME_S: Final = 10 * HALF_LIFE_MS // 1000  # after the last change: by then a thousandth is left of what there was


class Showings(msgspec.Struct, array_like=True, gc=False):
    """Of one job: how often it was passed over, as of the time `at` (ms) at which it was shown last."""

    times: float
    at: int


class Passed(msgspec.Struct, array_like=True):
    """Of one member: what it passed over; `version` counts the changes."""

    version: int = 0
    jobs: dict[str, Showings] = msgspec.field(default_factory=dict)


def close(passed: Passed, shown: Shown, request_id: str) -> bool:
    """Take in a list that has just been closed, in place; whether that changed anything. Called once a list."""
    closed = shown.find(request_id)
    if closed is None:
        return False
    checked = {acted.job_id for acted in shown.acted}
    rows = [row.job_id for row in closed.rows if row.negative and row.job_id not in checked]
    if rows:
        pass_over(passed, rows, closed.served_at)
    return bool(rows)


def pass_over(passed: Passed, job_ids: Iterable[str], at: int) -> None:
    """Count a showing of each of the jobs, in place.

    Examples
    --------
    >>> passed = Passed()
    >>> pass_over(passed, ["cook"], 0); pass_over(passed, ["cook", "nurse"], HALF_LIFE_MS)
    >>> times(passed, ["cook", "nurse", "driver"], HALF_LIFE_MS)
    [1.5, 1.0, 0.0]
    >>> check(passed, "cook"), times(passed, ["cook"], HALF_LIFE_MS)
    (True, [0.0])
    """
    passed.version += 1
    for job_id in job_ids:
        before = passed.jobs.get(job_id)
        if before is None:
            passed.jobs[job_id] = Showings(1.0, at)
        elif at >= before.at:
            before.times, before.at = 1.0 + before.times * _left(at - before.at), at
        else:
            before.times += _left(before.at - at)
    if len(passed.jobs) > KEPT:
        newest = sorted(passed.jobs, key=lambda job_id: (-passed.jobs[job_id].at, job_id))[:KEPT]
        passed.jobs = {job_id: passed.jobs[job_id] for job_id in newest}


def check(passed: Passed, job_id: str) -> bool:
    """The member has checked the job: forget what it passed over of it, in place; whether there was anything."""
    if passed.jobs.pop(job_id, None) is None:
        return False
    passed.version += 1
    return True


def times(passed: Passed, job_ids: Iterable[str], now: int) -> list[float]:
    """How often each of the jobs was passed over, as it counts at `now` (ms)."""
    found = map(passed.jobs.get, job_ids)
    return [0.0 if one is None else one.times * _left(max(0, now - one.at)) for one in found]


def _left(age_ms: int) -> float:
    return exp2(-age_ms / HALF_LIFE_MS)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Passed)


class UnreadablePassedError(ValueError):
    """A stored value is of a format that this version cannot read."""


def pack(passed: Passed) -> bytes:
    """The bytes to store; equal states give equal bytes.

    Examples
    --------
    >>> unpack(pack(Passed(2, {"cook": Showings(1.5, 7)})))
    Passed(version=2, jobs={'cook': Showings(times=1.5, at=7)})
    """
    return FORMAT + _encoder.encode(passed)


def unpack(value: bytes | None) -> Passed:
    """What is behind stored bytes; an empty one for None.

    Raises
    ------
    UnreadablePassedError
        The value has an unknown format byte or is not what the format says.
    """
    if value is None:
        return Passed()
    if value[:1] != FORMAT:
        raise UnreadablePassedError(f"Passed has format {value[:1]!r}, this version reads {FORMAT!r}")
    try:
        return _decoder.decode(memoryview(value)[1:])
    except DAMAGED as error:
        raise UnreadablePassedError(f"Passed: {error}") from error
