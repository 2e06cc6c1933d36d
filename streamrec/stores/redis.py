"""The store of an installation: Redis 6.2 or later, reached with redis-py and hiredis.

How the fence works
-------------------
``take`` raises the slot's epoch. A slot reads and commits on a connection of its own: ``read`` sends WATCH epoch, GET
epoch and the MGET in one round trip, ``commit`` sends MULTI … EXEC in one. Whoever raises the epoch in between makes
EXEC answer nil. A commit whose outcome is not known (the connection broke, or Redis took too long) may still be on its
way in the server, after the caller has read everything anew; so before it reads again the slot raises the epoch itself,
which makes that straggler fail.

Each commit raises the epoch by one, too: so it also says whether the owner's last commit is there. A Redis that came back
without its data, or with older data (an append-only file that lacks the last second, a replica that was promoted before it had
everything), has no epoch or a lower one, and nothing is written onto a state that the owner does not know.

Who takes a slot raises it by a random step, so that an owner from before such a loss does not meet its own number again.

How a follower knows that it missed nothing
-------------------------------------------
Entries of a stream have consecutive numbers in their ids: ``<number>-0``, the very first one ``<number>-1``. The first
number is the time in microseconds, so that a stream begun anew does not continue an old one's. Then the first entry
after number n is n+1, or entries were dropped; no further question to Redis is needed.
"""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import ConnectionPool

from streamrec.stores.base import (
    Append,
    Delete,
    DropFields,
    Entry,
    FencedError,
    Put,
    PutFields,
    SetBackError,
    Slot,
    Store,
    StoreUnavailableError,
    TruncatedError,
    Write,
)
from streamrec.stores.keys import Keys
from streamrec.stores.wire import Command, LostError, Wire, Wires

_APPEND: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id
if last then
  id = string.format('%.0f-0', tonumber(string.match(last[1], '^%d+')) + 1)
else
  local time = redis.call('TIME')
  id = time[1] .. string.format('%06d', time[2]) .. '-1'
end
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], id, 'v', ARGV[2])
"""
ENTRIES: Final = 1000  # of one stream in one answer
SCAN_STEP: Final = 1000


def commands_of(writes: Sequence[Write]) -> list[Command]:
    """Commands with the effect of `writes` in their order; neighbouring puts without expiry become one MSET.

    Examples
    --------
    >>> commands_of([Put("a", b"1"), Put("b", b"2"), Put("c", b"3", ttl_s=9), Delete("d")])
    [('MSET', 'a', b'1', 'b', b'2'), ('SET', 'c', b'3', 'EX', 9), ('DEL', 'd')]
    """
    commands: list[Command] = []
    puts: list[str | bytes] = []
    for write in writes:
        if isinstance(write, Put) and write.ttl_s is None:
            puts += (write.key, write.value)
            continue
        if puts:
            commands.append(("MSET", *puts))
            puts = []
        match write:
            case Put(key, value, ttl_s):
                commands.append(("SET", key, value, "EX", ttl_s or 1))
            case Delete(key):
                commands.append(("DEL", key))
            case PutFields(key, fields):
                if fields:
                    commands.append(("HSET", key, *(part for pair in fields.items() for part in pair)))
            case DropFields(key, names):
                if names:
                    commands.append(("HDEL", key, *names))
            case Append(key, value, keep):
                commands.append(("EVAL", _APPEND, 1, key, keep, value))
    if puts:
        commands.append(("MSET", *puts))
    return commands


def follows(after: str, entry_id: str) -> bool:
    """Whether the entry `entry_id` comes right after `after` (``"0-0"``: before the first one of all).

    Examples
    --------
    >>> follows("17-0", "18-0"), follows("17-0", "19-0"), follows("0-0", "17-1"), follows("0-0", "18-0")
    (True, False, True, False)
    """
    number, _, rest = entry_id.partition("-")
    if after == "0-0":
        return rest == "1"
    return int(number) == int(after.partition("-")[0]) + 1


def texts_of(names: Sequence[bytes]) -> list[str]:
    """Names of keys, without those that are not ours: ours are UTF-8."""
    found = []
    for name in names:
        with suppress(UnicodeDecodeError):
            found.append(name.decode())
    return found


def hash_of(reply: list[bytes]) -> dict[str, bytes]:
    """The reply of HGETALL as a dictionary."""
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def entries_of(reply: Any, after: Mapping[str, str]) -> list[Entry]:
    """The reply of XREAD. Raises TruncatedError if entries right after the given ids are missing."""
    entries: list[Entry] = []
    for name, rows in reply or ():
        key = name.decode()
        if not follows(after[key], rows[0][0].decode()):
            raise TruncatedError(f"{key} no longer holds what comes after {after[key]}")
        entries += (Entry(key, row_id.decode(), parts[1]) for row_id, parts in rows)
    return entries


def pool_of(url: str, timeout_s: float, **options: Any) -> ConnectionPool:
    """Knows how to connect to `url`; `options` are redis-py's, of login and TLS. Raises ValueError for another kind of URL."""
    # The time is bounded around a whole exchange; redis-py's own bound on each reply would only cost.
    return ConnectionPool.from_url(url, socket_timeout=None, socket_connect_timeout=timeout_s, protocol=2, **options)


