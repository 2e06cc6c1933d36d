"""A log into Kafka, and a look at the lists beforehand: did they hold what the member opens next?"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Sent

from streamrec import codecs
from streamrec.codecs import Message
from streamrec.events import Event, JobDismissal, JobEvent, JobPosting
from streamrec.local.feed import Feed
from streamrec.local.figures import percent
from streamrec.local.judgement import Judgement, Row
from streamrec.local.lists import Lists
from streamrec.local.scrape import Samples
from streamrec.training.replay import Due

ASK_EVERY_S: Final = 0.05  # between two lists that are asked for, whatever the rate of the events
ASK_EVERY: Final = 20  # events between two, of a feed that goes by what is processed: it comes in bursts
MAX_BEHIND: Final = 400
TOP: Final = 10  # jobs of a list that count for the hit rate
_POPULAR_EVERY_S: Final = 1.0
_POPULAR_DEPTH: Final = 100
_POLL_S: Final = 0.05
_FLUSH_S: Final = 20.0
_BEHIND_S: Final = 1.0  # a feed that could not keep up for this long goes on from now instead of sending a burst
_PRODUCER: Final = {
    "partitioner": "murmur2_random", "acks": "all", "linger.ms": 5, "message.timeout.ms": 30_000, "log_level": 0,
}  # fmt: skip


class LogFeed(Feed):
    """See `Feed`; events are paced, and `sent` are records that Kafka has acknowledged.

    Parameters
    ----------
    kafka
        Bootstrap servers.
    records
        What to send, drawn just before it is sent.
    lists
        Asked for a member's list before its first event on a job, at most every `ASK_EVERY_S`; this thread's own.
    rate
        Events a second; None is no limit.
    speed
        How many times faster than the log's own clock; None is no limit.
    patient
        Whether it waits while more than `MAX_BEHIND` records are not processed, by what `note` was told.

    Attributes
    ----------
    failed
        Records that Kafka has not taken.
    asked, hits, popular_hits
        Lists that came in time; those with the job in their top 10; what the most viewed jobs would have hit.
    """

    def __init__(
        self,
        kafka: str,
        records: Iterator[Due],
        lists: Lists,
        rate: float | None = None,
        speed: float | None = None,
        patient: bool = False,
    ) -> None:
        super().__init__(lists)
        self._records, self._rate, self._speed, self.lists = records, rate, speed, lists
        self._patient, self._queued = patient, 0
        self._producer = Producer({"bootstrap.servers": kafka, **_PRODUCER})
        self.failed = self.asked = self.hits = self.popular_hits = 0
        self._touched: dict[str, set[str]] = {}
        self._views: Counter[str] = Counter()
        self._popular: list[str] = []
        self._popular_at = self._asked_at = 0.0
        self._unasked = 0
        self._turn = 0.0  # when the next event is due at `rate`
        self._began: tuple[float, int] | None = None  # the first event: our clock, the log's (ms)

    def judge(self, trainer: Samples, elapsed_s: float) -> Judgement:  # noqa: ARG002 - the log itself tells
        """See `Feed.judge`."""
        asked = self.asked
        hit_rate, popular = (hits / asked if asked else None for hits in (self.hits, self.popular_hits))
        beside = f"a list of the most viewed jobs: {percent(popular)}"
        return Judgement(
            rows=(Row(f"hit rate @{TOP}", percent(hit_rate), beside),),
            words=f"hit rate {percent(hit_rate)} (popularity {percent(popular)})",
            summary=(("hit rate", f"{percent(hit_rate)} of {asked:,} lists held the job opened next; {beside}"),),
            figures={
                "asked": asked, "hits": self.hits, "popular_hits": self.popular_hits,
                "hit_rate": hit_rate, "popular_hit_rate": popular,
            },
        )  # fmt: skip

    def _feed(self) -> None:
        for record in self._records:
            if isinstance(record.event, Event):
                self._wait_for_turn(record.at)
            if self._stopping.is_set():
                return
            self._look(record.event)
            self._send(record)
        self.ended = True

    def _close(self) -> None:
        self._producer.flush(10)
        self.lists.close()

    def _wait_for_turn(self, at: int) -> None:
        if self.began_at is None:
            self._producer.flush(_FLUSH_S)
            self._wait_for_readers()
            self.began_at = self._turn = time.monotonic()
        while self._patient and self._queued - self._processed >= MAX_BEHIND and not self._stopping.is_set():
            self._producer.poll(0)
            with self._progress:
                self._progress.wait(_POLL_S)
        turn = now = time.monotonic()
        if self._rate is not None:
            turn = self._turn = max(self._turn + 1 / self._rate, now - _BEHIND_S)
        if self._speed is not None:
            self._began = self._began or (now, at)
            turn = max(turn, self._began[0] + (at - self._began[1]) / 1000 / self._speed)
        if turn - now > 0.001:
            self._producer.poll(0)
            self._stopping.wait(turn - now)

    def _send(self, record: Due) -> None:
        value = codecs.encode(record.event)
        while True:
            try:
                self._producer.produce(record.topic, value, record.key.encode(), on_delivery=self._delivered)
            except BufferError:  # its queue is full: Kafka is slower than we are
                self._producer.poll(0.1)
            else:
                self._queued += 1
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _message: Sent) -> None:
        if error is None:
            self.sent += 1
        else:
            self.failed += 1
            self.failure = KafkaException(error)

    def _look(self, record: Message) -> None:
        if isinstance(record, JobPosting) and record.closed:
            self._views.pop(record.job_id, None)
        elif isinstance(record, JobEvent):
            self._look_at_list(record)
        self.people.note(record)

    def _look_at_list(self, event: JobEvent) -> None:
        touched = self._touched.setdefault(event.member_id, set())
        first = event.job_id not in touched
        now = time.monotonic()
        self._unasked += 1
        due = now - self._asked_at >= ASK_EVERY_S or (self._patient and self._unasked >= ASK_EVERY)
        if first and due and not isinstance(event, JobDismissal):
            self._asked_at, self._unasked = now, 0
            if (answer := self.lists.ask(event.member_id, TOP)) is not None:
                self.asked += 1
                self.hits += any(item["job_id"] == event.job_id for item in answer["items"])
                self.popular_hits += event.job_id in self._most_viewed(touched, now)
        touched.add(event.job_id)
        self._views[event.job_id] += 1

    def _most_viewed(self, without: set[str], now: float) -> list[str]:
        if now - self._popular_at > _POPULAR_EVERY_S:
            self._popular, self._popular_at = [job for job, _ in self._views.most_common(_POPULAR_DEPTH)], now
        return [job for job in self._popular if job not in without][:TOP]
