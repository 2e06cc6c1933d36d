"""What is stored of a member: all that a ranking needs, or as much as it takes to answer from the list that was kept."""

from collections.abc import Sequence
from typing import Final

import msgspec

from streamrec.features.state import (
    MemberHead,
    MemberState,
    Neighbours,
    Network,
    NetworkHead,
    UnreadableStateError,
    unpack_head,
)
from streamrec.models.passed import Passed, UnreadablePassedError
from streamrec.models.passed import unpack as unpack_passed
from streamrec.ranking.ranked import RankedList, UnreadableListError
from streamrec.ranking.ranked import unpack as unpack_list

_UNREADABLE: Final = (UnreadableStateError, UnreadablePassedError, UnreadableListError)


class Inputs(msgspec.Struct, frozen=True):
    """What a ranking needs of one member; an unknown member has a fresh state (`version` 0).

    `degraded` is set when the member's stored state could not be read: a fresh one stands in for it, so that what the
    member applied for or dismissed is not known.
    """

    state: MemberState
    neighbours: dict[str, Neighbours]
    ranked: RankedList | None = None
    degraded: str | None = None
    network: Network = msgspec.field(default_factory=Network)
    passed: Passed = msgspec.field(default_factory=Passed)


class Glance(msgspec.Struct, frozen=True):
    """As much of the same as it takes to answer from a kept list: a fraction of unpacking it all.

    Attributes
    ----------
    values
        What all of it is unpacked from: see `Serving.opened`.
    """

    state: MemberHead
    ranked: RankedList
    network: NetworkHead
    passed: Passed
    values: Sequence[bytes | None]
    degraded: None = None


def glance(values: Sequence[bytes | None]) -> Glance | None:
    """What is stored at the four keys of a member; None if no list is kept, or if anything else asks for a closer look."""
    state, listed, tied, passed = values
    if state is None or listed is None:
        return None
    try:
        return Glance(
            unpack_head(MemberHead, state),
            unpack_list(listed),
            unpack_head(NetworkHead, tied),
            unpack_passed(passed),
            values,
        )
    except _UNREADABLE:
        return None
