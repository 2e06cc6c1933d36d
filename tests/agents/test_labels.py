"""The outbox, and the choice between a label and a sample: on a store in memory, with a list for the topic."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from streamrec import codecs
from streamrec.agents.labels import Book, Labels
from streamrec.agents.ownership import Hold
from streamrec.events import Impression, ImpressionItem, JobView, TrainingExample
from streamrec.kafka.producer import ProduceFailedError, Record
from streamrec.models import passed as passed_over
from streamrec.models.passed import Passed, Showings
from streamrec.settings import Settings
from streamrec.stores.base import Put
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

KEYS = Keys("sr", 1)
NOW = time.time_ns() // 1_000_000
SETTINGS = msgspec.structs.replace(Settings(), label_window_s=1.0, idle_watermark_s=0.5)
IDS = {"impressions": "id-i", "job-views": "id-v"}
IMPRESSION = Impression(
    request_id="r1", member_id="m", served_at=NOW - 60_000, workflow="w", model_name="", model_version=0, feature_set="f/1",
    items=tuple(
        ImpressionItem(job_id=job, position=place, score=0.0, p_check=None, propensity=1.0, features=bytes(4), sources=())
        for place, job in enumerate("abc")
    ),
)  # fmt: skip


def view(job: str, at: int = NOW - 59_500, request: str | None = None) -> JobView:
    return JobView(event_id=f"{job}-{at}", member_id="m", job_id=job, occurred_at=at, request_id=request)


class Topic:
    """What was produced; while `broken`, nothing is."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.broken = False

    async def send_all(self, records: Sequence[Record], timeout_s: float) -> None:  # noqa: ARG002
        if self.broken:
            raise ProduceFailedError("broken")
        self.records += records

    def take(self) -> list[tuple[str, str, int, tuple[str, ...]]]:
        made = [codecs.decode("TrainingExample", record.value or b"") for record in self.records]
        self.records = []
        return [
            (each.kind, each.source_topic, each.source_offset, each.job_ids)
            for each in made
            if isinstance(each, TrainingExample)
        ]


class Slot:
    """A slot with its labels: `restart` gives it to a new owner."""

    def __init__(self) -> None:
        self.store, self.topic = MemoryStore(KEYS), Topic()
        self.ends: dict[str, tuple[int, int]] = {}  # nothing of the rest
        self.positions = {"impressions": 0}

    async def restart(self) -> None:
        self.hold = Hold("m0", await self.store.take("m0"), KEYS, IDS)
        self.labels = Labels(SETTINGS, KEYS, self.topic, self.end)  # type: ignore[arg-type]

    def end(self, topic: str, partition: int) -> tuple[int, int] | None:  # noqa: ARG002
        self.hold.starts[topic] = self.positions.get(topic, 0)
        return self.ends.get(topic, (0, NOW))

    async def turn(self, offset: int, event: Any) -> tuple[Book, bool]:
        """Fold one event as the member agent does, up to its commit; whether it needs no sample."""
        book = await self.labels.begin(self.hold)
        wanted = self.labels.wanted(book, [event])
        self.labels.load(book, wanted, await self.hold.read(self.labels.stored(wanted)))
        settled = True
        if isinstance(event, Impression):
            self.labels.show(book, ("impressions", "id-i", 0, offset), event)
        else:
            settled = self.labels.act(book, ("job-views", "id-v", 0, offset), event)
        await self.hold.slot.commit(self.labels.writes(book))
        self.labels.committed(book)
        return book, settled

    async def close(self, on_change: Callable[[list[str]], None] = lambda _: None) -> bool:
        """Close what is due, and have its labels produced, which goes on beside the next turn."""
        more = await self.labels.close(self.hold, on_change)
        if self.hold.unfinished is not None:
            await asyncio.wait([self.hold.unfinished])
        return more

    async def fold(self, offset: int, event: Any) -> bool:
        book, settled = await self.turn(offset, event)
        await self.labels.flush(book)
        return settled


async def a_slot() -> Slot:
    slot = Slot()
    slot.ends["impressions"] = (1, NOW)
    await slot.restart()
    return slot


CLOSED = ("closed", "impressions#closed", 0, ("a", "b", "c"))
POSITIVE = ("positive", "job-views#labels", 7, ("a",))


def test_labels_are_produced_after_the_commit_and_by_the_next_owner_if_the_first_dies() -> None:
    async def main() -> None:
        slot = await a_slot()
        await slot.fold(0, IMPRESSION)
        await slot.turn(7, view("a"))  # and then it dies
        assert slot.topic.take() == []
        await slot.restart()
        slot.positions["impressions"] = 1
        assert await slot.close() is False
        assert slot.topic.take() == [POSITIVE, CLOSED]
        await slot.restart()
        await slot.labels.begin(slot.hold)
        assert slot.topic.take() == [CLOSED]  # once more: the trainer's mark drops it
        await slot.fold(1, msgspec.structs.replace(IMPRESSION, request_id="r2"))
        assert await slot.store.get([KEYS.outbox("m0")]) == [None]

    asyncio.run(main())


