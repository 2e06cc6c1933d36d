"""The member agent: folds what members do into their own state, and tells the owners of jobs and the trainer."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from streamrec import codecs, metrics, tracing
from streamrec.agents.base import OwnerAgent
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import ActivityBuffer, NetworkBuffer
from streamrec.agents.erasures import Erasures, Ledger
from streamrec.agents.faults import FAULTS
from streamrec.agents.kept import Wanted
from streamrec.agents.labels import IMPRESSIONS, Book, Labels
from streamrec.agents.network import network_of, network_write, state_of
from streamrec.agents.ownership import Hold, state_delete, state_write
from streamrec.agents.redriven import Arrivals, arrivals
from streamrec.agents.schemas import Schemas
from streamrec.agents.transport import Batch
from streamrec.events import (
    Connection,
    Event,
    Impression,
    ImpressionSeen,
    JobEvent,
    MemberProfile,
    Rejected,
    Tombstone,
)
from streamrec.features.fold import fold_member, is_duplicate, remember
from streamrec.features.forgetting import begin_anew, is_idle
from streamrec.features.network import fold_own
from streamrec.features.state import MemberState, Neighbours, Network, unpack
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.models.examples import example_key, is_example_of
from streamrec.ranking.candidates import explain
from streamrec.ranking.default import default_workflow
from streamrec.ranking.engine import recent_ids
from streamrec.ranking.examples import example, is_old, is_positive
from streamrec.settings import Settings
from streamrec.stores.base import Delete, FencedError, StoreUnavailableError, Write
from streamrec.stores.keys import Keys
from streamrec.stores.serving import Serving
from streamrec.topics import Topic

log = logging.getLogger(__name__)

MEMBER_TOPICS: Final = (
    "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "member-profiles",
    "impressions", "impressions-seen",
)  # fmt: skip
_TRACED: Final = frozenset(
    ("decode", "read", "fold")
)  # the others have spans of their own: see `tracing.send` and `commit`
_BREATHE_EVERY: Final = 32  # records folded between two chances for the rest of the process

Decoded = JobEvent | Connection | MemberProfile | Tombstone | Impression | ImpressionSeen


def member_of(event: Decoded) -> str:
    """Id of the member whose state the event changes."""
    return event.key if isinstance(event, Tombstone) else event.member_id


def time_of(event: JobEvent | Connection | MemberProfile | Impression | ImpressionSeen) -> int:
    """When it happened, was said or was shown (ms)."""
    match event:
        case MemberProfile(updated_at=at) | Impression(served_at=at):
            return at
        case _:
            return event.occurred_at


class MemberAgent(OwnerAgent):
    """Owns the slots ``m0``, ``m1``, … and reads every topic that is keyed by member.

    `on_change` is told the members whose state, or what they passed over, has just been committed, for their lists to be ranked
    anew.
    """

    topics: ClassVar[tuple[str, ...]] = MEMBER_TOPICS

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, Topic],
        keys: Keys,
        serving: Serving,
        producer: Producer,
        on_change: Callable[[list[str]], None],
        labels: Labels,
        erasures: Erasures,
        *,
        schemas: Schemas | None = None,
    ) -> None:
        super().__init__(schemas)
        self._erasures = erasures
        self._settings, self._specs, self._keys = settings, topics, keys
        self._sources = default_workflow(settings).sources
        self._serving, self._producer, self._on_change = serving, producer, on_change
        self._labels = labels

    async def handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        """Decode, fold, derive, produce, commit, and hand the labels over; see `OwnerAgent` and `agents.labels`."""
        try:
            await self._handle(hold, sorted(batches, key=_rank))
        except BaseException:
            self._labels.forget(hold)
            self._erasures.forget(hold)
            raise

    async def close_windows(self, holds: Sequence[Hold]) -> None:
        """Close the impressions that are due, of every member slot among `holds`; a slot that fails waits for its next turn."""
        for hold in holds:
            if not hold.name.startswith("m") or IMPRESSIONS not in hold.topic_ids:
                continue
            more = True
            while more and not hold.lost:
                async with hold.turn:
                    try:
                        more = await self._close_windows(hold)
                    except FencedError as error:
                        hold.refused(error)
                    except (StoreUnavailableError, ProduceFailedError) as error:
                        log.warning("the labels of %s wait: %s", hold.name, error)
                        more = False
                await asyncio.sleep(0)

    async def _close_windows(self, hold: Hold) -> bool:
        try:
            return await self._labels.close(hold, self._on_change)
        except BaseException:
            self._labels.forget(hold)
            hold.forget()
            raise

    async def _handle(self, hold: Hold, batches: Sequence[Batch]) -> None:
        started = time.perf_counter()
        topics = [batch.topic for batch in batches]
        book = await self._labels.begin(hold)
        ledger = await self._erasures.of(hold)
        parts = [
            self._part(hold, batch, await arrivals(hold, self._keys, batch.topic, batch.records)) for batch in batches
        ]
        letters = [letter for part in parts for letter in self._decode(hold, part)]
        started = _stage("decode", started)
        events = [event for part in parts for _, event in part.events]
        states, networks = await self._read_members(hold, book, events)
        known = {member: network.version for member, network in networks.items()}
        turn = _Turn(book, states, networks, await self._read_neighbours(book, events, states), ledger)
        started = _stage("read", started)
        for part in parts:
            await self._fold(turn, part)
        outgoing = [*letters, *turn.learned]
        for part in parts:
            outgoing += [*part.activity.records(), *part.telling.records()]
        outgoing += ledger.records()
        started = _stage("fold", started)
        FAULTS.reach("before-produce", *topics)
        await self._producer.send_all(outgoing, self._settings.produce_timeout_s)
        started = _stage("produce", started)
        await self._labels.settle(book)
        started = _stage("labels", started)
        FAULTS.reach("before-commit", *topics)
        touched = list(turn.touched)
        writes = [write for member in touched for write in self._writes(hold, member, states[member])]
        writes += [
            network_write(hold, self._keys, member, networks[member])
            for member in touched
            if networks[member].version != known[member]
        ]
        writes += [write for part in parts for write in part.again.writes(self._keys, hold.name)]
        writes += [*ledger.writes(self._keys.erased(hold.name)), *self._labels.writes(book)]
        await hold.commit(writes, {batch.topic: batch.next_offset for batch in batches}, {})
        FAULTS.reach("after-commit", *topics)
        _stage("commit", started)
        self._on_change(touched)
        ledger.committed()
        self._labels.committed(book)
        for part in parts:
            part.again.committed()
            self._labels.folded(book, part.batch.topic, part.batch.records, part.events)
        self._labels.send(book)

    def _part(self, hold: Hold, batch: Batch, again: Arrivals) -> "_Part":
        source = (
            batch.topic, hold.topic_ids[batch.topic], batch.partition, self._settings.partitions, self._keys.generation
        )  # fmt: skip
        return _Part(batch, source[1], again, ActivityBuffer(*source), NetworkBuffer(*source))

    def _writes(self, hold: Hold, member: str, state: MemberState) -> list[Write]:
        """An erased member leaves nothing behind, not even its list."""
        key = self._keys.member(member)
        if state.version:
            return [state_write(hold, key, state)]
        return [state_delete(hold, key), Delete(self._keys.ranked(member)), Delete(self._keys.asked(member))]

    def _decode(self, hold: Hold, part: "_Part") -> list[Record]:
        """Fill in the events, without redriven ones that the state holds; dead letters for what is none."""
        topic, partition = part.batch.topic, part.batch.partition
        spec = self._specs[topic]
        now_ms, skew_ms = time.time_ns() // 1_000_000, self._settings.clock_skew_ms
        partitions = self._settings.partitions
        letters: list[Record] = []
        for record in part.batch.records:
            decoded = codecs.decode_record(
                spec.schema, record.key, record.value, now_ms, skew_ms, spec.tombstones, partition, partitions,
                writers=self._writers,
            )  # fmt: skip
            if isinstance(decoded, Rejected):
                letters.append(dead_letter(topic, hold.topic_ids[topic], partition, record, decoded, now_ms))
            elif isinstance(decoded, Decoded):
                if part.again.first(record.offset):
                    part.events.append((record.offset, decoded))
                    if not isinstance(decoded, Tombstone) and (ahead := time_of(decoded) - now_ms) > 0:
                        metrics.AHEAD.labels(topic).observe(ahead / 1000)
            else:
                raise TypeError(f"{topic} holds a {type(decoded).__name__}")
        return letters

    async def _read_members(
        self, hold: Hold, book: Book, events: Sequence[Decoded]
    ) -> tuple[dict[str, MemberState], dict[str, Network]]:
        """States and networks of the members that the events change; what they were shown goes to the book."""
        members = list(dict.fromkeys(
            member_of(event) for event in events if not isinstance(event, Impression | ImpressionSeen)
        ))  # fmt: skip
        shown = self._labels.wanted(book, events)
        found = await hold.read([
            *(Wanted(self._keys.member(member), state_of) for member in members),
            *(Wanted(self._keys.network(member), network_of) for member in members), *self._labels.stored(shown),
        ])  # fmt: skip
        n = len(members)
        self._labels.load(book, shown, found[2 * n :])
        return dict(zip(members, found, strict=False)), dict(zip(members, found[n : 2 * n], strict=True))

    async def _read_neighbours(
        self, book: Book, events: Sequence[Decoded], states: Mapping[str, MemberState]
    ) -> dict[str, Neighbours]:
        """Co-visitation rows for the examples: of the recent jobs of members whose action may need one."""
        choosers = dict.fromkeys(
            event.member_id
            for event in events
            if isinstance(event, JobEvent) and is_positive(event) and self._may_choose(book, states, event)
        )
        wanted = list(dict.fromkeys(job for member in choosers for job in recent_ids(states[member])))
        if not wanted:
            return {}
        values = await self._serving.store.get([self._keys.neighbours(job) for job in wanted])
        return {job: unpack(Neighbours, value) for job, value in zip(wanted, values, strict=True) if value is not None}

    def _may_choose(self, book: Book, states: Mapping[str, MemberState], event: JobEvent) -> bool:
        """Whether the event may make an example of its own: few do, since a list explains most, or the job is an old one.

        By what was known before the turn: a list that it folds explains some of these after all, and hardly any less.
        """
        again = self._settings.viewed_again_after_ms
        return not is_old(states[event.member_id], event.job_id, again) and not self._labels.explains(book, event)

    async def _fold(self, turn: "_Turn", part: "_Part") -> None:
        """Fold in order. What is learned from an event is read before the event is folded."""
        topic, partition = part.batch.topic, part.batch.partition
        book, ledger = turn.book, turn.ledger
        for offset, event in part.events:
            turn.folded += 1
            if turn.folded % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)
            source = (topic, part.topic_id, partition, offset)
            if not isinstance(event, Tombstone) and ledger.covers(event.member_id, time_of(event)):
                metrics.ERASED.labels(topic).inc()
            elif isinstance(event, Impression):
                self._labels.show(book, source, event)
            elif isinstance(event, ImpressionSeen):
                self._labels.see(book, event)
            else:
                turn.touched[member_of(event)] = None
                self._fold_one(turn, part, source, event)

    def _fold_one(
        self,
        turn: "_Turn",
        part: "_Part",
        source: tuple[str, str, int, int],
        event: JobEvent | Connection | MemberProfile | Tombstone,
    ) -> None:
        member, offset = member_of(event), source[3]
        state, network = turn.states[member], turn.networks[member]
        if isinstance(event, Tombstone):
            part.telling.add(offset, fold_own(network, None, event, []))
            turn.states[member], turn.networks[member] = MemberState(), Network(version=network.version + 1)
            self._labels.erase(turn.book, member)
            turn.learned = [record for record in turn.learned if not is_example_of(record.key or b"", member)]
            turn.ledger.add(member, part.stamps[offset])
            return
        if isinstance(event, Event):
            if is_idle(state, event.occurred_at, self._settings.member_kept_ms):
                begin_anew(state)
            if is_duplicate(state, event):
                metrics.DUPLICATES.labels(part.batch.topic).inc()
                return
            if isinstance(event, JobEvent) and is_positive(event) and not self._labels.act(turn.book, source, event):
                made = example(
                    event, source, state, turn.neighbours, self._serving.table, self._settings.negatives,
                    viewed_again_after_ms=self._settings.viewed_again_after_ms,
                    without_posting=self._serving.without_posting, network=network, sources=self._sources,
                    observe=_recalled,
                )  # fmt: skip
                if made is not None:
                    metrics.LABELS.labels(made.kind).inc()
                    value = codecs.encode(made)
                    turn.learned.append(Record(topic="training-examples", key=example_key(made), value=value))
            remember(state, event)
        profile, effects = state.profile, fold_member(state, event)
        part.telling.add(offset, fold_own(network, profile, event, effects))
        part.activity.add(offset, effects)


@dataclass(slots=True)
class _Part:
    """One batch of a turn: what it holds, and what it means for the owners of other state."""

    batch: Batch
    topic_id: str
    again: Arrivals
    activity: ActivityBuffer
    telling: NetworkBuffer
    events: list[tuple[int, Decoded]] = field(default_factory=list)  # with their offsets

    @property
    def stamps(self) -> dict[int, int]:
        """Kafka's time of each record, by its offset."""
        return {record.offset: record.timestamp for record in self.batch.records}


@dataclass(slots=True)
class _Turn:
    """What was read for the batches in hand, and what comes of them together."""

    book: Book
    states: dict[str, MemberState]
    networks: dict[str, Network]
    neighbours: Mapping[str, Neighbours]
    ledger: Ledger
    touched: dict[str, None] = field(default_factory=dict)  # members that changed
    learned: list[Record] = field(default_factory=list)
    folded: int = 0


def _rank(batch: Batch) -> bool:
    """Lists first, then what was done with them: an action that finds its list makes no example of its own."""
    return batch.topic != IMPRESSIONS


def _recalled(sources: int) -> None:
    metrics.CHOICES.inc()
    for name in ("any", *explain(sources)) if sources else ():
        metrics.RECALLED.labels(name).inc()


def _stage(name: str, started: float) -> float:
    now = time.perf_counter()
    metrics.STAGE.labels(name).observe(now - started)
    if name in _TRACED:
        tracing.stage(name, now - started)
    return now
