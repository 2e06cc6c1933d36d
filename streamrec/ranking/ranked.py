"""A ranked list of jobs for one member: what a ranking returns, and how it is kept as a cache."""

from collections.abc import Sequence
from typing import Final

import msgspec

from streamrec.packed import DAMAGED

FORMAT: Final = b"\x01"
FIRST: Final = "jobs@1"  # the workflow of lists that were kept before there were several
_FLOAT_BYTES: Final = 4


class RankedList(msgspec.Struct, array_like=True, kw_only=True):
    """Jobs, best first, with everything that is needed to answer from the list later and to say how fresh it is.

    The four lists have one entry a job, and `features` one row. New fields are appended with a default, so that a packed
    list is readable one version back and forward; ``tests/golden/ranked`` keeps the bytes of every version.
    """

    member_version: int = 0  # `MemberState.version` that the list reflects
    model_version: int = 0  # 0: ranked without a model
    ranked_at: int = 0
    job_ids: list[str] = msgspec.field(default_factory=list)
    scores: list[float] = msgspec.field(
        default_factory=list
    )  # comparable within one list; descending, unless re-ranked
    p_check: list[float | None] = msgspec.field(default_factory=list)  # P(job checked if shown); None without a model
    sources: list[int] = msgspec.field(default_factory=list)  # bit mask, see `candidates.explain`
    degraded: str | None = None  # why the list fell short, one of a few fixed words
    model_name: str = ""
    model_at: int = 0  # when the model's snapshot was written
    feature_set: str = ""  # names the features and their order; empty in lists that were kept before they had any
    features: bytes = (
        b""  # packed little-endian float32, len(job_ids) x d: the very values that the jobs were scored by
    )
    cut: bool = True  # whether more jobs may follow than the list holds
    network_version: int = 0  # `Network.version` that the list reflects
    workflow: str = ""  # label of the workflow that answered; empty: `FIRST`
    passed_version: int = 0  # `Passed.version` that the list reflects

    def take(self, positions: Sequence[int]) -> "RankedList":
        """The same list with only the jobs at these 0-based positions, in this order.

        Examples
        --------
        >>> both = RankedList(job_ids=["a", "b"], scores=[2.0, 1.0], p_check=[None, None], sources=[1, 4])
        >>> both.take([1]).job_ids
        ['b']
        """
        packed, width = self.features, self.width
        return msgspec.structs.replace(
            self,
            features=b"".join([packed[i * width : (i + 1) * width] for i in positions]),
            job_ids=[self.job_ids[i] for i in positions],
            scores=[self.scores[i] for i in positions],
            p_check=[self.p_check[i] for i in positions],
            sources=[self.sources[i] for i in positions],
        )

    def head(self, size: int) -> "RankedList":
        """The first `size` jobs: what is kept of a list.

        Examples
        --------
        >>> both = RankedList(job_ids=["a", "b"], scores=[2.0, 1.0], p_check=[None, None], sources=[1, 4], cut=False)
        >>> both.head(1).cut, both.head(2).cut
        (True, False)
        """
        if len(self.job_ids) <= size:
            return self
        return msgspec.structs.replace(
            self,
            job_ids=self.job_ids[:size],
            scores=self.scores[:size],
            p_check=self.p_check[:size],
            sources=self.sources[:size],
            features=self.features[: size * self.width],
            cut=True,
        )

    @property
    def width(self) -> int:
        """Bytes of the features of one job."""
        return len(self.features) // max(1, len(self.job_ids))


class UnreadableListError(ValueError):
    """A stored list is of a format that this version cannot read: rank anew, since it is only a cache."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RankedList)


def pack(ranked: RankedList) -> bytes:
    """The bytes to store: one format byte and the MessagePack of the struct as an array.

    Examples
    --------
    >>> unpack(pack(RankedList(job_ids=["a"], scores=[0.5], p_check=[0.25], sources=[3]))).p_check
    [0.25]
    """
    return FORMAT + _encoder.encode(ranked)


def unpack(value: bytes) -> RankedList:
    """The list behind stored bytes.

    Raises
    ------
    UnreadableListError
        The value has an unknown format byte, is not what the format says, or its parts do not fit each other.
    """
    if value[:1] != FORMAT:
        raise UnreadableListError(f"ranked list has format {value[:1]!r}, this version reads {FORMAT!r}")
    try:
        ranked = _decoder.decode(memoryview(value)[1:])
    except DAMAGED as error:
        raise UnreadableListError(f"ranked list: {error}") from error
    if not len(ranked.job_ids) == len(ranked.scores) == len(ranked.p_check) == len(ranked.sources):
        raise UnreadableListError("ranked list: its lists differ in length")
    if len(ranked.features) != ranked.width * len(ranked.job_ids) or ranked.width % _FLOAT_BYTES:
        raise UnreadableListError("ranked list: its features do not fit its jobs")
    return ranked
