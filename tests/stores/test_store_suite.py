"""What every store promises, asked of all of them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from streamrec.local.servers import Server
from streamrec.settings import Settings
from streamrec.stores.base import (
    Append,
    Delete,
    DropFields,
    FencedError,
    Put,
    PutFields,
    SetBackError,
    Store,
    TruncatedError,
)
from streamrec.stores.connect import open_store
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

MINE, MINE_TOO = "0", "2"  # members of m0, of four partitions: a slot reads and writes its own keys


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keys() -> Keys:
    return Keys(f"suite-{uuid4().hex}", 4)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis", marks=pytest.mark.servers),
        pytest.param("cluster", marks=pytest.mark.servers),
    ]
)
async def store(request: pytest.FixtureRequest, keys: Keys) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(keys)
        return
    if request.param == "redis":
        server: Server = request.getfixturevalue("redis_server")
        settings = Settings(redis=f"redis://{server.address}/0")
    else:
        settings = Settings(redis=request.getfixturevalue("redis_cluster").url, redis_cluster=True)
    opened = open_store(settings, keys)
    yield opened
    await opened.close()


async def test_what_was_put_is_got_in_the_order_asked(store: Store, keys: Keys) -> None:
    a, b, c = keys.member("1"), keys.member("2"), keys.job("ü")
    await store.put([Put(a, b"one"), Put(c, b"\x00\xff")])
    assert await store.get([c, b, a]) == [b"\x00\xff", None, b"one"]
    assert await store.get([]) == []


async def test_the_later_of_two_writes_of_a_key_stands(store: Store, keys: Keys) -> None:
    a, b = keys.job("1"), keys.job("2")
    await store.put([Put(a, b"1"), Put(a, b"2"), Put(b, b"x"), Delete(b), Delete(keys.job("3"))])
    assert await store.get([a, b]) == [b"2", None]
    await store.put([Delete(a), Put(a, b"3")])
    assert await store.get([a]) == [b"3"]


async def test_a_value_with_a_time_to_live_goes_and_one_put_again_without_stays(store: Store, keys: Keys) -> None:
    passing, kept = keys.asked("1"), keys.asked("2")
    await store.put([Put(passing, b"x", ttl_s=1), Put(kept, b"y", ttl_s=1)])
    assert await store.get([passing, kept]) == [b"x", b"y"]
    await store.put([Put(kept, b"z")])
    async with asyncio.timeout(5):
        while await store.get([passing]) != [None]:  # noqa: ASYNC110 - expiry tells nobody
            await asyncio.sleep(0.02)
    assert await store.get([kept]) == [b"z"]


async def test_fields_are_added_to_a_hash(store: Store, keys: Keys) -> None:
    key = keys.positions("m0")
    assert await store.get_fields(key) == {}
    await store.put([PutFields(key, {"job-views": b"1", "job-saves": b"2"}), PutFields(key, {})])
    await store.put([PutFields(key, {"job-views": b"3"})])
    assert await store.get_fields(key) == {"job-views": b"3", "job-saves": b"2"}


async def test_fields_are_dropped_from_a_hash_and_an_empty_hash_is_none(store: Store, keys: Keys) -> None:
    key = keys.due("m0")
    await store.put([DropFields(key, ["0"]), PutFields(key, {"0": b"1", "1": b"2", "2": b"3"}), DropFields(key, [])])
    await store.put([DropFields(key, ["0", "2", "9"])])
    assert await store.get_fields(key) == {"1": b"2"}
    await store.put([DropFields(key, ["1"])])
    assert await store.get_fields(key) == {}
    assert await store.scan(key.replace("{", "[{]")) == []


async def test_fields_are_dropped_behind_the_fence_or_not_at_all(store: Store, keys: Keys) -> None:
    key = keys.due("m0")
    zombie = await store.take("m0")
    await zombie.commit([PutFields(key, {"0": b"1", "1": b"2"}), DropFields(key, ["0"])])
    assert await zombie.fields(key) == {"1": b"2"}
    owner = await store.take("m0")
    with pytest.raises(FencedError):
        await zombie.commit([DropFields(key, ["1"])])
    assert await owner.fields(key) == {"1": b"2"}
    for slot in (zombie, owner):
        await slot.close()


async def test_scan_finds_every_key_of_a_pattern_and_no_other(store: Store, keys: Keys) -> None:
    jobs = {keys.job(str(number)) for number in range(2500)}
    await store.put([Put(key, b"x") for key in jobs] + [Put(keys.member("1"), b"x"), Put(keys.neighbours("1"), b"x")])
    found = await store.scan(keys.jobs_pattern())
    assert len(found) == len(jobs)
    assert set(found) == jobs


async def test_a_slot_reads_and_commits(store: Store, keys: Keys) -> None:
    slot = await store.take("m0")
    a, hash_key = keys.member(MINE), keys.positions("m0")
    assert await slot.read([a, keys.member(MINE_TOO)]) == [None, None]
    assert await slot.read([]) == []
    await slot.commit([Put(a, b"1"), PutFields(hash_key, {"t": b"5"}), Append(keys.changes("m0"), b"c", 10)])
    assert await slot.read([a]) == [b"1"]
    assert await slot.fields(hash_key) == {"t": b"5"}
    await slot.commit([Delete(a), Delete(hash_key)])
    assert await slot.read([a]) == [None]
    assert await slot.fields(hash_key) == {}
    await slot.commit([])
    await slot.close()


async def test_a_zombie_writes_nothing_at_all(store: Store, keys: Keys) -> None:
    key, stream = keys.member(MINE), keys.changes("m0")
    zombie = await store.take("m0")
    await zombie.read([key])
    owner = await store.take("m0")
    await owner.read([key])
    await owner.commit([Put(key, b"owner's")])
    with pytest.raises(FencedError):
        await zombie.commit([Put(key, b"zombie's"), Append(stream, b"zombie's", 10)])
    assert await store.get([key]) == [b"owner's"]
    assert await store.tail([stream]) == {stream: "0-0"}
    with pytest.raises(FencedError):
        await zombie.read([key])
    with pytest.raises(FencedError):
        await zombie.fields(keys.positions("m0"))
    for slot in (zombie, owner):
        await slot.close()


async def test_a_zombie_is_fenced_when_the_slot_is_taken_between_its_read_and_its_commit(
    store: Store, keys: Keys
) -> None:
    key = keys.member(MINE)
    zombie = await store.take("m0")
    await zombie.commit([Put(key, b"before")])
    await zombie.read([key])
    owner = await store.take("m0")  # has not written yet
    with pytest.raises(FencedError):
        await zombie.commit([Put(key, b"zombie's")])
    assert await store.get([key]) == [b"before"]
    for slot in (zombie, owner):
        await slot.close()


async def test_a_commit_without_a_read_is_fenced_too(store: Store, keys: Keys) -> None:
    zombie = await store.take("model")
    owner = await store.take("model")
    with pytest.raises(FencedError):
        await zombie.commit([Put(keys.model("m"), b"zombie's")])
    await owner.commit([Put(keys.model("m"), b"1")])
    await owner.commit([Put(keys.model("m"), b"2")])  # the fence stands after a commit as well
    newer = await store.take("model")
    with pytest.raises(FencedError):
        await owner.commit([Put(keys.model("m"), b"3")])
    assert await store.get([keys.model("m")]) == [b"2"]
    for slot in (zombie, owner, newer):
        await slot.close()


@pytest.mark.parametrize("between", [True, False], ids=["after the read", "before the read"])
@pytest.mark.parametrize("lost", [True, False], ids=["all data", "the last commit"])
async def test_nothing_is_written_onto_a_state_that_the_owner_does_not_know(
    store: Store, keys: Keys, lost: bool, between: bool
) -> None:
    key, epoch = keys.member(MINE), keys.epoch("m0")
    slot = await store.take("m0")
    assert slot.first
    await slot.commit([Put(key, b"1")])
    [before] = await store.get([epoch])
    await slot.commit([Put(key, b"2")])
    if between:
        await slot.read([key])
    # What a Redis that has lost data comes back with.
    await store.put([Delete(epoch), Delete(key)] if lost else [Put(epoch, before or b""), Put(key, b"1")])
    with pytest.raises(FencedError):
        await slot.commit([Put(key, b"3")])
    assert await store.get([key]) == [None if lost else b"1"]
    with pytest.raises(SetBackError):
        await slot.read([key])
    again = await store.take("m0")
    assert again.first is lost
    await again.commit([Put(key, b"2")])
    for each in (slot, again):
        await each.close()


async def test_taking_one_slot_leaves_the_others_alone(store: Store, keys: Keys) -> None:
    mine = await store.take("m0")
    await mine.read([keys.member(MINE)])
    other = await store.take("m1")
    await mine.commit([Put(keys.member(MINE), b"1")])
    for slot in (mine, other):
        await slot.close()


async def test_follow_gives_what_comes_after_the_tail_in_order(store: Store, keys: Keys) -> None:
    one, two = keys.changes("j0"), keys.changes("j1")
    await store.put([Append(one, b"old", 100)])
    tail = await store.tail([one, two])
    assert tail[two] == "0-0"
    assert await store.follow(tail, 0) == []
    await store.put([Append(one, b"a", 100), Append(two, b"b", 100), Append(one, b"c", 100)])
    entries = await store.follow(tail, 0)
    assert [entry.value for entry in entries if entry.key == one] == [b"a", b"c"]
    assert [entry.value for entry in entries if entry.key == two] == [b"b"]
    after = tail | {entry.key: entry.id for entry in entries}
    assert await store.follow(after, 10) == []
    assert await store.tail([one, two]) == after
    await store.put([Append(two, b"d", 100)])
    assert [entry.value for entry in await store.follow(after, 0)] == [b"d"]
    assert await store.follow({}, 0) == []


async def test_follow_waits_for_the_first_entry(store: Store, keys: Keys) -> None:
    stream = keys.changes("j0")
    waiting = asyncio.create_task(store.follow({stream: "0-0"}, 5000))
    await store.get(["x"])  # others are served meanwhile
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await store.put([Append(keys.changes("j1"), b"elsewhere", 10)])
    await store.put([Append(stream, b"here", 10)])
    assert [entry.value for entry in await asyncio.wait_for(waiting, 2)] == [b"here"]


async def test_follow_says_when_entries_were_dropped(store: Store, keys: Keys) -> None:
    stream, kept = keys.changes("j0"), keys.changes("j1")
    await store.put([Append(stream, b"first", 10), Append(kept, b"first", 10_000)])
    tail = await store.tail([stream, kept])
    for _ in range(4):
        await store.put([Append(stream, b"x" * 100, 10) for _ in range(250)] + [Append(kept, b"y", 10_000)])
    with pytest.raises(TruncatedError):
        await store.follow(tail, 0)
    with pytest.raises(TruncatedError):
        await store.follow({stream: "0-0"}, 0)
    assert len(await store.follow({kept: tail[kept]}, 0)) == 4
    newest = await store.tail([stream])
    await store.put([Append(stream, b"z", 10)])
    assert [entry.value for entry in await store.follow(newest, 0)] == [b"z"]


async def test_follow_says_when_the_stream_was_begun_anew(store: Store, keys: Keys) -> None:
    stream = keys.changes("j0")
    await store.put([Append(stream, b"a", 10), Append(stream, b"b", 10)])
    tail = await store.tail([stream])
    await store.put([Delete(stream)])
    assert await store.follow(tail, 0) == []
    await store.put([Append(stream, b"c", 10)])
    with pytest.raises(TruncatedError):
        await store.follow(tail, 0)
    assert [entry.value for entry in await store.follow({stream: "0-0"}, 0)] == [b"c"]


async def test_a_follower_that_keeps_up_misses_nothing_while_old_entries_go(store: Store, keys: Keys) -> None:
    stream = keys.changes("j0")
    after = await store.tail([stream])
    seen: list[bytes] = []
    for number in range(40):
        await store.put([Append(stream, f"{number}/{part}".encode(), 5) for part in range(5)])
        for entry in await store.follow(after, 100):
            seen.append(entry.value)
            after[entry.key] = entry.id
    assert seen == [f"{number}/{part}".encode() for number in range(40) for part in range(5)]


async def test_many_reads_at_a_time_each_get_their_own(store: Store, keys: Keys) -> None:
    await store.put([Put(keys.job(str(number)), str(number).encode()) for number in range(300)])
    answers = await asyncio.gather(*(store.get([keys.job(str(number))]) for number in range(300)))
    assert answers == [[str(number).encode()] for number in range(300)]


async def test_a_cancelled_read_does_not_mix_up_the_next_ones(store: Store, keys: Keys) -> None:
    await store.put([Put(keys.job(str(number)), str(number).encode()) for number in range(50)])
    for number in range(50):
        task = asyncio.create_task(store.get([keys.job("0")] * 200))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await store.get([keys.job(str(number))]) == [str(number).encode()]


async def test_ping_and_close(store: Store) -> None:
    await store.ping()
    await store.close()
