"""Producing whole batches: acknowledged when `Producer.send` returns, at the cost of one future a batch.

Records with a key go to the partition that Kafka's default partitioner names (murmur2), as everywhere in streamrec.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as Client

from streamrec import tracing
from streamrec.kafka.client import open_client, report
from streamrec.metrics import KAFKA_ERRORS, PRODUCE_SECONDS, PRODUCED_RECORDS
from streamrec.settings import Settings

log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES: Final = 2_097_152  # a dead letter holds a whole record, and what is wrong with it
_BY_KEY: Final = -1
_FULL_PAUSE_S: Final = 0.005
_POLL_S: Final = 0.1
_ACKNOWLEDGED, _FAILED = PRODUCED_RECORDS.labels("acknowledged"), PRODUCED_RECORDS.labels("failed")


class Record(msgspec.Struct, frozen=True, gc=False):
    """What to produce. `partition` None leaves the choice to the key; a null `value` is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """Where a record is, acknowledged by all replicas that are in sync."""

    partition: int
    offset: int


class ProduceFailedError(Exception):
    """A record is not acknowledged: it may or may not be in the log. The message says why."""


Outcome = Delivered | ProduceFailedError


Report = Callable[[KafkaError | None, Any], None]


class _Batch:
    """The outcomes of one `send`: most are filled in by the poll thread, some by the sender."""

    __slots__ = ("_future", "_left", "_lock", "_loop", "outcomes")

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> None:
        self.outcomes: list[Outcome | None] = [None] * size
        self._left, self._lock = size, threading.Lock()
        self._loop, self._future = loop, future

    def report(self, index: int, error: KafkaError | None, message: Any) -> None:
        """Called by librdkafka, once for each record that it took."""
        if error is None:
            self.settle(index, Delivered(message.partition(), message.offset()))
        else:
            self.settle(index, ProduceFailedError(f"{message.topic()}: {error.str()}"))

    def settle(self, index: int, outcome: Outcome) -> None:
        """Note the outcome of a record; the last one wakes the sender."""
        self.outcomes[index] = outcome
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class Producer:
    """Produces for asyncio (`send`, `send_all`) or, in a command at full speed, without it (`send_now`, `flush`).

    Idempotent: librdkafka's own retries neither repeat nor reorder. Not safe for use after `close`.

    Parameters
    ----------
    settings
        `kafka` and `produce_timeout_s`: how long librdkafka tries to get a record acknowledged.
    linger_ms
        How long a record waits for others to share its request: 0 for a batch that somebody waits for.
    queue_records
        Records that may wait for Kafka; when it is full, `send` and `send_now` wait, and `offer` says no.
    own_thread
        Whether a thread takes the reports as they come. If not, call `poll` now and then: a thread that needs the
        interpreter for each report costs a busy process more than all the rest of producing.
    """

    def __init__(
        self, settings: Settings, linger_ms: float = 0.5, queue_records: int = 100_000, *, own_thread: bool = True
    ) -> None:
        self._own = {
            "partitioner": "murmur2_random",
            "enable.idempotence": True,  # and so acks=all
            "message.timeout.ms": int(settings.produce_timeout_s * 1000),
            "message.max.bytes": _MAX_MESSAGE_BYTES,
            "linger.ms": linger_ms,
            "compression.type": "lz4",
            "queue.buffering.max.messages": queue_records,
            "error_cb": self._on_error,
        }
        self._settings = settings
        self._patience_s = settings.produce_timeout_s
        self._fatal: str | None = None
        self._failed = 0
        self._first_failure: str | None = None
        self._closed = threading.Event()
        self._client = self._open()
        self._thread: threading.Thread | None = None
        if own_thread:
            self._thread = threading.Thread(target=self._poll, name="kafka-producer", daemon=True)
            self._thread.start()

    def _on_error(self, error: KafkaError) -> None:
        KAFKA_ERRORS.inc()
        if error.fatal():
            self._fatal = error.str()
        report(self._settings, error)

    def _open(self) -> Client:
        return open_client(Client, self._settings, "producer", self._own)

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._client.poll(_POLL_S)

    def _live(self) -> Client:
        """The client; a new one after a fatal error, which ends an idempotent producer for good."""
        if self._fatal is not None:
            log.warning("the producer starts anew after a fatal error: %s", self._fatal)
            self._fatal = None
            self._client.purge()
            self._client.flush(0)
            self._client = self._open()
        return self._client

    async def send(self, records: Sequence[Record], timeout_s: float) -> list[Outcome]:
        """Produce `records`, in their order within each partition, and wait until each is acknowledged or has failed.

        Parameters
        ----------
        records
            Any number, to any topics.
        timeout_s
            A record without an answer by then counts as failed, though it may still be written.

        Returns
        -------
        list of Delivered or ProduceFailedError
            One for each record.
        """
        if not records:
            return []
        with tracing.send(records):
            return await self._send(_carrying(records), timeout_s)

    async def _send(self, records: Sequence[Record], timeout_s: float) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        batch = _Batch(len(records), loop, future)
        began = loop.time()
        deadline = began + timeout_s
        client = self._live()
        for index, record in enumerate(records):
            try:
                await _take(client, record, partial(batch.report, index), deadline)
            except ProduceFailedError as failed:
                batch.settle(index, failed)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(future, max(0.0, deadline - loop.time()))
        outcomes = [
            outcome or ProduceFailedError(f"{record.topic}: not acknowledged within {timeout_s:g} s")
            for outcome, record in zip(batch.outcomes, records, strict=True)
        ]
        lost = sum(isinstance(outcome, ProduceFailedError) for outcome in outcomes)
        _FAILED.inc(lost)
        _ACKNOWLEDGED.inc(len(records) - lost)
        PRODUCE_SECONDS.observe(loop.time() - began)
        return outcomes

    async def send_all(self, records: Sequence[Record], timeout_s: float) -> None:
        """`send`, where all must be acknowledged.

        Raises
        ------
        ProduceFailedError
            Not all are; some may be.
        """
        failed = [outcome for outcome in await self.send(records, timeout_s) if isinstance(outcome, ProduceFailedError)]
        if failed:
            raise ProduceFailedError(f"{len(failed)} of {len(records)} records are not acknowledged: {failed[0]}")

    def send_now(self, record: Record) -> None:
        """Hand `record` over, waiting only while the queue to Kafka is full; what becomes of it is for `flush` to say.

        Raises
        ------
        ProduceFailedError
            It cannot be produced at all: too long, or the queue has not moved for `produce_timeout_s`.
        """
        client = self._live()
        deadline = time.monotonic() + self._patience_s
        while not _offer(client, record, self._note):
            if time.monotonic() > deadline:
                raise ProduceFailedError(f"{record.topic}: the queue to Kafka is full")
            time.sleep(_FULL_PAUSE_S)

    def offer(self, record: Record, report: Report) -> bool:
        """Hand `record` over without ever waiting; False when the queue is full.

        Parameters
        ----------
        report
            Called once for a record that was taken, by the producer's thread or by `poll`: with None when it is
            acknowledged, else with what went wrong; the second argument is of no use to others.

        Raises
        ------
        ProduceFailedError
            It cannot be produced at all.
        """
        return _offer(self._live(), record, report)

    def poll(self) -> None:
        """Take the reports that have come; never waits. For a producer without a thread of its own."""
        self._client.poll(0)

    def _note(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failed += 1
            self._first_failure = self._first_failure or f"{message.topic()}: {error.str()}"

    def flush(self, timeout_s: float) -> None:
        """Wait until all that was handed over by `send_now` is acknowledged.

        Raises
        ------
        ProduceFailedError
            Not all of it is, counted from the last `flush`.
        """
        left = self._client.flush(timeout_s)
        failed, first = self._failed, self._first_failure
        self._failed, self._first_failure = 0, None
        if failed or left:
            why = first or f"not acknowledged within {timeout_s:g} s"
            raise ProduceFailedError(f"{failed + left} records are not acknowledged: {why}")

    def close(self, timeout_s: float = 1.0) -> None:
        """Send what is left, for at most `timeout_s`, and stop. Safe to call twice."""
        if not self._closed.is_set():
            self._client.flush(timeout_s)
            self._closed.set()
            if self._thread is not None:
                self._thread.join()


def _carrying(records: Sequence[Record]) -> Sequence[Record]:
    """The records with what is traced in their headers; as they are while nothing is."""
    carried = tracing.carried()
    if not carried:
        return records
    return [msgspec.structs.replace(record, headers=(*record.headers, *carried)) for record in records]


async def _take(client: Client, record: Record, report: Report, deadline: float) -> None:
    """Hand `record` to the client, waiting while its queue is full."""
    while not _offer(client, record, report):
        if asyncio.get_running_loop().time() > deadline:
            raise ProduceFailedError(f"{record.topic}: the queue to Kafka is full")
        await asyncio.sleep(_FULL_PAUSE_S)


def _offer(client: Client, record: Record, report: Report) -> bool:
    """Whether the client's queue had room for `record`; raises ProduceFailedError if it never will."""
    try:
        client.produce(
            record.topic, record.value, record.key, _BY_KEY if record.partition is None else record.partition, report,
            headers=list(record.headers) or None,
        )  # fmt: skip
    except BufferError:
        return False
    except (KafkaException, ValueError) as error:  # too long, an unknown partition, a fatal state of the client
        raise ProduceFailedError(f"{record.topic}: {error}") from error
    return True
