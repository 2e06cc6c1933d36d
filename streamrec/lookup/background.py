"""Writes that no request waits for: who was asked for, and lists that were ranked for an answer.

Both are hints for speed. They are collected for a moment and written together; when the store is away they are dropped.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from streamrec.stores.base import Put, Store, StoreUnavailableError
from streamrec.stores.keys import Keys

_EVERY_S: Final = 0.1
_PENDING: Final = 2_000  # writes that wait at most; more are dropped
_REMEMBERED: Final = 100_000  # members
_AGAIN_S: Final = 300.0  # a member is marked again after so long, or sooner if the mark lives shorter
_PATIENCE_S: Final = 2.0

_log = logging.getLogger(__name__)


class Background:
    """Collects such writes, and makes them while `run` runs.

    Parameters
    ----------
    store, keys
        Where to.
    asked_within_s
        How long the mark of a member who was asked for lives: until then the worker keeps the member's list fresh.
    list_ttl_s
        How long a list lives that was ranked for an answer.
    clock_s
        Any clock that never goes back, seconds.
    """

    def __init__(
        self, store: Store, keys: Keys, asked_within_s: int, list_ttl_s: int, clock_s: Callable[[], float]
    ) -> None:
        self._store, self._keys, self._clock_s = store, keys, clock_s
        self._asked_within_s, self._list_ttl_s = max(1, asked_within_s), max(1, list_ttl_s)
        self._again_s = min(_AGAIN_S, asked_within_s / 3)
        self._asked: dict[str, float] = {}  # member -> when marked last; oldest first
        self._pending: dict[str, Put] = {}

    def move(self, keys: Keys) -> None:
        """Write to another generation from now on: nobody has been marked there."""
        self._keys = keys
        self._asked.clear()

    def asked(self, member_id: str) -> None:
        """Somebody asked for this member's list."""
        now = self._clock_s()
        if now - self._asked.get(member_id, float("-inf")) < self._again_s:
            return
        if self._add(Put(self._keys.asked(member_id), b"1", ttl_s=self._asked_within_s)):
            self._asked.pop(member_id, None)
            self._asked[member_id] = now
            if len(self._asked) > _REMEMBERED:
                del self._asked[next(iter(self._asked))]

    def ranked(self, member_id: str, packed: bytes) -> None:
        """This list was ranked for an answer, and can serve the next one."""
        self._add(Put(self._keys.ranked(member_id), packed, ttl_s=self._list_ttl_s))

    def _add(self, put: Put) -> bool:
        if put.key not in self._pending and len(self._pending) >= _PENDING:
            return False
        self._pending[put.key] = put
        return True

    async def flush(self) -> None:
        """Write what was collected; what cannot be written is dropped, and members will be marked anew."""
        if not self._pending:
            return
        writes, self._pending = list(self._pending.values()), {}
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._store.put(writes)
        except (StoreUnavailableError, TimeoutError) as error:
            self._asked.clear()
            _log.debug("%d writes of hints dropped: %s", len(writes), error)

    async def run(self) -> None:
        """Write every tenth of a second; when cancelled, once more."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.flush()
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await self.flush()
