"""What must hold for the fields of a record beyond their types."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from streamrec.codecs.entries import check_job_activity, check_member_activity
from streamrec.codecs.records import KINDS, Message
from streamrec.events import (
    Connection,
    Impression,
    ImpressionSeen,
    JobActivity,
    JobPosting,
    MemberActivity,
    MemberProfile,
    Rejected,
    TrainingExample,
)

REASONS: Final = (
    "unknown_schema",  # not framed, or by a schema that was never released or registered, or by another record's
    "incompatible_schema",  # the registry has the schema, but Avro's rules cannot resolve it to ours
    "undecodable",  # the body is not what its schema says
    "missing_value",  # null on a topic without tombstones
    "bad_key",  # missing, or not the id that the topic is keyed by
    "bad_id",  # missing, empty or too long
    "bad_time",  # not after 1970, or too far in the future
    "bad_value",  # something that its field cannot hold
    "too_long",  # more bytes than such a record can need
    "wrong_partition",  # the producer does not use Kafka's default partitioner
    "unknown_field",  # JSON only
    "missing_field",  # JSON only
)

MAX_ID: Final = 512  # characters
_LAST_TIME: Final = 253_402_300_799_999  # the end of the year 9999: what dates can show


def check(event: Message, now_ms: int | None = None, skew_ms: int = 0) -> Rejected | None:
    """What is wrong with the fields of `event`, if anything; without `now_ms` nothing counts as the future.

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> check(JobView(event_id="e1", member_id="", job_id="j1", occurred_at=5))
    Rejected(reason='bad_id', detail='member_id is empty')
    >>> check(JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=7), now_ms=5, skew_ms=1)
    Rejected(reason='bad_time', detail='occurred_at is 0 s in the future')
    """
    kind = KINDS[type(event).__name__]
    for field in kind.ids:
        identifier = getattr(event, field)
        if not identifier:
            return Rejected("bad_id", f"{field} is empty")
        if len(identifier) > MAX_ID:
            return Rejected("bad_id", f"{field} has {len(identifier)} characters, at most {MAX_ID} are allowed")
    if kind.time is not None and (at := getattr(event, kind.time)) is not None:
        if at <= 0:
            return Rejected("bad_time", f"{kind.time} is {at}: not after 1970")
        if at > _LAST_TIME or (now_ms is not None and at > now_ms + skew_ms):
            ahead = f"{(at - now_ms) // 1000} s in the future" if now_ms is not None else "after the year 9999"
            return Rejected("bad_time", f"{kind.time} is {ahead}")
    further = _FURTHER.get(type(event))
    return None if further is None else further(event)


def _check_connection(connection: Connection) -> Rejected | None:
    if connection.member_id == connection.other_member_id:
        return Rejected("bad_value", "a member cannot connect to itself")
    return None


def _check_posting(posting: JobPosting) -> Rejected | None:
    if posting.expires_at is not None and not 0 < posting.expires_at <= _LAST_TIME:
        return Rejected("bad_time", "expires_at is not between 1970 and 9999")
    for amount in (posting.salary_min, posting.salary_max):
        if amount is not None and not math.isfinite(amount):
            return Rejected("bad_value", "a salary is not a number")
    return None


def _check_profile(profile: MemberProfile) -> Rejected | None:
    if profile.salary_floor is not None and not math.isfinite(profile.salary_floor):
        return Rejected("bad_value", "salary_floor is not a number")
    return None


def _check_seen(seen: ImpressionSeen) -> Rejected | None:
    if any(position < 0 for position in seen.positions):
        return Rejected("bad_value", "a position is below 0")
    return None


def _check_impression(impression: Impression) -> Rejected | None:
    items = impression.items
    if not all(0 < len(item.job_id) <= MAX_ID for item in items):
        return Rejected("bad_id", "the job_id of an item is empty or too long")
    if len({item.job_id for item in items}) < len(items) or len({item.position for item in items}) < len(items):
        return Rejected("bad_value", "a job or a position is in it twice")
    if any(item.position < 0 for item in items):
        return Rejected("bad_value", "a position is below 0")
    if len({len(item.features) for item in items}) > 1 or any(len(item.features) % 4 for item in items):
        return Rejected("bad_value", "the features of its items do not fit each other, or are not float32")
    for item in items:  # written so that NaN fails too
        if not 0 < item.propensity <= 1 or not (item.p_check is None or 0 <= item.p_check <= 1):
            return Rejected("bad_value", f"a probability of {item.job_id!r:.100} is none")
    return None


def _check_example(example: TrainingExample) -> Rejected | None:
    rows = len(example.job_ids)
    if not rows or rows != len(example.labels) or rows != len(example.weights) or len(example.features) % (4 * rows):
        return Rejected("bad_value", f"{rows} jobs, {len(example.labels)} labels, {len(example.weights)} weights, "
                                     f"{len(example.features)} bytes of features do not fit")  # fmt: skip
    per_row = (example.score_weights, example.positions, example.propensities, example.served_p)
    if any(len(values) not in (0, rows) for values in per_row):
        return Rejected("bad_value", f"{rows} jobs, but {[len(values) for values in per_row]} score weights, positions, "
                                     "propensities and probabilities as served")  # fmt: skip
    if not math.isfinite(sum(example.labels) + sum(example.weights) + sum(example.score_weights)):
        return Rejected("bad_value", "a label or a weight is not a number")
    return None


_FURTHER: Final[dict[type, Callable[[Any], Rejected | None]]] = {
    Connection: _check_connection, JobPosting: _check_posting, MemberProfile: _check_profile,
    ImpressionSeen: _check_seen, Impression: _check_impression, TrainingExample: _check_example,
    JobActivity: partial(check_job_activity, max_id=MAX_ID, last_time=_LAST_TIME),
    MemberActivity: partial(check_member_activity, max_id=MAX_ID, last_time=_LAST_TIME),
}  # fmt: skip
