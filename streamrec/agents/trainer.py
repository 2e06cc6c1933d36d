"""The trainer: learns from ``training-examples``, in order, and keeps a snapshot with the position that it learned up to.

What the model knows is a replay of that topic: a snapshot and its position are one transaction, so that a trainer that died
goes on exactly where its last snapshot ends. Redis holds the snapshot that counts; the copy on disk spares a long replay when
Redis has lost its data while the log is still the same.
"""

import asyncio
import importlib.metadata
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import prometheus_client

from streamrec import codecs, metrics, topics, tracing
from streamrec.agents import process
from streamrec.agents.app import StreamApp, check_topics
from streamrec.agents.base import OwnerAgent, attach
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import is_applied
from streamrec.agents.faults import FAULTS
from streamrec.agents.ownership import Hold, Ownership, committed_by, watermarks_by
from streamrec.agents.transport import Batch
from streamrec.agents.transport import Record as Consumed
from streamrec.events import Rejected, TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.kafka.admin import Admin
from streamrec.kafka.forgetting import erasures, forget_examples
from streamrec.kafka.producer import Producer, Record
from streamrec.models import card as cards
from streamrec.models import registered
from streamrec.models import snapshot as snapshots
from streamrec.models.base import InvalidExampleError, Scored
from streamrec.models.drift import Drift
from streamrec.models.job_check import JobCheck
from streamrec.models.measures import DATA
from streamrec.models.snapshot import LearnedPosition, OtherModelError, Snapshot, UnreadableSnapshotError
from streamrec.settings import Settings
from streamrec.stores.base import Append, FencedError, Put, SetBackError, StoreUnavailableError, Write
from streamrec.stores.connect import open_store
from streamrec.stores.disk import write_atomically
from streamrec.stores.generations import Generation, current_of
from streamrec.stores.keys import MODEL_SLOT, Keys
from streamrec.stores.positions import Mark, Position

log = logging.getLogger(__name__)

TOPIC: Final = "training-examples"
_BREATHE_EVERY: Final = 64  # examples learned between two chances for the rest of the process
_MEASURE_EVERY_S: Final = 1.0  # the figures of all surfaces take a millisecond
_CHANGES_KEPT: Final = 1000  # as `agents.jobs.CHANGES_KEPT`: an hour of snapshots
CODE_VERSION: Final = importlib.metadata.version("streamrec")


