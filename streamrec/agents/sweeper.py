"""Forgets members who never return and jobs that are over, slot by slot, by the rules of `features.forgetting`.

A sweep is a transaction of the slot's owner as any other: under its turn, fenced, and told to those who follow the jobs. It
moves no position: what it forgets, a record that comes later would not have gone on with.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from streamrec import metrics
from streamrec.agents.jobs import CHANGES_KEPT
from streamrec.agents.ownership import Hold, state_delete, state_write
from streamrec.features.columns import EXPIRES_AT, LAST_AT, POSTED_AT
from streamrec.features.forgetting import begin_anew, is_idle, is_over
from streamrec.features.state import JobState, MemberState, UnreadableStateError, unpack
from streamrec.features.table import JobTable
from streamrec.settings import Settings
from streamrec.stores.base import Append, FencedError, Store, StoreUnavailableError, Write
from streamrec.stores.keys import Keys

log = logging.getLogger(__name__)

_AT_ONCE: Final = 200  # members or jobs in one transaction
_PAUSE_S: Final = 0.02  # between two of them: events come first


class Sweeper:
    """Sweeps the slots that this process holds, again and again.

    Parameters
    ----------
    settings, store, keys
        As everywhere.
    table
        Gives the table of jobs as it is now: it names the jobs that may be over, their states decide.
    holds
        Gives the slots that are held now.
    """

    def __init__(
        self, settings: Settings, store: Store, keys: Keys, table: Callable[[], JobTable],
        holds: Callable[[], Sequence[Hold]],
    ) -> None:  # fmt: skip
        self._settings, self._store, self._keys = settings, store, keys
        self._table, self._holds = table, holds
        for kind in ("member", "job"):
            metrics.FORGOTTEN.labels(kind)  # told from the start: what has not happened yet is 0

    async def run(self) -> None:
        """Sweep for ever; what fails waits for the next sweep."""
        while True:
            await asyncio.sleep(self._settings.sweep_every_s)
            try:
                # A past log that is replayed into a system must not be forgotten as soon as it is there.
                await self.sweep(min(time.time_ns() // 1_000_000, newest_action(self._table())))
            except StoreUnavailableError as error:
                log.warning("the sweep of what is to be forgotten waits: %s", error)

    async def sweep(self, now: int) -> None:
        """Forget what there is to forget at `now` (ms). Raises StoreUnavailableError."""
        if self._settings.job_kept_ms:
            await self._sweep_jobs(now)
        if self._settings.member_kept_ms:
            await self._sweep_members(now)

    async def _sweep_jobs(self, now: int) -> None:
        by_slot: dict[str, list[str]] = {}
        for job_id in over(self._table(), now, self._settings.job_kept_ms):
            by_slot.setdefault(self._keys.job_slot(job_id), []).append(job_id)
        for slot, jobs in by_slot.items():
            for start in range(0, len(jobs), _AT_ONCE):
                await self._in_turn(slot, jobs[start : start + _AT_ONCE], self._forget_jobs, now)

    async def _sweep_members(self, now: int) -> None:
        async for names in self._store.walk(self._keys.members_pattern()):
            by_slot: dict[str, list[str]] = {}
            for member_id in filter(None, map(self._keys.member_id, names)):
                by_slot.setdefault(self._keys.member_slot(member_id), []).append(member_id)
            for slot, members in by_slot.items():
                for start in range(0, len(members), _AT_ONCE):
                    await self._in_turn(slot, members[start : start + _AT_ONCE], self._forget_members, now)

    async def _in_turn(
        self, slot: str, ids: list[str], forget: Callable[[Hold, list[str], int], Awaitable[None]], now: int
    ) -> None:
        hold = next((hold for hold in self._holds() if hold.name == slot), None)
        if hold is None:
            return
        try:
            async with hold.turn:
                try:
                    await forget(hold, ids, now)
                except BaseException:
                    hold.forget()
                    raise
        except FencedError as error:
            hold.refused(error)
        except UnreadableStateError as error:
            log.warning("the sweep of %s passes over what cannot be read: %s", slot, error)
        await asyncio.sleep(_PAUSE_S)

    async def _forget_jobs(self, hold: Hold, jobs: list[str], now: int) -> None:
        values = await hold.slot.read([self._keys.job(job_id) for job_id in jobs])
        gone = [
            job_id
            for job_id, value in zip(jobs, values, strict=True)
            if is_over(unpack(JobState, value), now, self._settings.job_kept_ms)
        ]
        if not gone:
            return
        writes: list[Write] = [
            state_delete(hold, key(job_id)) for job_id in gone for key in (self._keys.job, self._keys.neighbours)
        ]
        writes.append(Append(self._keys.changes(hold.name), msgspec.msgpack.encode(gone), CHANGES_KEPT))
        await hold.slot.commit(writes)
        metrics.FORGOTTEN.labels("job").inc(len(gone))

    async def _forget_members(self, hold: Hold, members: list[str], now: int) -> None:
        values = await hold.slot.read([self._keys.member(member_id) for member_id in members])
        writes: list[Write] = []
        count = 0
        for member_id, value in zip(members, values, strict=True):
            state = unpack(MemberState, value)
            if not is_idle(state, now, self._settings.member_kept_ms):
                continue
            begin_anew(state)
            count += 1
            key = self._keys.member(member_id)
            writes.append(state_write(hold, key, state) if state.version else state_delete(hold, key))
        if writes:
            await hold.slot.commit(writes)
            metrics.FORGOTTEN.labels("member").inc(count)


def newest_action(table: JobTable) -> int:
    """When somebody last acted on any job, ms; 0 where nobody has."""
    return int(table.columns.times[: len(table), LAST_AT].max(initial=0))


def over(table: JobTable, now: int, kept_ms: int) -> list[str]:
    """Jobs that `is_over` may hold for, by the table: it may be a moment behind, and knows no more than their numbers."""
    n = len(table)
    times = table.columns.times[:n]
    ended = times[:, EXPIRES_AT] <= now
    newest = np.maximum(times[:, LAST_AT], times[:, POSTED_AT])
    newest = np.where(ended, np.maximum(newest, times[:, EXPIRES_AT]), newest)
    done = (table.closed | ended | ~table.has_posting) & (newest + kept_ms < now)
    return [table.ids[row] for row in np.flatnonzero(done).tolist() if table.row(table.ids[row]) is not None]
