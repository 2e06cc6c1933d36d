"""The Faust application: streamrec's transport, and ownership taken on every assignment."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import faust
from aiokafka import errors
from faust.types import TP

from streamrec import metrics
from streamrec.agents.ownership import MismatchError, Ownership
from streamrec.agents.security import credentials, tuning
from streamrec.agents.transport import BatchedTransport, BatchSchema, StockTransport
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.settings import Settings
from streamrec.stores.base import SetBackError, Store, StoreUnavailableError
from streamrec.stores.generations import Generation, UnreadableGenerationError, unpack
from streamrec.stores.keys import current_key
from streamrec.topics import Topic

log = logging.getLogger(__name__)

EXIT_TRY_AGAIN, EXIT_WRONG_TOPICS, EXIT_MISMATCH = 1, 2, 3  # 2 also: Kafka refuses us, as something is set up
MOVED, SET_BACK = "rebuilt", "store_set_back"  # why a process begins anew
_LOOK_EVERY_S: Final = 0.5  # for a new generation, and whether the store holds what it was given
_REMEDIES: Final = {
    errors.InvalidSessionTimeoutError:
        "set session_timeout_s to what the brokers allow: group.min.session.timeout.ms is 6 s unless it was changed",
    errors.GroupAuthorizationFailedError: "give its user the right to READ the group",
}  # fmt: skip
_TRANSPORTS = {"batched": BatchedTransport, "stock": StockTransport}


class StreamApp(faust.App):  # type: ignore[misc]
    """One consumer group of streamrec: give it an `ownership` and attach agents (see `agents.base.attach`).

    `background` is what runs beside the agents, from before the first assignment to the end.
    """

    ownership: Ownership
    anew = ""  # why this process has to begin anew in place, if it has: see `process.run`
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()

    def __init__(self, role: str, settings: Settings) -> None:
        self.role, self.settings = role, settings
        self.fetch_wait_ms = settings.fetch_wait_ms
        self.batch_schema = BatchSchema()
        self._transport_class = _TRANSPORTS[settings.transport]
        session_s = settings.session_timeout_s
        directory = Path(settings.data_dir) / "faust"
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(
            f"{settings.group}-{role}",
            broker=[f"kafka://{server.strip()}" for server in settings.kafka.split(",")],
            store="memory://",
            datadir=directory,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,  # `streamrec topics create` does, with the settings of topics/*.toml
            broker_session_timeout=session_s,
            broker_heartbeat_interval=session_s / 12,  # who learns of a change of the group, learns it with a heartbeat
            broker_commit_interval=1.0,
            broker_max_poll_records=settings.batch_records,
            stream_buffer_maxsize=16,  # batches, not records
            stream_wait_empty=False,  # what is in flight is read again: positions are in the store
            consumer_auto_offset_reset="earliest",
            broker_credentials=credentials(settings),
            **tuning(settings),
        )

    def _new_transport(self) -> Any:
        return self._transport_class(self.conf.broker_consumer, self)

    async def on_start(self) -> None:
        """Start the `background` coroutines: Faust's own app tasks would wait for the first assignment."""
        await super().on_start()
        for work in (*self.background, self._watch_group):
            self.add_future(work())

    async def _watch_group(self) -> None:
        """End the process when Kafka refuses it for good: it would wait for partitions forever, and say nothing."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if (refusal := self.consumer.refusal) is not None:
                break
        remedy = _REMEDIES.get(type(refusal), "see what Kafka's log says")
        print(
            f"streamrec {self.role}: Kafka does not have it in the consumer group {self.conf.id}: {refusal}; {remedy}",
            file=sys.stderr,
        )
        self.halt(EXIT_WRONG_TOPICS)

    async def has_moved(self, store: Store, ours: Generation) -> bool:
        """Whether another generation than `ours` is the current one. Raises StoreUnavailableError."""
        [value] = await store.get([current_key(self.settings.namespace)])
        try:
            found = unpack(value, self.settings.partitions)
        except UnreadableGenerationError as error:
            log.warning("%s", error)
            return True  # whatever it is, it is not ours; a start will say so and end
        if found.id != ours.id:
            self.anew = self.anew or MOVED
        return self.anew != ""

    async def watch(self, store: Store, ours: Generation) -> None:
        """Stop the process in an orderly way once another generation than `ours` is the current one; see `run`."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                if await self.has_moved(store, ours):
                    break
            except StoreUnavailableError as error:
                log.debug("cannot look for a new generation: %s", error)
        if self.anew == SET_BACK:
            return  # is stopping already: a second signal would end it at once
        log.info("the state has been built anew: starting again with it")
        os.kill(os.getpid(), signal.SIGTERM)

    async def watch_store(self) -> None:
        """See twice a second that the store holds what was committed to it, also of slots that nothing is written to now."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.ownership.verify()
            except SetBackError as error:
                return self.set_back(error)
            except StoreUnavailableError as error:
                log.debug("cannot look whether the store holds all: %s", error)

    def set_back(self, error: SetBackError) -> None:
        """Stop the process in an orderly way and start it again in place: it reads on from what the store holds now."""
        if not self.anew:
            self.anew = SET_BACK
            log.warning("%s; starting again from what it holds, the log has the rest", error)
            os.kill(os.getpid(), signal.SIGTERM)

    async def locate(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Take ownership of what was assigned; called by the consumer before it delivers anything."""
        try:
            return await self.ownership.take(assigned)
        except MismatchError as error:
            print(f"streamrec {self.role}: {error}", file=sys.stderr)
            self.halt(EXIT_MISMATCH)
        except (StoreUnavailableError, KafkaUnavailableError, KafkaRefusedError) as error:
            print(f"streamrec {self.role}: it cannot take its partitions: {error}", file=sys.stderr)
            self.halt(EXIT_TRY_AGAIN)

    def advance(self, topic: str, partition: int, next_offset: int) -> None:
        """The store holds everything of this partition below `next_offset`."""
        self.consumer.advance(TP(topic, partition), next_offset)
        if (told := self.end(topic, partition)) is not None:  # None: the group is being assigned anew at this moment
            metrics.LAG.labels(topic, partition).set(max(0, told[0] - next_offset))

    def end(self, topic: str, partition: int) -> tuple[int, int] | None:
        """Where the partition ends, and when Kafka said so: see `PositionedConsumer.end`."""
        end: tuple[int, int] | None = self.consumer.end(TP(topic, partition))
        return end

    def _on_rebalance_when_stopped(self) -> None:
        """Faust closes the connection here, before LeaveGroup is sent: the others would wait for the session timeout."""

    @staticmethod
    def halt(code: int) -> NoReturn:
        """End the process now. Nothing is lost: what is not committed is read again, and nothing may be skipped."""
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


def check_topics(role: str, settings: Settings, specs: Mapping[str, Topic]) -> int:
    """Exit code for the topics of `specs` as Kafka has them; what is wrong, and what to do, goes to the standard error.

    0: as they must be; 1: Kafka does not answer, another try may help; 2: somebody has to mend them.
    """
    try:
        problems = Admin(settings).check(specs)
    except Admin.ERRORS as error:
        print(f"streamrec {role}: {error}", file=sys.stderr)
        return EXIT_TRY_AGAIN
    for problem in problems:
        print(f"streamrec {role}: {problem.topic}: {problem.what}; {problem.remedy}", file=sys.stderr)
    return EXIT_WRONG_TOPICS if problems else 0


def check_generation(role: str, settings: Settings, generation: Generation) -> int:
    """Exit code for the state as it was built: `EXIT_WRONG_TOPICS` if it has another number of partitions than the settings."""
    if generation.partitions == settings.partitions:
        return 0
    print(
        f"streamrec {role}: the state was built for {generation.partitions} partitions, the setting partitions is "
        f"{settings.partitions}: set partitions = {generation.partitions}, or let `streamrec rebuild` build it for another "
        "number", file=sys.stderr,
    )  # fmt: skip
    return EXIT_WRONG_TOPICS
