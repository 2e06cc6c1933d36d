"""Labels on their way from the member agent to the trainer: nothing lost, nothing twice, and no negative too early.

The rules of what is learned are in `models.labels`; here is what makes them hold through crashes.

*The outbox.* Which label an action makes depends on what came before it from several topics, whose records may be read in
another order after a crash. So labels are not derived again: they are committed with the state that made them, under one
key of the slot, and produced after that. Whoever takes the slot produces what it finds there first. A label produced
twice has the same identity: source ``TOPIC#labels`` with the place of the record that made it or, for a closing,
``impressions#closed`` with that of the impression. Each of these goes out in the order of its offsets, so that the
trainer's mark drops what was there before.

*The closing.* Impressions wait in `agents.due.DueQueue`, and are closed when the watermark (`agents.watermark`) has passed
their window.

What was seen in a closed list and not checked is counted (`models.passed`) in the transaction that closes it, and forgotten in
the one that takes in a check.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from streamrec import codecs, metrics
from streamrec.agents import watermark
from streamrec.agents.due import Due, DueQueue
from streamrec.agents.faults import FAULTS
from streamrec.agents.kept import Kept, Wanted
from streamrec.agents.ownership import Hold
from streamrec.agents.transport import Record as Consumed
from streamrec.agents.watermark import Input
from streamrec.events import Event, Impression, ImpressionSeen, JobEvent, TrainingExample
from streamrec.kafka.producer import Producer, Record
from streamrec.models import labels
from streamrec.models import passed as passed_over
from streamrec.models.examples import example_key
from streamrec.models.labels import Rules, Source
from streamrec.models.passed import Passed
from streamrec.models.shown import Shown, pack, unpack
from streamrec.packed import DAMAGED
from streamrec.settings import Settings
from streamrec.stores.base import Delete, Put, Write
from streamrec.stores.keys import Keys

IMPRESSIONS: Final = "impressions"
CLOSED: Final = "impressions#closed"
_AT_ONCE: Final = 100  # impressions closed in one transaction

End = Callable[[str, int], tuple[int, int] | None]


class Book:
    """What is kept in the process of one hold: all of it is in the store as well, or can be learned again."""

    def __init__(self, hold: Hold, due: DueQueue, outbox: list[Record]) -> None:
        self.hold, self.due = hold, due
        self.outbox = outbox  # committed or about to be; not all acknowledged yet
        self.stored = bool(outbox)  # whether the store holds any outbox
        self.sending: asyncio.Task[None] | None = None  # of the outbox
        self.folded: dict[str, int] = {}  # topic -> largest time of a record in the state
        self.members: dict[str, Shown] = {}  # of the present batch
        self.changed: dict[str, None] = {}
        self.passed: dict[str, Passed] = {}  # of the present batch, and whose of it changed
        self.passing: dict[str, None] = {}
        self.examples: list[TrainingExample] = []
        self.impressions: Input | None = None  # how far they have been read, as this turn sees it


class Labels:
    """The labels of all slots that this process holds.

    Parameters
    ----------
    settings, keys, producer
        As everywhere.
    end
        Asked with topic and partition: the offset after the last one there, and when Kafka said so (ms); None if it has not.
    """

    def __init__(self, settings: Settings, keys: Keys, producer: Producer, end: End) -> None:
        self._keys, self._producer, self._end = keys, producer, end
        self._patience_s = settings.produce_timeout_s
        self._idle_ms = int(settings.idle_watermark_s * 1000)
        self.rules = Rules(int(settings.label_window_s * 1000), settings.label_weights, settings.shown_kept)
        self._books: dict[str, Book] = {}

    async def begin(self, hold: Hold) -> Book:
        """The book of a hold; called first in every turn of the slot.

        What a former owner left in the outbox has been produced by then; what the last turn left may be under way: see `settle`.
        Raises StoreUnavailableError, FencedError, ProduceFailedError.
        """
        book = self._books.get(hold.name)
        if book is None or book.hold is not hold:
            due = DueQueue(await hold.slot.fields(self._keys.due(hold.name)))
            [outbox] = await hold.slot.read([self._keys.outbox(hold.name)])
            book = self._books[hold.name] = Book(hold, due, unpack_outbox(outbox))
            metrics.IMPRESSIONS_PENDING.labels(hold.name[1:]).set(len(due))
            await self.flush(book)
        elif book.sending is None or book.sending.done():
            await self.settle(book)
        book.members, book.changed, book.examples, book.impressions = {}, {}, [], None
        book.passed, book.passing = {}, {}
        return book

    def forget(self, hold: Hold) -> None:
        """What is in the process may not be what is in the store: `begin` will read anew. Called after any failure."""
        self._books.pop(hold.name, None)

    def send(self, book: Book) -> None:
        """Begin to produce what the store's outbox holds; the acknowledgements are waited for by `settle`.

        So that the next turn of the slot can read and fold meanwhile: it must not commit another outbox before.
        """
        if book.outbox:
            sending = asyncio.create_task(self._producer.send_all(book.outbox, self._patience_s))
            sending.add_done_callback(_seen)
            book.sending = book.hold.unfinished = sending

    async def settle(self, book: Book) -> None:
        """Wait until all that is in the outbox is acknowledged; due before `writes`. Raises ProduceFailedError."""
        if book.sending is None:
            self.send(book)
        if book.sending is not None:
            await asyncio.shield(book.sending)
        book.outbox, book.sending = [], None

    async def flush(self, book: Book) -> None:
        """`send` and `settle`."""
        self.send(book)
        await self.settle(book)

    def wanted(self, book: Book, events: Iterable[object]) -> list[str]:
        """Members whose `Shown` the events need. While there are no impressions at all, no action needs any."""
        live = self._has_impressions(book)
        return list(dict.fromkeys(
            event.member_id
            for event in events
            if isinstance(event, Impression | ImpressionSeen)
            or (isinstance(event, JobEvent) and (live or event.request_id) and labels.check_of(event) is not None)
        ))  # fmt: skip

    def stored(self, members: Sequence[str]) -> list[Wanted]:
        """What `load` takes."""
        return [
            *(Wanted(self._keys.shown(member), unpack, expires=True) for member in members),
            *(Wanted(self._keys.passed(member), passed_over.unpack, expires=True) for member in members),
        ]

    def load(self, book: Book, members: Sequence[str], states: Sequence[Any]) -> None:
        """Take over the states of `members` that `stored` names."""
        book.members = dict(zip(members, states, strict=False))
        book.passed = dict(zip(members, states[len(members) :], strict=True))

    def explains(self, book: Book, event: JobEvent) -> bool:
        """Whether a list is known that the action belongs to, so that `act` will take care of its label."""
        shown = book.members.get(event.member_id)
        return shown is not None and labels.explains(shown, event, self.rules)

    def act(self, book: Book, source: tuple[str, str, int, int], event: JobEvent) -> bool:
        """Fold an action that is no duplicate; whether its label is taken care of, so that no sample is needed."""
        action, shown = labels.check_of(event), book.members.get(event.member_id)
        if action is None or shown is None:
            return False
        if passed_over.check(book.passed[event.member_id], event.job_id):
            book.passing[event.member_id] = None
        found = labels.act(shown, event, action, _source(*source), self.rules)
        book.changed[event.member_id] = None
        book.examples += found.examples
        if found.matched:
            return True
        if event.request_id is None:
            return False
        # It names an answer. Where the impressions of its time are still to be read, that one will come.
        now = _now_ms()
        if book.impressions is None:
            book.impressions = self._input(book, IMPRESSIONS)
        read_to = book.impressions.come_to(now, 0)
        held = read_to < min(event.occurred_at, now) - self._idle_ms
        if held:
            metrics.LABELS_HELD.inc()
        return held

    def show(self, book: Book, source: tuple[str, str, int, int], impression: Impression) -> None:
        """Fold an impression."""
        member = impression.member_id
        made = labels.show(book.members[member], impression, _source(*source), self.rules)
        if made.duplicate:
            metrics.IMPRESSIONS_REPEATED.inc()
            return
        book.changed[member] = None
        book.examples += made.examples
        if made.dropped:
            metrics.IMPRESSIONS_DROPPED.labels("too_many").inc(made.dropped)
        if made.kept:
            closes_at = min(impression.served_at, _now_ms()) + self.rules.window_ms
            book.due.add(Due(source[3], member, impression.request_id, closes_at))
        else:
            metrics.IMPRESSIONS_DROPPED.labels("unusable").inc()

    def see(self, book: Book, seen: ImpressionSeen) -> None:
        """Fold what a client reports as seen."""
        if labels.see(book.members[seen.member_id], seen):
            book.changed[seen.member_id] = None

    def erase(self, book: Book, member: str) -> None:
        """Forget what an erased member was shown, and what is still to be learned of it."""
        book.due.forget(member)
        book.examples = [example for example in book.examples if example.member_id != member]
        book.members[member], book.passed[member] = Shown(), Passed()
        book.changed[member] = book.passing[member] = None

    def writes(self, book: Book) -> list[Write]:
        """What to commit of this turn, the outbox among it; `send` is due right after the commit."""
        made: list[Write] = []
        kept = book.hold.kept
        for member in book.changed:
            key, shown = self._keys.shown(member), book.members[member]
            empty = not (shown.lists or shown.acted or shown.early)
            made.append(_write(kept, key, shown, None if empty else pack(shown), labels.lifetime_s(shown, self.rules)))
        for member in book.passing:
            key, passed = self._keys.passed(member), book.passed[member]
            empty = not passed.jobs  # by a check, which makes kept lists old by itself, or by an erasure
            packed = None if empty else passed_over.pack(passed)
            made.append(_write(kept, key, passed, packed, passed_over.LIFETIME_S))
        made += book.due.writes(self._keys.due(book.hold.name))
        book.outbox = [
            Record(topic="training-examples", key=example_key(example), value=codecs.encode(example))
            for example in book.examples
        ]
        outbox_key = self._keys.outbox(book.hold.name)
        if book.outbox:
            made.append(Put(outbox_key, _pack_outbox(book.outbox)))
            book.stored = True
        elif book.stored and made:  # all of it has been acknowledged: the turn began with that
            made.append(Delete(outbox_key))
            book.stored = False
        return made

    def committed(self, book: Book) -> None:
        """What `writes` named is in the store now."""
        for example in book.examples:
            metrics.LABELS.labels(example.kind).inc()
            if example.kind == "correction":
                metrics.CORRECTIONS.inc(sum(weight < 0 for weight in example.weights))
        metrics.IMPRESSIONS_PENDING.labels(book.hold.name[1:]).set(len(book.due))

    def folded(self, book: Book, topic: str, records: Sequence[Consumed], events: Iterable[tuple[int, object]]) -> None:
        """Records of `topic` are in the state now: its event time moves on."""
        stamps = {record.offset: record.timestamp for record in records}
        latest = book.folded.get(topic, 0)
        for offset, event in events:
            if isinstance(event, Event | Impression):
                at = event.served_at if isinstance(event, Impression) else event.occurred_at
                latest = max(latest, min(at, stamps[offset]))
        book.folded[topic] = latest

    async def close(self, hold: Hold, on_change: Callable[[list[str]], None] = lambda _: None) -> bool:
        """Close some impressions whose window has passed, in a transaction of their own; whether there may be more.

        `on_change` is told the members who have passed something over.

        Called with the hold's turn. Raises as `begin` does; then `forget` is due.
        """
        book = await self.begin(hold)
        partition = int(hold.name[1:])
        now = _now_ms()
        mark = watermark.watermark((self._input(book, topic) for topic in watermark.TOPICS), now, self._idle_ms)
        metrics.WATERMARK_LAG.labels(partition).set((now - mark) / 1000 if mark else float("inf"))
        due = book.due.head(mark, _AT_ONCE)
        if not due:
            return False
        members = list(dict.fromkeys(each.member_id for each in due))
        self.load(book, members, await hold.read(self.stored(members)))
        topic_id = hold.topic_ids[IMPRESSIONS]
        for each in due:
            shown = book.members[each.member_id]
            if shown.find(each.request_id) is None:
                continue  # the member was erased, or has been shown too much since
            source = Source(CLOSED, topic_id, partition, each.offset)
            example = labels.close(shown, each.member_id, each.request_id, each.closes_at, source)
            book.changed[each.member_id] = None
            if example is not None:
                book.examples.append(example)
                if passed_over.close(book.passed[each.member_id], shown, each.request_id):
                    book.passing[each.member_id] = None
        book.due.drop(len(due))
        await self.settle(book)
        FAULTS.reach("before-commit", CLOSED)
        await hold.slot.commit(self.writes(book))
        FAULTS.reach("after-commit", CLOSED)
        self.committed(book)
        on_change(list(book.passing))
        self.send(book)
        return len(due) == _AT_ONCE

    def _input(self, book: Book, topic: str) -> Input:
        hold, folded_at = book.hold, book.folded.get(topic, 0)
        told = self._end(topic, int(hold.name[1:])) or hold.ends.get(topic)
        if told is None:
            return Input(folded_at, 0, at_end=False)
        end, told_at = told
        return Input(folded_at, told_at, hold.reached(topic) >= end)

    def _has_impressions(self, book: Book) -> bool:
        told = self._end(IMPRESSIONS, int(book.hold.name[1:])) or book.hold.ends.get(IMPRESSIONS)
        return told is None or told[0] > 0


def _write(kept: Kept, key: str, state: Shown | Passed, packed: bytes | None, ttl_s: int) -> Write:
    if packed is None:
        kept.drop(key)
        return Delete(key)
    kept.keep(key, state, len(packed), ttl_s)
    return Put(key, packed, ttl_s)


def _source(topic: str, topic_id: str, partition: int, offset: int) -> Source:
    return Source(f"{topic}#labels", topic_id, partition, offset)


def _seen(sending: "asyncio.Task[None]") -> None:
    """Whoever waits for it learns of a failure; where nobody does any more, the outbox is produced anew."""
    if not sending.cancelled():
        sending.exception()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _pack_outbox(records: Sequence[Record]) -> bytes:
    return b"\x01" + msgspec.msgpack.encode([(record.key, record.value) for record in records])


class UnreadableOutboxError(ValueError):
    """A stored outbox is of a format that this version cannot read."""


def unpack_outbox(value: bytes | None) -> list[Record]:
    """The records of a stored outbox; none for None. Raises UnreadableOutboxError for another format."""
    if value is None:
        return []
    if value[:1] != b"\x01":
        raise UnreadableOutboxError(f"the outbox has format {value[:1]!r}, this version reads 1")
    try:
        pairs = msgspec.msgpack.decode(value[1:], type=list[tuple[bytes, bytes]])
    except DAMAGED as error:
        raise UnreadableOutboxError(f"the outbox: {error}") from error
    return [Record(topic="training-examples", key=key, value=value) for key, value in pairs]
