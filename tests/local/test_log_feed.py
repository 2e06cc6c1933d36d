"""Records reach Kafka in order and on time, and lists are asked for before the event that they are judged by."""

import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from streamrec import codecs
from streamrec.events import JobDismissal, JobPosting, JobView
from streamrec.local import log_feed as feeding
from streamrec.local.lists import Lists
from streamrec.local.log_feed import LogFeed
from streamrec.local.scrape import Samples
from streamrec.partitioner import partition_of
from streamrec.training.replay import Due
from tests.brokers import StartBroker, make_topic

pytestmark = pytest.mark.servers
PARTITIONS = 4


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[str]:
    """A broker of its own: the feed writes to the real topics' names."""
    with start_broker(tmp_path_factory.mktemp("broker")) as server:
        for name in ("job-views", "job-dismissals", "job-postings"):
            make_topic(server.address, name, PARTITIONS)
        yield server.address


def view(number: int, member: str = "m1", at: int = 0) -> Due:
    event = JobView(event_id=f"{uuid.uuid4()}", member_id=member, job_id=f"j{number}", occurred_at=at)
    return Due(at, "job-views", member, event)


def fed(
    kafka: str, lookup: Any, records: Iterable[Due], rate: float | None = None, speed: float | None = None
) -> LogFeed:
    feed = LogFeed(kafka, iter(records), Lists(*lookup.address), rate, speed)
    feed.begin()
    feed.start()
    feed.join(30)
    assert not feed.is_alive()
    assert feed.failure is None
    return feed


def consumed(kafka: str, topic: str, count: int) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    messages: list[Any] = []
    deadline = time.monotonic() + 20
    while len(messages) < count and time.monotonic() < deadline:
        messages += consumer.consume(count - len(messages), timeout=1)
    consumer.close()
    return messages


def test_records_arrive_encoded_in_order_and_where_their_key_belongs(kafka: str, lookup: Any) -> None:
    records = [view(number, f"m{number % 7}") for number in range(50)]
    feed = fed(kafka, lookup, records)
    assert (feed.sent, feed.failed, feed.ended) == (50, 0, True)
    messages = consumed(kafka, "job-views", 50)
    by_member: dict[str, list[str]] = {}
    for message in messages:
        event = codecs.decode("JobView", message.value())
        assert isinstance(event, JobView)
        assert message.key() == event.member_id.encode()
        assert message.partition() == partition_of(event.member_id, PARTITIONS)
        by_member.setdefault(event.member_id, []).append(event.job_id)
    assert by_member == {f"m{k}": [f"j{number}" for number in range(50) if number % 7 == k] for k in range(7)}


def test_events_keep_the_rate(kafka: str, lookup: Any) -> None:
    began = time.monotonic()
    fed(kafka, lookup, [view(number) for number in range(60)], rate=100)
    assert 0.5 < time.monotonic() - began < 3


def test_a_log_is_played_at_a_multiple_of_its_own_speed(kafka: str, lookup: Any) -> None:
    began = time.monotonic()
    fed(kafka, lookup, [view(number, at=1_000_000 + 10_000 * number) for number in range(6)], speed=100)
    assert 0.45 < time.monotonic() - began < 3


def test_events_wait_until_somebody_reads_but_postings_do_not(kafka: str, lookup: Any) -> None:
    posting = Due(0, "job-postings", "j1", JobPosting(job_id="j1", title="Night nurse"))
    feed = LogFeed(kafka, iter([posting, view(1)]), Lists(*lookup.address), 1000)
    feed.start()
    deadline = time.monotonic() + 10
    while feed.sent < 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not feed.ended
    assert feed.people.acts["m1"] == 0
    feed.begin()
    feed.join(10)
    assert (feed.sent, feed.ended, feed.people.deeds("m1", 3)) == (2, True, ("viewed Night nurse",))


def test_the_list_is_asked_for_before_the_event_and_counts_a_hit(
    kafka: str, lookup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "ASK_EVERY_S", 0.0)
    lookup.jobs = ["j2", "j9"]
    dismissal = JobDismissal(event_id="d", member_id="m1", job_id="j9", occurred_at=0)
    records = [view(1), view(2), view(2), Due(0, "job-dismissals", "m1", dismissal), view(9), view(9, member="m2")]
    feed = fed(kafka, lookup, records)
    # Asked: j1 (no hit), j2 (a hit), not j2 again, not the dismissal, not j9 after it; j9 of another member (a hit).
    assert lookup.asked == ["m1", "m1", "m2"]
    assert (feed.asked, feed.hits) == (3, 2)
    judgement = feed.judge(Samples(), 0.0)
    assert judgement.figures == {
        "asked": 3, "hits": 2, "popular_hits": 0, "hit_rate": 2 / 3, "popular_hit_rate": 0.0,
    }  # fmt: skip
    assert judgement.words == "hit rate 66.7 % (popularity 0.0 %)"


def test_lists_are_asked_for_no_more_often_than_allowed(kafka: str, lookup: Any) -> None:
    feed = fed(kafka, lookup, [view(number) for number in range(200)], rate=400)
    assert 1 <= feed.asked <= 0.5 / feeding.ASK_EVERY_S + 8


def test_the_most_viewed_jobs_are_the_other_list_without_what_the_member_has_touched(
    kafka: str, lookup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "ASK_EVERY_S", 0.0)
    monkeypatch.setattr(feeding, "_POPULAR_EVERY_S", -1.0)
    records = [*(view(1, member=f"m{number}") for number in range(5)), view(2), view(1, member="late")]
    feed = fed(kafka, lookup, records)
    # The first view of j1 is no hit (nothing is popular yet), the next four are, j2 is none, and the late one is.
    assert feed.popular_hits == 5


def test_stopping_ends_a_feed_that_waits_for_its_turn(kafka: str, lookup: Any) -> None:
    feed = LogFeed(kafka, (view(number) for number in range(10)), Lists(*lookup.address), rate=0.01)
    feed.begin()
    feed.start()
    feed.stop()
    feed.join(5)
    assert not feed.is_alive()
    assert not feed.ended


def test_a_broken_source_is_reported(kafka: str, lookup: Any) -> None:
    def broken() -> Iterator[Due]:
        yield view(1)
        raise ValueError("the file ends here")

    feed = LogFeed(kafka, broken(), Lists(*lookup.address))
    feed.begin()
    feed.start()
    feed.join(10)
    assert isinstance(feed.failure, ValueError)
    assert feed.sent == 1


def test_a_patient_feed_waits_for_what_it_has_sent(kafka: str, lookup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "MAX_BEHIND", 10)
    feed = LogFeed(kafka, (view(number) for number in range(25)), Lists(*lookup.address), patient=True)
    feed.begin()
    feed.start()

    def sent_after(processed: int, expected: int) -> None:
        feed.note(processed)
        deadline = time.monotonic() + 10
        while feed.sent < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        feed.join(0.2)
        assert feed.sent == expected

    sent_after(0, 10)
    sent_after(4, 14)
    sent_after(16, 25)
    assert feed.ended
