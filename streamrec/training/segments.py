"""What is known of a query besides its answers, and the tables that it counts in: by job, by member, by half of the log."""

from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from streamrec.events import MemberProfile
from streamrec.features.windows import HOUR_MS

SEGMENTS: Final = {
    "all": "all queries",
    "warm_items": "the job had an event before",
    "new_items": "the job had no event before",
    "new_jobs": "the job was posted less than an hour before",
    "cold_members": "the member had no event before",
    "cold_with_profile": "no event before, and a profile that says what is wanted, where, or anything else",
    "cold_with_region": "no event before, and a profile that says a region or country and nothing else",
    "cold_with_nothing": "no event before, and no profile",
    "members_with_1_to_4": "the member had 1 to 4 events before",
    "members_with_5_or_more": "the member had 5 events before, or more",
}
PARTS: Final = ("whole", "second_half")
NEW_MS: Final = HOUR_MS  # a job is new for so long after it was posted
MANY: Final = 5  # events that make a member one of whom much is known

Known = Literal["profile", "region", "nothing"]
Mask = npt.NDArray[np.bool_]

_WHERE: Final = frozenset(("region", "country"))
_NOTHING_SAID: Final = frozenset(("member_id", "updated_at"))


class Query(msgspec.Struct, frozen=True):
    """What is known of an answered query besides the answers.

    Attributes
    ----------
    event
        Number of its event in the log.
    member
        Number of its member.
    warm_item
        Whether the job had an event before.
    earlier
        Events of the member before.
    known
        What the member's profile says: see `known_of`.
    new_job
        Whether the job was posted less than `NEW_MS` before; False where nothing says when it was.
    """

    event: int
    member: int
    warm_item: bool
    earlier: int
    known: Known = "nothing"
    new_job: bool = False


def known_of(profile: MemberProfile | None) -> Known:
    """What a profile says of a member of whom nothing else is known: anything, no more than a region or country, nothing.

    Examples
    --------
    >>> known_of(MemberProfile(member_id="ann", desired_titles=("Nurse",), updated_at=1))
    'profile'
    >>> known_of(MemberProfile(member_id="ann", region="MD", updated_at=1)), known_of(None)
    ('region', 'nothing')
    """
    if profile is None:
        return "nothing"
    said = {
        name for name, value in msgspec.structs.asdict(profile).items() if value not in (None, "", ())
    } - _NOTHING_SAID  # fmt: skip
    return "profile" if said - _WHERE else "region" if said else "nothing"


def masks(queries: list[Query], events: int) -> dict[tuple[str, str], Mask]:
    """Which of the queries each table is about, by segment and part of a log of so many `events`.

    The second half begins with the event of number ``events / 2``.
    """
    cold = _mask([query.earlier == 0 for query in queries])
    many = _mask([query.earlier >= MANY for query in queries])
    warm_item = _mask([query.warm_item for query in queries])
    segments = {
        "all": np.ones(len(queries), np.bool_),
        "warm_items": warm_item,
        "new_items": ~warm_item,
        "new_jobs": _mask([query.new_job for query in queries]),
        "cold_members": cold,
        **{f"cold_with_{known}": cold & _mask([query.known == known for query in queries])
           for known in ("profile", "region", "nothing")},
        "members_with_1_to_4": ~cold & ~many,
        "members_with_5_or_more": many,
    }  # fmt: skip
    late = _mask([2 * query.event >= events for query in queries])
    return {
        (segment, part): segments[segment] & late if part == "second_half" else segments[segment]
        for segment in SEGMENTS for part in PARTS
    }  # fmt: skip


def _mask(flags: list[bool]) -> Mask:
    return np.array(flags, np.bool_)
