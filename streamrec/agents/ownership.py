"""Who may write which slot, and from where each input is read on.

On assignment the worker takes the slot of every partition it was given (so that the owner before it cannot write any more),
reads the positions stored beside the state, and holds them against the log: a topic that was created anew, or a log that no
longer holds what comes next, is explained and never skipped.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from faust.types import TP

from streamrec import metrics, tracing
from streamrec.agents.kept import Kept, Wanted
from streamrec.features.state import JobState, MemberState, Neighbours, Network
from streamrec.features.state import pack as pack_state
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaUnavailableError
from streamrec.stores.base import (
    Delete,
    FencedError,
    Put,
    PutFields,
    SetBackError,
    Slot,
    Store,
    StoreUnavailableError,
    Write,
)
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Mark, Position, pack, unpack

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.5

SlotName = Callable[[str, int], str]
TopicIds = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
Answer = TypeVar("Answer")
Committed = Callable[[Sequence[TP]], Awaitable[Mapping[TP, int]]]
Watermarks = Callable[[Sequence[TP]], Awaitable[Mapping[TP, tuple[int, int]]]]


def watermarks_by(admin: Admin) -> Watermarks:
    """Ask Kafka's admin interface, in a thread of its own: it blocks."""

    async def watermarks(partitions: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        bounds = await asyncio.to_thread(admin.bounds, sorted({tp.topic for tp in partitions}))
        return {tp: bounds[tp.topic, tp.partition] for tp in partitions}

    return watermarks


def committed_by(admin: Admin, group: str) -> Committed:
    """Ask Kafka's admin interface what the consumer group has committed, in a thread of its own: it blocks."""

    async def committed(partitions: Sequence[TP]) -> Mapping[TP, int]:
        found = await asyncio.to_thread(admin.committed, group, sorted({tp.topic for tp in partitions}))
        return {tp: found[tp.topic, tp.partition] for tp in partitions if (tp.topic, tp.partition) in found}

    return committed


class MismatchError(Exception):
    """The stored position does not fit the log: going on would lose or repeat events. The message says what to do."""


class Hold:
    """One slot in the hands of this process, with the positions and marks that go with its state."""

    def __init__(self, name: str, slot: Slot, keys: Keys, topic_ids: Mapping[str, str], kept_bytes: int = 0) -> None:
        self.name, self.slot, self.lost = name, slot, False
        self.kept = Kept(kept_bytes)
        self.topic_ids = topic_ids
        self.turn = asyncio.Lock()  # a slot is not safe for concurrent use: batches and closings take turns
        self.starts: dict[str, int] = {}  # topic -> offset from which it is read since the slot was taken
        self.ends: dict[
            str, tuple[int, int]
        ] = {}  # topic -> the offset after its last one then, and when that was (ms)
        self.unfinished: asyncio.Task[None] | None = None  # what a turn left to be done beside the next ones
        self._positions_key, self._marks_key = keys.positions(name), keys.marks(name)
        self._positions: dict[str, Position] = {}
        self.marks: dict[str, Mark] = {}

    def refused(self, error: FencedError) -> None:
        """Let go of the slot: the store has refused a transaction. Where it was set back there is no other owner to count."""
        self.lost = True
        if not isinstance(error, SetBackError):
            metrics.FENCED.labels(self.name).inc()

    def forget(self) -> None:
        """Keep no states: they may not be what the store holds. Called whenever a turn has failed, whatever it did by then."""
        self.kept.clear()

    async def read(self, wanted: Sequence[Wanted]) -> list[Any]:
        """The states that are wanted (each key once): those that are kept, the others from the store in one round trip.

        Whoever changes one has to commit it in the same turn, and to `Kept.keep` or `Kept.drop` it.
        Raises StoreUnavailableError, FencedError, and what the `unpack` of one raises.
        """
        kept = self.kept
        states = [kept.find(each.key) for each in wanted]
        missing = [place for place, state in enumerate(states) if state is None]
        if missing:
            values = await self.slot.read([wanted[place].key for place in missing])
            for place, value in zip(missing, values, strict=True):
                each = wanted[place]
                states[place] = each.unpack(value)
                if not each.expires:
                    kept.keep(each.key, states[place], len(value or b""))
        return states

    async def load(self) -> None:
        """Read positions and marks from the store: on assignment, and after a commit whose outcome is unknown."""
        self.forget()
        stored = await self.slot.fields(self._positions_key)
        self._positions = {topic: unpack(Position, value) for topic, value in stored.items()}
        stored = await self.slot.fields(self._marks_key)
        self.marks = {source: unpack(Mark, value) for source, value in stored.items()}

    @property
    def has_read(self) -> bool:
        """Whether any record is in the state."""
        return bool(self._positions)

    def position(self, topic: str) -> Position | None:
        """Where `topic` is read on, or None if nothing of it has been read."""
        return self._positions.get(topic)

    def resume(self, topic: str, position: Position) -> None:
        """Read `topic` on from `position` instead of the stored one: the state was restored from a copy."""
        self._positions[topic] = position

    def next_offset(self, topic: str) -> int:
        """First offset of `topic` that is not in the state."""
        position = self._positions.get(topic)
        return position.next_offset if position else 0

    def reached(self, topic: str) -> int:
        """The offset up to which everything that the log still holds of `topic` is in the state."""
        return max(self.next_offset(topic), self.starts.get(topic, 0))

    async def commit(self, writes: Sequence[Write], next_offsets: Mapping[str, int], marks: Mapping[str, Mark]) -> None:
        """Write state, the next offset of each topic that it accounts for, and the marks, in one fenced transaction.

        Raises
        ------
        FencedError
            Another process owns the slot now; nothing was written.
        StoreUnavailableError
            It is unknown whether the transaction happened: `load` before going on.
        """
        positions = {topic: Position(self.topic_ids[topic], offset) for topic, offset in next_offsets.items()}
        ledger: list[Write] = [
            PutFields(self._positions_key, {topic: pack(position) for topic, position in positions.items()})
        ]
        if marks:
            ledger.append(PutFields(self._marks_key, {source: pack(mark) for source, mark in marks.items()}))
        with tracing.commit(self.name, len(writes) + len(ledger)):
            await self.slot.commit([*writes, *ledger])
        self._positions.update(positions)
        self.marks.update(marks)


def state_write(hold: Hold, key: str, state: MemberState | JobState | Neighbours | Network) -> Write:
    """What to commit of a state that `Hold.read` gave, which is kept as it is now."""
    packed = pack_state(state)
    hold.kept.keep(key, state, len(packed))
    return Put(key, packed)


def state_delete(hold: Hold, key: str) -> Write:
    """What to commit of a state of which nothing is left."""
    hold.kept.drop(key)
    return Delete(key)


def check(tp: TP, position: Position | None, topic_id: str, low: int, high: int) -> int:
    """Next offset to read of `tp`, whose log holds offsets from `low` up to but not including `high`.

    Raises
    ------
    MismatchError
        The position is of another topic of the same name, or outside the log.

    Examples
    --------
    >>> check(TP("job-views", 0), None, "id", 5, 9), check(TP("job-views", 0), Position("id", 9), "id", 5, 9)
    (5, 9)
    """
    where = f"{tp.topic}/{tp.partition}"
    remedy = "`streamrec doctor` gives the whole picture, `streamrec rebuild` makes a state that fits from what the log holds"
    if position is None:
        return low
    if position.topic_id != topic_id:
        raise MismatchError(
            f"{where}: the state was built from a topic with id {position.topic_id}, this one has id {topic_id}: it was "
            f"created anew, so its offsets mean other events; {remedy}"
        )
    if position.next_offset < low:
        raise MismatchError(
            f"{where}: the state ends at offset {position.next_offset}, the log starts at {low}: "
            f"{low - position.next_offset} records are gone; {remedy}"
        )
    if position.next_offset > high:
        raise MismatchError(
            f"{where}: the state ends at offset {position.next_offset}, the log ends at {high}: the broker lost records "
            f"that are in the state; {remedy}"
        )
    return position.next_offset


async def _outlasting(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """What Kafka or the store answers; where it does not, it is asked again for a while: a cluster elects anew who answers."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await ask()
        except (KafkaUnavailableError, StoreUnavailableError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("%s; it is asked again", error)
            await asyncio.sleep(_PAUSE_S)


class Ownership:
    """The slots that this process holds.

    Parameters
    ----------
    store, keys
        Where state lives.
    slot_name
        Slot that a partition of a topic feeds, such as ``m3``.
    topic_ids, watermarks
        Ask Kafka for the ids of topics, and for the first offset of partitions and the one after the last.
    prepare
        Called with each hold when its positions have been read, before they are held against the log.
    kept_bytes
        Memory for the states that all slots together keep; default none.
    lost_by
        Ask Kafka for what the consumer group has committed: it tells a store that has lost its data from one that never had
        any. None: do not ask, since the store says so itself.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        slot_name: SlotName,
        topic_ids: TopicIds,
        watermarks: Watermarks,
        prepare: Callable[[Hold], Awaitable[None]] | None = None,
        kept_bytes: int = 0,
        lost_by: Committed | None = None,
    ) -> None:
        self._kept_bytes = kept_bytes
        self._store, self._keys, self.slot_name = store, keys, slot_name
        self._topic_ids, self._watermarks, self._prepare, self._lost_by = topic_ids, watermarks, prepare, lost_by
        self._holds: dict[str, Hold] = {}

    def hold(self, topic: str, partition: int) -> Hold | None:
        """The hold on the slot that this partition feeds, or None if it was not assigned or has been lost."""
        hold = self._holds.get(self.slot_name(topic, partition))
        return None if hold is None or hold.lost else hold

    def holds(self) -> list[Hold]:
        """All holds that have not been lost."""
        return [hold for hold in self._holds.values() if not hold.lost]

    async def take(self, assigned: set[TP]) -> dict[TP, int]:
        """Take the slots of `assigned`, letting go of all others; next offset to read of each partition.

        Raises
        ------
        MismatchError
            See `check`.
        StoreUnavailableError, KafkaUnavailableError
            The store or Kafka has not answered for a minute.
        """
        for hold in self._holds.values():
            hold.lost = True  # first: whoever has it in hand still must not take our own next owner for somebody else
            await hold.slot.close()
        self._holds.clear()
        partitions = sorted(assigned)
        topics = sorted({tp.topic for tp in partitions})
        ids = await _outlasting(lambda: self._topic_ids(topics))
        names = sorted({self.slot_name(*tp) for tp in partitions})
        kept_bytes = self._kept_bytes // max(1, len(names))
        for name in names:
            self._holds[name] = await _outlasting(lambda name=name: self._take(name, ids, kept_bytes))  # type: ignore[misc]
        told_at = time.time_ns() // 1_000_000
        bounds = await _outlasting(lambda: self._watermarks(partitions))
        await self._look_for_a_loss(partitions, bounds)
        offsets = {}
        for tp in partitions:
            hold = self._holds[self.slot_name(*tp)]
            offsets[tp] = check(tp, hold.position(tp.topic), ids[tp.topic], *bounds[tp])
            hold.starts[tp.topic], hold.ends[tp.topic] = offsets[tp], (bounds[tp][1], told_at)
            metrics.POSITION.labels(tp.topic, tp.partition).set(offsets[tp])
        metrics.ASSIGNMENTS.inc()
        metrics.ASSIGNED.set(len(offsets))
        log.info("took %s", ", ".join(sorted(self._holds)) or "nothing")
        return offsets

    async def _take(self, name: str, ids: Mapping[str, str], kept_bytes: int) -> Hold:
        hold = Hold(name, await self._store.take(name), self._keys, ids, kept_bytes)
        await hold.load()
        if self._prepare is not None:
            await self._prepare(hold)
        return hold

    async def _look_for_a_loss(self, partitions: Sequence[TP], bounds: Mapping[TP, tuple[int, int]]) -> None:
        """Whether there has been a state that the store knows nothing of: then all of the log has to be there still."""
        empty = [tp for tp in partitions if not self._holds[self.slot_name(*tp)].has_read]
        if not empty or self._lost_by is None:
            return
        asked = self._lost_by
        committed = await _outlasting(lambda: asked(empty))
        # The group commits where a slot begins, too. So what it has committed tells of a loss if it has gone on from there, or
        # if the store has never seen it.
        lost = [
            tp
            for tp in empty
            if committed.get(tp, 0) > (0 if self._holds[self.slot_name(*tp)].slot.first else bounds[tp][0])
        ]
        if not lost:
            return
        slots = {self.slot_name(*tp) for tp in lost}
        where = ", ".join(sorted({tp.topic for tp in lost}))
        says = "the store holds no state, though the group has read it before"
        if not (gone := [tp for tp in empty if bounds[tp][0] > 0 and self.slot_name(*tp) in slots]):
            log.warning(
                "%s: %s: Redis has lost its data, or is another one. All is read again from the beginning", where, says
            )
            return
        # The next start has to say the same: it must not take this try for an owner.
        await self._store.put([Delete(self._keys.epoch(slot)) for slot in sorted(slots)])
        tp = gone[0]
        raise MismatchError(
            f"{tp.topic}/{tp.partition}: {says}: Redis has lost its data, or is another one. The log starts at {bounds[tp][0]}, "
            "so it cannot be read again from the beginning. Bring the data of Redis back if there is a copy; else `streamrec "
            "rebuild --accept-gap` makes a state of what the log holds"
        )

    async def verify(self) -> None:
        """See that the store holds what was committed to each slot.

        Raises
        ------
        SetBackError
            It does not: the state in it is another than the one that this process goes on from.
        StoreUnavailableError
            It does not answer.
        """
        for hold in list(self._holds.values()):
            async with hold.turn:
                if self._holds.get(hold.name) is not hold:
                    continue  # assigned anew meanwhile
                try:
                    await hold.slot.read([])
                except SetBackError:
                    raise
                except FencedError:
                    hold.lost = True

    async def rest(self) -> None:
        """Wait until the turn that each slot is in is over, and let no other begin: this process is about to leave.

        Whoever had the turn goes on without waiting to what follows it (`StreamApp.advance`), so that has happened too. What
        turns have left to be done is waited for as well; where it fails, the next owner does it.
        """
        resting: set[Hold] = set()
        while waiting := set(self._holds.values()) - resting:  # partitions may be assigned anew meanwhile
            await asyncio.gather(*(hold.turn.acquire() for hold in waiting))
            resting |= waiting
        if unfinished := [hold.unfinished for hold in resting if hold.unfinished is not None]:
            await asyncio.wait(unfinished)

    async def close(self) -> None:
        """Let go of everything."""
        for hold in self._holds.values():
            await hold.slot.close()
        self._holds.clear()
