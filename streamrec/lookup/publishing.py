"""Events to Kafka, and where there each of them is."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from streamrec import codecs, topics
from streamrec.codecs import Message
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.kafka.encoder import Encoder
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.kafka.registry import RegistryRefusedError, RegistryUnavailableError
from streamrec.lookup.tokens import Token
from streamrec.settings import Settings

UNAVAILABLE: Final = "kafka_unavailable"
NO_TOPIC: Final = "no_topic"
NOT_CONFIRMED: Final = "not_confirmed"
NO_SCHEMA: Final = "no_schema"

_IDS_LIVE_S: Final = 30.0  # after that they are asked for again: a topic may have been deleted and created anew

_log = logging.getLogger(__name__)


class Failed(msgspec.Struct, frozen=True):
    """Kafka did not confirm an event: it may or may not be there. `reason` is one of a few fixed words."""

    reason: str
    detail: str


class Publisher:
    """Produces events. Nothing is opened before the first one, so that a lookup without Kafka costs nothing.

    Parameters
    ----------
    settings
        Where Kafka is, and how long to wait for it (`produce_timeout_s`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patience_s = settings.produce_timeout_s
        self._encoder = Encoder(settings)
        self._producer: Producer | None = None
        self._admin: Admin | None = None
        self._ids: dict[str, str] = {}
        self._ids_at = float("-inf")
        self._refresh: asyncio.Task[None] | None = None

    async def publish(self, events: Sequence[Message]) -> list[Token | Failed]:
        """Send events, and wait until each is confirmed or given up: at most `produce_timeout_s`, all in all."""
        deadline = time.monotonic() + self._patience_s
        names = [topics.topic_of(type(event).__name__).name for event in events]
        try:
            async with asyncio.timeout(self._patience_s):
                await self._know(names)
        except (KafkaUnavailableError, TimeoutError) as error:
            why = str(error) or f"Kafka does not answer at {self._settings.kafka}"
            return [Failed(UNAVAILABLE, why)] * len(events)
        except KafkaRefusedError as error:
            return [Failed(NO_TOPIC, str(error))] * len(events)
        kinds = {type(event).__name__ for event in events}
        try:
            if not self._encoder.knows(kinds):
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await asyncio.to_thread(self._encoder.prepare, kinds)
        except (RegistryUnavailableError, RegistryRefusedError, TimeoutError) as error:
            why = str(error) or "the schema registry does not answer"
            return [Failed(NO_SCHEMA, why)] * len(events)
        if self._producer is None:
            self._producer = Producer(self._settings)
        records = [self._record(name, event) for name, event in zip(names, events, strict=True)]
        outcomes = await self._producer.send(records, max(0.0, deadline - time.monotonic()))
        return [
            Failed(NOT_CONFIRMED, str(outcome))
            if isinstance(outcome, ProduceFailedError)
            else Token(self._ids[name], name, outcome.partition, outcome.offset)
            for name, outcome in zip(names, outcomes, strict=True)
        ]

    async def _know(self, names: Iterable[str]) -> None:
        """Have the ids of these topics; those known are asked for again now and then, which no request waits for."""
        if any(name not in self._ids for name in names):
            await self._ask()
        elif time.monotonic() - self._ids_at > _IDS_LIVE_S and (self._refresh is None or self._refresh.done()):
            self._ids_at = time.monotonic()
            self._refresh = asyncio.create_task(self._ask_again())

    async def _ask(self) -> None:
        if self._admin is None:
            self._admin = Admin(self._settings, min(self._patience_s, 5.0))
        self._ids = await asyncio.to_thread(self._admin.topic_ids, topics.PUBLIC_TOPICS)
        self._ids_at = time.monotonic()

    async def _ask_again(self) -> None:
        try:
            await self._ask()
        except (KafkaUnavailableError, KafkaRefusedError) as error:
            _log.warning("the ids of the topics are not known anew: %s", error)

    def _record(self, topic: str, event: Message) -> Record:
        field = codecs.key_field(type(event).__name__)
        key = None if field is None else str(getattr(event, field)).encode()
        return Record(topic=topic, key=key, value=self._encoder.encode(event))

    async def close(self) -> None:
        """Give up what is not confirmed after a second, and close the connections."""
        if self._refresh is not None:
            self._refresh.cancel()
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close)
