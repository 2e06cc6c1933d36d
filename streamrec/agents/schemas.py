"""Schemas of the registry, fetched before a batch is decoded.

Two things can go wrong, and they are not the same. An outage of the registry holds up the batches that need a schema which is not
known yet, for as long as it lasts; nothing is lost, and all others go on. That the registry knows no such id is its answer: it is
asked again for `registry_patience_s`, since a schema may be on its way to it, and then the records go to ``dead-letters``.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from streamrec import metrics
from streamrec.agents.transport import Record
from streamrec.codecs import Writers
from streamrec.kafka.registry import Registry, RegistryUnavailableError
from streamrec.settings import Settings

_ASK_AGAIN_S: Final = 60.0  # an id that was given up may be registered later
_GIVEN_UP_MOST: Final = 3  # in that time; further ids are asked for once: garbage must not hold up a partition for good
_PENDING_MOST: Final = 20  # asked for at a time
_ABSENT_KEPT: Final = 10_000


class SchemaPendingError(Exception):
    """The registry does not know a schema yet that a record names; it is asked again soon."""


class Schemas:
    """What the registry of an installation is known to have; one for all agents of a process.

    Parameters
    ----------
    registry
        Where schemas are asked for.
    patience_s
        How long an id that the registry does not know is waited for.
    clock
        Seconds, of any origin.
    """

    def __init__(self, registry: Registry, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.writers = Writers(registry.where)
        self._registry, self._patience_s, self._clock = registry, patience_s, clock
        self._missed_at: dict[int, float] = {}  # when the registry first said that it has no such id
        self._absent: dict[int, float] = {}  # ids given up, and when they were asked for last
        self._given_up: deque[float] = deque(maxlen=_GIVEN_UP_MOST)
        self._turn = asyncio.Lock()  # several partitions wait for one answer, not for one each

    @classmethod
    def of(cls, settings: Settings) -> "Schemas | None":
        """Those of the configured registry; None without one.

        Raises
        ------
        SettingsError
            See `Registry`.
        """
        return None if settings.schema_registry is None else cls(Registry(settings), settings.registry_patience_s)

    async def fetch(self, topic: str, records: Sequence[Record]) -> None:
        """Have every schema that `records` name, except for those that are given up. Costs next to nothing if none is new.

        Raises
        ------
        SchemaPendingError, RegistryUnavailableError
            Not yet; call again, with pauses that grow.
        """
        if not self.writers.unknown(record.value for record in records):
            return
        async with self._turn:
            pending = []
            for schema_id in sorted(self.writers.unknown(record.value for record in records)):
                if not await self._settled(topic, schema_id):
                    pending.append(str(schema_id))
                    if len(pending) == _PENDING_MOST:
                        break
        if pending:
            metrics.HELD_BY_REGISTRY.labels(topic).inc()
            named = ", ".join(pending[:5]) + (" …" if len(pending) > 5 else "")
            raise SchemaPendingError(f"the registry at {self._registry.where} has no schema {named} yet")

    async def _settled(self, topic: str, schema_id: int) -> bool:
        """Whether there is no need to wait for this schema: it is known now, or given up."""
        now = self._clock()
        if now - self._absent.get(schema_id, float("-inf")) < _ASK_AGAIN_S:
            return True
        try:
            schema = await asyncio.to_thread(self._registry.schema, schema_id)
        except RegistryUnavailableError:
            metrics.REGISTRY_LOOKUPS.labels("unavailable").inc()
            metrics.HELD_BY_REGISTRY.labels(topic).inc()
            self._missed_at.clear()  # what it said before the outage is not held against an id
            raise
        metrics.REGISTRY_LOOKUPS.labels("unknown" if schema is None else "found").inc()
        if schema is not None:
            self.writers.add(schema_id, schema)
            self._missed_at.pop(schema_id, None)
            self._absent.pop(schema_id, None)
            return True
        if schema_id not in self._absent:
            first = self._missed_at.setdefault(schema_id, now)
            busy = len(self._given_up) == _GIVEN_UP_MOST and now - self._given_up[0] < _ASK_AGAIN_S
            if now - first < self._patience_s and not busy:
                return False
            if not busy:
                self._given_up.append(now)
            self._missed_at.pop(schema_id, None)
        self._absent[schema_id] = now
        if len(self._absent) > _ABSENT_KEPT:
            self._absent.pop(next(iter(self._absent)))
        return True