class TrainerAgent(OwnerAgent):
    """Owns the slot ``model``: one River model, its snapshot, and the marks of the sources that it has learned from."""

    topics: ClassVar[tuple[str, ...]] = (TOPIC,)

    def __init__(self, settings: Settings, keys: Keys, producer: Producer) -> None:
        super().__init__()
        self._settings, self._keys, self._producer = settings, keys, producer
        self._copy = copy_of(settings)
        self._hold: Hold | None = None
        self._measured_at = float("-inf")
        self._complained = False  # of the disk: once until it is well again
        metrics.COPIES_FAILED.labels(JobCheck.name)  # told from the start
        self._turn = asyncio.Lock()  # a snapshot is taken between two batches, never within one
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._model = JobCheck(FEATURE_SET, feature_names())
        self._drift = Drift(len(self._model.feature_names))
        self._marks: dict[str, Mark] = {}
        self._next_offset = self._version = 0
        # A model that has learned nothing is not kept: it would put jobs in the order of their ids.
        self._saved_examples = 0

    async def prepare(self, hold: Hold) -> None:
        """Take up the newest snapshot: Redis' own or, if Redis has none, the copy on disk if it is of this very log."""
        async with self._turn:
            self._hold = hold
            self._begin_anew()
            [stored] = await hold.slot.read([self._keys.model(JobCheck.name)])
            if stored is not None:
                self._restore(snapshots.unpack(stored), hold)
            elif (copy := self._read_copy()) is not None and _is_of(copy, hold.topic_ids[TOPIC]):
                self._restore(copy, hold)
                log.warning("the store has no model: went on from the copy in %s", self._copy)

    def _restore(self, snapshot: Snapshot, hold: Hold) -> None:
        self._model = JobCheck(snapshot.feature_set, snapshot.feature_names)
        snapshots.restore(self._model, snapshot)
        self._drift = Drift(len(snapshot.feature_names))
        metrics.SNAPSHOT_TIME.labels(JobCheck.name).set(snapshot.learned_at / 1000)
        [position] = snapshot.positions
        self._version, self._next_offset = snapshot.version, position.next_offset
        self._marks = {
            source: Mark(topic_id, *mark)
            for name, mark in snapshot.marks.items()
            for source, _, topic_id in [name.rpartition("@")]
        }
        self._saved_examples = self._model.examples
        hold.resume(TOPIC, Position(position.topic_id, position.next_offset))
        log.info("went on from snapshot %d, %d examples", snapshot.version, snapshot.examples)

    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        """Learn what is new in the records; a snapshot commits it, within `snapshot_interval_s`."""
        [batch] = batches  # there is one topic
        records = batch.records
        async with self._turn:
            letters: list[Record] = []
            for number, record in enumerate(records):
                if record.offset >= self._next_offset:
                    await self._learn(hold, batch.topic, batch.partition, record, letters)
                if number % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                    await asyncio.sleep(0)
            await self._producer.send_all(letters, self._settings.produce_timeout_s)
            self._next_offset = max(self._next_offset, records[-1].offset + 1)
        if time.monotonic() >= self._measured_at + _MEASURE_EVERY_S:
            self._measure()

    async def _learn(self, hold: Hold, topic: str, partition: int, record: Consumed, letters: list[Record]) -> None:
        if record.value is None:
            return  # an example of a member who was erased
        now_ms, topic_id = time.time_ns() // 1_000_000, hold.topic_ids[topic]
        decoded = codecs.decode_record(
            "TrainingExample", record.key, record.value, now_ms, self._settings.clock_skew_ms, tombstones=False
        )
        if isinstance(decoded, Rejected):
            letters.append(dead_letter(topic, topic_id, partition, record, decoded, now_ms))
            return
        assert isinstance(decoded, TrainingExample)  # noqa: S101 - the record's name above
        source = f"{decoded.source_topic}/{decoded.source_partition}"
        place = (decoded.source_topic_id, decoded.source_offset, decoded.source_index)
        if is_applied(self._marks.get(source), *place):
            metrics.SKIPPED.labels(topic).inc()
            return
        await self._know(hold, decoded.feature_set)
        self._marks[source] = Mark(*place)
        try:
            scored = self._model.learn(decoded)
        except InvalidExampleError as error:
            why = Rejected("invalid_example", str(error))
            letters.append(dead_letter(topic, topic_id, partition, record, why, now_ms))
            return
        _count(scored)
        if decoded.feature_set == self._model.feature_set:
            self._drift.fold(np.frombuffer(decoded.features, "<f4").reshape(len(decoded.job_ids), -1))

    async def _know(self, hold: Hold, feature_set: str) -> None:
        """Move the model to a set of features that it has never seen, if whoever computes it says what it is."""
        model = self._model
        if feature_set == model.feature_set or feature_set in model.former:
            return
        [stored] = await hold.slot.read([self._keys.feature_set(feature_set)])
        if (columns := registered.unpack(stored)) is not None:
            log.info(
                "%s goes on with %s, %d columns, after %s", model.name, feature_set, len(columns), model.feature_set
            )
            model.move(feature_set, columns)
            self._drift = Drift(len(model.feature_names))

    async def snapshot(self) -> None:
        """Commit the model with its position, if it has learned anything since, then the copy on disk; else the position alone.

        Raises
        ------
        FencedError
            Another trainer has taken over; or, as SetBackError, the store has lost the last snapshot.
        StoreUnavailableError
            The store does not answer; what was learned is still in memory, and in the log.
        """
        async with self._turn:
            self._measure()
            hold = self._hold
            if hold is None or hold.lost:
                return
            try:
                await self._snapshot(hold)
            except FencedError:
                if not _let_go(hold):
                    raise

    async def _snapshot(self, hold: Hold) -> None:
        if self._saved_examples == self._model.examples:
            if hold.next_offset(TOPIC) < self._next_offset:  # what was read taught nothing: tombstones, dead letters
                await hold.commit([], {TOPIC: self._next_offset}, {})
            else:
                await hold.slot.read([])  # whether the last snapshot is still there
            return
        with metrics.SNAPSHOT_SECONDS.labels(JobCheck.name).time():
            taken = self._take(hold)
            packed = snapshots.pack(taken)
            FAULTS.reach("before-commit", TOPIC)
            version = str(self._version + 1).encode()
            writes: list[Write] = [
                Put(self._keys.model(JobCheck.name), packed),
                Put(self._keys.model_version(JobCheck.name), version),
                Append(self._keys.changes(MODEL_SLOT), version, _CHANGES_KEPT),
            ]
            await hold.commit(writes, {TOPIC: self._next_offset}, {})
            FAULTS.reach("after-commit", TOPIC)
            self._version += 1
            self._saved_examples = self._model.examples
        await asyncio.to_thread(self._write_copy, packed, taken)
        metrics.SNAPSHOT_TIME.labels(JobCheck.name).set_to_current_time()

    def _take(self, hold: Hold) -> Snapshot:
        position = LearnedPosition(TOPIC, hold.topic_ids[TOPIC], 0, self._next_offset)
        # The topic's id goes into the name of the source, so that a snapshot says all that a mark says.
        marks = {f"{source}@{mark.topic_id}": (mark.offset, mark.index) for source, mark in self._marks.items()}
        return snapshots.take(
            self._model, version=self._version + 1, now=time.time_ns() // 1_000_000, code_version=CODE_VERSION,
            positions=(position,), marks=marks,
        )  # fmt: skip

    def _write_copy(self, packed: bytes, taken: Snapshot) -> None:
        """The copy on disk, and beside it the card that says what it is, for people (.md) and programs (.json).

        Where the disk does not take it the copy before stays: Redis has the snapshot that counts.
        """
        card = cards.card(taken)
        try:
            write_atomically(self._copy, packed)
            write_atomically(self._copy.with_suffix(".card.md"), cards.as_markdown(card).encode())
            write_atomically(self._copy.with_suffix(".card.json"), cards.as_json(card))
        except OSError as error:
            metrics.COPIES_FAILED.labels(JobCheck.name).inc()
            if not self._complained:
                log.warning("no copy of snapshot %d on disk: %s; the store has it", taken.version, error)
            self._complained = True
        else:
            self._complained = False

    def _read_copy(self) -> Snapshot | None:
        try:
            return snapshots.unpack(self._copy.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, UnreadableSnapshotError) as error:
            log.warning("the copy of the model in %s cannot be used: %s", self._copy, error)
            return None

    def _measure(self) -> None:
        self._measured_at = time.monotonic()
        name, measures = JobCheck.name, self._model.measures
        for data in DATA:
            for surface in ("", *measures.surfaces(data)):
                running = measures.of(data, surface)
                if not running.rows:
                    continue
                labels = (name, data, surface) if surface else (name, data)
                for by_surface, overall, value in (
                    (metrics.SURFACE_LOG_LOSS, metrics.LOG_LOSS, running.log_loss),
                    (metrics.SURFACE_BASE_LOG_LOSS, metrics.BASE_LOG_LOSS, running.constant_log_loss),
                    (metrics.SURFACE_AUC, metrics.AUC, running.auc),
                    (metrics.SURFACE_CALIBRATION_ERROR, metrics.CALIBRATION_ERROR, running.calibration_error),
                ):
                    (by_surface if surface else overall).labels(*labels).set(value)
        for surface, rate in measures.hits.items():
            if not rate.lists:
                continue
            gauge = metrics.SURFACE_HIT_RATE.labels(name, surface) if surface else metrics.HIT_RATE.labels(name)
            gauge.set(rate.recent)
        metrics.CALIBRATED.labels(name).set(self._model.calibrated)
        metrics.LEARNING_RATE.labels(name).set(self._model.learning_rate)
        if self._drift.rows:
            names = self._model.feature_names
            for gauge, values in (
                (metrics.FEATURE_COVERAGE, self._drift.coverage),
                (metrics.FEATURE_MEAN, self._drift.means),
                (metrics.FEATURE_DRIFT, self._drift.deviations),
            ):
                for feature, value in zip(names, values.tolist(), strict=True):
                    gauge.labels(feature).set(value)


