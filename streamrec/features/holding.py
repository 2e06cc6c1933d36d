"""What features read of the state: the cells of a plan, and what is held of members and jobs anyway.

An expression reads a field straight (what a posting, a profile or the request says), or what was made of events before. The
second is a *holding*. Most are cells of the plan; recent jobs, neighbours and connections are held for more than features.
"""

from typing import Final

import msgspec

from streamrec.features.cells.window import text_of
from streamrec.features.feeds import State
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.expression import Expression
from streamrec.features.language.feature import walk
from streamrec.features.language.streams import TOPIC_OF
from streamrec.features.plan import Plan

_TAKEN_BACK: Final = {"job-saves": "job-saves.saved", "job-likes": "job-likes.liked"}
_TOUCHED: Final = frozenset(
    f"{topic}.{name}" for topic in TOPIC_OF.values() if topic != "connections"
    for name in ("member_id", "job_id", "occurred_at")
) | frozenset(_TAKEN_BACK.values())  # fmt: skip
_CONNECTED: Final = frozenset({"connections.member_id", "connections.other_member_id", "connections.connected"})


class Holding(msgspec.Struct, frozen=True):
    """One thing held of each member or job.

    Attributes
    ----------
    key
        The state key of a cell, or the part of a struct of `features.state`.
    keeps
        The aggregate, or what it is in words.
    owner
        ``member`` or ``job``: whose state it is part of.
    window
        Which events count; None where it is no cell.
    keep
        For how many texts of a combined key there is one cell; None where there is one cell.
    ttl
        After which it is dropped; None for never.
    sources
        Of what it is made, as ``topic.field``.
    """

    key: str
    keeps: str
    owner: str
    window: str | None = None
    keep: int | None = None
    ttl: str | None = None
    sources: tuple[str, ...] = ()


RECENT: Final = Holding(
    "MemberState.recent", "the last jobs touched", "member", sources=tuple(sorted(_TOUCHED))
)  # fmt: skip
NEIGHBOURS: Final = Holding(
    "Neighbours.weights", "ties to jobs touched by the same members", "job", sources=tuple(sorted(_TOUCHED))
)
TOUCHED: Final = Holding(
    "MemberState.viewed", "jobs viewed, liked, saved or applied for", "member", sources=tuple(sorted(_TOUCHED))
)
TOUCHERS: Final = Holding(
    "JobState.touchers", "marks of the members who touched it last", "job", sources=tuple(sorted(_TOUCHED))
)
ACTS: Final = Holding(
    "Network.acts", "what connections did", "member", sources=tuple(sorted(_TOUCHED | _CONNECTED))
)  # fmt: skip
COMPANIES: Final = Holding(
    "Network.companies", "where connections work", "member",
    sources=tuple(sorted(_CONNECTED | {"member-profiles.company"})),
)  # fmt: skip
HELD_ANYWAY: Final = (RECENT, NEIGHBOURS, TOUCHED, TOUCHERS, ACTS, COMPANIES)

_READ_BY: Final = {
    "home": (RECENT,), "share": (RECENT,), "words": (RECENT,), "cooccurrence": (RECENT, NEIGHBOURS),
    "resemblance": (TOUCHED, TOUCHERS), "connections_that": (ACTS,), "connections_at": (COMPANIES,),
}  # fmt: skip  # by the kind of expression


def cell_of(state: State) -> Holding:
    """The holding that a cell of a plan is.

    Examples
    --------
    >>> from streamrec.features.library import PLAN
    >>> cell_of(next(iter(PLAN.states.values()))).keeps
    'count(once(actions), by=job, window=decay(1h))'
    """
    aggregate = state.aggregate
    keyed = ", ".join((aggregate.by.place, *aggregate.by.keyed))
    by = f"({keyed})" if aggregate.by.keyed else keyed
    return Holding(
        key=state.key, keeps=str(aggregate).replace(f"by={aggregate.by}", f"by={by}"), owner=aggregate.by.place,
        window=str(aggregate.window), keep=aggregate.keep,
        ttl=None if state.ttl_ms is None else text_of(state.ttl_ms), sources=tuple(sorted(_made_of(aggregate))),
    )  # fmt: skip


class Read(msgspec.Struct, frozen=True):
    """What an expression reads: keys of holdings, and fields straight, both sorted."""

    holdings: tuple[str, ...]
    fields: tuple[str, ...]


def read_by(expression: Expression) -> Read:
    """All that an expression reads.

    Examples
    --------
    >>> from streamrec.features.language import posting, share
    >>> read_by(share(posting.city))
    Read(holdings=('MemberState.recent',), fields=('job-postings.city',))
    """
    holdings: set[str] = set()
    fields: set[str] = set()
    for each in walk(expression):
        if isinstance(each, Aggregate):
            holdings.add(each.state_key)
            fields |= each.sources - _made_of(each)  # by which the cells of jobs are added up, when they are read
            continue
        held = _READ_BY.get(each.kind, ())
        holdings.update(one.key for one in held)
        fields |= each.sources.difference(*(one.sources for one in held))
    return Read(tuple(sorted(holdings)), tuple(sorted(fields)))


def holdings_of(plan: Plan) -> dict[str, Holding]:
    """By key: the cells of a plan, and of `HELD_ANYWAY` what its features read."""
    found = {key: cell_of(state) for key, state in plan.states.items()}
    read = {key for each in plan.features.values() for key in read_by(each.expression).holdings}
    return found | {each.key: each for each in HELD_ANYWAY if each.key in read}


def _made_of(aggregate: Aggregate) -> frozenset[str]:
    """What comes with the events; the fields of postings are looked up when it is read."""
    said = {each for each in aggregate.sources if not each.startswith("job-postings.")}
    topics = [TOPIC_OF[record] for record in aggregate.stream.records]
    said |= {f"{topic}.{aggregate.by.place}_id" for topic in topics}
    return frozenset(said | {_TAKEN_BACK[topic] for topic in topics if topic in _TAKEN_BACK})
