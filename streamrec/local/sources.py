"""What the demo can be fed with: a made-up job site, or a real log."""

import time
from collections.abc import Callable, Iterator
from typing import Final, cast

import msgspec

from streamrec import codecs
from streamrec.codecs import Message
from streamrec.events import Event, JobPosting, MemberProfile
from streamrec.simulator import World
from streamrec.topics import topic_of
from streamrec.training.replay import Due, Replay
from streamrec.training.rows import BadRow

_SHOWN: Final = 3  # bad rows that are shown; the others are counted


def clock_ms() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def made_up(seed: int, members: int, jobs: int, clock_ms: Callable[[], int] = clock_ms) -> Iterator[Due]:
    """Postings and profiles of a made-up job site, then what happens there, without end.

    Examples
    --------
    >>> records = made_up(seed=1, members=50, jobs=40, clock_ms=lambda: 1_750_000_000_000)
    >>> [next(records).topic for _ in range(91)][::45]
    ['job-postings', 'member-profiles', 'job-views']
    """
    world = World(seed=seed, members=members, jobs=jobs, now_ms=clock_ms())
    for posting in world.postings():
        yield _due(posting, clock_ms())
    for profile in world.profiles():
        yield _due(profile, clock_ms())
    while True:
        now = clock_ms()
        yield _due(world.next_event(now), now)


def _due(record: Event | JobPosting | MemberProfile, at: int) -> Due:
    kind = type(record).__name__
    return Due(at, topic_of(kind).name, getattr(record, codecs.key_field(kind) or ""), cast(Message, record))


def replayed(replay: Replay, say: Callable[[str], None], clock_ms: Callable[[], int] = clock_ms) -> Iterator[Due]:
    """The records of a log, its events stamped with the time at which they are sent, as if they happened now.

    Bad rows are told to `say`, the first few in full.
    """
    bad = 0
    for item in replay:
        if isinstance(item, BadRow):
            bad += 1
            if bad <= _SHOWN:
                say(str(item))
            continue
        yield Due(item.at, item.topic, item.key, _now(item.event, clock_ms()))
    if bad > _SHOWN:
        say(f"{bad} rows could not be read, of which the first {_SHOWN} were shown")


def _now(record: Message, now: int) -> Message:
    return msgspec.structs.replace(record, occurred_at=now) if isinstance(record, Event) else record
