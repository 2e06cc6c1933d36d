"""States as they were before aggregates had names: counts in fixed places. Read, never written."""

from typing import Any

import msgspec

from streamrec.events import Action, JobPosting, MemberProfile
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.library import JOB_COUNTS, JOB_TOTALS, MEMBER_COUNTS, POPULARITY
from streamrec.features.state import STREAMS, JobState, MemberState, Recent


class Decayed(msgspec.Struct, array_like=True):
    """A decayed sum as of a time (ms)."""

    value: float = 0.0
    at: int = 0


def _none() -> list[Decayed]:
    return [Decayed() for _ in Action]


class _Member(msgspec.Struct, array_like=True):
    version: int = 0
    profile: MemberProfile | None = None
    recent: list[Recent] = msgspec.field(default_factory=list)
    counts: list[Decayed] = msgspec.field(default_factory=_none)
    first_at: int = 0
    last_at: int = 0
    viewed: dict[str, int] = msgspec.field(default_factory=dict)
    applied: dict[str, int] = msgspec.field(default_factory=dict)
    dismissed: dict[str, int] = msgspec.field(default_factory=dict)
    saved: dict[str, int] = msgspec.field(default_factory=dict)
    liked: dict[str, int] = msgspec.field(default_factory=dict)
    seen: bytes = b""


class _Job(msgspec.Struct, array_like=True):
    version: int = 0
    posting: JobPosting | None = None
    removed: bool = False
    popularity: list[Decayed] = msgspec.field(default_factory=list)
    counts: list[Decayed] = msgspec.field(default_factory=_none)
    totals: list[int] = msgspec.field(default_factory=lambda: [0 for _ in Action])
    first_at: int = 0
    last_at: int = 0


_members, _jobs = msgspec.msgpack.Decoder(_Member), msgspec.msgpack.Decoder(_Job)


def unpack(kind: type, value: memoryview) -> Any:
    """A member or a job of format 1, with its counts under the names of today's aggregates. Raises msgspec.MsgspecError.

    How many events a decayed sum was made of is not known: one at least, so that it is never taken for nothing.
    """
    if kind is MemberState:
        member = _members.decode(value)
        kept = {name: getattr(member, name) for name in _Member.__struct_fields__ if name != "counts"}
        kept["seen"] = [member.seen] * STREAMS  # of which kind each was is not known
        return MemberState(**kept, cells=_decayed(MEMBER_COUNTS, member.counts))
    job = _jobs.decode(value)
    cells = _decayed(POPULARITY, job.popularity, sum(job.totals[: Action.DISMISS]))
    for aggregate, count, total in zip(JOB_COUNTS, job.counts, job.totals, strict=True):
        cells.update(_decayed((aggregate,), [count], total))
    for aggregate, total in zip(JOB_TOTALS, job.totals, strict=True):
        if total:
            cells[aggregate.state_key] = [job.last_at, [total]]
    return JobState(job.version, job.posting, job.removed, cells, job.first_at, job.last_at)


def _decayed(aggregates: tuple[Aggregate, ...], sums: list[Decayed], events: int = 1) -> dict[str, Any]:
    return {
        aggregate.state_key: [each.value, each.at, max(1, events)]
        for aggregate, each in zip(aggregates, sums, strict=False)
        if each.at
    }
