"""Events as JSON objects: what the lookup takes over HTTP, and what people are shown."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from streamrec.codecs.checks import check
from streamrec.codecs.framing import decode, encode
from streamrec.codecs.records import KINDS, PUBLIC_RECORDS, Message
from streamrec.events import Rejected

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]
_TIMES: Final = ("occurred_at", "updated_at", "posted_at", "expires_at")


def from_json(record: str, obj: object, now_ms: int | None = None, skew_ms: int = 0) -> Message | Rejected:
    """The event that a decoded JSON object describes, by the same rules as on Kafka.

    Parameters
    ----------
    record
        One of `PUBLIC_RECORDS`.
    obj
        Its fields by name. Times are milliseconds, or RFC 3339 with an offset.
    now_ms, skew_ms
        As for `decode_record`; None does not look for times in the future.

    Returns
    -------
    Message or Rejected
        What comes back can be encoded.

    Examples
    --------
    >>> from_json("MemberProfile", {"member_id": "m1", "updated_at": "2024-05-01T12:00:00+02:00"}).updated_at
    1714557600000
    >>> from_json("MemberProfile", {"member_id": "m1", "updated_at": 5, "shoe_size": 43})
    Rejected(reason='unknown_field', detail='a MemberProfile has no field `shoe_size`')
    """
    if record not in PUBLIC_RECORDS:
        return Rejected("unknown_schema", f"no record {record!r}; known are {', '.join(PUBLIC_RECORDS)}")
    fields = _fields(record, obj)
    if isinstance(fields, Rejected):
        return fields
    try:
        event = msgspec.convert(fields, KINDS[record].type)
    except msgspec.ValidationError as error:
        return Rejected("bad_value", str(error))
    if (rejected := check(event, now_ms, skew_ms)) is not None:
        return rejected
    try:
        # Finds what Avro cannot hold: numbers of too many bits, half of a surrogate pair, more bytes than allowed.
        return decode(record, encode(event))
    except (ValueError, OverflowError, TypeError) as error:
        return Rejected("bad_value", str(error)[:500])


def _fields(record: str, obj: object) -> dict[str, object] | Rejected:
    """`obj` with its times as milliseconds, if its names are those of the record."""
    if not isinstance(obj, dict):
        return Rejected("bad_value", f"a {record} is a JSON object")
    known = {field.name: field.required for field in msgspec.structs.fields(KINDS[record].type)}
    for name in obj:
        if name not in known:
            return Rejected("unknown_field", f"a {record} has no field `{str(name)[:100]}`")
    for name, required in known.items():
        if required and name not in obj:
            return Rejected("missing_field", f"a {record} needs `{name}`")
    fields = dict(obj)
    for name in _TIMES:
        if isinstance(text := fields.get(name), str):
            try:
                fields[name] = (msgspec.convert(text, _AwareTime) - _EPOCH) // _MILLISECOND
            except msgspec.ValidationError:
                return Rejected("bad_time", f"{name} is neither milliseconds nor RFC 3339 with an offset")
    return fields


def to_json(event: Message) -> dict[str, Any]:
    """The fields of `event` as JSON can hold them: times are milliseconds, bytes are base64; defaults are left out.

    Examples
    --------
    >>> from streamrec.events import JobSave
    >>> to_json(JobSave(event_id="e1", member_id="m1", job_id="j1", occurred_at=5, saved=False))
    {'event_id': 'e1', 'member_id': 'm1', 'occurred_at': 5, 'job_id': 'j1', 'saved': False}
    """
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields
