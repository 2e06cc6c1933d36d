"""What only a store over a network can get wrong: lost connections, commits of unknown outcome, refusals."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_redis
from streamrec.stores.base import Append, FencedError, Put, PutFields, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.redis import RedisStore

pytestmark = [pytest.mark.anyio, pytest.mark.servers]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keys() -> Keys:
    return Keys(f"redis-{uuid4().hex}", 4)


class Line:
    """A TCP line to a server that can be cut, and that can hold back what the client says."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.opened = self.forwarded = 0
        self.held, self.spoken = asyncio.Event(), asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += (writer, up_writer)
        for source, sink, holding in ((reader, up_writer, True), (up_reader, writer, False)):
            task = asyncio.create_task(self._copy(source, sink, holding))
            self._tasks.add(task)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, holding: bool) -> None:
        try:
            while data := await source.read(65536):
                if holding and not self.flowing.is_set():
                    self.held.set()
                    await self.flowing.wait()  # what was said arrives later, though the client has hung up
                sink.write(data)
                await sink.drain()
                self.forwarded += holding
                self.spoken.set()
            if holding:
                await asyncio.sleep(0.05)
            sink.close()
        except OSError:
            pass

    async def ended(self) -> None:
        """Returns when all connections that were opened have been closed."""
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        self.flowing.set()
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def line(redis_server: Server) -> AsyncIterator[Line]:
    opened = Line(redis_server.port)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def store(line: Line, keys: Keys) -> AsyncIterator[RedisStore]:
    opened = RedisStore(f"redis://127.0.0.1:{line.port}/0", keys, timeout_s=0.5)
    yield opened
    await opened.close()


async def test_reads_survive_a_connection_that_was_closed_while_idle(store: RedisStore, keys: Keys, line: Line) -> None:
    await store.put([Put("a", b"1")])
    slot = await store.take("m0")
    await slot.read(["a"])
    line.cut()
    await asyncio.sleep(0.01)
    assert await store.get(["a"]) == [b"1"]
    assert await slot.read(["a"]) == [b"1"]
    await slot.commit([Put(keys.member("1"), b"2")])
    assert await store.get([keys.member("1")]) == [b"2"]


async def test_a_commit_on_a_lost_connection_is_not_repeated_in_silence(
    store: RedisStore, keys: Keys, line: Line
) -> None:
    slot = await store.take("m0")
    await slot.read(["a"])
    line.cut()
    await asyncio.sleep(0.01)
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await slot.commit([Put(keys.member("1"), b"1")])
    assert await slot.read([keys.member("1")]) == [None]
    await slot.commit([Put(keys.member("1"), b"2")])
    assert await slot.read([keys.member("1")]) == [b"2"]


async def test_after_a_lost_connection_the_fence_stands_again(
    store: RedisStore, keys: Keys, line: Line, redis_server: Server
) -> None:
    zombie = await store.take("m0")
    await zombie.read([])
    line.cut()
    await asyncio.sleep(0.01)
    with pytest.raises(StoreUnavailableError):
        await zombie.commit([])
    assert await zombie.read([keys.member("1")]) == [None]  # a new connection, on which the epoch is watched
    other = RedisStore(f"redis://{redis_server.address}/0", keys)
    owner = await other.take("m0")
    with pytest.raises(FencedError):
        await zombie.commit([Put(keys.member("1"), b"zombie's")])
    with pytest.raises(FencedError):
        await zombie.read([])
    await owner.commit([Put(keys.member("1"), b"owner's")])
    assert await other.get([keys.member("1")]) == [b"owner's"]
    await other.close()


async def test_a_commit_that_arrives_after_its_caller_gave_up_writes_nothing_once_the_slot_was_read_again(
    store: RedisStore, keys: Keys, line: Line, redis_server: Server
) -> None:
    slot = await store.take("m0")
    position = keys.positions("m0")
    await slot.read([keys.member("1")])
    line.flowing.clear()
    with pytest.raises(StoreUnavailableError, match="did not answer within"):
        await slot.commit([Put(keys.member("1"), b"late"), PutFields(position, {"t": b"late"})])
    assert line.held.is_set()
    direct = RedisStore(f"redis://{redis_server.address}/0", keys)
    free = Line(redis_server.port)  # the new connection does not wait for what the old one holds back
    await free.open()
    slot._wire._connection.port = free.port  # type: ignore[attr-defined]
    assert await slot.read([keys.member("1")]) == [None]  # the caller concludes: not applied
    before = line.forwarded
    line.flowing.set()
    async with asyncio.timeout(5):
        while line.forwarded == before:  # noqa: ASYNC110 - the line tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # Redis has it now; were it to apply it, the next lines would see that
    assert await direct.get([keys.member("1")]) == [None]
    await slot.commit([Put(keys.member("1"), b"anew")])
    assert await direct.get([keys.member("1")]) == [b"anew"]
    assert await direct.get_fields(position) == {}
    await store.close()
    await free.close()
    await direct.close()


