import pytest

from streamrec.lookup.background import Background
from streamrec.stores.base import Put, Store, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio
KEYS = Keys("background", 4)


class Counting(MemoryStore):
    """Counts the writes, and refuses them while `away`."""

    def __init__(self) -> None:
        super().__init__(KEYS)
        self.written: list[str] = []
        self.away = False

    async def put(self, writes: object) -> None:
        if self.away:
            raise StoreUnavailableError("away")
        assert isinstance(writes, list)
        self.written += [write.key for write in writes if isinstance(write, Put)]
        await super().put(writes)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def background(store: Store, clock: Clock, asked_within_s: int = 1800) -> Background:
    return Background(store, KEYS, asked_within_s, 600, clock)


async def test_a_member_is_marked_once_in_five_minutes() -> None:
    store, clock = Counting(), Clock()
    notes = background(store, clock)
    for passed in (0, 1, 200, 98, 1, 300):
        clock.now += passed
        notes.asked("m1")
        await notes.flush()
    assert store.written == [KEYS.asked("m1")] * 3


async def test_a_mark_that_lives_shorter_is_made_anew_sooner() -> None:
    store, clock = Counting(), Clock()
    notes = background(store, clock, asked_within_s=30)
    for _ in range(4):
        notes.asked("m1")
        await notes.flush()
        clock.now += 5
    assert len(store.written) == 2


async def test_of_several_lists_of_one_member_the_last_is_written() -> None:
    store, clock = Counting(), Clock()
    notes = background(store, clock)
    for packed in (b"1", b"2"):
        notes.ranked("m1", packed)
    await notes.flush()
    assert store.written == [KEYS.ranked("m1")]
    assert await store.get([KEYS.ranked("m1")]) == [b"2"]


async def test_what_cannot_be_written_is_dropped_and_marks_are_made_anew() -> None:
    store, clock = Counting(), Clock()
    notes = background(store, clock)
    store.away = True
    notes.asked("m1")
    notes.ranked("m1", b"1")
    await notes.flush()
    store.away = False
    await notes.flush()
    assert store.written == []
    notes.asked("m1")
    await notes.flush()
    assert store.written == [KEYS.asked("m1")]


async def test_a_flood_is_cut_off() -> None:
    store, clock = Counting(), Clock()
    notes = background(store, clock)
    for number in range(3_000):
        notes.asked(f"m{number}")
    await notes.flush()
    assert len(store.written) == 2_000
    notes.asked("m2999")  # was not marked, so it is now
    await notes.flush()
    assert store.written[-1] == KEYS.asked("m2999")
