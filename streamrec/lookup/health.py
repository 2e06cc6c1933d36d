"""``/health/live``, ``/health/ready`` and ``/metrics``: what operators and their machines ask."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from streamrec.lookup.operation import JSON, Call, Reply
from streamrec.lookup.processes import Processes
from streamrec.lookup.service import STATE_LOST, STOPPING, STORE_UNAVAILABLE, TABLE_LOADING, TABLE_STALE, Service
from streamrec.ranking.engine import NO_MODEL
from streamrec.stores.base import StoreUnavailableError

METRICS_TYPE: Final = CONTENT_TYPE_LATEST
_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    request_id: str
    status: Literal["live"] = "live"


class Missing(msgspec.Struct, frozen=True):
    """Something that the service should have and has not: a word for programs, a sentence for people."""

    what: str
    detail: str


class Ready(msgspec.Struct, frozen=True):
    """Whether this process should get requests."""

    request_id: str
    status: Annotated[
        Literal["ready", "degraded", "not_ready"],
        Meta(
            description="`ready`: everything is there. `degraded` (200, too): it answers, but falls short by what is "
            "`missing`; taking it out of the load balancer would only make that worse. `not_ready` (503): it does not "
            "know the jobs, or is about to stop."
        ),
    ]
    missing: tuple[Missing, ...]
    jobs: Annotated[int, Meta(description="Jobs known to this process.")]
    table_age_ms: Annotated[int | None, Meta(description="Since the jobs were last known to be current.")]
    model_age_ms: int | None


async def live(service: Service, call: Call) -> Live:  # noqa: ARG001 - a handler's signature
    """Answer that the process lives."""
    return Live(call.request_id)


async def ready(service: Service, call: Call) -> Reply:
    """Answer with what is missing, if anything."""
    serving, now = service.serving, service.clock_ms()
    missing = []
    if (store_says := await _ask_store(service)) is not None:
        missing.append(Missing(STORE_UNAVAILABLE, store_says))
    match service.table_degraded():
        case "state_lost":
            missing.append(Missing(STATE_LOST, "Redis has lost its data: `streamrec rebuild` restores it"))
        case "table_loading":
            missing.append(Missing(TABLE_LOADING, "the jobs have not been read from the store yet"))
        case "table_stale":
            seconds = (now - serving.current_at) / 1000
            missing.append(Missing(TABLE_STALE, f"changes of jobs have not arrived for {seconds:.0f} s"))
    if serving.scorer is None:
        missing.append(Missing(NO_MODEL, "no model in the store: does the trainer run (streamrec trainer)?"))
    if service.stopping:
        missing.append(Missing(STOPPING, "the service was told to stop: send new requests elsewhere"))
    fit = serving.loaded and not service.stopping
    status: Literal["ready", "degraded", "not_ready"] = "not_ready"
    if fit:
        status = "degraded" if missing else "ready"
    answer = Ready(
        request_id=call.request_id,
        status=status,
        missing=tuple(missing),
        jobs=len(serving.table),
        table_age_ms=max(0, now - serving.current_at) if serving.loaded else None,
        model_age_ms=None if serving.scorer is None else max(0, now - serving.scorer.learned_at),
    )
    return Reply(msgspec.json.encode(answer), 200 if fit else 503, JSON)


async def _ask_store(service: Service) -> str | None:
    try:
        async with asyncio.timeout(max(0.5, service.settings.lookup_budget_ms / 1000)):
            await service.store.ping()
    except StoreUnavailableError as error:
        return str(error)
    except TimeoutError:
        return "Redis did not answer in time"
    return None


async def metrics(service: Service, call: Call) -> Reply:  # noqa: ARG001 - a handler's signature
    """Answer with all series in Prometheus' text format, summed over the worker processes."""
    if _DIRECTORY not in os.environ:
        return Reply(generate_latest(REGISTRY), media_type=METRICS_TYPE)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Processes(Path(os.environ[_DIRECTORY])))
    text = await asyncio.to_thread(generate_latest, registry)  # reads one file for each process and kind of series
    return Reply(text, media_type=METRICS_TYPE)


def forget_dead_processes() -> None:
    """Remove the gauges of processes that are gone: their last values say nothing any more.

    Called when a worker process starts, since it may replace one that crashed. Counters stay: they are sums over all time.
    """
    directory = os.environ.get(_DIRECTORY)
    if directory is None:
        return
    for path in Path(directory).glob("gauge_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _lives(int(pid)):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
