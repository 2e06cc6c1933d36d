"""Tests of streamrec.agents.ownership."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from faust.types import TP

from streamrec.agents import ownership
from streamrec.agents.ownership import Hold, MismatchError, Ownership, check
from streamrec.kafka.client import KafkaUnavailableError
from streamrec.stores.base import Delete, FencedError, Put, SetBackError, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.positions import Mark, Position

KEYS = Keys("test", 4)
VIEWS = TP("job-views", 1)


@pytest.mark.parametrize(
    ("position", "topic_id", "low", "high", "says"),
    [
        (Position("old", 5), "new", 0, 9, "created anew"),
        (Position("id", 5), "id", 8, 9, "3 records are gone"),
        (Position("id", 12), "id", 0, 9, "the broker lost records"),
    ],
)
def test_a_position_that_does_not_fit_the_log_is_explained(
    position: Position, topic_id: str, low: int, high: int, says: str
) -> None:
    with pytest.raises(MismatchError, match=says) as caught:
        check(VIEWS, position, topic_id, low, high)
    assert "job-views/1" in str(caught.value)
    assert "streamrec doctor" in str(caught.value)


class Log:
    """What Kafka would say of the topics."""

    def __init__(self, topic_id: str = "id", low: int = 0, high: int = 100) -> None:
        self.topic_id, self.bounds = topic_id, (low, high)

    async def ids(self, names: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(names, self.topic_id)

    async def watermarks(self, partitions: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        return dict.fromkeys(partitions, self.bounds)

    async def committed(self, partitions: Sequence[TP]) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.group) if self.group is not None else {}

    group: int | None = None  # what the consumer group has committed


def owner(store: MemoryStore, log: Log) -> Ownership:
    return Ownership(
        store, KEYS, lambda _topic, partition: f"m{partition}", log.ids, log.watermarks, lost_by=log.committed
    )


async def commit(ownership: Ownership, key: str, next_offset: int) -> Hold:
    hold = ownership.hold(*VIEWS)
    assert hold is not None
    await hold.commit([Put(key, b"value")], {"job-views": next_offset}, {"source/0": Mark("id", 7, 1)})
    return hold


async def reading_goes_on_where_the_state_ends() -> None:
    store = MemoryStore(KEYS)
    first = owner(store, Log())
    assert await first.take({VIEWS}) == {VIEWS: 0}
    await commit(first, KEYS.member("a"), 42)
    second = owner(store, Log())
    assert await second.take({VIEWS, TP("job-saves", 1)}) == {VIEWS: 42, TP("job-saves", 1): 0}
    hold = second.hold(*VIEWS)
    assert hold is not None
    assert hold.marks == {"source/0": Mark("id", 7, 1)}


def test_reading_goes_on_where_the_state_ends() -> None:
    asyncio.run(reading_goes_on_where_the_state_ends())


class Unsteady(Log):
    """Does not answer the first time that it is asked of each."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = {"ids", "watermarks"}

    def _answers(self, what: str) -> None:
        if what in self.silent:
            self.silent.remove(what)
            raise KafkaUnavailableError("Timed out waiting for controller")

    async def ids(self, names: Sequence[str]) -> Mapping[str, str]:
        self._answers("ids")
        return await super().ids(names)

    async def watermarks(self, partitions: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        self._answers("watermarks")
        return await super().watermarks(partitions)


def test_a_cluster_without_a_controller_is_outlasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_PAUSE_S", 0.0)
    log = Unsteady()
    assert asyncio.run(owner(MemoryStore(KEYS), log).take({VIEWS})) == {VIEWS: 0}
    assert not log.silent


def test_a_cluster_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_PATIENCE_S", -1.0)
    with pytest.raises(KafkaUnavailableError):
        asyncio.run(owner(MemoryStore(KEYS), Unsteady()).take({VIEWS}))


async def the_earlier_owner_cannot_commit() -> None:
    store = MemoryStore(KEYS)
    first, second = owner(store, Log()), owner(store, Log())
    await first.take({VIEWS})
    await second.take({VIEWS})
    with pytest.raises(FencedError):
        await commit(first, KEYS.member("a"), 42)
    assert await store.get([KEYS.member("a")]) == [None]
    assert (await store.get_fields(KEYS.positions("m1"))) == {}
    await commit(second, KEYS.member("a"), 43)


def test_the_earlier_owner_cannot_commit() -> None:
    asyncio.run(the_earlier_owner_cannot_commit())


async def what_is_no_longer_assigned_is_let_go() -> None:
    ownership = owner(MemoryStore(KEYS), Log())
    await ownership.take({VIEWS})
    await ownership.take({TP("job-views", 2)})
    assert ownership.hold(*VIEWS) is None
    assert ownership.hold("job-views", 2) is not None


def test_what_is_no_longer_assigned_is_let_go() -> None:
    asyncio.run(what_is_no_longer_assigned_is_let_go())


async def a_topic_created_anew_is_refused() -> None:
    store = MemoryStore(KEYS)
    first = owner(store, Log("old"))
    await first.take({VIEWS})
    await commit(first, KEYS.member("a"), 42)
    with pytest.raises(MismatchError, match="created anew"):
        await owner(store, Log("new")).take({VIEWS})


def test_a_topic_created_anew_is_refused() -> None:
    asyncio.run(a_topic_created_anew_is_refused())


async def rest_waits_for_the_turns_in_hand_and_lets_no_other_begin() -> None:
    ownership = owner(MemoryStore(KEYS), Log())
    await ownership.take({VIEWS, TP("job-views", 2)})
    hold = ownership.hold(*VIEWS)
    assert hold is not None
    await hold.turn.acquire()
    resting = asyncio.create_task(ownership.rest())
    await asyncio.sleep(0)
    await ownership.take({TP("job-views", 3)})  # the group is assigned anew meanwhile
    assert not resting.done()
    left = hold.unfinished = asyncio.create_task(asyncio.sleep(60))
    hold.turn.release()
    await asyncio.sleep(0.01)
    assert not resting.done()  # what a turn left to be done is waited for, too
    left.cancel()
    await asyncio.wait_for(resting, 5)
    assert [each.name for each in ownership.holds()] == ["m3"]
    assert all(each.turn.locked() for each in ownership.holds())


def test_rest_waits_for_the_turns_in_hand_and_lets_no_other_begin() -> None:
    asyncio.run(rest_waits_for_the_turns_in_hand_and_lets_no_other_begin())


async def a_store_that_lost_its_data_is_noticed_though_nothing_is_written_to_it() -> None:
    store = MemoryStore(KEYS)
    ours = owner(store, Log())
    await ours.take({VIEWS})
    await commit(ours, KEYS.member("a"), 42)
    await ours.verify()
    await store.put([Delete(KEYS.epoch("m1"))])
    with pytest.raises(SetBackError):
        await ours.verify()
    other = owner(store, Log())
    await other.take({VIEWS})
    await owner(store, Log()).take({VIEWS})
    await other.verify()  # another owner is no loss
    assert other.hold(*VIEWS) is None


def test_a_store_that_lost_its_data_is_noticed_though_nothing_is_written_to_it() -> None:
    asyncio.run(a_store_that_lost_its_data_is_noticed_though_nothing_is_written_to_it())


async def takes_up_an_empty_store(low: int, group: int | None) -> dict[TP, int]:
    log, store = Log(low=low), MemoryStore(KEYS)
    log.group = group
    for _ in range(2):  # a second try says the same
        try:
            found = await owner(store, log).take({VIEWS})
        except MismatchError as error:
            refusal = error
        else:
            return found
    raise refusal


def test_an_empty_store_is_filled_from_a_whole_log_whoever_has_read_it() -> None:
    assert asyncio.run(takes_up_an_empty_store(0, None)) == {VIEWS: 0}
    assert asyncio.run(takes_up_an_empty_store(0, 80)) == {VIEWS: 0}


def test_an_empty_store_begins_in_the_middle_of_a_log_only_if_the_group_never_read_it() -> None:
    assert asyncio.run(takes_up_an_empty_store(5, None)) == {VIEWS: 5}
    for group in (80, 5, 3):  # read on; or all that was read is gone by now
        with pytest.raises(MismatchError, match="has lost its data, or is another one") as caught:
            asyncio.run(takes_up_an_empty_store(5, group))
        assert "job-views/1" in str(caught.value)
        assert "streamrec rebuild --accept-gap" in str(caught.value)


async def a_worker_that_ended_before_its_first_record_begins_where_it_would_have() -> None:
    log, store = Log(low=5), MemoryStore(KEYS)
    assert await owner(store, log).take({VIEWS}) == {VIEWS: 5}
    log.group = 5  # it committed that, and nothing else
    assert await owner(store, log).take({VIEWS}) == {VIEWS: 5}


def test_a_worker_that_ended_before_its_first_record_begins_where_it_would_have() -> None:
    asyncio.run(a_worker_that_ended_before_its_first_record_begins_where_it_would_have())


class AwayOnce(MemoryStore):
    """Does not answer the first time that a slot is taken."""

    asked = 0

    async def take(self, slot: str) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailableError("away")
        return await super().take(slot)


def test_a_store_that_is_away_while_partitions_are_assigned_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_PAUSE_S", 0.0)
    assert asyncio.run(owner(AwayOnce(KEYS), Log()).take({VIEWS})) == {VIEWS: 0}
    monkeypatch.setattr(ownership, "_PATIENCE_S", -1.0)
    with pytest.raises(StoreUnavailableError):
        asyncio.run(owner(AwayOnce(KEYS), Log()).take({VIEWS}))
