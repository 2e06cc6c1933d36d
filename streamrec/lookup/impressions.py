"""What answers showed, to Kafka: behind the answers' backs, so that none of them ever waits for it.

Best effort. What is shown waits in a queue of a bounded length; when Kafka cannot take it as fast as it comes, or is away, what
does not fit is dropped. `streamrec_lookup_impressions_total` counts what became of each record: ``sent`` (Kafka has it),
``dropped`` (the queue was full), ``failed`` (Kafka did not confirm it in time: it may be there or not).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError

from streamrec import codecs, topics
from streamrec.events import Impression
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.metrics import IMPRESSIONS
from streamrec.settings import Settings

_TOPIC: Final = topics.topic_of(Impression.__name__).name
_WAITING: Final = 2_000  # answers whose record is not made yet; a list of fifty jobs behind each
_ON_THE_WAY: Final = 10_000  # records that Kafka has not confirmed; some four kilobytes each
_LINGER_MS: Final = 20.0
_EVERY_S: Final = 0.05
_SLICE_S: Final = 0.001  # of work between two chances for answers
_ASK_AGAIN_S: Final = 5.0
_CLOSE_S: Final = 2.0

_SENT, _DROPPED, _FAILED = (IMPRESSIONS.labels(result) for result in ("sent", "dropped", "failed"))

_log = logging.getLogger(__name__)


class Impressions:
    """Makes records of what was shown and produces them, while `run` runs. Opens nothing before the first one.

    Parameters
    ----------
    settings
        Where Kafka is, and how long to try (`produce_timeout_s`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: deque[Callable[[], Impression]] = deque()
        self._producer: Producer | None = None
        self._asked_at = float("-inf")
        self._given = self._counted_sent = self._counted_failed = 0
        self._sent = self._failed = 0

    def add(self, make: Callable[[], Impression]) -> None:
        """An answer was given; `make` makes its record, and is called once there is time for it."""
        if len(self._waiting) < _WAITING:
            self._waiting.append(make)
        else:
            _DROPPED.inc()

    async def run(self) -> None:
        """Produce what was shown, for ever."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._waiting and await self._open():
                await self._hand_over()
            if self._producer is not None:
                self._producer.poll()
            self._count()

    async def close(self) -> None:
        """Produce what is left, for at most two seconds, and stop. Called once `run` has ended and no more answers come."""
        deadline = time.monotonic() + _CLOSE_S
        try:
            async with asyncio.timeout(_CLOSE_S):
                if self._waiting and await self._open():
                    await self._hand_over()
        except TimeoutError:
            pass
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close, max(0.0, deadline - time.monotonic()))
        self._count()
        if lost := len(self._waiting) + self._on_the_way:
            _FAILED.inc(lost)
            _log.warning("%d impressions are not confirmed by Kafka", lost)
        self._waiting.clear()

    @property
    def _on_the_way(self) -> int:
        return self._given - self._sent - self._failed

    async def _open(self) -> bool:
        """Whether there is a producer; the first time Kafka is asked for the topic, which a producer might create wrongly."""
        if self._producer is not None:
            return True
        if time.monotonic() - self._asked_at < _ASK_AGAIN_S:
            return False
        self._asked_at = time.monotonic()
        try:
            self._producer = await asyncio.to_thread(self._connect)
        except (KafkaUnavailableError, KafkaRefusedError) as error:
            _log.warning("impressions wait: %s", error)
            return False
        return True

    def _connect(self) -> Producer:
        Admin(self._settings, min(self._settings.produce_timeout_s, _CLOSE_S)).topic_ids([_TOPIC])
        return Producer(self._settings, _LINGER_MS, _ON_THE_WAY, own_thread=False)

    async def _hand_over(self) -> None:
        """Make and hand over what waits, giving answers their turn every millisecond."""
        assert self._producer is not None  # noqa: S101 - see `_open`
        until = time.monotonic() + _SLICE_S
        while self._waiting:
            make = self._waiting.popleft()
            if self._on_the_way >= _ON_THE_WAY:
                _DROPPED.inc()
            else:
                self._give(self._producer, make)
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + _SLICE_S

    def _give(self, producer: Producer, make: Callable[[], Impression]) -> None:
        impression = make()
        try:
            record = Record(topic=_TOPIC, key=impression.member_id.encode(), value=codecs.encode(impression))
            taken = producer.offer(record, self._report)
        except (ProduceFailedError, ValueError) as error:
            _FAILED.inc()
            _log.warning("the impression of %s cannot be produced: %s", impression.request_id, error)
        else:
            self._given += taken
            if not taken:
                _DROPPED.inc()

    def _report(self, error: KafkaError | None, _: Any) -> None:
        """Called for each record; the metrics are told in bulk."""
        if error is None:
            self._sent += 1
        else:
            self._failed += 1

    def _count(self) -> None:
        sent, failed = self._sent, self._failed
        if sent > self._counted_sent:
            _SENT.inc(sent - self._counted_sent)
        if failed > self._counted_failed:
            _FAILED.inc(failed - self._counted_failed)
        self._counted_sent, self._counted_failed = sent, failed
