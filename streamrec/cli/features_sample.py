"""What the costs of features are measured on: a simulated site, or keys of the installation's Redis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from streamrec.events import ImpressionSeen, JobEvent
from streamrec.features.sample import Done, Sample
from streamrec.features.state import JobState, MemberState, Neighbours, Network, UnreadableStateError, unpack
from streamrec.features.view import sources

if TYPE_CHECKING:
    from streamrec.stores.keys import Keys
    from streamrec.training.system import Record

_BEGIN_MS: Final = 1_750_000_000_000
_MEMBERS, _JOBS = 300, 500
_STEP_MS: Final = 3_600_000
_SCAN_COUNT: Final = 500  # keys that Redis looks at in one step
_SCAN_STEPS: Final = 2_000  # at most: a look at a part of a large installation, never at all of it

State = TypeVar("State", MemberState, JobState, Neighbours, Network)


def simulated(events: int, seed: int) -> Sample:
    """A small made-up site after so many events."""
    from streamrec.settings import Settings  # noqa: PLC0415 - River comes with it
    from streamrec.simulator import World  # noqa: PLC0415
    from streamrec.training.offline import Offline  # noqa: PLC0415

    world, site = World(seed, _MEMBERS, _JOBS, _BEGIN_MS, seasonal=False), Offline(Settings())
    beginning: list[Record] = [*world.postings(), *world.profiles(), *world.connections()]
    for each in beginning:
        site.fold(each)
    done: list[Done] = []
    until = _BEGIN_MS
    while len(done) < events:
        until += _STEP_MS
        for happening in world.advance(until):
            record = happening.record
            if isinstance(record, JobEvent):
                done.append(Done(record, site.state_of(record.member_id).profile))
            if not isinstance(record, ImpressionSeen):  # it changes no state
                site.fold(record)
    return Sample(site.members, site.jobs, site.neighbours, site.networks, done[:events], until)


def sampled(client: Any, keys: "Keys", most: int, timed: Sample) -> Sample:
    """Members and jobs of a running installation, `most` of each; the events to fold are those of another sample.

    Redis is asked by SCAN, which goes through its keys in no order that means anything, and only so far as it must.
    """
    members, jobs = _scanned(client, keys, most)
    states = _read(client, {each: keys.member(each) for each in members}, MemberState)
    networks = _read(client, {each: keys.network(each) for each in states}, Network)
    touched = {job for state in states.values() for job in sources(state)}
    held = _read(client, {each: keys.job(each) for each in jobs}, JobState)
    rows = _read(client, {each: keys.neighbours(each) for each in touched | set(held)}, Neighbours)
    times = [*(state.last_at for state in states.values()), *(state.last_at for state in held.values())]
    now = max(times, default=timed.now)
    return Sample(states, held, rows, networks, timed.events, now)


def _scanned(client: Any, keys: "Keys", most: int) -> tuple[list[str], list[str]]:
    """Ids of members and of jobs."""
    members: dict[str, None] = {}
    jobs: dict[str, None] = {}
    for names in _steps(client, f"{keys.prefix}:{{*"):
        for name in map(bytes.decode, names):
            for found, identity in ((members, keys.member_id(name)), (jobs, keys.job_id(name))):
                if identity and len(found) < most:
                    found[identity] = None
        if len(members) >= most and len(jobs) >= most:
            break
    return list(members), list(jobs)


def _steps(client: Any, pattern: str) -> Iterator[list[bytes]]:
    from streamrec.stores.connect import nodes_of  # noqa: PLC0415

    for _, node in nodes_of(client):
        cursor = 0
        for _ in range(_SCAN_STEPS):
            cursor, names = node.scan(cursor, match=pattern, count=_SCAN_COUNT)
            yield names
            if cursor == 0:
                break


def _read(client: Any, wanted: dict[str, str], kind: type[State]) -> dict[str, State]:
    """States by id, without those that are gone or of a format that this version cannot read."""
    from streamrec.stores.connect import values_of  # noqa: PLC0415

    return dict(_known(zip(wanted, values_of(client, list(wanted.values())), strict=True), kind))


def _known(found: Any, kind: type[State]) -> Iterator[tuple[str, State]]:
    for name, value in found:
        if value is None:
            continue
        try:
            yield name, unpack(kind, value)
        except UnreadableStateError:
            continue
