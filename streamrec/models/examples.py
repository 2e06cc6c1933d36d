"""Keys of training examples: unique, so that each can be removed from the log by a tombstone, and findable by member."""

from streamrec.events import TrainingExample

_END = b"\x00"  # no id holds it, since ids are text that people can write; and it sorts before everything


def example_key(example: TrainingExample) -> bytes:
    """The record key of an example.

    Examples
    --------
    >>> example = TrainingExample(
    ...     event_id="e1", member_id="m1", occurred_at=0, source_topic="job-views", source_topic_id="id", source_partition=2,
    ...     source_offset=7, source_index=0, feature_set="toy/1", job_ids=(), labels=(), weights=(), features=b"")
    >>> example_key(example), is_example_of(example_key(example), "m1"), is_example_of(example_key(example), "m")
    (b'm1\\x00job-views/2@7.0', True, False)
    """
    place = f"{example.source_topic}/{example.source_partition}@{example.source_offset}.{example.source_index}"
    return example.member_id.encode() + _END + place.encode()


def is_example_of(key: bytes, member_id: str) -> bool:
    """Whether the key is of an example of this member."""
    return key.startswith(member_id.encode() + _END)
