"""Faust's Kafka transport, changed in two places that streamrec lives by.

*Batches.* Faust starts two tasks for every message; here a message of Faust's is a whole partition batch (`Batch`), so that
this cost is paid once a fetch. The agent acknowledges a batch, not a record.

*Positions.* Where to read on is not what Kafka has committed, but what the store holds beside the state (see
`agents.ownership`): on assignment the consumer seeks there, and the offsets that it commits to Kafka follow the store, so that
the lag that Kafka's tools show is true. Faust's own bookkeeping of acknowledged offsets and of gaps between them is left out.

``BatchedTransport`` does both; ``StockTransport`` is Faust message by message with the same positions, for comparison.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.futures import notify


class Record(Protocol):
    """A record as aiokafka gives it: `timestamp` in ms, `headers` as pairs."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


class Batch:
    """Records of one partition, in order. `assignment` numbers the assignment under which they were read."""

    __slots__ = ("assignment", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: list[Record], assignment: int) -> None:
        self.topic, self.partition, self.records, self.assignment = topic, partition, records, assignment

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.records[-1].offset + 1


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Hands the value of a message to the agent as it is: a `Batch`, decoded by the agent in one go."""

    def compile(self, app: Any, **_options: Any) -> Callable[..., Awaitable[Any]]:
        """Build the function that Faust's conductor calls for each message."""

        async def decode(message: Any, **_ignored: Any) -> Any:
            return app.create_event(None, message.value, None, message)

        return decode


class _PromptThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with a fetch wait of ours (Faust fixes it at 1.5 s), which leaves the group whenever it stops."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms
        # What a producer's transaction aborted never happened, as in a rebuild.
        consumer._isolation_level = "read_committed"
        return consumer

    def stands(self, tp: TP) -> int | None:
        """The offset that is fetched next, None if `tp` is not assigned. It passes what is no record: marks of transactions."""
        assignment = None if self._consumer is None else self._consumer._subscription.subscription.assignment
        if assignment is None or tp not in assignment.tps:
            return None
        stands: int | None = assignment.state_value(tp)._position
        return stands

    async def on_thread_stop(self) -> None:
        """Called when the last commit is done; closing the consumer sends LeaveGroup."""
        coordinator = None if self._consumer is None else self._consumer._coordinator
        if coordinator is not None and coordinator.generation == 0:
            # The embedded broker counts generations from 0, Kafka from 1. Aiokafka takes 0 for being in no group and would
            # not leave it, so that the others waited for the session timeout. LeaveGroup itself carries no generation.
            coordinator.generation = 1
        await super().on_thread_stop()

    @property
    def refusal(self) -> Exception | None:
        """Why Kafka will never have this consumer in its group; None where it has, or may have. Faust does not look at it."""
        coordinator = None if self._consumer is None else self._consumer._coordinator
        if coordinator is None:
            return None
        joining, pending = coordinator._coordination_task, coordinator._pending_exception
        found: Exception | None = joining.exception() if joining.done() and not joining.cancelled() else pending
        return found


class PositionedConsumer(driver.Consumer):  # type: ignore[misc]
    """Reads from where the store says, and commits to Kafka what the store holds.

    The app (`agents.app.StreamApp`) gives `locate`: told the assigned partitions, it takes ownership and returns the next
    offset of each. It is called on every assignment, before any record is delivered.
    """

    assignments: int = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored: dict[TP, int] = {}
        self._read: dict[
            TP, tuple[int, int]
        ] = {}  # the offset after the last record delivered, and where we stand after it

    def _new_consumer_thread(self) -> Any:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Take ownership of what is assigned and seek to the stored positions."""
        self.assignments += 1
        self._stored.clear()
        self._read.clear()
        assigned = self.assignment()
        if not assigned:
            return {}
        offsets: Mapping[TP, int] = await self.app.locate(assigned)
        await self._thread.seek_wait(offsets)
        self._stored.update(offsets)
        self._read.update((tp, (offset, offset)) for tp, offset in offsets.items())
        return offsets

    def advance(self, tp: TP, next_offset: int) -> None:
        """Tell that the store holds everything of `tp` below `next_offset`; committed to Kafka within the commit interval."""
        self._stored[tp] = next_offset

    @property
    def refusal(self) -> Exception | None:
        """See `_PromptThread.refusal`."""
        found: Exception | None = self._thread.refusal
        return found

    def end(self, tp: TP) -> tuple[int, int] | None:
        """The offset after the last record of `tp`, and when Kafka said so (ms); None if it has not since the assignment.

        What ends a log may be no record but the mark of a transaction: whoever waited to read that would wait forever.
        """
        consumer = self._thread._consumer
        try:
            told_at = consumer.last_poll_timestamp(tp)  # first: the end may be newer than that, never older
            end = consumer.highwater(tp)
        except (AssertionError, AttributeError, KeyError):  # not assigned (any more), or not started
            return None
        if told_at is None or end is None:
            return None
        delivered, stands = self._read.get(tp, (0, 0))
        return (delivered if stands >= end else end), told_at

    def ack(self, message: Any) -> bool:
        """Let go of a message whose agent is done with it. What is committed does not depend on this."""
        first = not message.acked
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return first

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterable[TP]:
        return [tp for tp in self._stored if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        return self._stored.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between batches need no bookkeeping: the store's position is the truth."""

    def _batch(self, tp: TP, records: list[Record]) -> Any:
        """Wrap records as one message of Faust's, at the offset of the last one."""
        message = self._to_message(tp, records[-1])
        message.value = Batch(tp.topic, tp.partition, records, self.assignments)
        message.key = None
        return message


class BatchedConsumer(PositionedConsumer):
    """Delivers one message a partition batch."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Fetch once and yield each partition's records as one message."""
        assignment = self.assignments
        fetched, active = await self._wait_next_records(timeout)
        if fetched is None or self.should_stop:
            return
        if self.assignments != assignment:
            # Read before the partitions were assigned anew, or after: there is no telling. So they are read again, from
            # where the store ends; what is read twice is dropped by its offset.
            await self._thread.seek_wait({tp: self._stored[tp] for tp in fetched if tp in self._stored})
            return
        standing = {tp: self._thread.stands(tp) for tp in self._stored}
        for tp, records in fetched.items():
            if not self.flow_active or self.assignments != assignment:
                return
            if records and (active is None or tp in active or tp in self._buffered_partitions):
                yield tp, self._batch(tp, records)
        if self.assignments == assignment:
            for tp, stands in standing.items():
                if stands is not None:
                    delivered = fetched[tp][-1].offset + 1 if fetched.get(tp) else self._read[tp][0]
                    self._read[tp] = (delivered, stands)


class StockConsumer(PositionedConsumer):
    """Delivers record by record, as Faust does."""

    def _to_message(self, tp: TP, record: Any) -> Any:
        message = super()._to_message(tp, record)
        if not isinstance(message.value, Batch):
            message.value = Batch(tp.topic, tp.partition, [record], self.assignments)
        return message


class BatchedTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with `BatchedConsumer`."""

    Consumer: ClassVar[type[PositionedConsumer]] = BatchedConsumer


class StockTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport, message by message."""

    Consumer: ClassVar[type[PositionedConsumer]] = StockConsumer
