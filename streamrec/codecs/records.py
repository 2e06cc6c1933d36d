"""The records of streamrec: which struct each is, what must hold for its fields, how it differs from its Avro form."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from streamrec.codecs import examples, impressions
from streamrec.events import (
    ActivityEntry,
    Connection,
    DeadLetter,
    Erasure,
    Impression,
    ImpressionSeen,
    JobActivity,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberActivity,
    MemberProfile,
    NetworkEntry,
    TrainingExample,
)

JobAction = JobView | JobSave | JobLike | JobApplication | JobDismissal
Message = (
    JobAction | Connection | JobPosting | MemberProfile | ImpressionSeen
    | JobActivity | MemberActivity | Impression | TrainingExample | DeadLetter | Erasure
)  # fmt: skip

_EVENT_BYTES: Final = 16_384  # a value; ids, and a few words
_ENTITY_BYTES: Final = 262_144

_encode_entries = msgspec.msgpack.Encoder().encode
_decode_entries = msgspec.msgpack.Decoder(tuple[ActivityEntry, ...]).decode
_decode_network = msgspec.msgpack.Decoder(tuple[NetworkEntry, ...]).decode
_asdict = msgspec.structs.asdict


def _activity_out(activity: JobActivity | MemberActivity) -> dict[str, Any]:
    return {**_asdict(activity), "entries": _encode_entries(activity.entries)}


def _activity_in(fields: dict[str, Any]) -> JobActivity:
    fields["entries"] = _decode_entries(fields["entries"])
    return JobActivity(**fields)


def _network_in(fields: dict[str, Any]) -> MemberActivity:
    fields["entries"] = _decode_network(fields["entries"])
    return MemberActivity(**fields)


def _letter_out(letter: DeadLetter) -> dict[str, Any]:
    return {**_asdict(letter), "headers": [{"name": name, "value": value} for name, value in letter.headers]}


def _letter_in(fields: dict[str, Any]) -> DeadLetter:
    fields["headers"] = tuple((header["name"], header["value"]) for header in fields["headers"])
    return DeadLetter(**fields)


class Kind(msgspec.Struct, frozen=True):
    """What is known of one record before its schema is read."""

    type: type[Message]
    ids: tuple[str, ...] = ()  # fields that must not be empty
    key: str | None = None  # the field that the record's key repeats
    time: str | None = None  # the field that must not be in the future
    max_bytes: int | None = None
    out: Callable[[Any], dict[str, Any]] = _asdict
    into: Callable[[dict[str, Any]], Message] | None = None  # default: by field
    write: Callable[[Any], bytes] | None = None  # the body; default: by the schema, of what `out` gives


_ACTION_IDS: Final = ("event_id", "member_id", "job_id")
KINDS: Final = {
    **{
        kind.__name__: Kind(kind, _ACTION_IDS, "member_id", "occurred_at", _EVENT_BYTES)
        for kind in (JobView, JobSave, JobLike, JobApplication, JobDismissal)
    },
    "Connection": Kind(
        Connection, ("event_id", "member_id", "other_member_id"), "member_id", "occurred_at", _EVENT_BYTES
    ),
    "JobPosting": Kind(JobPosting, ("job_id",), "job_id", "posted_at", _ENTITY_BYTES),
    "MemberProfile": Kind(MemberProfile, ("member_id",), "member_id", "updated_at", _ENTITY_BYTES),
    "ImpressionSeen": Kind(
        ImpressionSeen, ("event_id", "member_id", "request_id"), "member_id", "occurred_at", _EVENT_BYTES
    ),
    "JobActivity": Kind(JobActivity, ("source_topic", "source_topic_id"), out=_activity_out, into=_activity_in),
    "MemberActivity": Kind(MemberActivity, ("source_topic", "source_topic_id"), out=_activity_out, into=_network_in),
    "Impression": Kind(
        Impression, ("request_id", "member_id"), "member_id", "served_at", _ENTITY_BYTES, write=impressions.write
    ),
    "TrainingExample": Kind(TrainingExample, ("event_id", "member_id"), None, "occurred_at", write=examples.write),
    "Erasure": Kind(Erasure, ("digest",), "digest", "erased_at"),
    "DeadLetter": Kind(DeadLetter, out=_letter_out, into=_letter_in),
}

RECORDS: Final = tuple(KINDS)
PUBLIC_RECORDS: Final = RECORDS[:9]  # those that producers write, and that `from_json` takes


def key_field(record: str) -> str | None:
    """The field that the key of such a record repeats; None where the key says nothing about the value.

    Examples
    --------
    >>> key_field("JobPosting")
    'job_id'
    """
    return KINDS[record].key
