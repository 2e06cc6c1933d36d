"""Whether a running system holds what its log says: states of some members and jobs, beside a replay up to their positions.

How it copes with events under way
----------------------------------
Jobs are read first, each together with the marks of its slot: the last effect of each source that it has counted. Members are
read then, each together with the positions of its slot. The log is replayed beyond both, to whichever is farther; a member gets
the records before its positions, a job the effects up to its marks. So nothing has to stand still.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
import redis

from streamrec.agents.derived import is_applied
from streamrec.agents.members import time_of
from streamrec.building.builder import LAST_INDEX, Past
from streamrec.building.part import Folded
from streamrec.building.sources import TopicLog, Unusable
from streamrec.building.values import States, Value, by_entity
from streamrec.events import JobPosting, Tombstone, digest_of
from streamrec.features.comparison import Difference, compare
from streamrec.features.fold import mirrored
from streamrec.features.forgetting import begin_anew, is_idle
from streamrec.features.language import Feature
from streamrec.features.language.feature import walk
from streamrec.features.plan import Plan
from streamrec.features.reader import Reader
from streamrec.features.replay import DUPLICATE, Jobs, Members
from streamrec.features.state import JobState, MemberState, State, UnreadableStateError, pack, unpack
from streamrec.kafka.admin import Admin
from streamrec.kafka.ends import Place
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores.connect import node_of
from streamrec.stores.positions import Mark, Position
from streamrec.stores.positions import unpack as unpack_position
from streamrec.topics import load

MEMBER_LOGS: Final = (
    "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "member-profiles",
)  # fmt: skip
POSTINGS: Final = "job-postings"
# What these read depends on the order between topics, or on more entities than are sampled: see ops/features.md.
LEFT_OUT: Final = frozenset(
    {"cooccurrence", "rank", "resemblance", "connections_that", "connections_at", "beside_best", "standing"}
)
_SEEN: Final = 20  # keys looked at for each one that is taken: a sample of a large store
_VALUES: Final = 1e-6  # relative: values are float32


class IncomparableError(Exception):
    """There is nothing to compare with; the message says why, and what to do."""


class Parity(msgspec.Struct, kw_only=True):
    """What came of it."""

    members: int
    jobs: int
    records: int
    compared: int
    seconds: float
    features: int
    left_out: list[str]
    differences: list[Difference]


class _Slot(msgspec.Struct):
    positions: dict[str, Position]
    marks: dict[str, Mark]


class Check:
    """One comparison of a running system with its log.

    Parameters
    ----------
    settings, client, admin
        Of the installation.
    plan
        What it computes.
    report
        Called now and then with the share of the log that has been replayed, and how many records that is.
    stopped
        Whether to stop.
    """

    def __init__(
        self, settings: Settings, client: "redis.Redis", admin: Admin, plan: Plan, *, report: Callable[[float, int], None],
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._settings, self._client, self._admin, self._plan = settings, client, admin, plan
        self._report, self._stopped = report, stopped
        self._generation = generations.current(client, settings)
        self._keys = self._generation.keys(settings.namespace)
        self._slots: dict[str, _Slot] = {}
        self._live = Folded()

    def run(self, members: int, jobs: int) -> Parity:
        """Compare up to so many members and jobs.

        Raises
        ------
        IncomparableError
            The log does not hold what the state was made of, or there is no state.
        InterruptedError
            `stopped` said so.
        KafkaUnavailableError, KafkaRefusedError, redis.RedisError
            What is needed does not answer.
        """
        began = time.monotonic()
        keys = self._keys
        self._read("job", self._sampled("job", jobs), self._live.jobs)
        self._read("member", self._sampled("member", members), self._live.members)
        if not self._live.members and not self._live.jobs:
            raise IncomparableError(f"there is no state under {keys.prefix} yet: is a worker running, on this Redis?")
        ids = self._admin.topic_ids((*MEMBER_LOGS, POSTINGS))
        records, replayed = self._replay(self._spans(ids), ids)
        differences = [*self._states(replayed)]
        exact = [
            each
            for each in self._plan.features.values()
            if not LEFT_OUT & {part.kind for part in walk(each.expression)}
        ]
        values = [*self._values(replayed, exact)]
        compared = len(values) + sum(
            len(self._plan.states) for kept in (self._live.members, self._live.jobs) for _ in kept
        )
        differences += [each for each in values if each is not None]
        return Parity(
            members=len(self._live.members), jobs=len(self._live.jobs), records=records, compared=compared,
            seconds=time.monotonic() - began, features=len(exact), differences=differences,
            left_out=[name for name, each in self._plan.features.items() if each not in exact],
        )  # fmt: skip

    # What is stored.

    def _sampled(self, kind: str, count: int) -> list[str]:
        """Ids of some of the stored, each as likely as any other of those looked at."""
        keys = self._keys
        pattern, id_of = {
            "member": (keys.members_pattern(), keys.member_id), "job": (keys.jobs_pattern(), keys.job_id),
        }[kind]  # fmt: skip
        found: list[str] = []
        looked = 0
        for raw in self._client.scan_iter(pattern, count=1000) if count else ():
            entity = id_of(raw.decode())
            if not entity:
                continue
            looked += 1
            if len(found) < count:
                found.append(entity)
            elif (place := random.randrange(looked)) < count:
                found[place] = entity
            if looked >= count * _SEEN:
                break
        return found

    def _read(self, kind: str, entities: Iterable[str], into: dict[str, bytes]) -> None:
        """States with the positions and marks of their slots, of one moment for each slot."""
        slot_of, key_of = (getattr(self._keys, name) for name in (f"{kind}_slot", kind))
        by_slot: dict[str, list[str]] = {f"{kind[0]}{number}": [] for number in range(self._keys.partitions)}
        for entity in entities:
            by_slot[slot_of(entity)].append(entity)
        for slot, some in by_slot.items():
            with node_of(self._client, self._keys.positions(slot)).pipeline(transaction=True) as pipe:
                pipe.hgetall(self._keys.positions(slot))
                pipe.hgetall(self._keys.marks(slot))
                for entity in some:
                    pipe.get(key_of(entity))
                positions, marks, *values = pipe.execute()
            self._slots[slot] = _Slot(
                {name.decode(): unpack_position(Position, value) for name, value in positions.items()},
                {name.decode(): unpack_position(Mark, value) for name, value in marks.items()},
            )
            into.update({entity: value for entity, value in zip(some, values, strict=True) if value is not None})

    def _next(self, topic: str, partition: int) -> int:
        """Offset before which a partition is in the state of its own slot."""
        slot = self._slots[f"{'j' if topic == POSTINGS else 'm'}{partition}"]
        position = slot.positions.get(topic)
        return 0 if position is None else position.next_offset

    def _spans(self, ids: dict[str, str]) -> dict[Place, tuple[int, int]]:
        spans = {}
        for (topic, number), (low, high) in self._admin.bounds((*MEMBER_LOGS, POSTINGS)).items():
            if number >= self._keys.partitions:
                continue
            slot = self._slots[f"{'j' if topic == POSTINGS else 'm'}{number}"]
            position = slot.positions.get(topic)
            if position is not None and position.topic_id != ids[topic]:
                raise IncomparableError(f"{topic} was created anew since: the log that the state was made of is gone")
            if low > 0 and load()[topic].cleanup == "delete":
                raise IncomparableError(
                    f"the log of {topic}/{number} begins at offset {low}: retention has removed what was before, and a replay "
                    "would lack it. Compare while the whole log is kept, or read an archive by `streamrec features replay`"
                )
            source = f"{topic}/{number}"
            marked = [each.marks[source].offset + 1 for each in self._slots.values() if source in each.marks]
            end = max([self._next(topic, number), *marked])
            if end > high:
                raise IncomparableError(f"the state ends at offset {end} of {topic}/{number}, the log at {high}")
            spans[topic, number] = (low, end)
        return spans

    # The replay.

    def _replay(self, spans: dict[Place, tuple[int, int]], ids: dict[str, str]) -> tuple[int, Folded]:
        kept_ms = self._settings.member_kept_ms
        own, everybody, jobs = Members(self._plan, kept_ms), Members(self._plan, kept_ms), Jobs(self._plan)
        erased: dict[str, int] = {}
        total, records = max(1, sum(end - low for low, end in spans.values())), 0
        for records, (_, past) in enumerate(TopicLog(self._settings, spans, self._counts()), 1):
            if not records % 1000:
                self._report(records / total, records)
                if self._stopped():
                    raise InterruptedError
            if isinstance(past, Unusable):
                continue
            event: Any = past.event
            before = past.offset < self._next(past.topic, past.partition)
            if past.topic == POSTINGS:
                job_id = event.key if isinstance(event, Tombstone) else event.job_id
                if before and job_id in self._live.jobs and isinstance(event, JobPosting | Tombstone):
                    jobs.post(event)
                continue
            member_id = event.key if isinstance(event, Tombstone) else event.member_id
            if isinstance(event, Tombstone):
                erased[digest_of(member_id)] = past.at
            elif erased and time_of(event) <= erased.get(digest_of(member_id), -1):
                continue
            if before and member_id in self._live.members:
                own.take(event)
            effect = everybody.take(event)
            if effect is None or effect is DUPLICATE:
                continue
            for index, each in enumerate((effect, *mirrored(effect))):
                if each.job_id in self._live.jobs and self._counted(past, each.job_id, index, ids):
                    jobs.take(each)
        folded = Folded(
            members={key: pack(self._left(key, own.states.get(key, MemberState()))) for key in self._live.members},
            jobs={key: pack(jobs.states.get(key, JobState())) for key in self._live.jobs},
        )
        return records, folded

    def _left(self, member_id: str, state: MemberState) -> MemberState:
        """What a sweep leaves of a member that has not been there for long, where there was one: see `agents.sweeper`."""
        now = time.time_ns() // 1_000_000
        if is_idle(state, now, self._settings.member_kept_ms) and _swept(self._live.members[member_id]):
            begin_anew(state)
        return state

    def _counts(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*self._generation.counts, self._keys.partitions)))

    def _counted(self, past: Past, job_id: str, index: int, ids: dict[str, str]) -> bool:
        """Whether the owner of the job has counted the effect."""
        mark = self._slots[self._keys.job_slot(job_id)].marks.get(f"{past.topic}/{past.partition}")
        if mark is None and self._generation.number:  # counted when the state was built, and nothing came since
            mark = Mark(ids[past.topic], self._next(past.topic, past.partition) - 1, LAST_INDEX)
        return is_applied(mark, ids[past.topic], past.offset, index)

    # The comparison.

    def _states(self, replayed: Folded) -> Iterator[Difference]:
        for member_id, value in self._live.members.items():
            yield from self._compared(f"member {member_id}", MemberState, value, replayed.members[member_id])
        for job_id, value in self._live.jobs.items():
            yield from self._compared(f"job {job_id}", JobState, value, replayed.jobs[job_id])

    def _compared(self, entity: str, kind: type[State], live: bytes, replayed: bytes) -> Iterator[Difference]:
        try:
            state = unpack(kind, live)
        except UnreadableStateError as error:
            yield Difference(
                entity=entity, what="state", live="unreadable", replayed="", difference=None, cause=str(error)
            )
            return
        yield from compare(entity, state, unpack(kind, replayed), self._plan)

    def _values(self, replayed: Folded, features: list[Feature]) -> Iterator[Difference | None]:
        """Values of features, read from both states as of now: None for each that is the same."""
        now = time.time_ns() // 1_000_000
        try:
            both = States(self._live, self._plan), States(replayed, self._plan)
        except UnreadableStateError:
            return
        jobs, members, pairs = map(Reader, by_entity(features))
        ids = sorted(self._live.jobs)
        streams: list[tuple[Iterator[Value], Iterator[Value]]] = []
        if ids:
            streams.append(tuple(each.of_jobs(jobs, ids, now) for each in both))  # type: ignore[arg-type]
        for member_id in sorted(self._live.members):
            for some, beside in ((members, []), (pairs, ids)):
                if some.columns and (beside or some is members):
                    streams.append(tuple(each.of_member(some, member_id, beside, now) for each in both))  # type: ignore[arg-type]
        for one, other in streams:
            for live, again in zip(one, other, strict=True):
                yield None if _same(live.value, again.value) else _of_values(live, again)


def _swept(value: bytes) -> bool:
    try:
        return not unpack(MemberState, value).last_at
    except UnreadableStateError:
        return False


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _VALUES * max(1.0, abs(one), abs(other))


def _of_values(live: Value, again: Value) -> Difference:
    entity = ", ".join(f"{kind} {name}" for kind, name in (("member", live.member_id), ("job", live.job_id)) if name)
    return Difference(
        entity=entity, what=f"feature {live.feature}", live=f"{live.value:g}", replayed=f"{again.value:g}",
        difference=live.value - again.value, cause="follows from the states that differ",
    )  # fmt: skip
