"""The open loop: limits, pace, a steady rate, and ending when told to."""

from collections.abc import Iterable

import pytest

from streamrec.events import Event
from streamrec.simulator import World
from streamrec.simulator.outlets import Outlet
from streamrec.simulator.scribe import Record
from streamrec.simulator.simulation import Limits, Run, Summary, simulate

NOW = 1_736_121_600_000
DAY_MS = 86_400_000


class Kept(Outlet):
    """Keeps what is sent, with the time by a clock that only waiting moves."""

    def __init__(self, stop_after: float = float("inf")) -> None:
        self.now, self.stop_after = 0.0, stop_after
        self.records: list[tuple[float, Record]] = []
        self.flushed = 0

    def send(self, records: Iterable[Record]) -> None:
        self.records += [(self.now, record) for record in records]

    def flush(self) -> None:
        self.flushed = len(self.records)

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now > self.stop_after

    def run(self, world: World, limits: Limits, **pace: float) -> Summary:
        run = Run(world, self, limits, self.wait, lambda *_: None, clock=lambda: self.now)
        return simulate(run, **pace)

    def events(self) -> list[tuple[float, Event]]:
        return [(at, record) for at, record in self.records if isinstance(record, Event) and record.occurred_at >= NOW]


def small(**more: bool) -> World:
    return World(3, members=200, jobs=100, now_ms=NOW, **more)  # type: ignore[arg-type]


def test_it_begins_with_all_there_was_and_ends_after_so_many_events() -> None:
    kept = Kept()
    summary = kept.run(small(), Limits(events=500))
    world = small()
    beginning = [*world.postings(), *world.profiles(), *world.connections()]
    assert [record for _, record in kept.records[: len(beginning)]] == beginning
    assert summary.before.total() == len(beginning)
    assert summary.events == len(kept.events()) == 500
    assert summary.sent.total() == len(kept.records) - len(beginning)
    assert kept.flushed == len(kept.records)
    assert summary.stopped is None


def test_it_ends_after_so_much_time() -> None:
    kept = Kept()
    summary = kept.run(small(), Limits(duration_ms=DAY_MS))
    expected = [happening.record for happening in small().advance(NOW + DAY_MS)]
    assert [record for _, record in kept.records[summary.before.total() :]] == expected
    assert (summary.last_at or 0) < NOW + DAY_MS


def test_at_a_speed_records_are_sent_when_they_are_due() -> None:
    kept = Kept()
    kept.run(small(), Limits(duration_ms=DAY_MS), speed=3600.0)
    for at, event in kept.events():
        assert at == pytest.approx((event.occurred_at - NOW) / 3_600_000, abs=0.03)


def test_at_a_rate_so_many_events_come_a_second_and_show_the_present() -> None:
    kept = Kept()
    world = World(3, members=600, jobs=400, now_ms=NOW, seasonal=False)
    summary = kept.run(world, Limits(duration_ms=120_000), rate=50.0)
    assert summary.events == pytest.approx(120 * 50, rel=0.15)
    for at, event in kept.events():
        assert event.occurred_at == pytest.approx(NOW + at * 1000, abs=50)
    late = [event for at, event in kept.events() if at > 60]
    assert len(late) == pytest.approx(60 * 50, rel=0.1)


def test_it_ends_when_told_to_and_flushes_what_was_sent() -> None:
    kept = Kept(stop_after=10)
    summary = kept.run(small(), Limits(), speed=3600.0)
    assert summary.stopped == "interrupted"
    assert kept.events()[-1][0] <= 10
    assert kept.flushed == len(kept.records)


def test_it_can_be_ended_while_the_beginning_is_sent() -> None:
    summary = Kept(stop_after=-1).run(small(), Limits(events=5))
    assert (summary.stopped, summary.events) == ("interrupted", 0)
