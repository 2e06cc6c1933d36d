"""Keeps the lists of members who acted fresh, as long as somebody asks for them and the CPU budget lasts.

Lists are caches: what is shed here is ranked by the lookup when it is asked for. So while events wait, all of it is shed: a
list costs the worker as much as ten events.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from streamrec import metrics
from streamrec.ranking.default import default_workflow
from streamrec.ranking.engine import rank
from streamrec.ranking.ranked import pack
from streamrec.settings import Settings
from streamrec.stores.base import Put, StoreUnavailableError, Write
from streamrec.stores.inputs import Inputs
from streamrec.stores.keys import Keys
from streamrec.stores.serving import Serving

log = logging.getLogger(__name__)

_CHUNK: Final = 16  # members read, and lists written, at once
_BURST_S: Final = 0.5  # CPU time that may be saved up while nobody acts
_WAITING: Final = 10_000  # members that may wait at the most


class CpuBudget:
    """A share of one core: earns `share` seconds of CPU time a second, up to `burst_s`.

    Examples
    --------
    >>> budget = CpuBudget(0.25, burst_s=0.5, now=0.0)
    >>> budget.spend(0.5); budget.left(now=0.0), budget.left(now=1.0)
    (0.0, 0.25)
    """

    def __init__(self, share: float, burst_s: float, now: float) -> None:
        self._share, self._burst_s = share, burst_s
        self._left, self._at = burst_s, now

    def left(self, now: float) -> float:
        """Seconds that may be spent now."""
        self._left = min(self._burst_s, self._left + (now - self._at) * self._share)
        self._at = now
        return self._left

    def spend(self, seconds: float) -> None:
        """Take what was used; may leave a debt."""
        self._left -= seconds


class Recommender:
    """Collects members who acted (`changed`) and ranks their lists anew in the background (`run`), by the default workflow.

    Without a clock for its budget: nobody waits for these lists, and one by a fallback would not be worth keeping.

    Attributes
    ----------
    behind
        Whether the worker has more events waiting than it should; to be set by whoever knows, default never.
    """

    def __init__(self, serving: Serving, keys: Keys, settings: Settings) -> None:
        self._serving, self._keys, self._settings = serving, keys, settings
        self._workflow = default_workflow(settings)
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.behind: Callable[[], bool] = lambda: False
        self._budget = CpuBudget(settings.rerank_cpu_share, _BURST_S, time.monotonic())

    def changed(self, members: list[str]) -> None:
        """Their state has just been committed; a member that already waits keeps its place."""
        for member in members:
            if len(self._waiting) >= _WAITING and member not in self._waiting:
                metrics.RERANK_SHED.inc()
                continue
            self._waiting[member] = None
        self._wake.set()

    async def run(self) -> None:
        """Rank forever; a store that fails costs lists, never the worker."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = list(self._waiting), {}
            if self.behind():
                metrics.RERANK_SHED.inc(len(waiting))
                continue
            try:
                await self._rank(await self._asked(waiting))
            except StoreUnavailableError as error:
                metrics.RERANK_SHED.inc(len(waiting))
                log.warning("lists of %d members are left to the lookup: %s", len(waiting), error)

    async def _asked(self, members: list[str]) -> list[str]:
        """Those for whose list somebody has asked recently."""
        if not members:
            return []
        marks = await self._serving.store.get([self._keys.asked(member) for member in members])
        return [member for member, mark in zip(members, marks, strict=True) if mark is not None]

    async def _rank(self, members: list[str]) -> None:
        for start in range(0, len(members), _CHUNK):
            if self._budget.left(time.monotonic()) <= 0 or self.behind():
                metrics.RERANK_SHED.inc(len(members) - start)
                return
            chunk = members[start : start + _CHUNK]
            inputs = await self._serving.inputs_many(chunk)
            writes = []
            for member in chunk:
                began = time.thread_time()
                writes.append(self._list_of(member, inputs[member]))
                self._budget.spend(time.thread_time() - began)
                await asyncio.sleep(0)  # a list takes milliseconds, which no batch of events should have to wait for
            await self._serving.store.put(writes)
            metrics.RERANKED.inc(len(chunk))

    def _list_of(self, member: str, inputs: Inputs) -> Write:
        settings, serving = self._settings, self._serving
        ranked = rank(
            self._workflow, inputs.state, inputs.neighbours, serving.table, serving.scorer, time.time_ns() // 1_000_000,
            size=settings.list_size, viewed_again_after_ms=settings.viewed_again_after_ms,
            without_posting=serving.without_posting, network=inputs.network, passed=inputs.passed,
        )  # fmt: skip
        if ranked.degraded is not None:
            metrics.FALLBACKS.labels(self._workflow.label, ranked.degraded).inc()
        return Put(self._keys.ranked(member), pack(ranked.head(settings.cached_list_size)), settings.asked_within_s)