def test_what_cannot_be_produced_stays_in_the_outbox_and_goes_out_first() -> None:
    async def main() -> None:
        slot = await a_slot()
        await slot.fold(0, IMPRESSION)
        slot.topic.broken = True
        for _ in range(2):
            with pytest.raises(ProduceFailedError):
                await slot.fold(7, view("a"))
            slot.labels.forget(slot.hold)
        slot.topic.broken = False
        await slot.fold(8, view("b"))
        assert slot.topic.take() == [POSITIVE, ("positive", "job-views#labels", 8, ("b",))]

    asyncio.run(main())


def test_nothing_is_closed_before_every_input_has_passed_the_window() -> None:
    async def main() -> None:
        slot = await a_slot()
        await slot.fold(0, IMPRESSION)
        slot.positions["impressions"] = 1
        slot.ends["job-views"] = (8, NOW)
        await slot.close()
        assert slot.topic.take() == []
        slot.positions["job-views"] = 8
        await slot.close()
        assert [kind for kind, *_ in slot.topic.take()] == ["closed"]
        assert await slot.store.get_fields(KEYS.due("m0")) == {}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("request_id", "end", "settled"),
    [
        (None, (5, NOW), False),  # nothing says that it was shown
        ("r1", (5, NOW), True),  # impressions are being caught up with: this one will come
        ("r1", (0, NOW), False),  # they are all read, and it is not among them
        ("r1", (0, NOW - 90_000), True),  # as of a time before the action
    ],
)
def test_an_action_without_its_impression_is_sampled_or_waits(
    request_id: str | None, end: tuple[int, int], settled: bool
) -> None:
    async def main() -> None:
        slot = await a_slot()
        slot.ends["impressions"] = end
        assert await slot.fold(7, view("a", request=request_id)) is settled
        await slot.fold(9, IMPRESSION)
        wanted = [("positive", "impressions#labels", 9, ("a",))] if end[0] or request_id else []
        assert slot.topic.take() == wanted

    asyncio.run(main())


def test_where_there_are_no_impressions_actions_cost_nothing() -> None:
    async def main() -> None:
        slot = await a_slot()
        slot.ends["impressions"] = (0, NOW)
        assert not await slot.fold(7, view("a"))
        assert await slot.store.scan("*") == [KEYS.epoch("m0")]

    asyncio.run(main())


def test_an_erased_member_leaves_nothing_and_its_impression_is_passed_over() -> None:
    async def main() -> None:
        slot = await a_slot()
        await slot.fold(0, IMPRESSION)
        book = await slot.labels.begin(slot.hold)
        slot.labels.erase(book, "m")
        await slot.hold.slot.commit(slot.labels.writes(book))
        assert await slot.store.get([KEYS.shown("m")]) == [None]
        slot.positions["impressions"] = 1
        await slot.close()
        assert slot.topic.take() == []
        assert await slot.store.get_fields(KEYS.due("m0")) == {}

    asyncio.run(main())


def test_what_is_not_checked_is_counted_as_its_list_closes_and_a_check_clears_it() -> None:
    async def main() -> None:
        slot, told = await a_slot(), list[list[str]]()

        async def kept() -> Passed:
            return passed_over.unpack((await slot.store.get([KEYS.passed("m")]))[0])

        await slot.fold(0, IMPRESSION)
        await slot.fold(7, view("a"))
        assert await kept() == Passed()
        slot.positions["impressions"] = 1
        await slot.close(told.append)
        assert (await kept(), told) == (Passed(1, {job: Showings(1.0, NOW - 60_000) for job in "bc"}), [["m"]])
        await slot.close(told.append)
        assert len(told) == 1  # nothing was due
        await slot.restart()  # whoever takes the slot goes on from what is stored
        await slot.fold(8, view("b", NOW - 10_000))
        assert await kept() == Passed(2, {"c": Showings(1.0, NOW - 60_000)})
        await slot.fold(9, view("c", NOW - 9_000))
        assert await slot.store.get([KEYS.passed("m")]) == [None]
        await slot.store.put([Put(KEYS.passed("m"), passed_over.pack(Passed(1, {"c": Showings(1.0, NOW)})))])
        book = await slot.labels.begin(slot.hold)
        slot.labels.erase(book, "m")
        await slot.hold.slot.commit(slot.labels.writes(book))
        assert await slot.store.get([KEYS.passed("m")]) == [None]

    asyncio.run(main())


def test_the_settings_reach_the_rules() -> None:
    settings = msgspec.structs.replace(Settings(), label_window_s=60.0, label_weight_save=9.0, shown_kept=4)
    rules = Labels(settings, KEYS, Topic(), lambda *_: None).rules  # type: ignore[arg-type]
    assert (rules.window_ms, rules.weights, rules.kept) == (60_000, (1.0, 2.0, 9.0, 5.0), 4)


def test_what_waits_outlives_an_outage_and_what_is_closed_goes_after_an_hour() -> None:
    async def main() -> None:
        slot = await a_slot()
        book, _ = await slot.turn(0, IMPRESSION)
        lives = []
        for closed in (False, True):
            book.members["m"].lists[0].closed = closed
            book.changed["m"] = None
            lives += [
                write.ttl_s for write in slot.labels.writes(book) if isinstance(write, Put) and "shown" in write.key
            ]
        assert lives == [7 * 86_400, 3_600]

    asyncio.run(main())
