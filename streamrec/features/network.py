"""A member's connections, and what they did lately: kept by the member's owner, fed by the owners of the others.

Rules
-----
* *Both sides*: a connection holds for both members. Each side's owner keeps it, told by the event or by the other's owner.
* *The newest word counts*: of connecting and parting the one with the larger time, whatever comes first. So much is
  remembered of those that parted.
* *Bounds*: the `EDGES` newest connections are kept, of the others it is known how many they are. Of what connections did,
  the newest `ACTS` pairs of connection and job are kept.
* *Probes* (`events.is_probe`) connect with nobody.
* *What counts*: views, likes, saves and applications. A save or like that is taken back is no more than a view; a parted
  connection's deeds are forgotten.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from streamrec.events import Action, Connection, JobEvent, MemberProfile, NetworkEntry, Tombstone, is_probe
from streamrec.features.fold import Effect
from streamrec.features.state import Network, NetworkAct

EDGES: Final = 1000
ACTS: Final = 500
PARTED: Final = 100
_VIEW: Final = int(Action.VIEW)  # plain numbers: a member of an enum is looked up anew each time
_DISMISS: Final = int(Action.DISMISS)
FANOUT: Final = 300  # connections, the newest, that are told of what a member does


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What members are told of another one; it becomes entries of `member-activity`: see `NetworkEntry` for the fields."""

    kind: str
    member_id: str
    told: Sequence[str]
    occurred_at: int
    job_id: str = ""
    action: int = 0
    sign: int = 1
    connected: bool = True
    company: str | None = None


class Connected(msgspec.Struct, frozen=True):
    """Whether the connection stands, and the older one that had to make room for it."""

    stands: bool
    dropped: str | None = None


def fold_own(
    network: Network,
    profile: MemberProfile | None,
    event: JobEvent | Connection | MemberProfile | Tombstone,
    effects: list[Effect],
) -> list[Note]:
    """Fold a member's own record into its network, in place; what its connections are told.

    Parameters
    ----------
    network
        The member's.
    profile
        The member's, before the record.
    effects
        What `fold_member` made of the record.
    """
    if isinstance(event, Connection):
        return _fold_connection(network, event, profile.company if profile else None)
    if isinstance(event, Tombstone):
        told = list(network.edges)
        return [Note(kind="gone", member_id=event.key, told=told, occurred_at=0)] if told else []
    if not network.edges:
        return []
    if isinstance(event, MemberProfile):
        if event.company == (profile.company if profile else None):
            return []
        return [Note(
            kind="work", member_id=event.member_id, told=list(network.edges), occurred_at=event.updated_at,
            company=event.company,
        )]  # fmt: skip
    if not effects or not is_told(effects[0]):
        return []
    own = effects[0]
    return [Note(
        kind="act", member_id=event.member_id, told=audience(network), occurred_at=event.occurred_at, job_id=own.job_id,
        action=own.action or 0, sign=own.sign,
    )]  # fmt: skip


def is_told(own: Effect) -> bool:
    """Whether connections are told of an event, given what it means for its own job: of a further view they know."""
    if own.action is None or own.action == _DISMISS:
        return False
    return own.action != _VIEW or own.first


def spread(networks: dict[str, Network], notes: list[Note], company_of: Callable[[str], str | None]) -> None:
    """Let those who are told know, and whoever they tell in return, in place: as the owners do by `member-activity`.

    Parameters
    ----------
    networks
        Of all members, by id; one who is told first gets a fresh one.
    notes
        What is told; used up.
    company_of
        Where a member works.
    """
    while notes:
        note = notes.pop(0)
        entry = NetworkEntry(
            offset=0, index=0, kind=note.kind, member_id=note.member_id, told=(), occurred_at=note.occurred_at,
            job_id=note.job_id, action=note.action, sign=note.sign, connected=note.connected, company=note.company,
        )  # fmt: skip
        for member in note.told:
            network = networks.setdefault(member, Network())
            notes += fold_told(network, member, company_of(member), entry)


def fold_told(network: Network, member_id: str, company: str | None, entry: NetworkEntry) -> list[Note]:
    """Fold what a member was told into its network, in place; what it tells in return.

    Parameters
    ----------
    network, member_id, company
        Of the member that is told, and where it works.
    entry
        What it is told.
    """
    other, at = entry.member_id, entry.occurred_at
    match entry.kind:
        case "act":
            act(network, entry)
        case "work":
            work(network, other, entry.company)
        case "gone":
            forget(network, other)
        case "full":
            _outgrow(network, other)
        case "edge" if entry.connected:
            made = connect(network, other, at, entry.company)
            notes = _dropped(member_id, made, at)
            if made.stands and company is not None:
                notes.append(Note(kind="work", member_id=member_id, told=(other,), occurred_at=at, company=company))
            return notes
        case "edge":
            part(network, other, at)
    return []


def gone(member_id: str, entry: NetworkEntry) -> list[Note]:
    """What is told in return for what comes for a member who has been erased since: nobody is to know of it."""
    if entry.kind != "edge" or not entry.connected:
        return []
    return [Note(kind="gone", member_id=member_id, told=(entry.member_id,), occurred_at=entry.occurred_at)]


def _fold_connection(network: Network, event: Connection, company: str | None) -> list[Note]:
    member_id, other, at = event.member_id, event.other_member_id, event.occurred_at
    if other == member_id or is_probe(member_id) or is_probe(other):
        return []
    made = connect(network, other, at) if event.connected else None
    if made is None:
        part(network, other, at)
    notes = [Note(
        kind="edge", member_id=member_id, told=(other,), occurred_at=at, connected=event.connected, company=company
    )]  # fmt: skip
    return notes if made is None else notes + _dropped(member_id, made, at)


def _dropped(member_id: str, made: Connected, at: int) -> list[Note]:
    """Both sides keep a connection, or neither: so that a member who is erased finds all who know of it."""
    return (
        [] if made.dropped is None else [Note(kind="full", member_id=member_id, told=(made.dropped,), occurred_at=at)]
    )


def connect(network: Network, other: str, at: int, company: str | None = None) -> Connected:
    """Note that `other` is a connection since `at` (ms), in place.

    Examples
    --------
    >>> network = Network()
    >>> connect(network, "bob", 5).stands, part(network, "bob", 7), connect(network, "bob", 6).stands, network.edges
    (True, True, False, {})
    """
    if network.parted.get(other, -1) >= at:
        return Connected(stands=False)
    network.version += 1
    network.parted.pop(other, None)
    known = network.edges.get(other)
    if company is not None:
        network.companies[other] = company
    if known is not None:
        network.edges[other] = max(known, at)
        return Connected(stands=True)
    network.edges[other] = at
    if len(network.edges) <= EDGES:
        return Connected(stands=True)
    oldest = min(network.edges, key=lambda each: (network.edges[each], each))
    _outgrow(network, oldest)
    return Connected(stands=oldest != other, dropped=oldest)


def part(network: Network, other: str, at: int) -> bool:
    """Note that `other` is no connection any more since `at` (ms), in place; whether it was one."""
    network.version += 1
    network.parted[other] = max(at, network.parted.pop(other, at))
    if len(network.parted) > PARTED:
        del network.parted[min(network.parted, key=lambda each: (network.parted[each], each))]
    known = network.edges.get(other)
    if known is None:
        network.more -= network.more > 0  # one of those that are only counted, it seems
        return False
    if known > at:
        del network.parted[other]
        return False
    _forget(network, other)
    return True


def forget(network: Network, other: str) -> None:
    """Remove every trace of `other`, who was erased, in place."""
    if network.parted.pop(other, None) is not None:
        network.version += 1
    if other in network.edges or any(act.member_id == other for act in network.acts):
        _forget(network, other)


def act(network: Network, entry: NetworkEntry) -> None:
    """Note what a connection did with a job, in place; of somebody else nothing is noted."""
    if entry.member_id not in network.edges or not entry.job_id:
        return
    network.version += 1
    acts, index = network.acts, _index(network)
    action, at = entry.action, entry.occurred_at
    known = index.pop((entry.member_id, entry.job_id), None)
    if known is not None:
        del acts[_place(acts, known)]
        # Taken back is the action itself: then a view is what is left of it.
        action = _VIEW if entry.sign < 0 and known.action == action else max(known.action, action)
        at = max(known.at, at)
    elif entry.sign < 0:
        action = _VIEW
    # The first that is not newer; of equal times the larger job comes first.
    place = bisect_left(acts, -at, key=_newness)
    while place < len(acts) and acts[place].at == at and acts[place].job_id >= entry.job_id:
        place += 1
    made = index[entry.member_id, entry.job_id] = NetworkAct(entry.member_id, entry.job_id, int(action), at)
    acts.insert(place, made)
    for oldest in acts[ACTS:]:
        del index[oldest.member_id, oldest.job_id]
    del acts[ACTS:]


def _newness(known: NetworkAct) -> int:
    return -known.at


def _place(acts: list[NetworkAct], known: NetworkAct) -> int:
    place = bisect_left(acts, -known.at, key=_newness)
    while acts[place] is not known:
        place += 1
    return place


def _index(network: Network) -> dict[tuple[str, str], NetworkAct]:
    """The deeds by connection and job, made once for as long as this network is in memory.

    Everybody who knows a member looks for all that it does, and most of it is new: to look through a full list takes longest.
    """
    kept: tuple[list[NetworkAct], dict[tuple[str, str], NetworkAct]] | None = network.__dict__.get("deeds")
    if kept is None or kept[0] is not network.acts:
        made = {(known.member_id, known.job_id): known for known in network.acts}
        kept = network.__dict__["deeds"] = (network.acts, made)
    return kept[1]


def work(network: Network, other: str, company: str | None) -> None:
    """Note where a connection works now, in place."""
    if other not in network.edges or network.companies.get(other) == company:
        return
    network.version += 1
    if company is None:
        del network.companies[other]
    else:
        network.companies[other] = company


def audience(network: Network) -> list[str]:
    """Connections that are told what the member does: the newest `FANOUT`."""
    if len(network.edges) <= FANOUT:
        return list(network.edges)
    return sorted(network.edges, key=lambda other: (-network.edges[other], other))[:FANOUT]


def deeds(network: Network, now: int, horizon_ms: int) -> Iterator[NetworkAct]:
    """What connections did within the last `horizon_ms`, newest first."""
    for done in network.acts:
        if done.at <= now - horizon_ms:
            return
        yield done


def _outgrow(network: Network, other: str) -> None:
    """Count a connection from now on instead of keeping it."""
    if other in network.edges:
        _forget(network, other)
        network.more += 1


def _forget(network: Network, other: str) -> None:
    network.version += 1
    network.edges.pop(other, None)
    network.companies.pop(other, None)
    network.acts = [known for known in network.acts if known.member_id != other]
