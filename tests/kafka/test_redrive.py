"""Tests of streamrec.kafka.redrive without a broker: what is to become of a letter, and how batches are cut."""

from typing import Any

import msgspec
import pytest

from streamrec import codecs
from streamrec.codecs import Origin, Redriven
from streamrec.codecs.mending import FixError, parse_fix
from streamrec.events import DeadLetter, JobPosting, JobView
from streamrec.kafka import redrive
from streamrec.kafka.letters import Letter, opened
from streamrec.kafka.producer import Record
from streamrec.kafka.reader import Stored
from streamrec.kafka.redrive import Judge, Kept, Newest
from streamrec.settings import Settings

NOW = 1_700_000_000_000
VIEW = JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=5)
POSTING = codecs.encode(JobPosting(job_id="j1", title="t"))


def letter(value: bytes | None = codecs.encode(VIEW), key: bytes | None = b"m1", **fields: Any) -> Letter:
    dead = DeadLetter(
        topic="job-views", partition=3, offset=17, key=key, value=value, headers=(), reason="bad_time", detail="",
        failed_at=NOW,
    )  # fmt: skip
    value = codecs.encode(msgspec.structs.replace(dead, **fields))
    return opened(Stored("dead-letters", 0, 8, NOW, key, value, ()))


def judge(*fixes: str, force: bool = False) -> Judge:
    return Judge(Settings(), [parse_fix(fix) for fix in fixes], NOW, force=force)


def reason(verdict: Record | Kept) -> str:
    assert isinstance(verdict, Kept)
    return verdict.reason


def test_what_is_right_now_goes_out_untouched_with_its_origin() -> None:
    sent = judge()(letter())
    assert sent == Record(
        "job-views", b"m1", codecs.encode(VIEW), headers=Redriven(Origin("job-views", 3, 17), 2).headers()
    )


def test_a_letter_of_a_third_attempt_is_sent_as_the_fourth_of_the_same_origin() -> None:
    before = Redriven(Origin("job-views", 1, 2, "id"), 3)
    sent = judge()(letter(headers=before.headers()))
    assert isinstance(sent, Record)
    assert codecs.redriven("job-views", sent.headers) == Redriven(before.origin, 4)


def test_a_fix_mends_the_value_and_the_key_follows() -> None:
    sent = judge("member_id = 'm2'", "occurred_at = failed_at")(letter())
    assert isinstance(sent, Record)
    assert sent.key == b"m2"
    assert codecs.decode("JobView", sent.value or b"") == msgspec.structs.replace(VIEW, member_id="m2", occurred_at=NOW)


def test_a_fix_that_leaves_it_wrong_does_not_send_it() -> None:
    assert reason(judge("occurred_at = -1")(letter())) == "bad_time"


def test_a_fix_that_does_not_fit_names_the_letter() -> None:
    with pytest.raises(FixError, match=r"letter 0:8 \(job-views, bad_time\): 'colour = 1': a JobView has no field"):
        judge("colour = 1")(letter())


@pytest.mark.parametrize(
    ("value", "key", "why", "says"),
    [
        (b"garbage", b"m1", "unknown_schema", "c301"),
        (None, b"m1", "missing_value", "nothing can be done without --fix"),
        (codecs.encode(VIEW), None, "bad_key", "--fix can mend it"),
    ],
)
def test_what_is_sure_to_fail_again_is_kept_unless_forced(
    value: bytes | None, key: bytes | None, why: str, says: str
) -> None:
    kept = judge()(letter(value, key))
    assert isinstance(kept, Kept)
    assert (kept.reason, kept.forcible) == (why, True)
    assert says in kept.detail
    sent = judge(force=True)(letter(value, key))
    assert isinstance(sent, Record)
    assert (sent.key, sent.value) == (key, value)


def test_what_cannot_be_decoded_has_nothing_to_mend() -> None:
    kept = judge("job_id = 'j'", force=True)(letter(b"garbage"))
    assert isinstance(kept, Kept)
    assert "--fix has no fields to mend" in kept.detail


@pytest.mark.parametrize("topic", ["job-activity", "training-examples"])
def test_what_is_derived_is_never_sent(topic: str) -> None:
    assert reason(judge(force=True)(letter(topic=topic))) == "derived"


def test_what_names_no_topic_of_ours_is_never_sent() -> None:
    assert reason(judge(force=True)(letter(topic="nobodys"))) == "not_a_letter"
    assert (
        reason(judge(force=True)(opened(Stored("dead-letters", 0, 8, NOW, b"k", b"not a letter", ()))))
        == "not_a_letter"
    )


@pytest.mark.parametrize(
    ("places", "outdated"),
    [
        ({}, False),
        ({3: (17, NOW, "")}, False),  # itself
        ({3: (18, NOW, "")}, True),
        ({3: (18, NOW, "job-postings/3@17#")}, False),  # itself, sent and not marked
        ({0: (99, NOW - 1, "")}, False),  # of another partition: only time can tell
        ({0: (1, NOW + 1, "")}, True),
        ({0: (1, NOW - 1, ""), 3: (18, NOW, "")}, True),
    ],
)
def test_an_older_posting_does_not_replace_a_newer_one(places: dict[int, tuple[int, int, str]], outdated: bool) -> None:
    posting = letter(POSTING, b"j1", topic="job-postings")
    for force in (False, True):
        ask = judge(force=force)
        ask.newest = {("job-postings", b"j1"): Newest(places), ("job-postings", b"j2"): Newest({3: (99, NOW, "")})}
        assert isinstance(ask(posting), Kept) == (outdated and not force)


def test_a_batch_is_cut_by_its_number_and_by_its_size() -> None:
    def cut(count: int, size: int) -> list[int]:
        pairs = ((letter(), Record("job-views", b"m1", bytes(size))) for _ in range(count))
        return [len(batch) for batch in redrive._batches(pairs)]

    assert cut(7, 1_500_000) == [3, 3, 1]
    assert cut(450, 10) == [200, 200, 50]
    assert cut(0, 10) == []
