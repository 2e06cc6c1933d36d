"""The member agent: folds what members do into their own state, and tells the owners of jobs and the trainer."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from streamrec import codecs, metrics
from streamrec.agents.base import OwnerAgent
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import ActivityBuffer, NetworkBuffer
from streamrec.agents.erasures import Erasures, Ledger
from streamrec.agents.faults import FAULTS
from streamrec.agents.labels import IMPRESSIONS, Book, Labels
from streamrec.agents.network import network_write
from streamrec.agents.ownership import Hold
from streamrec.agents.redriven import Arrivals, arrivals
from streamrec.agents.schemas import Schemas
from streamrec.agents.transport import Record as Consumed
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
from streamrec.features.network import fold_own
from streamrec.features.state import MemberState, Neighbours, Network, pack, unpack
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.models.examples import example_key, is_example_of
from streamrec.ranking.candidates import explain
from streamrec.ranking.default import default_workflow
from streamrec.ranking.engine import recent_ids
from streamrec.ranking.examples import example, is_positive
from streamrec.settings import Settings
from streamrec.stores.base import Delete, FencedError, Put, SetBackError, StoreUnavailableError, Write
from streamrec.stores.keys import Keys
from streamrec.stores.serving import Serving
from streamrec.topics import Topic

log = logging.getLogger(__name__)

MEMBER_TOPICS: Final = (
    "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "member-profiles",
    "impressions", "impressions-seen",
)  # fmt: skip
_BREATHE_EVERY: Final = 64  # records folded between two chances for the rest of the process

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

    async def handle(self, hold: Hold, topic: str, partition: int, records: Sequence[Consumed]) -> None:
        """Decode, fold, derive, produce, commit, and then produce the labels; see `OwnerAgent` and `agents.labels`."""
        try:
            await self._handle(hold, topic, partition, records)
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
                        more = await self._labels.close(hold, self._on_change)
                    except FencedError as error:
                        hold.lost = True
                        if not isinstance(error, SetBackError):  # which is seen to by `StreamApp.watch_store`
                            metrics.FENCED.labels(hold.name).inc()
                        self._labels.forget(hold)
                    except (StoreUnavailableError, ProduceFailedError) as error:
                        log.warning("the labels of %s wait: %s", hold.name, error)
                        self._labels.forget(hold)
                        more = False
                await asyncio.sleep(0)

    async def _handle(self, hold: Hold, topic: str, partition: int, records: Sequence[Consumed]) -> None:
        started = time.perf_counter()
        book = await self._labels.begin(hold)
        again = await arrivals(hold, self._keys, topic, records)
        ledger = await self._erasures.of(hold)
        events, outgoing = self._decode(hold, topic, partition, records, again)
        started = _stage("decode", started)
        states, networks = await self._read_members(hold, book, events)
        known = {member: network.version for member, network in networks.items()}
        neighbours = await self._read_neighbours(events, states)
        started = _stage("read", started)
        source = (topic, hold.topic_ids[topic], partition, self._settings.partitions, self._keys.generation)
        turn = _Turn(
            book,
            topic,
            partition,
            states,
            networks,
            neighbours,
            ActivityBuffer(*source),
            NetworkBuffer(*source),
            ledger,
            {record.offset: record.timestamp for record in records},
        )
        touched = await self._fold(turn, events)
        outgoing += [*turn.learned, *turn.activity.records(), *turn.telling.records(), *ledger.records()]
        started = _stage("fold", started)
        FAULTS.reach("before-produce", topic)
        await self._producer.send_all(outgoing, self._settings.produce_timeout_s)
        started = _stage("produce", started)
        FAULTS.reach("before-commit", topic)
        writes = [write for member in touched for write in self._writes(member, states[member])]
        writes += [
            network_write(self._keys, member, networks[member])
            for member in touched
            if networks[member].version != known[member]
        ]
        writes += [*again.writes(self._keys, hold.name), *ledger.writes(self._keys.erased(hold.name))]
        await hold.commit([*writes, *self._labels.writes(book)], (topic, records[-1].offset + 1), {})
        FAULTS.reach("after-commit", topic)
        started = _stage("commit", started)
        self._on_change(touched)
        again.committed()
        ledger.committed()
        self._labels.committed(book)
        self._labels.folded(book, topic, records, events)
        await self._labels.flush(book)
        _stage("labels", started)

    def _writes(self, member: str, state: MemberState) -> list[Write]:
        """An erased member leaves nothing behind, not even its list."""
        if state.version:
            return [Put(self._keys.member(member), pack(state))]
        return [Delete(self._keys.member(member)), Delete(self._keys.ranked(member)), Delete(self._keys.asked(member))]

    def _decode(
        self, hold: Hold, topic: str, partition: int, records: Sequence[Consumed], again: Arrivals
    ) -> tuple[list[tuple[int, Decoded]], list[Record]]:
        """Events with their offsets, without redriven ones that the state holds; dead letters for what is none."""
        spec = self._specs[topic]
        now_ms, skew_ms = time.time_ns() // 1_000_000, self._settings.clock_skew_ms
        partitions = self._settings.partitions
        events: list[tuple[int, Decoded]] = []
        letters: list[Record] = []
        for record in records:
            decoded = codecs.decode_record(
                spec.schema, record.key, record.value, now_ms, skew_ms, spec.tombstones, partition, partitions,
                writers=self._writers,
            )  # fmt: skip
            if isinstance(decoded, Rejected):
                letters.append(dead_letter(topic, hold.topic_ids[topic], partition, record, decoded, now_ms))
            elif isinstance(decoded, Decoded):
                if again.first(record.offset):
                    events.append((record.offset, decoded))
                    if not isinstance(decoded, Tombstone) and (ahead := time_of(decoded) - now_ms) > 0:
                        metrics.AHEAD.labels(topic).observe(ahead / 1000)
            else:
                raise TypeError(f"{topic} holds a {type(decoded).__name__}")
        return events, letters

    async def _read_members(
        self, hold: Hold, book: Book, events: Sequence[tuple[int, Decoded]]
    ) -> tuple[dict[str, MemberState], dict[str, Network]]:
        """States and networks of the members that the events change; what they were shown goes to the book."""
        members = list(dict.fromkeys(
            member_of(event) for _, event in events if not isinstance(event, Impression | ImpressionSeen)
        ))  # fmt: skip
        shown = self._labels.wanted(book, (event for _, event in events))
        keys = (self._keys.member, self._keys.network)
        values = await hold.slot.read(
            [*(key(member) for key in keys for member in members), *self._labels.stored(shown)]
        )
        self._labels.load(book, shown, values[2 * len(members) :])
        states = {member: unpack(MemberState, value) for member, value in zip(members, values, strict=False)}
        rest = values[len(members) : 2 * len(members)]
        return states, {member: unpack(Network, value) for member, value in zip(members, rest, strict=True)}

    async def _read_neighbours(
        self, events: Sequence[tuple[int, Decoded]], states: Mapping[str, MemberState]
    ) -> dict[str, Neighbours]:
        """Co-visitation rows for the examples: of the recent jobs of members who acted."""
        actors = dict.fromkeys(
            event.member_id for _, event in events if isinstance(event, JobEvent) and is_positive(event)
        )
        wanted = list(dict.fromkeys(job for member in actors for job in recent_ids(states[member])))
        if not wanted:
            return {}
        values = await self._serving.store.get([self._keys.neighbours(job) for job in wanted])
        return {job: unpack(Neighbours, value) for job, value in zip(wanted, values, strict=True) if value is not None}

    async def _fold(self, turn: "_Turn", events: Sequence[tuple[int, Decoded]]) -> list[str]:
        """Fold in order; the members that changed. What is learned from an event is read before the event is folded."""
        touched: dict[str, None] = {}
        book, topic_id = turn.book, turn.book.hold.topic_ids[turn.topic]
        for number, (offset, event) in enumerate(events):
            if number % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                await asyncio.sleep(0)
            source = (turn.topic, topic_id, turn.partition, offset)
            if not isinstance(event, Tombstone) and turn.ledger.covers(event.member_id, time_of(event)):
                metrics.ERASED.labels(turn.topic).inc()
                continue
            if isinstance(event, Impression):
                self._labels.show(book, source, event)
                continue
            if isinstance(event, ImpressionSeen):
                self._labels.see(book, event)
                continue
            touched[member_of(event)] = None
            self._fold_one(turn, source, event)
        return list(touched)

    def _fold_one(
        self, turn: "_Turn", source: tuple[str, str, int, int], event: JobEvent | Connection | MemberProfile | Tombstone
    ) -> None:  # fmt: skip
        member, offset = member_of(event), source[3]
        state, network = turn.states[member], turn.networks[member]
        if isinstance(event, Tombstone):
            turn.telling.add(offset, fold_own(network, None, event, []))
            turn.states[member], turn.networks[member] = MemberState(), Network(version=network.version + 1)
            self._labels.erase(turn.book, member)
            turn.learned = [record for record in turn.learned if not is_example_of(record.key or b"", member)]
            turn.ledger.add(member, turn.stamps[offset])
            return
        if isinstance(event, Event):
            if is_duplicate(state, event):
                metrics.DUPLICATES.labels(turn.topic).inc()
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
        turn.telling.add(offset, fold_own(network, profile, event, effects))
        turn.activity.add(offset, effects)


@dataclass(slots=True)
class _Turn:
    """One batch in hand: what was read for it, and what comes of it."""

    book: Book
    topic: str
    partition: int
    states: dict[str, MemberState]
    networks: dict[str, Network]
    neighbours: Mapping[str, Neighbours]
    activity: ActivityBuffer
    telling: NetworkBuffer
    ledger: Ledger
    stamps: dict[int, int]  # Kafka's time of each record, by its offset
    learned: list[Record] = field(default_factory=list)


def _recalled(sources: int) -> None:
    metrics.CHOICES.inc()
    for name in ("any", *explain(sources)) if sources else ():
        metrics.RECALLED.labels(name).inc()


def _stage(name: str, started: float) -> float:
    now = time.perf_counter()
    metrics.STAGE.labels(name).observe(now - started)
    return now
