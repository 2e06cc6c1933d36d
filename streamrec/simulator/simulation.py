"""A world that goes on by itself, its records sent when they are due: the open loop."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from streamrec.simulator.outlets import Outlet
from streamrec.simulator.scribe import Happening, Record, is_deed
from streamrec.simulator.tempo import Tempo
from streamrec.simulator.world import World

_SLICE_S: Final = 0.02  # records are sent together that are due within so long
_CHUNK: Final = 2000  # or so many of them, at most, between two looks at whether to stop
_BEHIND_S: Final = 1.0  # a world that is so late does not hurry after the time, but shows a later one

Wait = Callable[[float], bool]  # sleeps for so many seconds, answers whether to stop
Clock = Callable[[], float]  # seconds, never going back


class Summary:
    """What a run did so far."""

    def __init__(self) -> None:
        self.before: Counter[str] = Counter()  # records of the beginning, by kind
        self.sent: Counter[str] = Counter()  # later ones
        self.events = 0  # what members did since the beginning
        self.first_at: int | None = None  # of the events, ms
        self.last_at: int | None = None
        self.setup_seconds = 0.0  # until the beginning was sent
        self.seconds = 0.0  # from then on
        self.stopped: str | None = None  # why it ended early

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "before": dict(self.before), "sent": dict(self.sent), "events": self.events, "first_at": self.first_at,
            "last_at": self.last_at, "setup_seconds": round(self.setup_seconds, 3), "seconds": round(self.seconds, 3),
            "events_per_second": round(self.rate, 1), "stopped": self.stopped,
        }  # fmt: skip


class Limits:
    """When to end: after so many events, or when records show so much later (ms) than at the beginning; None is never."""

    def __init__(self, events: int | None = None, duration_ms: int | None = None) -> None:
        self.events, self.duration_ms = events, duration_ms

    def share(self, events: int, ms: int) -> float | None:
        """How much of the way is gone, 0 to 1; None without an end."""
        shares = []
        if self.events is not None:
            shares.append(events / self.events)
        if self.duration_ms is not None:
            shares.append(ms / self.duration_ms)
        return min(1.0, max(shares)) if shares else None


Report = Callable[[Summary, float | None], None]


class Run:
    """What the open and the closed loop share: the beginning, and counting what is sent.

    Parameters
    ----------
    world, outlet
        Whose records go where.
    limits
        When to end.
    wait
        Asked for pauses.
    report
        Called often, with the summary and how far it is.
    clock
        Seconds.
    """

    def __init__(
        self, world: World, outlet: Outlet, limits: Limits, wait: Wait, report: Report, clock: Clock = time.monotonic
    ) -> None:  # fmt: skip
        self.world, self.outlet, self.limits = world, outlet, limits
        self.wait, self.report, self.clock = wait, report, clock
        self.summary = Summary()
        self.began_at = world.clock.shown(world.now)
        self._begun = self._created = clock()

    @property
    def age_s(self) -> float:
        """Seconds since it was made, and its world with it."""
        return self.clock() - self._created

    def begin(self) -> bool:
        """Send what there was before: jobs, members, connections; whether to go on."""
        world, summary = self.world, self.summary
        for records in (world.postings(), world.profiles(), world.connections()):
            for place in range(0, len(records), _CHUNK):
                chunk = records[place : place + _CHUNK]
                self.outlet.send(chunk)
                summary.before.update(type(record).__name__ for record in chunk)
                self.report(summary, None)
                if self.wait(0):
                    return self.interrupted()
        self.outlet.flush()
        self._begun = self.clock()
        summary.setup_seconds = self._begun - self._created
        return True

    def interrupted(self) -> bool:
        """Note that somebody wants it to stop."""
        self.summary.stopped = "interrupted"
        return False

    def send(self, happenings: list[Happening]) -> bool:
        """Send what happened; whether there may be more."""
        summary, limits = self.summary, self.limits
        records = list(self._within(happenings))
        self.outlet.send(records)
        summary.sent.update(type(record).__name__ for record in records)
        summary.seconds = self.clock() - self._begun
        reached = limits.events is not None and summary.events >= limits.events
        self.report(summary, limits.share(summary.events, (summary.last_at or self.began_at) - self.began_at))
        return not reached

    def _within(self, happenings: Iterable[Happening]) -> Iterator[Record]:
        summary, most = self.summary, math.inf if self.limits.events is None else self.limits.events
        for at, record in happenings:
            if is_deed(record):
                if summary.events >= most:
                    return
                summary.events += 1
                summary.first_at = at if summary.first_at is None else summary.first_at
                summary.last_at = at
            yield record

    def finish(self) -> Summary:
        """Wait until all is delivered."""
        self.outlet.flush()
        self.summary.seconds = self.clock() - self._begun
        return self.summary


def simulate(run: Run, *, rate: float | None = None, speed: float | None = None) -> Summary:
    """Let a world go on until its limits are reached or somebody wants it to stop.

    Parameters
    ----------
    run
        The world, and where its records go.
    rate
        Events a second; records show the present, and the world's time goes as fast as that needs.
    speed
        How many times as fast as ours the time goes that records show; None is as fast as can be.

    Raises
    ------
    OutletError, ProduceFailedError, OSError
        Records cannot be delivered.
    """
    world, limits = run.world, run.limits
    if not run.begin():
        return run.summary
    tempo = Tempo(world, rate) if rate is not None else None
    speed = 1.0 if tempo is not None else speed
    end = math.inf if limits.duration_ms is None else run.began_at + limits.duration_ms
    started = run.clock()
    going = True
    while going and world.clock.shown(world.now) < end:
        until = world.now + world.window_ms
        if not math.isinf(end):
            until = max(world.now + 1, min(until, world.clock.time(int(end))))
        happenings = world.advance(until)
        if tempo is not None:
            tempo.note(sum(is_deed(record) for _, record in happenings))
        for chunk in _chunks(happenings, math.inf if speed is None else speed * _SLICE_S * 1000):
            if speed is not None:
                late = run.clock() - started - (chunk[-1].at - run.began_at) / 1000 / speed
                if run.wait(max(0.0, -late)):
                    run.interrupted()
                    going = False
                    break
                if tempo is not None and late > _BEHIND_S:
                    world.clock.delay(int(late * 1000))
                    started += late
            if not (going := run.send(chunk)):
                break
            if speed is None and run.wait(0):
                going = run.interrupted()
                break
    return run.finish()


def _chunks(happenings: list[Happening], span_ms: float) -> Iterator[list[Happening]]:
    """Neighbours that are due within `span_ms`, `_CHUNK` at most."""
    begin = 0
    for place in range(1, len(happenings) + 1):
        last = place == len(happenings)
        if last or happenings[place].at - happenings[begin].at > span_ms or place - begin >= _CHUNK:
            yield happenings[begin:place]
            begin = place
