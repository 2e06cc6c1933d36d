"""What is kept of a member and of a job: packed into one value an entity, since one MGET of packed values is cheapest.

A packed value is one version byte and the MessagePack of the struct as an array. New fields are appended with a
default, so that a value is readable one version back and forward; so are aggregates, since each stands under the name of
what it means, and names that nobody knows are carried along. Another format is read by the versions after it only;
``tests/golden`` keeps the bytes of every version.

State is a function of the records that its owner consumed, and of nothing else: a member's state never holds what was
read from a posting, so that it does not matter which of the two arrived first (text and place of the recent jobs are
joined when they are read).
"""

from typing import Any, Final, TypeVar

import msgspec

from streamrec.events import JobPosting, MemberProfile
from streamrec.packed import DAMAGED

STREAMS: Final = 6  # of a member's events: one a topic


class Recent(msgspec.Struct, array_like=True, gc=False):
    """A member's last touch of a job: when, and the strongest action so far."""

    job_id: str
    at: int
    action: int


class MemberState(msgspec.Struct, array_like=True):
    """All that is kept of one member; `version` counts the records folded in."""

    version: int = 0
    profile: MemberProfile | None = None
    recent: list[Recent] = msgspec.field(default_factory=list)  # distinct jobs, newest first, at most RECENT
    cells: dict[str, list[Any]] = msgspec.field(
        default_factory=dict
    )  # what aggregates keep, by state key: see `features.plan`
    first_at: int = 0
    last_at: int = 0  # largest occurred_at seen
    viewed: dict[str, int] = msgspec.field(default_factory=dict)  # job_id -> last view (ms); newest TOUCHED are kept
    applied: dict[str, int] = msgspec.field(default_factory=dict)
    dismissed: dict[str, int] = msgspec.field(default_factory=dict)
    saved: dict[str, int] = msgspec.field(default_factory=dict)
    liked: dict[str, int] = msgspec.field(default_factory=dict)
    seen: list[bytes] = msgspec.field(default_factory=lambda: [b""] * STREAMS)  # by stream: see `fold.is_duplicate`
    mark: int = 0  # by which jobs know the member: see `features.resemblance`

    @property
    def touched(self) -> tuple[dict[str, int], ...]:
        """The sets of the jobs that the member touched, by what it did; dismissed ones are none of them."""
        return self.viewed, self.liked, self.saved, self.applied


class MemberHead(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a `MemberState`: what it takes to serve a list that was made of that very state."""

    version: int = 0
    profile: MemberProfile | None = None
    recent: msgspec.Raw = msgspec.Raw()
    cells: msgspec.Raw = msgspec.Raw()
    first_at: int = 0
    last_at: int = 0


class JobState(msgspec.Struct, array_like=True):
    """All that is kept of one job but for its neighbours; `version` counts the records and entries folded in."""

    version: int = 0
    posting: JobPosting | None = None
    removed: bool = False  # a tombstone came; a later posting of the same id opens it again
    cells: dict[str, list[Any]] = msgspec.field(
        default_factory=dict
    )  # what aggregates keep, by state key: see `features.plan`
    first_at: int = 0
    last_at: int = 0
    touchers: bytes = b""  # who touched it last: see `features.resemblance`


class Neighbours(msgspec.Struct, array_like=True):
    """Co-visitation row of one job: weights as of the time `at` (ms), of which the best NEIGHBOURS are sure to be kept.

    A weight fades with a half-life of 10 days, from `at` on: see `features.fold.fold_neighbours`.
    """

    at: int = 0
    weights: dict[str, float] = msgspec.field(default_factory=dict)


class NetworkAct(msgspec.Struct, array_like=True, gc=False):
    """The strongest thing that a connection did with a job, and when it last did something with it."""

    member_id: str
    job_id: str
    action: int
    at: int


class Network(msgspec.Struct, array_like=True, dict=True):
    """A member's connections and what they did; `version` counts the changes. See `features.network` for the rules.

    What is kept beside the fields (`dict`) is not packed: `features.network` finds deeds by it.
    """

    version: int = 0
    edges: dict[str, int] = msgspec.field(default_factory=dict)  # connection -> since when (ms); the newest EDGES
    more: int = 0  # connections besides, of whom nothing else is known
    companies: dict[str, str] = msgspec.field(default_factory=dict)  # connection -> where it works, if that is known
    acts: list[NetworkAct] = msgspec.field(default_factory=list)  # newest first, at most ACTS
    parted: dict[str, int] = msgspec.field(default_factory=dict)  # the last PARTED -> when


class NetworkHead(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a `Network`."""

    version: int = 0


Head = TypeVar("Head", MemberHead, NetworkHead)
State = TypeVar("State", MemberState, JobState, Neighbours, Network)

_encoder = msgspec.msgpack.Encoder()
_KINDS: Final = (MemberState, JobState, Neighbours, Network)
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in _KINDS}
FORMATS: Final[dict[type, bytes]] = {MemberState: b"\x02", JobState: b"\x02", Neighbours: b"\x01", Network: b"\x01"}


_heads: Final[dict[type, tuple[bytes, Any]]] = {
    MemberHead: (FORMATS[MemberState], msgspec.msgpack.Decoder(MemberHead)),
    NetworkHead: (FORMATS[Network], msgspec.msgpack.Decoder(NetworkHead)),
}


class UnreadableStateError(ValueError):
    """A stored value is of a format that this version cannot read."""


def pack(state: MemberState | JobState | Neighbours | Network) -> bytes:
    """The bytes to store for `state`; equal states give equal bytes.

    Examples
    --------
    >>> unpack(Neighbours, pack(Neighbours(at=5, weights={"j1": 1.5})))
    Neighbours(at=5, weights={'j1': 1.5})
    """
    return FORMATS[type(state)] + _encoder.encode(state)


def unpack(kind: type[State], value: bytes | None) -> State:
    """The state behind stored bytes; a fresh one for None.

    Raises
    ------
    UnreadableStateError
        The value has an unknown format byte or is not what the format says.
    """
    if value is None:
        return kind()
    try:
        if value[:1] == FORMATS[kind]:
            return _decoders[kind].decode(memoryview(value)[1:])  # type: ignore[return-value]
        if value[:1] == b"\x01":
            from streamrec.features import state_v1  # noqa: PLC0415 - it needs the names of today's aggregates

            return state_v1.unpack(kind, memoryview(value)[1:])  # type: ignore[no-any-return]
    except (*DAMAGED, ValueError) as error:  # format 1: not as many counts as there are actions
        raise UnreadableStateError(f"{kind.__name__}: {error}") from error
    raise UnreadableStateError(
        f"{kind.__name__} has format {value[:1]!r}, this version reads {FORMATS[kind]!r} and b'\\x01'"
    )


def unpack_head(kind: type[Head], value: bytes | None) -> Head:
    """The beginning of the state behind stored bytes, without unpacking the rest; a fresh one for None.

    Raises
    ------
    UnreadableStateError
        As `unpack`; also for a format before this version's, which only `unpack` reads.

    Examples
    --------
    >>> unpack_head(NetworkHead, pack(Network(version=3, edges={"bob": 5})))
    NetworkHead(version=3)
    """
    if value is None:
        return kind()
    wanted, decoder = _heads[kind]
    if value[:1] != wanted:
        raise UnreadableStateError(f"{kind.__name__} has format {value[:1]!r}, want {wanted!r}")
    try:
        return decoder.decode(memoryview(value)[1:])  # type: ignore[no-any-return]
    except msgspec.MsgspecError as error:
        raise UnreadableStateError(f"{kind.__name__}: {error}") from error
