"""Builds a generation beside the one in use, and switches to it."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import redis

from streamrec import topics
from streamrec.building import checkpoint, handover
from streamrec.building.builder import Builder, Past
from streamrec.building.checkpoint import Span, UnusableCheckpointError, Work
from streamrec.building.plan import BuildError, Built, InterruptedBuildError, Plan, Progress
from streamrec.building.sources import SOURCES, FileLog, Files, TopicLog, Unusable
from streamrec.building.trained import Trained
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError
from streamrec.kafka.forgetting import erasures
from streamrec.local import lag
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores.generations import Building, Generation
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Mark
from streamrec.topics import JOB_ACTIVITY, MEMBER_ACTIVITY, PARTITIONED_TOPICS, TRAINING_EXAMPLES

INTERNAL: Final = (JOB_ACTIVITY, MEMBER_ACTIVITY)  # derived: each generation makes its own

_LOOK_EVERY: Final = 64  # records between two looks at the clock
_REPORT_EVERY_S: Final = 0.2
_KEEP_EVERY_S: Final = 5.0
_WAIT_S: Final = 0.5
_ROUNDS: Final = 5  # in which what was written meanwhile is taken, too
_TOLD: Final = 20  # unusable records told in full; all are counted


class Build:
    """One run of ``streamrec bootstrap`` or ``streamrec rebuild``.

    Parameters
    ----------
    settings
        Of the installation as it is.
    plan
        What to do.
    client, admin
        Redis and Kafka.
    tell
        Takes a line for the person who watches.
    report
        Called a few times a second.
    stopped
        Whether to stop: asked every few milliseconds.
    """

    def __init__(
        self, settings: Settings, plan: Plan, client: "redis.Redis", admin: Admin, *, tell: Callable[[str], None],
        report: Callable[[Progress], None], stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._settings, self._plan, self._client, self._admin = settings, plan, client, admin
        self._later = msgspec.structs.replace(settings, partitions=plan.partitions)
        self._tell, self._report, self._stopped = tell, report, stopped
        self.path = Path(settings.data_dir) / "building" / f"{settings.namespace}.checkpoint"
        self._phase, self._count, self._grown_at = "", 0, 0.0
        self._began = self._reported_at = self._kept_at = time.monotonic()
        self._saved_at, self._pause_s = time.monotonic(), plan.checkpoint_s

    def run(self) -> Built:
        """Build and switch.

        Raises
        ------
        BuildError, UnusableCheckpointError, AlreadyBuildingError
            It cannot be done; the message says why, and what to do.
        InterruptedBuildError
            `stopped` said so.
        KafkaUnavailableError, KafkaRefusedError, redis.RedisError, FileError
            What is needed does not answer, or cannot be read.
        """
        before = generations.current(self._client, self._settings)
        keys = before.keys(self._settings.namespace)
        owner = f"streamrec {self._plan.command}, process {os.getpid()} on {socket.gethostname()}"
        with Building(self._client, self._settings.namespace, owner) as self._right:
            self._refuse_state(keys)
            self._reshape(before)
            self._work, self._builder, self._marks = self._resumed(before) or self._begun(before, keys)
            self._began = time.monotonic() - self._work.seconds
            try:
                if self._plan.files is not None and not self._work.files_done:
                    self._take_files(self._plan.files)
                if self._plan.topics:
                    self._take_topics()
            except InterruptedBuildError:
                self._save()
                raise
            built = self._hand_over(before, keys)
        self.path.unlink(missing_ok=True)
        return built

    def _refuse_state(self, keys: Keys) -> None:
        if self._plan.replace:
            return
        places = [(topic, number) for topic in SOURCES for number in range(keys.partitions)]
        if any(position and position.next_offset for position in lag.stored(self._client, keys, places).values()):
            raise BuildError(
                "there is state already: `streamrec rebuild` makes it anew from the topics; --replace replaces it by what "
                "is built here"
            )

    def _reshape(self, before: Generation) -> None:
        """Let the topics have the number of partitions that is wanted."""
        wanted = self._plan.partitions
        if wanted < before.partitions:
            raise BuildError(f"the topics have {before.partitions} partitions: Kafka cannot take any away")
        if wanted != before.partitions:
            group = f"{self._settings.group}-worker"
            if count := self._admin.members(group):
                raise BuildError(
                    f"{count} worker(s) of the group {group} run: stop them first, since they would take records in new "
                    f"partitions for misplaced ones; lookups may go on. After this, start workers with partitions = {wanted}"
                )
            try:
                grown = self._admin.add_partitions(PARTITIONED_TOPICS, wanted)
            except KafkaRefusedError as error:
                raise BuildError(str(error)) from error
            for name in grown:
                self._tell(f"{name} has {wanted} partitions now")
            if grown:
                self._grown_at = time.time()
        if problems := Admin(self._later).check(topics.load()):
            raise BuildError("\n".join(f"{found.topic}: {found.what}; {found.remedy}" for found in problems))

    def _kind(self, before: Generation) -> str:
        plan, settings = self._plan, self._settings
        what = (
            plan.command, plan.files.fingerprint() if plan.files else "", plan.topics, plan.partitions, plan.learn,
            before.id, settings.kafka, settings.namespace,
        )  # fmt: skip
        return repr(what)

    def _resumed(self, before: Generation) -> tuple[Work, Builder, dict[str, Mark]] | None:
        if self._plan.restart:
            self.path.unlink(missing_ok=True)
            return None
        found = checkpoint.load(self.path, self._kind(before), self._settings, self._plan.learn)
        if found is None:
            return None
        work = found[0]
        bounds, ids = self._admin.bounds(SOURCES), self._admin.topic_ids(work.topic_ids)
        for span in work.spans:
            low, high = bounds.get((span.topic, span.partition), (0, -1))
            if ids != work.topic_ids or (self._plan.topics and not low <= max(span.next, low) <= span.end <= high):
                raise UnusableCheckpointError(
                    f"{span.topic} is not the topic any more that {self.path} was built from: run it with --restart"
                )
        self._tell(f"going on after {work.records:,} records, from {self.path}")
        return found

    def _begun(self, before: Generation, keys: Keys) -> tuple[Work, Builder, dict[str, Mark]]:
        ids = self._admin.topic_ids((*SOURCES, *INTERNAL, TRAINING_EXAMPLES))
        bounds = self._admin.bounds(SOURCES)
        self._check_gaps(keys, bounds, ids)
        spans = [
            Span(topic, number, low, low, high if self._plan.topics else low)
            for (topic, number), (low, high) in bounds.items()
        ]
        counts = tuple(dict.fromkeys((*before.counts, self._plan.partitions)))
        trained = self._trained(keys, ids, bounds)
        work = Work(self._kind(before), ids, counts, trained.next_offset, trained.version, spans)
        work.not_before = int((self._grown_at + self._plan.settle_s) * 1000) if self._grown_at else 0
        builder = Builder(self._settings, ids, trained.marks, self._plan.learn, erasures(self._settings))
        builder.model = trained.model
        return work, builder, trained.marks

    def _trained(self, keys: Keys, ids: dict[str, str], bounds: dict[tuple[str, int], tuple[int, int]]) -> Trained:
        """The model to go on with: the one in use; where the store has lost it, its copy or all examples; else none."""
        low, high = self._admin.watermarks(TRAINING_EXAMPLES)[0]
        if self._plan.command == "bootstrap":
            return Trained.anew(high)
        trained, what = Trained.in_use(self._client, keys, ids), "the model in use, which"
        if trained is None:
            trained, what = Trained.on_disk(self._settings, ids), "the trainer's copy of the model on disk, which"
        if trained is None and low == 0 < high and self._plan.learn:
            trained, what = Trained.anew(0), "a new model, which learns all examples that were made so far; it"
        if trained is None:
            return Trained.anew(high)
        self._tell(f"going on with {what} has learned {trained.model.examples:,} examples")
        if self._plan.learn:
            trained.catch_up(self._settings, self._client, keys, bounds)
        return trained

    def _check_gaps(self, keys: Keys, bounds: dict[tuple[str, int], tuple[int, int]], ids: dict[str, str]) -> None:
        """What the present state was made of and the log does not hold any more."""
        if self._plan.command == "bootstrap" and self._plan.files is not None:
            return  # the files stand for it
        gaps = {topic for (topic, _), (low, _) in bounds.items() if low > 0 and not topics.load()[topic].tombstones}
        old = lag.stored(self._client, keys, [place for place in bounds if place[1] < keys.partitions])
        anew = {topic for (topic, _), position in old.items() if position and position.topic_id != ids[topic]}
        if not gaps | anew:
            return
        what = [
            f"the log of {topic} does not begin at offset 0: what was before has been deleted" for topic in sorted(gaps)
        ]
        what += [f"{topic} was created anew: what the topic before it held is gone" for topic in sorted(anew)]
        for line in what:
            self._tell(line)
        if not self._plan.accept_gap:
            raise BuildError(
                "what is built from these topics would lack that. If you have an archive of it: `streamrec bootstrap ARCHIVE "
                "--topics --replace`. To do without it: --accept-gap"
            )

    def _take_files(self, files: Files) -> None:
        log = FileLog(files, self._settings)
        for warning in log.warnings:
            self._tell(warning)
        self._phase = "files"
        for number, item in enumerate(log):
            if number >= self._work.rows:
                self._work.rows = number + 1
                self._take(item)
            self._look(lambda: log.progress)
        self._work.files_done = True

    def _take_topics(self) -> None:
        """Take what is there and then, in rounds that get shorter, what has been written meanwhile."""
        self._phase = "topics"
        self._take_spans()
        while (left := self._work.not_before / 1000 - time.time()) > 0:
            if self._phase == "topics":
                self._phase = "waiting"
                self._tell(
                    f"waiting {left:.0f} s, for producers to see the new partitions (--settle): meanwhile records are taken "
                    "wherever they come; from then on workers take those in the old places for misplaced"
                )
            time.sleep(min(left, _WAIT_S))
            self._note_ends()
            self._take_spans()
            self._pass_time(1 - left / max(self._plan.settle_s, 1.0))
        for _ in range(_ROUNDS):
            if not self._note_ends():
                return
            self._take_spans()

    def _note_ends(self) -> bool:
        """Read on to where the logs end now; whether there is anything more."""
        spans = {(span.topic, span.partition): span for span in self._work.spans}
        for place, (_, high) in self._admin.bounds(SOURCES).items():
            spans[place].end = high
        return any(span.next < span.end for span in spans.values())

    def _take_spans(self) -> None:
        spans = {(span.topic, span.partition): span for span in self._work.spans}
        total = max(1, sum(span.end - span.low for span in spans.values()))
        done = sum(span.next - span.low for span in spans.values())
        bounds = {place: (span.next, span.end) for place, span in spans.items()}
        for record, item in TopicLog(self._later, bounds, self._work.counts):
            span = spans[record.topic, record.partition]
            done += record.offset + 1 - span.next
            span.next = record.offset + 1
            self._take(item)
            self._look(lambda: done / total)  # noqa: B023 - called at once
        for span in spans.values():
            span.next = span.end  # the last ones may have been compacted away

    def _take(self, item: Past | Unusable) -> None:
        self._work.records += 1
        if isinstance(item, Past):
            self._builder.take(item)
            return
        unusable = self._work.unusable
        unusable[item.reason] = unusable.get(item.reason, 0) + 1
        if sum(unusable.values()) <= _TOLD:
            self._tell(str(item))

    def _look(self, share: Callable[[], float]) -> None:
        """Now and then: stop, report, save, keep the right to build."""
        self._count += 1
        if not self._count % _LOOK_EVERY:
            self._pass_time(share())

    def _pass_time(self, share: float) -> None:
        now = time.monotonic()
        self._work.seconds = now - self._began
        if self._stopped():
            raise InterruptedBuildError
        if now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            self._report(self._progress(share))
        if now - self._kept_at >= _KEEP_EVERY_S:
            self._right.keep()
            self._kept_at = now
        if now - self._saved_at >= self._pause_s:
            self._save()

    def _progress(self, share: float) -> Progress:
        work = self._work
        return Progress(self._phase, min(1.0, share), work.records, self._builder.learned, work.seconds)

    def _save(self) -> None:
        """Keep the work on disk; where the disk does not take it the build goes on, since nothing but time depends on it."""
        began = time.monotonic()
        try:
            checkpoint.save(self.path, self._work, self._builder, self._marks)
        except OSError as error:
            kept = "what was kept before" if self.path.exists() else "the beginning"
            self._tell(
                f"the work so far cannot be kept in {self.path}: {error}. An interrupted build goes on from {kept}"
            )
        self._saved_at = time.monotonic()
        # A large state takes long to write: at most a twentieth of the time goes there.
        self._pause_s = max(self._plan.checkpoint_s, 20 * (self._saved_at - began))

    def _hand_over(self, before: Generation, old: Keys) -> Built:
        work, builder, plan, client = self._work, self._builder, self._plan, self._client
        namespace = self._settings.namespace
        now = time.time_ns() // 1_000_000
        made = Generation(before.number + 1, secrets.token_hex(3), plan.partitions, work.counts, now)
        keys = made.keys(namespace)
        derived = {place: high for place, (_, high) in self._admin.bounds(INTERNAL).items()}
        work.seconds = time.monotonic() - self._began
        self._phase = "writing"
        self._report(self._progress(0.0))
        generations.begin_writing(client, namespace, made)
        written = generations.write(client, handover.writes(builder, work, keys, derived, now))
        self._right.keep()
        generations.switch(client, namespace, made)
        generations.fence(client, old)
        retired = generations.retire(client, old, plan.keep_old_s)
        self._report(self._progress(1.0))
        handed: dict[str, int] = {}
        for span in work.spans:
            handed[span.topic] = handed.get(span.topic, 0) + span.end
        return Built(
            generation=made.id, partitions=made.partitions, records=work.records, duplicates=builder.duplicates,
            unusable=work.unusable, members=len(builder.members), jobs=len(builder.jobs), learned=builder.learned,
            examples=builder.model.examples, seconds=round(work.seconds, 3), handed_over=handed, written=written,
            retired=retired, orphans=handover.orphans(builder, keys),
        )  # fmt: skip
