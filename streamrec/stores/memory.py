"""A store within the process, for tests and for trying things out; the same suite asks of it what it asks of Redis."""

import asyncio
import fnmatch
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

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
    TruncatedError,
    Write,
)
from streamrec.stores.keys import Keys

_STEP: Final = 1 << 31  # of an epoch: more commits than any owner makes


class _Stream:
    """Entries under consecutive numbers from `first` on; `begin` is the number of the very first one of all."""

    def __init__(self, begin: int) -> None:
        self.begin, self.first = begin, begin
        self.values: list[bytes] = []

    def append(self, value: bytes, keep: int) -> None:
        self.values.append(value)
        drop = max(len(self.values) - max(keep, 1), 0)
        del self.values[:drop]
        self.first += drop

    def id_of(self, number: int) -> str:
        return f"{number}-{int(number == self.begin)}"

    @property
    def last(self) -> int:
        return self.first + len(self.values) - 1


class MemorySlot(Slot):
    """A hold on one slot of a `MemoryStore`."""

    def __init__(self, store: "MemoryStore", slot: str, epoch_key: str, epoch: int) -> None:
        self._store, self._slot, self._epoch_key, self._epoch = store, slot, epoch_key, epoch
        self.first = epoch == _STEP

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        self._check()
        return self._store.values(keys)

    async def fields(self, key: str) -> dict[str, bytes]:
        self._check()
        return await self._store.get_fields(key)

    async def commit(self, writes: Sequence[Write]) -> None:
        self._check()
        self._epoch += 1
        self._store.apply([*writes, Put(self._epoch_key, str(self._epoch).encode())])

    async def close(self) -> None:
        pass

    def _check(self) -> None:
        epoch = self._store.epoch(self._slot)
        if epoch < self._epoch:
            raise SetBackError(f"the store holds less of slot {self._slot} than was committed: nothing was written")
        if epoch != self._epoch:
            raise FencedError(f"slot {self._slot} has another owner: nothing was written")


class MemoryStore(Store):
    """State in this process, gone with it.

    Parameters
    ----------
    keys
        Builds the keys of the epochs.
    clock
        Seconds, for expiry; only differences count.

    Examples
    --------
    >>> async def main():
    ...     store = MemoryStore(Keys("sr", 4))
    ...     slot = await store.take("m0")
    ...     await slot.commit([Put("a", b"1")])
    ...     return await store.get(["a", "b"])
    >>> asyncio.run(main())
    [b'1', None]
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._values: dict[str, tuple[bytes, float | None]] = {}
        self._hashes: dict[str, dict[str, bytes]] = {}
        self._streams: dict[str, _Stream] = {}
        self._appended = asyncio.Event()

    async def take(self, slot: str) -> Slot:
        key, epoch = self._keys.epoch(slot), self.epoch(slot) + _STEP
        self._values[key] = (str(epoch).encode(), None)
        return MemorySlot(self, slot, key, epoch)

    def epoch(self, slot: str) -> int:
        """Raised whenever `slot` is taken, and by one with each commit."""
        return int(self.values([self._keys.epoch(slot)])[0] or 0)

    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values of `keys`, None where absent or expired."""
        now = self._clock()
        found = (self._values.get(key) for key in keys)
        return [entry[0] if entry and (entry[1] is None or entry[1] > now) else None for entry in found]

    def apply(self, writes: Sequence[Write]) -> None:
        """Do all of `writes`, without a pause in which somebody could see half of them."""
        for write in writes:
            match write:
                case Put(key, value, ttl_s):
                    self._remove(key)
                    self._values[key] = (bytes(value), None if ttl_s is None else self._clock() + ttl_s)
                case Delete(key):
                    self._remove(key)
                case PutFields(key, fields):
                    if fields:
                        self._hashes.setdefault(key, {}).update(fields)
                case DropFields(key, names):
                    for name in names:
                        self._hashes.get(key, {}).pop(name, None)
                    if not self._hashes.get(key, {"": b""}):
                        del self._hashes[key]
                case Append(key, value, keep):
                    stream = self._streams.setdefault(key, _Stream(time.time_ns() // 1000))
                    stream.append(bytes(value), keep)
                    self._appended.set()
                    self._appended = asyncio.Event()

    def _remove(self, key: str) -> None:
        for kind in (self._values, self._hashes, self._streams):
            kind.pop(key, None)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return self.values(keys)

    async def get_fields(self, key: str) -> dict[str, bytes]:
        return dict(self._hashes.get(key, {}))

    async def put(self, writes: Sequence[Write]) -> None:
        self.apply(writes)

    async def walk(self, pattern: str) -> AsyncIterator[list[str]]:
        values = list(self._values)
        alive = (key for key, value in zip(values, self.values(values), strict=True) if value is not None)
        yield [key for key in (*alive, *self._hashes, *self._streams) if fnmatch.fnmatchcase(key, pattern)]

    async def tail(self, keys: Sequence[str]) -> dict[str, str]:
        streams = {key: self._streams.get(key) for key in keys}
        return {key: stream.id_of(stream.last) if stream else "0-0" for key, stream in streams.items()}

    async def follow(self, after: Mapping[str, str], wait_ms: int) -> list[Entry]:
        appended = self._appended
        entries = self._after(after)
        if entries or wait_ms <= 0:
            return entries
        deadline = time.monotonic() + wait_ms / 1000
        while not entries and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(appended.wait(), left)
            except TimeoutError:
                break
            appended = self._appended
            entries = self._after(after)
        return entries

    def _after(self, after: Mapping[str, str]) -> list[Entry]:
        entries: list[Entry] = []
        for key, seen in after.items():
            stream = self._streams.get(key)
            if stream is None:
                continue
            number = stream.begin if seen == "0-0" else int(seen.partition("-")[0]) + 1
            if not stream.first <= number <= stream.last + 1:
                raise TruncatedError(f"{key} no longer holds what comes after {seen}")
            new = range(number, stream.last + 1)
            entries += (Entry(key, stream.id_of(at), stream.values[at - stream.first]) for at in new)
        return entries

    async def ping(self) -> None:
        pass

    async def close(self) -> None:
        pass
