"""The contract of a store: fenced, atomic writes by the owner of a partition, and plain reads by everyone.

A *slot* is the unit of ownership and of atomicity: ``m3`` is what member partition 3 owns, ``j0`` what job partition 0 owns,
``model`` what the trainer owns. Every key carries its slot as its hash tag, so one transaction stays in one slot of a Redis
Cluster. Whoever takes a slot raises its epoch; a commit under an older epoch fails, so that a zombie cannot write.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec


class Put(msgspec.Struct, frozen=True, gc=False):
    """Set `key` to `value`, expiring after `ttl_s` seconds (None: never)."""

    key: str
    value: bytes
    ttl_s: int | None = None


class Delete(msgspec.Struct, frozen=True):
    """Remove `key`; it need not exist."""

    key: str


class PutFields(msgspec.Struct, frozen=True):
    """Set fields of the hash `key`, leaving its other fields."""

    key: str
    fields: Mapping[str, bytes]


class DropFields(msgspec.Struct, frozen=True):
    """Remove fields of the hash `key`, leaving its other fields; none of them need exist."""

    key: str
    fields: Sequence[str]


class Append(msgspec.Struct, frozen=True):
    """Append `value` to the stream `key`, of which about the newest `keep` entries stay."""

    key: str
    value: bytes
    keep: int


Write = Put | Delete | PutFields | DropFields | Append


class FencedError(Exception):
    """Another process has taken the slot: the caller lost ownership, must drop what it cached and stop writing."""


class SetBackError(FencedError):
    """The store holds less than this process has committed: it lost its data, or went back to older data. Nothing was written.

    What was read of the slot is of no use any more: take it anew, and read on from the positions that are stored now.
    """


class Entry(msgspec.Struct, frozen=True):
    """One entry of a stream: pass the last `id` seen to `Store.follow` to get what comes after it."""

    key: str
    id: str
    value: bytes


class TruncatedError(Exception):
    """The stream no longer holds what comes right after the given id: read everything anew."""


class Slot(ABC):
    """The owner's hold on one slot. Not safe for concurrent use: reads and commits of one slot take turns.

    Attributes
    ----------
    first
        Whether the store knows of no owner before this one.
    """

    first: bool

    @abstractmethod
    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values of `keys`, None where absent. Starts what `commit` ends: if the slot is taken in between, that commit fails.

        Raises FencedError if the slot has been taken already, SetBackError if the last commit is not in the store any more.
        """

    @abstractmethod
    async def fields(self, key: str) -> dict[str, bytes]:
        """All fields of a hash; empty when absent. Raises FencedError if the slot has been taken."""

    @abstractmethod
    async def commit(self, writes: Sequence[Write]) -> None:
        """Apply all `writes` or none. Raises as `read` does, having written nothing."""

    @abstractmethod
    async def close(self) -> None:
        """Give back what the hold uses (a connection). The epoch stays."""


class Store(ABC):
    """Where state lives. Errors of the connection are raised as `StoreUnavailableError`."""

    @abstractmethod
    async def take(self, slot: str) -> Slot:
        """Become the owner of `slot`: every earlier owner's commits fail from now on."""

    @abstractmethod
    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values of `keys`, None where absent; one round trip (one a slot on a cluster)."""

    @abstractmethod
    async def get_fields(self, key: str) -> dict[str, bytes]:
        """All fields of a hash; empty when absent."""

    @abstractmethod
    async def put(self, writes: Sequence[Write]) -> None:
        """Write without a fence: for caches and marks that nobody owns. Not atomic as a whole."""

    @abstractmethod
    def walk(self, pattern: str) -> AsyncIterator[list[str]]:
        """Keys that match a glob `pattern`, in no order, some at a time; it may name a key twice.

        Walks the whole key space, in steps that keep nobody waiting.
        """

    async def scan(self, pattern: str) -> list[str]:
        """All that `walk` gives, each once: for start-up only."""
        found: dict[str, None] = {}
        async for names in self.walk(pattern):
            found.update(dict.fromkeys(names))
        return list(found)

    @abstractmethod
    async def tail(self, keys: Sequence[str]) -> dict[str, str]:
        """Id of the newest entry of each stream (``"0-0"`` where empty): read state after this, then `follow` from here."""

    @abstractmethod
    async def follow(self, after: Mapping[str, str], wait_ms: int) -> list[Entry]:
        """Entries after the given ids, in order within each stream; waits up to `wait_ms` for the first one.

        Raises TruncatedError if entries in between were dropped.
        """

    @abstractmethod
    async def ping(self) -> None:
        """Raise StoreUnavailableError unless the store answers."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""


class StoreUnavailableError(Exception):
    """The store did not answer in time, or refused; the message says what to do."""
