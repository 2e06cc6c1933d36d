"""What is kept of what a member was shown: the state that labels are made from, packed into one value a member.

A packed value is one format byte and the MessagePack of the struct as an array. New fields are appended with a default,
so that a value is readable one version back and forward; ``tests/golden/shown`` keeps the bytes of every version.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from streamrec.packed import DAMAGED

FORMAT: Final = b"\x01"


class Row(msgspec.Struct, array_like=True, gc=False):
    """One job of an impression: `learned` is the weight that it has as a positive so far, `negative` whether it is one."""

    job_id: str
    position: int
    propensity: float
    p_check: float | None
    features: bytes
    learned: float = 0.0
    negative: bool = False


class ShownList(msgspec.Struct, array_like=True):
    """One impression; `seen` are the positions that were reported, None while nothing is known."""

    request_id: str
    served_at: int
    surface: str | None
    model_version: int
    feature_set: str
    rows: list[Row]
    seen: list[int] | None = None
    closed: bool = False

    def report(self, positions: Iterable[int]) -> None:
        """Add positions that the client reports as seen."""
        self.seen = sorted({*(self.seen or ()), *positions})

    def is_seen(self, row: Row) -> bool:
        """Whether the row can be a negative."""
        return self.seen is None or row.position in self.seen

    def row(self, job_id: str) -> Row | None:
        """The row of a job, if it was shown."""
        return next((row for row in self.rows if row.job_id == job_id), None)


class Acted(msgspec.Struct, array_like=True, gc=False):
    """A recent check: `request_id` as the producer gave it, `list_id` the impression that got it."""

    event_id: str
    job_id: str
    at: int
    weight: float
    request_id: str | None
    surface: str | None
    list_id: str | None = None


class EarlySeen(msgspec.Struct, array_like=True):
    """What a client reported of an impression that has not arrived yet."""

    request_id: str
    at: int
    positions: tuple[int, ...]


class Shown(msgspec.Struct, array_like=True):
    """What is kept of what a member was shown: impressions by time, newest first; checks in order of arrival."""

    lists: list[ShownList] = msgspec.field(default_factory=list)
    acted: list[Acted] = msgspec.field(default_factory=list)
    early: list[EarlySeen] = msgspec.field(default_factory=list)

    def find(self, request_id: str | None) -> ShownList | None:
        """The impression of this id, if it is kept."""
        return next((known for known in self.lists if known.request_id == request_id), None)

    @property
    def waits(self) -> bool:
        """Whether an impression has not been closed yet."""
        return any(not known.closed for known in self.lists)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shown)


class UnreadableShownError(ValueError):
    """A stored value is of a format that this version cannot read."""


def pack(shown: Shown) -> bytes:
    """The bytes to store; equal states give equal bytes.

    Examples
    --------
    >>> unpack(pack(Shown())) == Shown()
    True
    """
    return FORMAT + _encoder.encode(shown)


def unpack(value: bytes | None) -> Shown:
    """What is behind stored bytes; an empty one for None.

    Raises
    ------
    UnreadableShownError
        The value has an unknown format byte or is not what the format says.
    """
    if value is None:
        return Shown()
    if value[:1] != FORMAT:
        raise UnreadableShownError(f"Shown has format {value[:1]!r}, this version reads {FORMAT!r}")
    try:
        return _decoder.decode(memoryview(value)[1:])
    except DAMAGED as error:
        raise UnreadableShownError(f"Shown: {error}") from error
