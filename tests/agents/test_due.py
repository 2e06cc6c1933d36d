"""The queue of impressions to close, against a plain list; what is stored is what is held."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.agents.due import BUCKET, FORMAT, Due, DueQueue, UnreadableDueError, pack
from streamrec.stores.base import PutFields
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

GOLDEN = bytes.fromhex("019294cd012ca26d31a27231cf0000018bcfe5680094cd012da26d32a27232cf0000018bcfe56801")
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 2 * BUCKET), st.integers(0, 9)),
        st.tuples(st.just("close"), st.integers(1, 5), st.integers(0, 9)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(_steps)
def test_it_closes_in_the_order_of_the_log_and_survives_a_restart_at_any_time(
    steps: list[tuple[str, int, int]],
) -> None:
    async def main() -> None:
        store, offset = MemoryStore(Keys("sr", 4)), 0
        queue, plain = DueQueue({}), list[Due]()
        for step, number, time in steps:
            if step == "add":
                offset += number
                queue.add(Due(offset, "m", f"r{offset}", time))
                plain.append(Due(offset, "m", f"r{offset}", time))
            elif step == "close":
                found = queue.head(time, number)
                ready = next((place for place, due in enumerate(plain) if due.closes_at > time), len(plain))
                assert found == plain[: min(ready, number)]
                queue.drop(len(found))
                del plain[: len(found)]
            await store.put(queue.writes("due"))
            if step == "restart":
                queue = DueQueue(await store.get_fields("due"))
            assert len(queue) == len(plain)
        assert DueQueue(await store.get_fields("due")).head(99, 999) == plain
        assert len(await store.get_fields("due")) == len({due.offset // BUCKET for due in plain})

    asyncio.run(main())


def test_the_bytes_of_format_1_are_what_they_were() -> None:
    held = [Due(300, "m1", "r1", 1_700_000_000_000), Due(301, "m2", "r2", 1_700_000_000_001)]
    assert pack(held) == GOLDEN
    queue = DueQueue({"2": GOLDEN})
    assert (len(queue), queue.head(2_000_000_000_000, 9)) == (2, held)
    assert queue.writes("due") == []


@pytest.mark.parametrize("value", [b"", b"\x02\x90", FORMAT + b"\x91\xa1x"])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(UnreadableDueError, match="Due"):
        DueQueue({"0": value}).head(9, 9)


def test_what_waits_of_an_erased_member_is_forgotten() -> None:
    queue = DueQueue({})
    for offset in range(3 * BUCKET):
        queue.add(Due(offset, f"m{offset % 3}", f"r{offset}", 10))
    queue.writes("key")
    queue.forget("m1")
    assert len(queue) == 2 * BUCKET
    assert {due.member_id for due in queue.head(10, 9 * BUCKET)} == {"m0", "m2"}
    [write] = queue.writes("key")
    assert isinstance(write, PutFields)
    assert len(write.fields) == 3
    queue.forget("nobody")
    assert queue.writes("key") == []
