"""The impressions of a slot that are not closed yet, in the order of their log.

They lie in one hash, a field for each `BUCKET` offsets, so that a transaction writes a few kilobytes however many wait. They
are closed strictly in the order of their offsets: one that may be closed waits for those before it. So what is made of them
goes out in that order, and a mark says what has been applied. An impression from a clock that is ahead cannot hold up the
others for longer than the window, since it is due by the owner's clock at the latest (see `agents.labels`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streamrec.packed import DAMAGED
from streamrec.stores.base import DropFields, PutFields, Write

BUCKET: Final = 128  # offsets
FORMAT: Final = b"\x01"


class Due(msgspec.Struct, array_like=True, frozen=True):
    """An impression at `offset` that is to be closed once the watermark has reached `closes_at` (ms)."""

    offset: int
    member_id: str
    request_id: str
    closes_at: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Due])
_counter = msgspec.msgpack.Decoder(list[msgspec.Raw])


class UnreadableDueError(ValueError):
    """A stored bucket is of a format that this version cannot read."""


def pack(bucket: list[Due]) -> bytes:
    """The bytes of one field.

    Examples
    --------
    >>> unpack(pack([Due(7, "m1", "r1", 5)]))
    [Due(offset=7, member_id='m1', request_id='r1', closes_at=5)]
    """
    return FORMAT + _encoder.encode(bucket)


def unpack(value: bytes) -> list[Due]:
    """The bucket behind stored bytes; raises UnreadableDueError if they are of another format."""
    return _read(_decoder, value)


def _count(value: bytes) -> int:
    return len(_read(_counter, value))


def _read(decoder: "msgspec.msgpack.Decoder[list[Any]]", value: bytes) -> list[Any]:
    try:
        return decoder.decode(_body(value))
    except DAMAGED as error:
        raise UnreadableDueError(f"Due: {error}") from error


def _body(value: bytes) -> memoryview:
    if value[:1] != FORMAT:
        raise UnreadableDueError(f"Due has format {value[:1]!r}, this version reads {FORMAT!r}")
    return memoryview(value)[1:]


class DueQueue:
    """The queue of one slot, held by its owner: what `writes` names has to be committed before anything else is asked.

    Parameters
    ----------
    stored
        Fields of the hash.

    Examples
    --------
    >>> queue = DueQueue({})
    >>> for offset, closes_at in ((3, 10), (4, 30), (5, 10)):
    ...     queue.add(Due(offset, "m", f"r{offset}", closes_at))
    >>> [due.offset for due in queue.head(watermark=20, limit=9)], [due.offset for due in queue.head(30, 9)]
    ([3], [3, 4, 5])
    >>> queue.drop(2); queue.writes("key"), len(queue)
    ([PutFields(key='key', fields={'0': b'\\x01\\x91\\x94\\x05\\xa1m\\xa2r5\\n'})], 1)
    """

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        # Packed but for those in use: hundreds of thousands may wait.
        self._buckets: dict[int, bytes | list[Due]] = {
            number: stored[str(number)] for number in sorted(int(name) for name in stored)
        }
        self._changed: set[int] = set()
        self._count = sum(map(_count, stored.values()))

    def __len__(self) -> int:
        return self._count

    def add(self, due: Due) -> None:
        """Put one at the end; its offset is higher than all before."""
        number = due.offset // BUCKET
        self._buckets.setdefault(number, [])
        self._bucket(number).append(due)
        self._changed.add(number)
        self._count += 1

    def head(self, watermark: int, limit: int) -> list[Due]:
        """The first ones, in order, as long as they are due; at most `limit`."""
        found: list[Due] = []
        for number in self._buckets:
            for due in self._bucket(number):
                if due.closes_at > watermark or len(found) == limit:
                    return found
                found.append(due)
        return found

    def drop(self, count: int) -> None:
        """Take the first `count` out."""
        self._count -= count
        for number in self._buckets:
            if not count:
                return
            bucket = self._bucket(number)
            taken = min(count, len(bucket))
            del bucket[:taken]
            count -= taken
            self._changed.add(number)

    def forget(self, member_id: str) -> None:
        """Take out all of a member, who was erased. Looks at everything that waits."""
        for number in self._buckets:
            bucket = self._bucket(number)
            kept = [due for due in bucket if due.member_id != member_id]
            if len(kept) < len(bucket):
                self._count -= len(bucket) - len(kept)
                bucket[:] = kept
                self._changed.add(number)

    def writes(self, key: str) -> list[Write]:
        """What has changed since the last call, as writes of the hash `key`."""
        fields: dict[str, bytes] = {}
        gone: list[str] = []
        for number in sorted(self._changed):
            if bucket := self._bucket(number):
                self._buckets[number] = fields[str(number)] = pack(bucket)
            else:
                del self._buckets[number]
                gone.append(str(number))
        self._changed.clear()
        made: list[Write] = []
        if fields:
            made.append(PutFields(key, fields))
        if gone:
            made.append(DropFields(key, gone))
        return made

    def _bucket(self, number: int) -> list[Due]:
        bucket = self._buckets[number]
        if isinstance(bucket, bytes):
            bucket = self._buckets[number] = unpack(bucket)
        return bucket
