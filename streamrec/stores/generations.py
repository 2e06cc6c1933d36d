"""Generations of state: built beside the one in use, switched to by one write, removed after a while.

A packed `Generation` is one format byte and the MessagePack of the struct as an array. New fields are appended with a default,
so that a value is readable one version back and forward; ``tests/golden/generation`` keeps the bytes of every version.

Everything here talks to Redis by redis-py's plain client: it is used by commands, and once at the start of a process.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec
import redis

from streamrec.packed import DAMAGED
from streamrec.settings import Settings
from streamrec.stores.base import Write
from streamrec.stores.cluster import asks_of
from streamrec.stores.connect import connect, explained
from streamrec.stores.keys import MODEL_SLOT, Keys, building_key, current_key, written_key
from streamrec.stores.redis import epoch_step

FORMAT: Final = b"\x01"
_AT_ONCE: Final = 500  # writes, or keys, a round trip


class Generation(msgspec.Struct, array_like=True, frozen=True):
    """One build of the state.

    Attributes
    ----------
    number
        Grows with each build; 0 is what grew from nothing, without a build.
    token
        Keeps generations of one number apart: after a loss of Redis' data numbers begin anew, while records that name a
        generation are still in the log.
    partitions
        Of the member- and job-keyed topics.
    counts
        All partition counts that keys in the logs were partitioned by, the present one last.
    built_at
        When it was switched to, ms.
    """

    number: int = 0
    token: str = ""
    partitions: int = 0
    counts: tuple[int, ...] = ()
    built_at: int = 0

    @property
    def id(self) -> str:
        """As in keys and in the headers of derived records; empty for the first one.

        Examples
        --------
        >>> Generation().id, Generation(2, "c0ffee").id
        ('', '2-c0ffee')
        """
        return f"{self.number}-{self.token}" if self.number else ""

    def keys(self, namespace: str) -> Keys:
        """The keys of its state."""
        return Keys(namespace, self.partitions, self.id)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Generation)


class UnreadableGenerationError(ValueError):
    """What says which generation counts is of a format that this version cannot read: upgrade streamrec here."""


class AlreadyBuildingError(Exception):
    """Another command builds a generation of this installation now."""


def pack(generation: Generation) -> bytes:
    """The bytes to store.

    Examples
    --------
    >>> unpack(pack(Generation(1, "c0ffee", 4, (4,), 7)), 8).id, unpack(None, 8)
    ('1-c0ffee', Generation(number=0, token='', partitions=8, counts=(8,), built_at=0))
    """
    return FORMAT + _encoder.encode(generation)


def unpack(value: bytes | None, partitions: int) -> Generation:
    """The generation behind stored bytes; for None the first one, which has as many partitions as the settings say.

    Raises
    ------
    UnreadableGenerationError
        The value has an unknown format byte or is not what the format says.
    """
    if value is None:
        return Generation(partitions=partitions, counts=(partitions,))
    if value[:1] != FORMAT:
        raise UnreadableGenerationError(
            f"the generation of the state has format {value[:1]!r}, this version reads {FORMAT!r}: upgrade streamrec here"
        )
    try:
        return _decoder.decode(memoryview(value)[1:])
    except DAMAGED as error:
        raise UnreadableGenerationError(f"the generation of the state: {error}") from error


def current(client: "redis.Redis", settings: Settings) -> Generation:
    """The generation that counts. Raises redis.RedisError, UnreadableGenerationError."""
    value = client.get(current_key(settings.namespace))
    return unpack(value if isinstance(value, bytes) else None, settings.partitions)


def current_of(settings: Settings, *, claim: bool = False) -> Generation:
    """`current`, on a connection of its own: once at the start of a process.

    Parameters
    ----------
    claim
        Note the first generation down with its number of partitions, if that has not been done: so that a worker with
        another number does not take its state for its own.

    Raises
    ------
    StoreUnavailableError
        Redis does not answer.
    UnreadableGenerationError
        See `unpack`.
    """
    try:
        with connect(settings) as client:
            # Only what is not there is written: a Redis that is full or a replica can be read from all the same.
            if claim and not client.exists(current_key(settings.namespace)):
                client.set(current_key(settings.namespace), pack(unpack(None, settings.partitions)), nx=True)
            return current(client, settings)
    except redis.RedisError as error:
        raise explained(settings, error) from error


class Building:
    """The right to build, held by one command at a time: within ``with``, kept by `keep` every few seconds.

    Raises
    ------
    AlreadyBuildingError
        On entering: another command has it.
    """

    LEASE_S: Final = 60

    def __init__(self, client: "redis.Redis", namespace: str, owner: str) -> None:
        self._client, self._key, self._owner = client, building_key(namespace), owner.encode()

    def __enter__(self) -> "Building":
        if not self._client.set(self._key, self._owner, ex=self.LEASE_S, nx=True):
            other = self._client.get(self._key)
            named = other.decode(errors="replace") if isinstance(other, bytes) else "another command"
            raise AlreadyBuildingError(
                f"{named} is building already: let it end, or wait {self.LEASE_S} s after it was killed"
            )
        return self

    def keep(self) -> None:
        """Say that we are still at it. Raises AlreadyBuildingError if the right has gone to another command meanwhile."""
        if self._client.get(self._key) not in (None, self._owner):
            raise AlreadyBuildingError("another command has begun to build meanwhile: this one stops")
        self._client.set(self._key, self._owner, ex=self.LEASE_S)

    def __exit__(self, *_: object) -> None:
        if self._client.get(self._key) == self._owner:
            self._client.delete(self._key)


def begin_writing(client: "redis.Redis", namespace: str, generation: Generation) -> None:
    """Note what is going to be written, having removed what an earlier try has left."""
    left, now = client.get(written_key(namespace)), client.get(current_key(namespace))
    if isinstance(left, bytes) and left != now:  # equal: it was switched to, and then the process died
        remove(client, unpack(left, 0).keys(namespace))
    client.set(written_key(namespace), pack(generation))


def write(client: "redis.Redis", writes: Iterable[Write]) -> int:
    """Write many things, pipelined and not atomic: nobody reads a generation before it is the current one; how many."""
    count = 0
    rest = iter(writes)
    while part := list(islice(rest, _AT_ONCE)):
        with client.pipeline(transaction=False) as pipe:
            for _, command in asks_of(part):
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            pipe.execute()
        count += len(part)
    return count


def switch(client: "redis.Redis", namespace: str, generation: Generation) -> None:
    """Make `generation`, which is written, the current one: by one write."""
    client.set(current_key(namespace), pack(generation))
    client.delete(written_key(namespace))


def fence(client: "redis.Redis", keys: Keys) -> None:
    """Take all slots of a generation from their owners: nothing that they still hold in hand can be committed."""
    slots = [f"{kind}{number}" for kind in "mj" for number in range(keys.partitions)]
    with client.pipeline(transaction=False) as pipe:
        for slot in (*slots, MODEL_SLOT):
            pipe.incrby(keys.epoch(slot), epoch_step())
        pipe.execute()


def retire(client: "redis.Redis", keys: Keys, seconds: int) -> int:
    """Let all keys of a generation vanish after so long; how many there are. Redis does it, whoever is there by then."""
    count = 0
    for part in _keys_of(client, keys):
        with client.pipeline(transaction=False) as pipe:
            for key in part:
                pipe.expire(key, max(1, seconds))
            pipe.execute()
        count += len(part)
    return count


def remove(client: "redis.Redis", keys: Keys) -> int:
    """Remove all keys of a generation now; how many there were."""
    count = 0
    for part in _keys_of(client, keys):
        client.unlink(*part)
        count += len(part)
    return count


def _keys_of(client: "redis.Redis", keys: Keys) -> Iterator[list[bytes]]:
    """All keys of a generation. A namespace may look like a pattern: so the answers are looked at, too."""
    start = f"{keys.prefix}:{{".encode()
    pattern = "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in keys.prefix) + ":{*"
    found = (key for key in client.scan_iter(pattern, count=1000) if key.startswith(start))
    while part := list(islice(found, _AT_ONCE)):
        yield part