def copy_of(settings: Settings) -> Path:
    """Where the trainer keeps its copy of the model on disk."""
    return Path(settings.data_dir) / "models" / f"{JobCheck.name}.snapshot"


def _let_go(hold: Hold) -> bool:
    """Whether this process has let go of the slot meanwhile, as partitions are assigned anew: it is we who have taken it."""
    return hold.lost


def _is_of(snapshot: Snapshot, topic_id: str) -> bool:
    return [position.topic_id for position in snapshot.positions] == [topic_id]


def _count(scored: Scored) -> None:
    metrics.EXAMPLES.labels(JobCheck.name, scored.kind).inc()
    learned = scored.weights > 0.0
    positives = int((learned & (scored.labels > 0.0)).sum())
    metrics.ROWS.labels(JobCheck.name, "positive").inc(positives)
    metrics.ROWS.labels(JobCheck.name, "negative").inc(int(learned.sum()) - positives)


def build(settings: Settings, generation: Generation) -> StreamApp:
    """Wire the trainer's app for one generation of state; nothing is connected yet."""
    keys = generation.keys(settings.namespace)
    store = open_store(settings, keys)
    app = StreamApp("trainer", settings)
    admin = Admin(settings)
    agent = TrainerAgent(settings, keys, Producer(settings))

    async def topic_ids(names: Sequence[str]) -> dict[str, str]:
        return await asyncio.to_thread(admin.topic_ids, names)

    app.ownership = Ownership(
        store, keys, lambda _topic, _partition: MODEL_SLOT, topic_ids, watermarks_by(admin), agent.prepare,
        lost_by=None if generation.number else committed_by(admin, app.conf.id),
    )  # fmt: skip
    attach(app, agent, "trainer")

    async def save() -> None:
        try:
            await agent.snapshot()
        except SetBackError as error:
            app.set_back(error)
        except FencedError:
            if await app.has_moved(store, generation):
                return  # `watch` sees to it; what was learned since the last snapshot is learned again
            print("streamrec trainer: another trainer has taken over; this one stops", file=sys.stderr)
            app.halt(1)
        except StoreUnavailableError as error:
            log.warning("the snapshot waits: %s", error)
        else:
            if (hold := app.ownership.hold(TOPIC, 0)) is not None and hold.position(TOPIC) is not None:
                app.advance(TOPIC, 0, hold.next_offset(TOPIC))

    swept: dict[str, int] = {}

    async def forget() -> None:
        try:
            erased = await asyncio.to_thread(erasures, settings)
            if erased != swept and (count := await asyncio.to_thread(forget_examples, settings, erased)):
                log.info("removed %d training examples of members who were erased", count)
        except Admin.ERRORS as error:
            log.warning("training examples of erased members wait: %s", error)
        else:
            swept.update(erased)

    async def save_last(_app: StreamApp, **_ignored: object) -> None:
        await save()

    async def watch() -> None:
        await app.watch(store, generation)

    app.background = [watch]
    app.timer(interval=settings.snapshot_interval_s)(save)
    app.timer(interval=settings.forget_every_s)(forget)
    app.on_before_shutdown.connect(save_last)
    return app


def run(settings: Settings) -> int:
    """Run the trainer until SIGTERM or SIGINT; exit codes as those of `agents.worker.run`."""
    if code := check_topics("trainer", settings, {TOPIC: topics.load()[TOPIC]}):
        return code
    generation = current_of(settings)
    metrics.started("trainer")
    tracing.start("trainer", settings)
    prometheus_client.start_http_server(settings.trainer_metrics_port, settings.metrics_host)
    try:
        return process.run(build(settings, generation), settings.drain_timeout_s)
    except (UnreadableSnapshotError, OtherModelError) as error:
        print(f"streamrec trainer: {error}", file=sys.stderr)
        return 2
