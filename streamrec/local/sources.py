"""A real log as if it happened now."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from streamrec.codecs import Message
from streamrec.events import Event
from streamrec.training.replay import Due, Replay
from streamrec.training.rows import BadRow

_SHOWN: Final = 3  # bad rows that are shown; the others are counted


def clock_ms() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


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