def epoch_step() -> int:
    """By how much an epoch is raised."""
    return random.randrange(1, 1 << 31)


class RedisSlot(Slot):
    """A hold on one slot, with a connection of its own. See the module's text for how it is fenced."""

    def __init__(self, slot: str, epoch_key: str, epoch: int, wire: Wire, *, first: bool) -> None:
        self._slot, self._epoch_key, self._wire, self.first = slot, epoch_key, wire, first
        self._epochs = {epoch}  # what the epoch is while we own the slot; several while it is not known which
        self._watching = False  # on the present connection, since the last EXEC
        self._straggler = False  # a commit may still be under way on a connection given up

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        values = await self._watch("read", ("MGET", *keys) if keys else None)
        return values if keys else []

    async def fields(self, key: str) -> dict[str, bytes]:
        return hash_of(await self._watch("fields", ("HGETALL", key)))

    async def commit(self, writes: Sequence[Write]) -> None:
        if not (self._watching and self._wire.connected):
            await self._watch("commit", None)
        self._watching = False
        self._straggler = True
        epoch = max(self._epochs) + 1
        commands = commands_of([Put(self._epoch_key, str(epoch).encode()), *writes])
        self._epochs.add(epoch)  # before it is sent: if the answer is lost, either may stand
        try:
            replies = await self._wire.exchange("commit", [("MULTI",), *commands, ("EXEC",)])
        except StoreUnavailableError as error:
            self._straggler = isinstance(error, LostError)
            raise
        self._straggler = False
        if replies[-1] is None:
            self._epochs.remove(epoch)
            raise FencedError(f"slot {self._slot} has another owner: nothing was written")
        self._epochs = {epoch}

    async def close(self) -> None:
        self._watching = False
        await self._wire.close()

    async def _watch(self, operation: str, command: Command | None) -> Any:
        """Start to watch the epoch, see that it is ours, and answer `command`, in one round trip."""
        self._watching = False
        was_connected = self._wire.connected
        try:
            if self._straggler:
                await self._overtake()
            return await self._watch_once(operation, command)
        except LostError as error:
            # A connection that the server closed while it was idle; nothing was under way on it.
            if not was_connected or isinstance(error.__cause__, TimeoutError):
                raise
            if self._straggler:
                await self._overtake()
            return await self._watch_once(operation, command)

    async def _watch_once(self, operation: str, command: Command | None) -> Any:
        commands: list[Command] = [("WATCH", self._epoch_key), ("GET", self._epoch_key)]
        if command is not None:
            commands.append(command)
        replies = await self._wire.exchange(operation, commands)
        self._see(replies[1])
        self._watching = True
        return replies[-1]

    def _see(self, epoch: bytes | None) -> None:
        """Raise unless the stored epoch is as we left it."""
        if epoch is None:
            raise SetBackError(f"Redis has lost the state of slot {self._slot}: its data is gone")
        if int(epoch) < min(self._epochs):
            raise SetBackError(
                f"Redis has gone back behind the last commit of slot {self._slot}: it has older data now"
            )
        if int(epoch) not in self._epochs:
            raise FencedError(f"slot {self._slot} has another owner")

    async def _overtake(self) -> None:
        """Raise our own epoch: a commit of ours that is still under way somewhere fails from here on."""
        await self._watch_once("commit", None)
        self._watching = False
        epoch = max(self._epochs) + epoch_step()
        self._epochs.add(epoch)  # before it is sent: if the answer is lost, either may stand
        replies = await self._wire.exchange("commit", [("MULTI",), ("SET", self._epoch_key, epoch), ("EXEC",)])
        if replies[-1] is None:
            raise FencedError(f"slot {self._slot} has another owner")
        self._epochs = {epoch}
        self._straggler = False


