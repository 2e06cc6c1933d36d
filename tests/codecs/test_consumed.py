"""A Kafka record is an event, a tombstone, or rejected for its first fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.events import JobActivity, JobPosting, JobView, Rejected, Tombstone
from streamrec.partitioner import partition_of

NOW = 1_700_000_000_000
VIEW = JobView(event_id="e1", member_id="mü", job_id="j1", occurred_at=NOW)
POSTING = JobPosting(job_id="j1", title="Nurse")


def reason(record: str, key: bytes | None, value: bytes | None, tombstones: bool = False) -> str:
    answer = codecs.decode_record(record, key, value, NOW, 1000, tombstones)
    assert isinstance(answer, Rejected)
    return answer.reason


def test_a_good_record_is_its_event() -> None:
    assert codecs.decode_record("JobView", "mü".encode(), codecs.encode(VIEW), NOW, 0) == VIEW
    assert codecs.decode_record("JobPosting", b"j1", codecs.encode(POSTING), NOW, 0, tombstones=True) == POSTING


def test_a_null_value_is_a_tombstone_only_where_the_topic_has_them() -> None:
    assert codecs.decode_record("JobPosting", b"j1", None, NOW, 0, tombstones=True) == Tombstone("j1")
    assert reason("JobView", b"m1", None) == "missing_value"


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"k" * 513])
def test_a_tombstone_needs_a_usable_key(key: bytes | None) -> None:
    assert reason("JobPosting", key, None, tombstones=True) == "bad_key"


@pytest.mark.parametrize("key", [None, b"", b"m", b"j1", b"\xff"])
def test_the_key_must_be_the_id(key: bytes | None) -> None:
    assert reason("JobView", key, codecs.encode(VIEW)) == "bad_key"


def test_the_value_is_checked_before_the_key() -> None:
    late = codecs.encode(JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=NOW + 1001))
    assert reason("JobView", None, late) == "bad_time"
    assert reason("JobView", None, b"") == "unknown_schema"
    assert reason("JobView", None, codecs.encode(VIEW) + b"x") == "undecodable"


def test_the_key_of_an_internal_record_says_nothing_of_the_value() -> None:
    activity = JobActivity(source_topic="job-views", source_topic_id="x", source_partition=0, entries=())
    assert codecs.decode_record("JobActivity", None, codecs.encode(activity), NOW, 0) == activity
    assert codecs.decode_record("JobActivity", b"any", codecs.encode(activity), NOW, 0) == activity


def test_a_record_in_another_partition_than_its_keys_is_rejected() -> None:
    """Else two owners would write the member's state."""
    value, key = codecs.encode(VIEW), "mü".encode()
    right = partition_of("mü", 4)
    for partition in range(4):
        answer = codecs.decode_record("JobView", key, value, NOW, 0, partition=partition, partitions=4)
        if partition == right:
            assert answer == VIEW
        else:
            assert isinstance(answer, Rejected)
            assert answer.reason == "wrong_partition"
    wrong = (partition_of("j1", 4) + 1) % 4
    answer = codecs.decode_record("JobPosting", b"j1", None, NOW, 0, tombstones=True, partition=wrong, partitions=4)
    assert isinstance(answer, Rejected)
    assert answer.reason == "wrong_partition"


@given(
    st.sampled_from(codecs.RECORDS),
    st.none() | st.binary(max_size=30),
    st.none() | st.binary(max_size=60),
    st.booleans(),
)
def test_nothing_raises(record: str, key: bytes | None, value: bytes | None, tombstones: bool) -> None:
    answer = codecs.decode_record(record, key, value, NOW, 0, tombstones, partition=0, partitions=4)
    assert not isinstance(answer, Rejected) or answer.reason in codecs.REASONS