async def test_a_cancelled_commit_leaves_the_slot_usable(store: RedisStore, keys: Keys) -> None:
    slot = await store.take("m0")
    for number in range(20):
        await slot.read([keys.member("1")])
        task = asyncio.create_task(slot.commit([Put(keys.member("1"), str(number).encode())]))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await slot.read([])
    await slot.commit([Put(keys.member("1"), b"last")])
    assert await store.get([keys.member("1")]) == [b"last"]


async def test_an_owner_from_before_a_loss_of_all_data_is_fenced(tmp_path: Path, keys: Keys) -> None:
    with start_redis(tmp_path) as server:
        store = RedisStore(f"redis://{server.address}/0", keys)
        zombie = await store.take("m0")
        server.stop()
        with start_redis(tmp_path, server.port):
            owner = await store.take("m0")
            with pytest.raises((FencedError, StoreUnavailableError)):
                await zombie.commit([Put(keys.member("1"), b"zombie's")])
            with pytest.raises(FencedError):
                await zombie.read([])
            await owner.commit([])
            await store.close()


async def test_a_redis_that_is_not_there_is_named_with_a_remedy(keys: Keys) -> None:
    port = free_port()
    store = RedisStore(f"redis://:secret@127.0.0.1:{port}/0", keys, timeout_s=1.0)
    calls = (store.ping(), store.get(["a"]), store.take("m0"), store.follow({"a": "0-0"}, 10), store.scan("*"))
    for call in calls:
        with pytest.raises(StoreUnavailableError, match=f"127.0.0.1:{port} cannot be reached.*start it") as caught:
            await call
        assert "secret" not in str(caught.value)
    await store.close()


async def test_a_full_redis_refuses_a_whole_commit_and_says_what_to_do(tmp_path: Path, keys: Keys) -> None:
    with start_redis(tmp_path) as server:
        store = RedisStore(f"redis://{server.address}/0", keys)
        slot = await store.take("m0")
        await slot.commit([Put(keys.member("1"), b"1")])
        await store._wires.ask("test", [("CONFIG", "SET", "maxmemory", 1)], repeat=False)
        await slot.read([])
        with pytest.raises(StoreUnavailableError, match="out of memory: raise its maxmemory"):
            await slot.commit([Append(keys.changes("m0"), b"x", 10), Put(keys.member("1"), b"2")])
        assert await store.tail([keys.changes("m0")]) == {keys.changes("m0"): "0-0"}
        assert await slot.read([keys.member("1")]) == [b"1"]
        await store._wires.ask("test", [("CONFIG", "SET", "maxmemory", 0)], repeat=False)
        await slot.commit([Put(keys.member("1"), b"2")])
        assert await store.get([keys.member("1")]) == [b"2"]
        await store._wires.ask("test", [("REPLICAOF", "127.0.0.1", 1)], repeat=False)
        with pytest.raises(StoreUnavailableError, match="read-only replica: let the setting `redis` name the primary"):
            await slot.commit([Put(keys.member("1"), b"3")])
        await store.close()


async def test_a_closed_store_leaves_no_connection_behind_and_opens_none(
    store: RedisStore, keys: Keys, line: Line
) -> None:
    under_way = asyncio.create_task(store.follow({keys.changes("j0"): "0-0"}, 100))
    async with asyncio.timeout(5):
        await line.spoken.wait()
    await store.ping()
    await store.close()
    with pytest.raises(StoreUnavailableError, match="this store is closed"):
        await store.ping()
    assert await under_way == []
    async with asyncio.timeout(5):
        await line.ended()
    assert line.opened == 2


async def test_a_url_of_another_kind_is_refused_at_once(keys: Keys) -> None:
    with pytest.raises(ValueError, match="redis://"):
        RedisStore("localhost:6379", keys)