class RedisStore(Store):
    """State in one Redis (or a primary with replicas).

    Parameters
    ----------
    url
        ``redis://[[user]:password@]host[:port][/db]``, ``rediss://`` for TLS, or ``unix://path``.
    keys
        Builds the keys; here only those of the epochs.
    timeout_s
        Bound on one round trip in seconds, connecting included.
    connections
        How many plain reads and writes may be under way at a time; more wait for their turn.
    options
        Of login and TLS, in redis-py's words: see `stores.connect`.

    Raises
    ------
    ValueError
        The URL is not one of these.
    """

    def __init__(self, url: str, keys: Keys, *, timeout_s: float = 2.0, connections: int = 32, **options: Any) -> None:
        self._pool = pool_of(url, timeout_s, **options)
        self._keys, self._timeout_s = keys, timeout_s
        self._wires = Wires(self._pool, timeout_s, connections)
        self._followers = Wires(self._pool, timeout_s, connections)  # blocked most of the time
        self._slot_wires: set[Wire] = set()

    async def take(self, slot: str) -> Slot:
        wire, key = Wire(self._pool, self._timeout_s), self._keys.epoch(slot)
        self._slot_wires = {other for other in self._slot_wires if other.connected} | {wire}
        step = epoch_step()
        [epoch] = await wire.exchange("take", [("INCRBY", key, step)])
        return RedisSlot(slot, key, epoch, wire, first=epoch == step)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        [values] = await self._wires.ask("get", [("MGET", *keys)], repeat=True)
        return values  # type: ignore[no-any-return]

    async def get_fields(self, key: str) -> dict[str, bytes]:
        [reply] = await self._wires.ask("get_fields", [("HGETALL", key)], repeat=True)
        return hash_of(reply)

    async def put(self, writes: Sequence[Write]) -> None:
        if commands := commands_of(writes):
            repeat = not any(isinstance(write, Append) for write in writes)
            await self._wires.ask("put", commands, repeat=repeat)

    async def walk(self, pattern: str) -> AsyncIterator[list[str]]:
        cursor = b"0"
        while True:
            command: Command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_STEP)
            [(cursor, names)] = await self._wires.ask("scan", [command], repeat=True)
            if found := texts_of(names):
                yield found
            if cursor == b"0":
                return

    async def tail(self, keys: Sequence[str]) -> dict[str, str]:
        if not keys:
            return {}
        commands: list[Command] = [("XREVRANGE", key, "+", "-", "COUNT", 1) for key in keys]
        replies = await self._wires.ask("tail", commands, repeat=True)
        return {key: reply[0][0].decode() if reply else "0-0" for key, reply in zip(keys, replies, strict=True)}

    async def follow(self, after: Mapping[str, str], wait_ms: int) -> list[Entry]:
        if not after:
            return []
        block = ("BLOCK", wait_ms) if wait_ms > 0 else ()  # BLOCK 0 would wait forever
        command: Command = ("XREAD", "COUNT", ENTRIES, *block, "STREAMS", *after, *after.values())
        [reply] = await self._followers.ask("follow", [command], repeat=True, wait_s=max(wait_ms, 0) / 1000)
        return entries_of(reply, after)

    async def ping(self) -> None:
        await self._wires.ask("ping", [("PING",)], repeat=True)

    async def close(self) -> None:
        await self._wires.close()
        await self._followers.close()
        for wire in self._slot_wires:
            await wire.close()
