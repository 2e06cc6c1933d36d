"""The store on a Redis Cluster: the same promises, kept slot by slot.

A slot of streamrec has one hash tag, so it lies on one node, and its transactions are what they are on a single Redis
(see `stores.redis`): the fence is watched on a connection to that node. Everything else is asked of all nodes at once.

When a slot's keys move to another node its connection is told so; nothing was written then, and the caller, who sees
`StoreUnavailableError`, reads anew from the new node. While they are moving, some of its keys are here and some there: no
transaction is possible, and it waits. An answer of nil to EXEC may come from the move of the epoch alone; the epoch, which
moved along, says which it was.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from redis.asyncio import ConnectionPool
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from streamrec.stores.base import Append, Entry, FencedError, SetBackError, Slot, Store, StoreUnavailableError, Write
from streamrec.stores.keys import Keys
from streamrec.stores.nodes import Ask, DividedError, Nodes, hash_slot
from streamrec.stores.redis import ENTRIES, SCAN_STEP, RedisSlot, commands_of, entries_of, epoch_step, hash_of, texts_of
from streamrec.stores.wire import Command, LostError, Wire

_MOVING: Final = (AskError, TryAgainError, ClusterDownError)


class ClusterWire(Wire):
    """A slot's connection to whichever node has the slot; see `Wire`."""

    def __init__(self, nodes: Nodes, key: str) -> None:
        self._nodes, self._key = nodes, key
        self._wire: Wire | None = None

    @property
    def connected(self) -> bool:
        return self._wire is not None and self._wire.connected

    async def exchange(
        self, operation: str, commands: Sequence[Command], wait_s: float = 0.0, *, redirections: bool = False
    ) -> list[Any]:
        if self._wire is None:
            self._wire = self._nodes.wire(await self._nodes.owner(self._key))
        try:
            return await self._wire.exchange(operation, commands, wait_s, redirections=redirections)
        except StoreUnavailableError as error:
            if isinstance(error, LostError) or _is_moving(error):
                await self.close()
                self._nodes.forget()
            if isinstance(error.__cause__, MovedError):
                raise StoreUnavailableError(
                    f"{self._key} has moved to another node of the cluster: it is read anew"
                ) from error
            raise

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.close()
            self._wire = None


def _is_moving(error: StoreUnavailableError) -> bool:
    return isinstance(error.__cause__, _MOVING)


class ClusterSlot(RedisSlot):
    """A hold on one slot of a cluster."""

    def __init__(
        self, slot: str, epoch_key: str, epoch: int, wire: Wire, nodes: Nodes, held: set[Wire], *, first: bool
    ) -> None:
        super().__init__(slot, epoch_key, epoch, wire, first=first)
        self._nodes, self._held = nodes, held

    async def close(self) -> None:
        await super().close()
        self._held.discard(self._wire)

    async def commit(self, writes: Sequence[Write]) -> None:
        try:
            await super().commit(writes)
        except SetBackError:
            raise
        except FencedError:
            [epoch] = await self._nodes.ask("fields", [Ask(self._epoch_key, ("GET", self._epoch_key))], repeat=True)
            self._see(epoch)
            await self._wire.close()
            raise StoreUnavailableError(
                f"slot {self._slot} is being moved to another node of the cluster: nothing was written"
            ) from None


