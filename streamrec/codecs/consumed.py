"""A Kafka record -> event, tombstone, or the reason why it is neither."""

from streamrec.codecs.checks import MAX_ID, check
from streamrec.codecs.framing import decode
from streamrec.codecs.records import KINDS, Message
from streamrec.codecs.writers import Writers
from streamrec.events import Rejected, Tombstone
from streamrec.partitioner import partition_of


def decode_record(
    record: str,
    key: bytes | None,
    value: bytes | None,
    now_ms: int,
    skew_ms: int,
    tombstones: bool = False,
    partition: int = 0,
    partitions: int | None = None,
    *,
    writers: Writers | None = None,
) -> Message | Tombstone | Rejected:
    """The event in a Kafka record, decoded and checked.

    Parameters
    ----------
    record
        Name of the schema that the topic carries.
    key, value
        As they came.
    now_ms, skew_ms
        A time after ``now_ms + skew_ms`` is rejected.
    tombstones
        Whether a null value means that the entity behind `key` is gone.
    partition, partitions
        Where the record was, and of how many; None does not check that it is where its key belongs.
    writers
        Schemas of the registry, for values in the Confluent wire format; None where there is no registry.

    Returns
    -------
    Message, Tombstone or Rejected
        `Rejected.reason` is one of `REASONS`. Never raises.

    Examples
    --------
    >>> decode_record("JobPosting", b"j1", None, now_ms=0, skew_ms=0, tombstones=True)
    Tombstone(key='j1')
    """
    event: Message | Tombstone | Rejected
    if value is None:
        event, owner = _tombstone(record, key, tombstones)
    else:
        event, owner = _keyed(record, key, value, now_ms, skew_ms, writers)
    if partitions is not None and owner and (owns := partition_of(owner, partitions)) != partition:
        return Rejected(
            "wrong_partition", f"the key belongs to partition {owns} by Kafka's default partitioner (murmur2)"
        )
    return event


def _tombstone(record: str, key: bytes | None, allowed: bool) -> tuple[Tombstone | Rejected, str]:
    if not allowed:
        return Rejected("missing_value", f"a {record} cannot be null: the topic has no tombstones"), ""
    if not key:
        return Rejected("bad_key", "a tombstone without a key says nothing"), ""
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return Rejected("bad_key", "not UTF-8"), ""
    if len(name) > MAX_ID:
        return Rejected("bad_key", f"longer than {MAX_ID} characters"), ""
    return Tombstone(name), name


def _keyed(
    record: str, key: bytes | None, value: bytes, now_ms: int, skew_ms: int, writers: Writers | None
) -> tuple[Message | Rejected, str]:
    event = decode(record, value, writers)
    if type(event) is Rejected:
        return event, ""
    rejected = check(event, now_ms, skew_ms)  # type: ignore[arg-type]
    if rejected is not None:
        return rejected, ""
    field = KINDS[record].key
    if field is None:
        return event, ""
    owner: str = getattr(event, field)
    if key is None:
        return Rejected("bad_key", f"no key; it must be the {field}"), ""
    if key != owner.encode():
        return Rejected("bad_key", f"the key is not the {field}"), ""
    return event, owner
