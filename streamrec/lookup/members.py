"""``GET /v1/members/{member_id}``: what is kept of a member."""

from typing import Annotated

import msgspec
from msgspec import Meta

from streamrec.events import Action, MemberProfile
from streamrec.features.library import MEMBER_COUNTS
from streamrec.lookup import problems
from streamrec.lookup.jobs import ACTIONS
from streamrec.lookup.operation import Call
from streamrec.lookup.problems import Problem
from streamrec.lookup.service import Service
from streamrec.stores.members import UNREADABLE_STATE


class RecentJob(msgspec.Struct, frozen=True):
    """A job that the member touched: when last (ms since the epoch), and the strongest action so far."""

    job_id: str
    at: int
    action: str
    title: str | None


class Member(msgspec.Struct, frozen=True):
    """A member as the service knows it. Times are milliseconds since the epoch."""

    request_id: str
    member_id: str
    version: Annotated[int, Meta(description="Counts the records that made this state.")]
    profile: MemberProfile | None
    activity: Annotated[dict[str, float], Meta(description="Actions, decayed with a half-life of seven days.")]
    recent: Annotated[tuple[RecentJob, ...], Meta(description="The last jobs touched, newest first.")]
    applied: Annotated[tuple[str, ...], Meta(description="Jobs never recommended again, as the next.")]
    dismissed: tuple[str, ...]
    saved: tuple[str, ...]
    liked: tuple[str, ...]
    viewed: Annotated[int, Meta(description="Number of viewed jobs that are remembered.")]
    connections: Annotated[int, Meta(description="Number of connections.")]
    first_at: int | None
    last_at: int | None
    state_age_ms: Annotated[int | None, Meta(description="Since the member's newest event that is in the state.")]


async def member(service: Service, call: Call) -> Member:
    """Answer with what is known of one member."""
    member_id = call.path["member_id"]
    inputs = await service.stored(member_id)
    if inputs.degraded == UNREADABLE_STATE:
        detail = "what is stored of this member was written by another version; upgrade this service, or fold it anew"
        raise Problem(problems.UNREADABLE_STATE, detail)
    if inputs.degraded is not None:
        raise Problem(problems.STORE_UNAVAILABLE, "Redis did not answer in time", headers={"Retry-After": "2"})
    state, table, now = inputs.state, service.serving.table, service.clock_ms()
    if service.serving.lost:
        raise Problem(
            problems.STORE_UNAVAILABLE, "Redis has lost its data: it is to be restored by `streamrec rebuild`"
        )
    if not state.last_at and state.profile is None:  # nothing came yet, or a tombstone erased it
        raise Problem(problems.UNKNOWN_MEMBER, f"nothing is known of member {member_id!r}")
    recent = []
    for touched in state.recent:
        row = table.row(touched.job_id)
        posting = None if row is None else table.postings[row]
        title = None if posting is None else posting.title
        recent.append(RecentJob(touched.job_id, touched.at, Action(touched.action).name.lower(), title))
    return Member(
        request_id=call.request_id,
        member_id=member_id,
        version=state.version,
        profile=state.profile,
        activity={
            name: count.value_in(state.cells, max(now, state.last_at))
            for name, count in zip(ACTIONS, MEMBER_COUNTS, strict=True)
        },
        recent=tuple(recent),
        applied=tuple(state.applied),
        dismissed=tuple(state.dismissed),
        saved=tuple(state.saved),
        liked=tuple(state.liked),
        viewed=len(state.viewed),
        connections=len(inputs.network.edges) + inputs.network.more,
        first_at=state.first_at or None,
        last_at=state.last_at or None,
        state_age_ms=max(0, now - state.last_at) if state.last_at else None,
    )