class ClusterStore(Store):
    """State on the nodes of a Redis Cluster.

    Parameters
    ----------
    starts
        Connections to some of the nodes; the others are told by these.
    keys, timeout_s, connections
        As of `RedisStore`; `connections` a node.
    """

    def __init__(
        self, starts: Sequence[ConnectionPool], keys: Keys, *, timeout_s: float = 2.0, connections: int = 32
    ) -> None:
        self._keys = keys
        self._nodes = Nodes(starts, timeout_s, connections)
        self._followed = Nodes(starts, timeout_s, connections)  # blocked most of the time
        self._readings: dict[tuple[str, str], asyncio.Task[list[Entry]]] = {}
        self._held: set[Wire] = set()

    async def take(self, slot: str) -> Slot:
        key = self._keys.epoch(slot)
        step = epoch_step()
        [epoch] = await self._nodes.ask("take", [Ask(key, ("INCRBY", key, step))], repeat=False)
        wire = ClusterWire(self._nodes, key)
        self._held.add(wire)
        return ClusterSlot(slot, key, epoch, wire, self._nodes, self._held, first=epoch == step)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        parts: dict[int, list[int]] = {}
        for index, key in enumerate(keys):
            parts.setdefault(hash_slot(key), []).append(index)
        asks = [Ask(keys[part[0]], ("MGET", *(keys[index] for index in part))) for part in parts.values()]
        try:
            replies = await self._nodes.ask("get", asks, repeat=True)
        except DividedError:
            return await self._nodes.ask("get", [Ask(key, ("GET", key)) for key in keys], repeat=True)
        values: list[bytes | None] = [None] * len(keys)
        for part, found in zip(parts.values(), replies, strict=True):
            for index, value in zip(part, found, strict=True):
                values[index] = value
        return values

    async def get_fields(self, key: str) -> dict[str, bytes]:
        [reply] = await self._nodes.ask("get_fields", [Ask(key, ("HGETALL", key))], repeat=True)
        return hash_of(reply)

    async def put(self, writes: Sequence[Write]) -> None:
        repeat = not any(isinstance(write, Append) for write in writes)
        try:
            await self._nodes.ask("put", asks_of(writes), repeat=repeat)
        except DividedError:
            if not repeat:
                raise
            await self._nodes.ask("put", [ask for write in writes for ask in asks_of([write])], repeat=True)

    async def walk(self, pattern: str) -> AsyncIterator[list[str]]:
        for node in await self._nodes.all():
            cursor = b"0"
            while True:
                command: Command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_STEP)
                cursor, names = await self._nodes.ask_node(node, "scan", command)
                if found := texts_of(names):
                    yield found
                if cursor == b"0":
                    break

    async def tail(self, keys: Sequence[str]) -> dict[str, str]:
        asks = [Ask(key, ("XREVRANGE", key, "+", "-", "COUNT", 1)) for key in keys]
        replies = await self._nodes.ask("tail", asks, repeat=True)
        return {key: reply[0][0].decode() if reply else "0-0" for key, reply in zip(keys, replies, strict=True)}

    async def follow(self, after: Mapping[str, str], wait_ms: int) -> list[Entry]:
        """As of any store; what nothing came of is waited for on, until this is called for another place of the stream."""
        if wait_ms <= 0:
            return [
                entry
                for read in await asyncio.gather(*(self._read(*place, 0) for place in after.items()))
                for entry in read
            ]
        for place in [place for place in self._readings if after.get(place[0], place[1]) != place[1]]:
            self._readings.pop(place).cancel()
        readings = {place: self._reading(place, wait_ms) for place in after.items()}
        deadline = time.monotonic() + wait_ms / 1000
        waiting = set(readings.values())
        while waiting and (left := deadline - time.monotonic()) > 0:
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(map(_tells, done)):
                break
        entries: list[Entry] = []
        for place, task in readings.items():
            if task.done():
                self._readings.pop(place, None)
                entries += task.result()
        return entries

    def _reading(self, place: tuple[str, str], wait_ms: int) -> "asyncio.Task[list[Entry]]":
        if place not in self._readings:
            task = asyncio.create_task(self._read(*place, wait_ms))
            task.add_done_callback(_note)
            self._readings[place] = task
        return self._readings[place]

    async def _read(self, key: str, after: str, wait_ms: int) -> list[Entry]:
        block = ("BLOCK", wait_ms) if wait_ms > 0 else ()  # BLOCK 0 would wait forever
        command: Command = ("XREAD", "COUNT", ENTRIES, *block, "STREAMS", key, after)
        asks = [Ask(key, command)]
        [reply] = await self._followed.ask("follow", asks, repeat=True, wait_s=max(wait_ms, 0) / 1000)
        return entries_of(reply, {key: after})

    async def ping(self) -> None:
        for node in await self._nodes.all():
            await self._nodes.ask_node(node, "ping", ("PING",))

    async def close(self) -> None:
        for task in self._readings.values():
            task.cancel()
        await asyncio.gather(*self._readings.values(), return_exceptions=True)
        await self._nodes.close()
        await self._followed.close()
        for wire in self._held:
            await wire.close()


def asks_of(writes: Sequence[Write]) -> list[Ask]:
    """`commands_of` for each hash slot, in their order within it."""
    parts: dict[int, list[Write]] = {}
    for write in writes:
        parts.setdefault(hash_slot(write.key), []).append(write)
    return [Ask(part[0].key, command) for part in parts.values() for command in commands_of(part)]


def _tells(task: "asyncio.Task[list[Entry]]") -> bool:
    return task.cancelled() or task.exception() is not None or bool(task.result())


def _note(task: "asyncio.Task[list[Entry]]") -> None:
    if not task.cancelled():
        task.exception()  # whoever follows again meets it; if nobody does, it is not asyncio's to complain
