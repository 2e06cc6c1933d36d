"""Tests of streamrec.agents.redriven: an origin is applied once, and known as applied with the very commit."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streamrec.agents import redriven
from streamrec.agents.dead_letters import dead_letter
from streamrec.agents.ownership import Hold
from streamrec.codecs import Origin, Redriven
from streamrec.events import Rejected
from streamrec.kafka.letters import opened
from streamrec.kafka.reader import Stored
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.topics import DEAD_LETTERS, load

KEYS = Keys("test", 4)


def record(offset: int, origin: int | None = None, attempt: int = 2) -> Any:
    headers = () if origin is None else Redriven(Origin("job-views", 1, origin, "id"), attempt).headers()
    return SimpleNamespace(offset=offset, headers=headers, key=b"m1", value=b"v", timestamp=0)


async def applied(hold: Hold, *records: Any, topic: str = "job-views") -> list[int]:
    """Offsets that are applied of one batch, all of it usable."""
    found = await redriven.arrivals(hold, KEYS, topic, records)
    first = [each.offset for each in records if found.first(each.offset)]
    await hold.commit(found.writes(KEYS, hold.name), {topic: records[-1].offset + 1}, {})
    found.committed()
    return first


async def hold_of(store: MemoryStore) -> Hold:
    return Hold("m1", await store.take("m1"), KEYS, {"job-views": "id", "job-saves": "id"})


async def in_any_batch() -> None:
    store = MemoryStore(KEYS)
    hold = await hold_of(store)
    assert await applied(hold, record(1), record(2, origin=7), record(3, origin=8), record(4, origin=7)) == [1, 2, 3]
    assert await applied(hold, record(5, origin=7, attempt=3), record(6, origin=9), record(7)) == [6, 7]
    assert await applied(await hold_of(store), record(8, origin=9), record(9)) == [9]  # another owner
    assert await store.get([KEYS.redriven("m1", "job-views/1@7#id")]) == [b"2"]


def test_a_second_arrival_is_dropped_in_the_same_batch_a_later_one_and_by_another_owner() -> None:
    asyncio.run(in_any_batch())


async def not_before_the_commit() -> None:
    hold = await hold_of(MemoryStore(KEYS))
    found = await redriven.arrivals(hold, KEYS, "job-views", [record(1, origin=7)])
    assert found.first(1)  # and then the process dies
    assert await applied(hold, record(1, origin=7)) == [1]


def test_what_was_not_committed_is_applied_when_it_is_read_again() -> None:
    asyncio.run(not_before_the_commit())


async def rejected_does_not_count() -> None:
    hold = await hold_of(MemoryStore(KEYS))
    found = await redriven.arrivals(hold, KEYS, "job-views", [record(1, origin=7)])
    assert found.writes(KEYS, "m1") == []  # `first` was not asked: it went to dead-letters again
    assert await applied(hold, record(2, origin=7, attempt=3)) == [2]


def test_an_attempt_that_was_rejected_leaves_the_next_one_free() -> None:
    asyncio.run(rejected_does_not_count())


class NoReads:
    """A slot that must not be asked."""

    async def read(self, _keys: object) -> None:
        pytest.fail("a batch without redriven records asked the store")


def test_a_batch_without_redriven_records_does_not_ask_the_store() -> None:
    hold = Hold("m1", NoReads(), KEYS, {})  # type: ignore[arg-type]
    other = record(2)
    other.headers = (("trace", b"abc"),)
    found = asyncio.run(redriven.arrivals(hold, KEYS, "job-views", [record(1), other]))
    assert found.first(1)
    assert found.first(2)
    assert found.writes(KEYS, "m1") == []


def test_an_origin_is_kept_longer_than_a_letter_can_be_sent_again() -> None:
    assert redriven.KEPT_S is not None
    assert 2 * load()[DEAD_LETTERS].retention_ms <= redriven.KEPT_S * 1000


def test_a_letter_of_a_redriven_record_keeps_its_first_origin_and_attempt() -> None:
    made = dead_letter("job-views", "id", 0, record(55, origin=7, attempt=4), Rejected("bad_id", "x"), 9)
    letter = opened(Stored("dead-letters", 0, 5, 0, made.key, made.value, made.headers))
    assert letter.case == Redriven(Origin("job-views", 1, 7, "id"), 4)
    assert (letter.letter.partition, letter.letter.offset) == (0, 55)


def test_a_first_letter_is_its_own_origin() -> None:
    made = dead_letter("job-views", "id", 3, record(17), Rejected("bad_id", "x"), 9)
    letter = opened(Stored("dead-letters", 0, 5, 0, made.key, made.value, made.headers))
    assert letter.case == Redriven(Origin("job-views", 3, 17, "id"), 1)
