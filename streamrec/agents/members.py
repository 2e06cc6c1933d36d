"""The member agent: folds what members do into their own state, and tells the owners of jobs and the trainer."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from streamrec import codecs, metrics
from streamrec.agents.base import OwnerAgent
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.derived import ActivityBuffer
from streamrec.agents.faults import FAULTS
from streamrec.agents.labels import IMPRESSIONS, Book, Labels
from streamrec.agents.ownership import Hold
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
from streamrec.features.state import MemberState, Neighbours, pack, unpack
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.ranking.examples import example, is_positive
from streamrec.ranking.workflow import recent_ids
from streamrec.settings import Settings
from streamrec.stores.base import Delete, FencedError, Put, StoreUnavailableError, Write
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


class MemberAgent(OwnerAgent):
    """Owns the slots ``m0``, ``m1``, … and reads every topic that is keyed by member.

    `on_change` is told the members whose state has just been committed, for their lists to be ranked anew.
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
    ) -> None:
        self._settings, self._specs, self._keys = settings, topics, keys
        self._serving, self._producer, self._on_change = serving, producer, on_change
        self._labels = labels

    async def handle(self, hold: Hold, topic: str, partition: int, records: Sequence[Consumed]) -> None:
        """Decode, fold, derive, produce, commit, and then produce the labels; see `OwnerAgent` and `agents.labels`."""
        try:
            await self._handle(hold, topic, partition, records)
        except BaseException:
            self._labels.forget(hold)
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
                        more = await self._labels.close(hold)
                    except FencedError:
                        hold.lost = True
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
        events, outgoing = self._decode(topic, partition, records)
        started = _stage("decode", started)
        states = await self._read_members(hold, book, events)
        neighbours = await self._read_neighbours(events, states)
        started = _stage("read", started)
        buffer = ActivityBuffer(
            topic, hold.topic_ids[topic], partition, self._settings.partitions, self._keys.generation
        )  # fmt: skip
        touched = await self._fold(book, topic, partition, events, states, neighbours, buffer, outgoing)
        outgoing.extend(buffer.records())
        started = _stage("fold", started)
        FAULTS.reach("before-produce", topic)
        await self._producer.send_all(outgoing, self._settings.produce_timeout_s)
        started = _stage("produce", started)
        FAULTS.reach("before-commit", topic)
        writes = [write for member in touched for write in self._writes(member, states[member])]
        await hold.commit([*writes, *self._labels.writes(book)], (topic, records[-1].offset + 1), {})
        FAULTS.reach("after-commit", topic)
        started = _stage("commit", started)
        self._on_change(touched)
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
        self, topic: str, partition: int, records: Sequence[Consumed]
    ) -> tuple[list[tuple[int, Decoded]], list[Record]]:
        """Events with their offsets, and dead letters for what is none."""
        spec = self._specs[topic]
        now_ms, skew_ms = time.time_ns() // 1_000_000, self._settings.clock_skew_ms
        partitions = self._settings.partitions
        events: list[tuple[int, Decoded]] = []
        letters: list[Record] = []
        for record in records:
            decoded = codecs.decode_record(
                spec.schema, record.key, record.value, now_ms, skew_ms, spec.tombstones, partition, partitions
            )
            if isinstance(decoded, Rejected):
                letters.append(dead_letter(topic, partition, record, decoded, now_ms))
            elif isinstance(decoded, Decoded):
                events.append((record.offset, decoded))
            else:
                raise TypeError(f"{topic} holds a {type(decoded).__name__}")
        return events, letters

    async def _read_members(
        self, hold: Hold, book: Book, events: Sequence[tuple[int, Decoded]]
    ) -> dict[str, MemberState]:
        """States of the members that the events change; what they were shown goes to the book."""
        members = list(dict.fromkeys(
            member_of(event) for _, event in events if not isinstance(event, Impression | ImpressionSeen)
        ))  # fmt: skip
        shown = self._labels.wanted(book, (event for _, event in events))
        values = await hold.slot.read([*map(self._keys.member, members), *map(self._keys.shown, shown)])
        self._labels.load(book, shown, values[len(members) :])
        return {member: unpack(MemberState, value) for member, value in zip(members, values, strict=False)}

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

    async def _fold(
        self,
        book: Book,
        topic: str,
        partition: int,
        events: Sequence[tuple[int, Decoded]],
        states: dict[str, MemberState],
        neighbours: Mapping[str, Neighbours],
        buffer: ActivityBuffer,
        outgoing: list[Record],
    ) -> list[str]:
        """Fold in order; the members that changed. What is learned from an event is read before the event is folded."""
        touched: dict[str, None] = {}
        table, topic_id = self._serving.table, book.hold.topic_ids[topic]
        for number, (offset, event) in enumerate(events):
            if number % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                await asyncio.sleep(0)
            source = (topic, topic_id, partition, offset)
            if isinstance(event, Impression):
                self._labels.show(book, source, event)
                continue
            if isinstance(event, ImpressionSeen):
                self._labels.see(book, event)
                continue
            member = member_of(event)
            touched[member] = None
            if isinstance(event, Tombstone):
                states[member] = MemberState()
                self._labels.erase(book, member)
                continue
            state = states[member]
            if isinstance(event, Event):
                if is_duplicate(state, event.event_id):
                    metrics.DUPLICATES.labels(topic).inc()
                    continue
                if isinstance(event, JobEvent) and is_positive(event) and not self._labels.act(book, source, event):
                    made = example(
                        event, source, state, neighbours, table, self._settings.negatives,
                        viewed_again_after_ms=self._settings.viewed_again_after_ms,
                        without_posting=self._serving.without_posting,
                    )  # fmt: skip
                    if made is not None:
                        metrics.LABELS.labels(made.kind).inc()
                        outgoing.append(
                            Record(topic="training-examples", key=member.encode(), value=codecs.encode(made))
                        )
                remember(state, event.event_id)
            effects = fold_member(state, event)
            buffer.add(offset, effects)
        return list(touched)


def _stage(name: str, started: float) -> float:
    now = time.perf_counter()
    metrics.STAGE.labels(name).observe(now - started)
    return now
