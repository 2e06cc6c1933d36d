"""The worker: the member agent, the job agent, and the lists of members who acted, in one process.

Run as many as there are cores; Kafka spreads the partitions over them. The topics of one partition number go to one worker
together, since Faust's assignor keeps topics of equal partition counts together.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import prometheus_client

from streamrec import garbage, metrics, topics, tracing
from streamrec.agents import process
from streamrec.agents.app import StreamApp, check_generation, check_topics
from streamrec.agents.base import attach
from streamrec.agents.erasures import Erasures
from streamrec.agents.jobs import JOB_TOPICS, JobAgent
from streamrec.agents.labels import Labels
from streamrec.agents.members import MemberAgent
from streamrec.agents.network import NetworkAgent
from streamrec.agents.ownership import Ownership, committed_by, watermarks_by
from streamrec.agents.recommender import Recommender
from streamrec.agents.schemas import Schemas
from streamrec.agents.sweeper import Sweeper
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Producer
from streamrec.ranking.default import default_workflow
from streamrec.settings import Settings
from streamrec.stores.base import StoreUnavailableError
from streamrec.stores.connect import open_store
from streamrec.stores.generations import Generation, current_of
from streamrec.stores.serving import Serving

log = logging.getLogger(__name__)

_TABLE_PATIENCE_S: Final = 60.0
_CLOSE_EVERY_S: Final = 1.0


def clock_ms() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def slot_name(topic: str, partition: int) -> str:
    """Slot that a partition feeds: what members do feeds ``m0``, ``m1``, …, what happens to jobs ``j0``, ``j1``, ….

    Examples
    --------
    >>> slot_name("job-views", 3), slot_name("job-postings", 0)
    ('m3', 'j0')
    """
    return f"{'j' if topic in JOB_TOPICS else 'm'}{partition}"


def build(settings: Settings, generation: Generation) -> StreamApp:
    """Wire the worker's app for one generation of state; nothing is connected yet."""
    specs = topics.load()
    keys = generation.keys(settings.namespace)
    store = open_store(settings, keys)
    serving = Serving(store, keys, settings, clock_ms)
    producer = Producer(settings)
    schemas = Schemas.of(settings)
    recommender = Recommender(serving, keys, settings)
    app = StreamApp("worker", settings)
    admin = Admin(settings)

    async def topic_ids(names: Sequence[str]) -> dict[str, str]:
        # On every assignment, once the table is there: examples of a backlog need the jobs that they are about.
        try:
            async with asyncio.timeout(_TABLE_PATIENCE_S):
                while not serving.loaded:  # noqa: ASYNC110 - a matter of milliseconds, once in a process
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise StoreUnavailableError(f"no table of jobs could be read within {_TABLE_PATIENCE_S:g} s") from None
        garbage.settle()
        return await asyncio.to_thread(admin.topic_ids, names)

    app.ownership = Ownership(
        store, keys, slot_name, topic_ids, watermarks_by(admin), kept_bytes=settings.kept_state_mb * 1_000_000,
        lost_by=None if generation.number else committed_by(admin, app.conf.id),
    )  # fmt: skip
    labels = Labels(settings, keys, producer, app.end)
    erasures = Erasures(keys)
    members = MemberAgent(
        settings, specs, keys, serving, producer, recommender.changed, labels, erasures, schemas=schemas
    )
    lanes = attach(app, members, "members")
    recommender.behind = lambda: lanes.waiting > settings.batch_records
    attach(app, NetworkAgent(settings, specs, keys, producer, recommender.changed, erasures), "network")
    attach(app, JobAgent(settings, specs, keys, producer, schemas), "jobs")

    async def close_windows() -> None:
        await members.close_windows(app.ownership.holds())

    app.timer(interval=_CLOSE_EVERY_S)(close_windows)

    async def watch() -> None:
        await app.watch(store, generation)

    sweeper = Sweeper(settings, store, keys, lambda: serving.table, app.ownership.holds)
    app.background = [serving.run, recommender.run, watch, app.watch_store, sweeper.run]
    return app


def run(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT.

    Returns
    -------
    int
        Exit code: 0; 1 after a failure that another try may mend; 2 for a fault of the topics or of the number of
        partitions; 3 for a position that does not fit the log.

    Raises
    ------
    SettingsError
        There is no such workflow as the setting names.
    """
    default_workflow(settings)  # says what is wrong with it here, before anything is claimed
    if code := check_topics("worker", settings, topics.load()):
        return code
    generation = current_of(settings, claim=True)
    if code := check_generation("worker", settings, generation):
        return code
    metrics.started("worker")
    tracing.start("worker", settings)
    prometheus_client.start_http_server(settings.worker_metrics_port, settings.metrics_host)
    return process.run(build(settings, generation), settings.drain_timeout_s)
