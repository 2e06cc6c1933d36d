"""Batches of one slot: in order, and what waits together is handled together."""

import asyncio
from itertools import chain
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamrec.agents.base import _Lane
from streamrec.agents.transport import Batch

MOST = 10


def batch(topic: str, first: int, count: int, assignment: int = 1) -> Batch:
    records: list[Any] = [SimpleNamespace(offset=offset) for offset in range(first, first + count)]
    return Batch(topic, 0, records, assignment)


Turn = list[tuple[str, int, list[int]]]


def drained(batches: list[Batch]) -> list[Turn]:
    async def go() -> list[Turn]:
        lane, found = _Lane(MOST), []
        for each in batches:
            await lane.put(each)
        while lane.records:
            found.append([
                (each.topic, each.assignment, [record.offset for record in each.records]) for each in await lane.get()
            ])  # fmt: skip
        return found

    return asyncio.run(go())


def test_what_waits_is_one_turn_and_of_one_partition_one_batch() -> None:
    waiting = [batch("views", 0, 2), batch("saves", 0, 1), batch("views", 2, 3), batch("saves", 1, 1)]
    assert drained(waiting) == [[("views", 1, [0, 1, 2, 3, 4]), ("saves", 1, [0, 1])]]


def test_a_turn_ends_before_it_grows_too_large_and_skips_nothing() -> None:
    waiting = [batch("views", 0, 6), batch("saves", 0, 5), batch("views", 6, 1)]
    assert drained(waiting) == [[("views", 1, list(range(6)))], [("saves", 1, list(range(5))), ("views", 1, [6])]]


def test_a_batch_of_another_assignment_stays_apart() -> None:
    assert drained([batch("views", 0, 2), batch("views", 0, 2, assignment=2)]) == [
        [("views", 1, [0, 1])],
        [("views", 2, [0, 1])],
    ]


def test_a_batch_that_was_fetched_too_large_is_left_as_it_is() -> None:
    turns = drained([batch("views", 0, 3 * MOST), batch("views", 30, 1)])
    assert [len(offsets) for turn in turns for _, _, offsets in turn] == [30, 1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, MOST), st.integers(1, 2)), max_size=30))
def test_every_record_comes_once_and_in_the_order_of_its_partition(sizes: list[tuple[str, int, int]]) -> None:
    ends: dict[str, int] = {}
    waiting = []
    for topic, count, assignment in sizes:
        waiting.append(batch(topic, ends.get(topic, 0), count, assignment))
        ends[topic] = ends.get(topic, 0) + count
    turns = drained(waiting)
    for topic, end in ends.items():
        of_topic = [offsets for turn in turns for name, _, offsets in turn if name == topic]
        assert list(chain.from_iterable(of_topic)) == list(range(end))
    for turn in turns:
        assert len({topic for topic, _, _ in turn}) == len(turn)
        assert len({assignment for _, assignment, _ in turn}) == 1
        assert sum(len(offsets) for _, _, offsets in turn) <= MOST
    assert len(turns) <= len(waiting)
