"""The store while a cluster changes: slots that move, a replica that takes over, a node that dies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from streamrec.local.servers import Server
from streamrec.settings import Settings, SettingsError
from streamrec.stores.base import Append, FencedError, Put, PutFields, Slot, Store, StoreUnavailableError
from streamrec.stores.connect import connect, nodes_of, open_store
from streamrec.stores.keys import Keys
from tests.redis_cluster import LocalCluster
from tests.stores.test_connect import documented_user

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

MEMBERS = ["0", "2"]  # of m0, of four partitions


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keys() -> Keys:
    return Keys(f"cluster-{uuid4().hex}", 4)


@pytest.fixture
async def store(redis_cluster: LocalCluster, keys: Keys) -> AsyncIterator[Store]:
    opened = open_store(Settings(redis=redis_cluster.url, redis_cluster=True), keys, timeout_s=1.0)
    yield opened
    await opened.close()


async def eventually(commit: Slot, writes: list[Put]) -> int:
    """Commit as agents do: again after a failure that another try may mend; how many failures there were."""
    failures = 0
    async with asyncio.timeout(20):
        while True:
            try:
                await commit.read([])
                await commit.commit(writes)
            except StoreUnavailableError:
                failures += 1
                await asyncio.sleep(0.05)
            else:
                return failures


async def test_keys_lie_on_all_nodes_and_those_of_a_slot_on_one(
    store: Store, keys: Keys, redis_cluster: LocalCluster
) -> None:
    await store.put([Put(keys.job(str(number)), b"x") for number in range(100)])
    assert len({redis_cluster.owner(keys.job(str(number))) for number in range(100)}) > 1
    for slot in keys.job_slots():
        assert redis_cluster.owner(keys.changes(slot)) == redis_cluster.owner(keys.epoch(slot))


async def test_an_owner_goes_on_when_its_slot_has_moved_to_another_node(
    store: Store, keys: Keys, redis_cluster: LocalCluster
) -> None:
    a, position = keys.member("0"), keys.positions("m0")
    held = await store.take("m0")
    await held.commit([Put(a, b"1"), PutFields(position, {"t": b"1"})])
    await held.read([a])  # watches the epoch there
    waiting = asyncio.create_task(store.follow({keys.changes("m0"): "0-0"}, 5000))
    slot, source = redis_cluster.begin_move(a, target := (redis_cluster.owner(a) + 1) % 3)
    redis_cluster.end_move(slot, source, target)
    with pytest.raises(StoreUnavailableError, match="moved"):  # not FencedError: nobody else has taken it
        await held.commit([Put(a, b"lost")])
    assert await held.read([a]) == [b"1"]
    await held.commit([Put(a, b"2"), Append(keys.changes("m0"), b"c", 10)])
    assert redis_cluster.owner(a) == target
    assert await store.get([a]) == [b"2"]
    assert [entry.value for entry in await asyncio.wait_for(waiting, 5)] == [b"c"]


async def test_while_keys_move_reads_go_on_and_a_commit_waits_until_all_are_on_one_node(
    store: Store, keys: Keys, redis_cluster: LocalCluster
) -> None:
    a, b = map(keys.member, MEMBERS)
    held = await store.take("m0")
    await held.commit([Put(a, b"a"), Put(b, b"b")])
    await held.read([a, b])
    slot, source = redis_cluster.begin_move(a, target := (redis_cluster.owner(a) + 1) % 3)
    redis_cluster.move_keys(source, target, [b, keys.epoch("m0")])
    with pytest.raises(StoreUnavailableError, match="is moving this part of the keys"):
        await held.commit([Put(a, b"half")])
    with pytest.raises(StoreUnavailableError):
        await held.read([a, b])
    assert await store.get([a, b, keys.member("absent")]) == [b"a", b"b", None]
    await store.put([Put(keys.asked("0"), b"1", ttl_s=9), Put(keys.ranked("0"), b"r"), Put(keys.ranked("2"), b"r")])
    assert await store.get([keys.ranked("0"), keys.ranked("2")]) == [b"r", b"r"]
    zombie, held = held, await store.take("m0")  # another owner, while the epoch is on the new node already
    redis_cluster.end_move(slot, source, target)
    with pytest.raises(FencedError):
        await eventually(zombie, [Put(a, b"zombie's")])
    await eventually(held, [Put(a, b"whole")])
    assert await store.get([a, b]) == [b"whole", b"b"]


async def test_a_zombie_on_the_old_node_writes_nothing_after_the_epoch_has_moved_on(
    store: Store, keys: Keys, redis_cluster: LocalCluster
) -> None:
    a = keys.member("0")
    zombie = await store.take("m0")
    await zombie.commit([Put(a, b"a")])
    await zombie.read([a])
    slot, source = redis_cluster.begin_move(a, target := (redis_cluster.owner(a) + 1) % 3)
    redis_cluster.move_keys(source, target, [keys.epoch("m0")])  # the state is still on the old node
    owner = await store.take("m0")
    with pytest.raises(StoreUnavailableError):
        await zombie.commit([Put(a, b"zombie's")])
    redis_cluster.end_move(slot, source, target)
    with pytest.raises(FencedError):
        await eventually(zombie, [Put(a, b"zombie's")])
    await eventually(owner, [])
    assert await owner.read([a]) == [b"a"]


async def test_a_replica_takes_over_and_the_owner_goes_on(tmp_path: Path, keys: Keys) -> None:
    cluster = LocalCluster(tmp_path, replicas=1, timeout_ms=1000)
    store = open_store(Settings(redis=cluster.url, redis_cluster=True), keys, timeout_s=1.0)
    try:
        slot = next(f"m{number}" for number in range(100) if cluster.owner(keys.epoch(f"m{number}")) == 0)
        a = keys.positions(slot)
        held = await store.take(slot)
        await held.commit([Put(a, b"1")])
        cluster.wait(lambda: cluster.replicated(0))
        cluster.servers[0].stop()
        assert await eventually(held, [Put(a, b"2")]) > 0
        assert await store.get([a]) == [b"2"]
        assert await store.scan(f"{keys.prefix}:*") != []
    finally:
        await store.close()
        cluster.stop()


async def test_a_cluster_with_a_part_missing_says_so(tmp_path: Path, keys: Keys) -> None:
    cluster = LocalCluster(tmp_path, timeout_ms=1000)
    settings = Settings(redis=cluster.url, redis_cluster=True)
    store = open_store(settings, keys, timeout_s=1.0)
    try:
        await store.ping()
        alive = keys.member("0")
        cluster.servers[(cluster.owner(alive) + 1) % 3].stop()
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await store.ping()
        async with asyncio.timeout(20):
            while True:
                try:
                    await store.get([alive])
                except StoreUnavailableError as error:
                    if "a part missing" in str(error) and "bring its nodes back" in str(error):
                        break
                await asyncio.sleep(0.1)
    finally:
        await store.close()
        cluster.stop()


async def test_one_server_and_a_cluster_are_not_taken_for_each_other(
    redis_server: Server, redis_cluster: LocalCluster, keys: Keys
) -> None:
    for settings, said in (
        (Settings(redis=f"redis://{redis_server.address}/0", redis_cluster=True), "set redis_cluster = false"),
        (Settings(redis=f"redis://127.0.0.1:{redis_cluster.servers[0].port}/0"), "set redis_cluster = true"),
    ):
        store = open_store(settings, keys)
        with pytest.raises(StoreUnavailableError, match=said):
            await store.get(
                [keys.job(str(number)) for number in range(4)] if settings.redis_cluster else [elsewhere(redis_cluster)]
            )
        await store.close()


async def test_the_rights_of_the_documented_user_suffice_on_a_cluster(redis_cluster: LocalCluster, keys: Keys) -> None:
    _, *rules = documented_user().removeprefix("user ").replace("sr", keys.namespace).split()
    for client in redis_cluster.clients:
        client.execute_command("ACL", "SETUSER", "granted", *rules)
    settings = Settings(
        redis=redis_cluster.url, redis_cluster=True, redis_username="granted", redis_password="PASSWORD"
    )
    store = open_store(settings, keys)
    slot = await store.take("m0")
    await slot.commit([Put(keys.member("0"), b"1"), Append(keys.changes("m0"), b"x", 9)])
    assert await store.get([keys.member("0"), keys.job("1")]) == [b"1", None]
    await store.ping()
    await store.close()
    with connect(settings) as plain:
        assert plain.get(keys.member("0")) == b"1"
        assert {node for node, _ in nodes_of(plain)} == {server.address for server in redis_cluster.servers}


def elsewhere(cluster: LocalCluster) -> str:
    """A key that the first node does not have."""
    return next(key for key in map(str, range(100)) if cluster.owner(key) != 0)


async def test_a_cluster_has_one_database(redis_cluster: LocalCluster, keys: Keys) -> None:
    with pytest.raises(SettingsError, match="no database but 0"):
        open_store(Settings(redis=f"redis://127.0.0.1:{redis_cluster.servers[0].port}/3", redis_cluster=True), keys)


def test_the_plain_client_has_the_same_methods(redis_cluster: LocalCluster, keys: Keys) -> None:
    with connect(Settings(redis=redis_cluster.url, redis_cluster=True)) as client:
        client.set(keys.job("1"), b"1")
        assert client.get(keys.job("1")) == b"1"
        assert client.exists(*map(keys.epoch, keys.job_slots())) == 0
