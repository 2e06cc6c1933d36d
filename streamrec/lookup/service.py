"""What one lookup process holds: the table of jobs, the store, the producer, and what runs beside the requests."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Literal, TypeVar

import msgspec
import numpy as np

from streamrec import tracing
from streamrec.features.library import READS_SURFACE
from streamrec.features.state import MemberState, Neighbours
from streamrec.lookup.after import After
from streamrec.lookup.background import Background
from streamrec.lookup.impressions import Impressions
from streamrec.lookup.publishing import Publisher
from streamrec.metrics import CANDIDATES, FALLBACKS, LOOKUP_STAGE, STORE_ERRORS
from streamrec.ranking.candidates import SOURCES
from streamrec.ranking.default import default_workflow
from streamrec.ranking.engine import BUDGET, NO_MODEL, rank, recent_ids
from streamrec.ranking.filters import Filters
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.registry import Workflows
from streamrec.ranking.workflow import Workflow
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings
from streamrec.stores.base import Store, StoreUnavailableError
from streamrec.stores.inputs import Glance, Inputs
from streamrec.stores.keys import Keys
from streamrec.stores.members import UNREADABLE_STATE
from streamrec.stores.serving import Serving

STORE_UNAVAILABLE: Final = "store_unavailable"
TABLE_LOADING: Final = "table_loading"
TABLE_STALE: Final = "table_stale"
STATE_LOST: Final = "state_lost"
STOPPING: Final = "stopping"  # of readiness only: answers do not fall short
DEGRADED: Final = {
    STORE_UNAVAILABLE: "Redis did not answer in time: the list is not personal, and may hold jobs that the member applied "
    "for, viewed or dismissed.",
    UNREADABLE_STATE: "What is stored of the member is of a format that this version cannot read; otherwise as before.",
    TABLE_LOADING: "The service has just started and does not know all jobs yet.",
    TABLE_STALE: "Changes of jobs have not arrived for ten seconds: jobs closed since then may be in the answer.",
    STATE_LOST: "Redis has lost its data, and nothing is known of members until it is restored: the list is not personal, by "
    "what this process has in memory of jobs and the model, and may hold jobs that the member applied for, viewed or dismissed.",
    NO_MODEL: "There is no model yet, or none for this version: ranked by popularity, text and place, or by the workflow that "
    "answers instead; `p_check` is null.",
    BUDGET: "Ranking took longer than the workflow may: what answered instead is quicker, and `workflow` names it.",
}

_STALE_MS: Final = 10_000
_STARTUP_PATIENCE_S: Final = (
    10.0  # a process of several takes no requests before it knows the jobs, if that is possible
)
_ANYONE_S: Final = 1.0  # how long a list for nobody in particular is used again
_ANYONE: Final = 1_000  # such lists kept, one for each combination of filters

_CANDIDATES: Final = [CANDIDATES.labels(source.name) for source in SOURCES]
_STAGES: Final = {
    name: LOOKUP_STAGE.labels(name) for name in ("state", "neighbours", "candidates", "features", "order")
}

Ranked = Literal["cached", "now"]
Found = TypeVar("Found", Inputs, Glance | Inputs)

_log = logging.getLogger(__name__)


class Service:
    """All that the handlers work with.

    Parameters
    ----------
    settings
        Of the installation.
    store
        Where state lives; closed by `running`.
    publisher
        Takes events to Kafka.
    clock_ms
        Wall clock, milliseconds since the epoch.
    workflows
        What may be asked for; default: the shipped ones.
    elapsed_ms
        Any clock that never goes back: for the budgets of workflows.

    Raises
    ------
    SettingsError
        There is no such workflow as the setting names.
    """

    def __init__(
        self, settings: Settings, store: Store, publisher: Publisher, clock_ms: Callable[[], int], *,
        workflows: Workflows = WORKFLOWS, elapsed_ms: Callable[[], float] = lambda: time.monotonic() * 1000,
    ) -> None:  # fmt: skip
        self.settings, self.store, self.publisher, self.clock_ms = settings, store, publisher, clock_ms
        self.workflows, self.workflow = workflows, default_workflow(settings, workflows)
        self._elapsed_ms = elapsed_ms
        keys = Keys(settings.namespace, settings.partitions)  # until it is known which generation counts
        self.serving = Serving(store, keys, settings, clock_ms, self._moved)
        self.after = After(store, keys)
        self.background = Background(
            store, keys, settings.asked_within_s, settings.model_max_age_ms // 1000, time.monotonic
        )
        self.impressions = Impressions(settings)
        self.openapi = self.docs = b""
        self.stopping = False  # told to stop: goes on answering for a while, but no new connection should come here
        self._budget_s = settings.lookup_budget_ms / 1000
        self._anyone: dict[tuple[str, Filters, str | None], tuple[float, RankedList]] = {}

    def _moved(self, keys: Keys) -> None:
        """The state was built anew, and its jobs are loaded."""
        self.after.move(keys)
        self.background.move(keys)

    async def stored(self, member_id: str) -> Inputs:
        """A member's state and kept list, within the budget; `degraded` says what is missing."""
        return await self._within(self.serving.stored(member_id))

    async def glance(self, member_id: str) -> Glance | Inputs:
        """The same, maybe only as far as a kept list needs it: `completed` does the rest."""
        return await self._within(self.serving.glance(member_id))

    async def _within(self, reading: Awaitable[Found]) -> Found | Inputs:
        try:
            with _Timing("state"):
                async with asyncio.timeout(self._budget_s):
                    return await reading
        except (StoreUnavailableError, TimeoutError):
            STORE_ERRORS.labels("inputs").inc()
            return Inputs(MemberState(), {}, None, STORE_UNAVAILABLE)

    async def inputs(self, member_id: str) -> Inputs:
        """What a ranking needs of a member, within twice the budget; `degraded` says what is missing."""
        return await self.completed(await self.stored(member_id))

    async def completed(self, stored: Glance | Inputs) -> Inputs:
        """The same with the co-visitation rows that a ranking needs, within the budget; see `stored`."""
        if isinstance(stored, Glance):
            stored = self.serving.opened(stored.values)
        wanted = recent_ids(stored.state)
        if not wanted:
            return stored
        rows = await self.neighbours(wanted)
        if rows is None:
            return msgspec.structs.replace(stored, degraded=STORE_UNAVAILABLE)
        return msgspec.structs.replace(stored, neighbours=rows)

    async def neighbours(self, job_ids: Sequence[str]) -> dict[str, Neighbours] | None:
        """Co-visitation rows of jobs within the budget, None where the store does not answer in time."""
        try:
            with _Timing("neighbours"):
                async with asyncio.timeout(self._budget_s):
                    return await self.serving.neighbours(job_ids)
        except (StoreUnavailableError, TimeoutError):
            STORE_ERRORS.labels("neighbours").inc()
            return None

    def table_degraded(self) -> str | None:
        """What is wrong with the table of jobs, or with the store that it is read from, if anything."""
        if self.serving.lost:
            return STATE_LOST
        if not self.serving.loaded:
            return TABLE_LOADING
        return TABLE_STALE if self.clock_ms() - self.serving.current_at > _STALE_MS else None

    def rank(
        self, inputs: Inputs, filters: Filters, at: int | None = None, workflow: Workflow | None = None,
        surface: str | None = None,
    ) -> tuple[RankedList, Ranked]:  # fmt: skip
        """Rank all jobs now, or as of `at` (ms), by a workflow (None: the default), to be shown on a surface.

        For members of whom nothing is known, lists of now are shared for a second. Those of another moment have no budget: they
        are for evaluation.
        """
        workflow = workflow or self.workflow
        if (
            at is not None
            or inputs.state.version
            or inputs.network.version
            or inputs.passed.version
            or not self.serving.loaded
        ):
            return self._rank(workflow, inputs, filters, at, surface), "now"
        now, key = time.monotonic(), (workflow.label, filters, surface if READS_SURFACE else None)
        made_at, ranked = self._anyone.get(key, (float("-inf"), None))
        if ranked is not None and now - made_at < _ANYONE_S:
            return ranked, "cached"
        ranked = self._rank(workflow, inputs, filters, None, surface)
        if len(self._anyone) >= _ANYONE:
            self._anyone.clear()
        self._anyone[key] = now, ranked
        return ranked, "now"

    def _rank(
        self, workflow: Workflow, inputs: Inputs, filters: Filters, at: int | None, surface: str | None
    ) -> RankedList:
        serving, settings = self.serving, self.settings
        ranked = rank(
            workflow, inputs.state, inputs.neighbours, serving.table, serving.scorer, self.clock_ms() if at is None else at,
            size=settings.list_size, filters=filters, viewed_again_after_ms=settings.viewed_again_after_ms,
            without_posting=serving.without_posting, network=inputs.network, passed=inputs.passed, context={"surface": surface},
            elapsed_ms=self._elapsed_ms if at is None else None, timed=_timed, among=self.workflows,
        )  # fmt: skip
        if ranked.degraded is not None:
            FALLBACKS.labels(workflow.label, ranked.degraded).inc()
        masks = np.array(ranked.sources, np.int64)
        counts = (masks[:, None] >> np.arange(len(_CANDIDATES)) & 1).sum(axis=0)
        for series, count in zip(_CANDIDATES, counts.tolist(), strict=True):
            series.observe(count)
        return ranked

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the table current, write hints and what was shown until left; then close the producers and the store.

        Enters once the jobs are loaded, or after ten seconds, or as soon as it is clear that the store is away: a service
        that answers something is better than none.
        """
        beside = (self.serving.run(), self.background.run(), self.impressions.run())
        tasks = [asyncio.create_task(work) for work in beside]
        for task in tasks:
            task.add_done_callback(_report)
        try:
            await self._wait_until_loaded()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(self.after.aclose(), self.impressions.close(), self.publisher.close())
            await self.store.close()

    async def _wait_until_loaded(self) -> None:
        deadline = time.monotonic() + _STARTUP_PATIENCE_S
        while not self.serving.loaded and time.monotonic() < deadline:
            try:
                async with asyncio.timeout(self._budget_s):
                    await self.store.ping()
            except (StoreUnavailableError, TimeoutError) as error:
                why = str(error) or "the store does not answer"
                _log.warning("%s. Starting without the table of jobs", why)
                return
            await asyncio.sleep(0.02)


def wall_clock_ms() -> int:
    """Milliseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000


def _timed(stage: str, spent_ms: float) -> None:
    _STAGES[stage].observe(spent_ms / 1000)
    tracing.stage(stage, spent_ms / 1000)


class _Timing:
    """Times what is done within it as a stage."""

    __slots__ = ("_began", "_stage")

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        _timed(self._stage, (time.perf_counter() - self._began) * 1000)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background task ended; this process answers from what it has", exc_info=error)
