"""The job agent: postings, and what members did with each job, become the state of jobs and their neighbours."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

import msgspec

from streamrec import codecs, metrics
from streamrec.agents.base import OwnerAgent
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import fresh_entries, generation_of
from streamrec.agents.faults import FAULTS
from streamrec.agents.kept import Wanted
from streamrec.agents.ownership import Hold, state_write
from streamrec.agents.redriven import Arrivals, arrivals
from streamrec.agents.schemas import Schemas
from streamrec.agents.transport import Batch
from streamrec.events import ActivityEntry, JobActivity, JobPosting, Rejected, Tombstone
from streamrec.features.fold import fold_entry, fold_neighbours, fold_posting
from streamrec.features.state import JobState, Neighbours, unpack
from streamrec.kafka.producer import Producer, Record
from streamrec.settings import Settings
from streamrec.stores.base import Append
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Mark
from streamrec.topics import Topic

JOB_ACTIVITY: Final = "job-activity"
JOB_TOPICS: Final = ("job-postings", JOB_ACTIVITY)
# Entries of the stream of changes; a reader further behind reads everything anew. One names up to a thousand jobs or so, so
# that many more of them would take more room than the jobs.
CHANGES_KEPT: Final = 2_000


class JobAgent(OwnerAgent):
    """Owns the slots ``j0``, ``j1``, …: one packed value a job, one a row of neighbours, and the stream of changed jobs."""

    topics: ClassVar[tuple[str, ...]] = JOB_TOPICS
    pause_s: ClassVar[float] = 0.05  # each first touch changes the rows of some twenty jobs

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, Topic],
        keys: Keys,
        producer: Producer,
        schemas: Schemas | None = None,
    ) -> None:
        super().__init__(schemas)
        self._settings, self._specs, self._keys, self._producer = settings, topics, keys, producer

    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        """Decode, fold, commit; only dead letters are produced. See `OwnerAgent`."""
        topics = [batch.topic for batch in batches]
        again = [await arrivals(hold, self._keys, batch.topic, batch.records) for batch in batches]
        postings: list[JobPosting | Tombstone] = []
        entries: list[ActivityEntry] = []
        marks: dict[str, Mark] = {}
        letters: list[Record] = []
        for batch, known in zip(batches, again, strict=True):
            self._decode(hold, batch, known, postings, entries, marks, letters)
        jobs = list(dict.fromkeys([*(_job_of(posting) for posting in postings), *(entry.job_id for entry in entries)]))
        rows = list(dict.fromkeys(entry.job_id for entry in entries if entry.neighbours))
        found = await hold.read([
            *(Wanted(self._keys.job(job), _job) for job in jobs), *(Wanted(self._keys.neighbours(job), _row) for job in rows)
        ])  # fmt: skip
        states: dict[str, JobState] = dict(zip(jobs, found, strict=False))
        neighbours: dict[str, Neighbours] = dict(zip(rows, found[len(jobs) :], strict=True))
        changed: dict[str, None] = {}
        for posting in postings:
            fold_posting(states[_job_of(posting)], posting)
            changed[_job_of(posting)] = None
        for entry in entries:
            if entry.action is not None:
                fold_entry(states[entry.job_id], entry)
                changed[entry.job_id] = None
            if (
                entry.neighbours and states[entry.job_id].version
            ):  # else the job has been forgotten: see `agents.sweeper`
                fold_neighbours(neighbours[entry.job_id], entry)
        if letters:
            FAULTS.reach("before-produce", *topics)
            await self._producer.send_all(letters, self._settings.produce_timeout_s)
        FAULTS.reach("before-commit", *topics)
        writes = [state_write(hold, self._keys.job(job), states[job]) for job in changed]
        writes += [state_write(hold, self._keys.neighbours(job), row) for job, row in neighbours.items() if row.weights]
        if changed:
            notice = msgspec.msgpack.encode(list(changed))
            writes.append(Append(self._keys.changes(hold.name), notice, CHANGES_KEPT))
        writes += [write for known in again for write in known.writes(self._keys, hold.name)]
        await hold.commit(writes, {batch.topic: batch.next_offset for batch in batches}, marks)
        FAULTS.reach("after-commit", *topics)
        for known in again:
            known.committed()

    def _decode(
        self,
        hold: Hold,
        batch: Batch,
        again: Arrivals,
        postings: list[JobPosting | Tombstone],
        entries: list[ActivityEntry],
        marks: dict[str, Mark],
        letters: list[Record],
    ) -> None:
        """Add what is new in a batch, the marks that go with it, and dead letters for what cannot be read."""
        topic, partition = batch.topic, batch.partition
        spec = self._specs[topic]
        now_ms, skew_ms = time.time_ns() // 1_000_000, self._settings.clock_skew_ms
        partitions = self._settings.partitions
        for record in batch.records:
            if topic == JOB_ACTIVITY and generation_of(record) != self._keys.generation:
                metrics.SKIPPED.labels(topic).inc()  # of a state that is not ours: our own workers derive it anew
                continue
            decoded = codecs.decode_record(
                spec.schema, record.key, record.value, now_ms, skew_ms, spec.tombstones, partition, partitions,
                writers=self._writers,
            )  # fmt: skip
            match decoded:
                case Rejected():
                    letters.append(dead_letter(topic, hold.topic_ids[topic], partition, record, decoded, now_ms))
                case JobActivity():
                    entries.extend(fresh_entries(hold.marks, marks, decoded))
                case JobPosting() | Tombstone():
                    if again.first(record.offset):
                        postings.append(decoded)
                case _:
                    raise TypeError(f"{topic} holds a {type(decoded).__name__}")


_job = partial(unpack, JobState)
_row = partial(unpack, Neighbours)


def _job_of(posting: JobPosting | Tombstone) -> str:
    return posting.key if isinstance(posting, Tombstone) else posting.job_id
