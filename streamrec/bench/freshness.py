"""How soon an answer has changed: from the acknowledgement of an event to the list without the job that was just viewed."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from streamrec.bench.cores import machine
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.probes import Asker
from streamrec.bench.records import Site, encoded
from streamrec.bench.site import Bench, BrokenBenchError, Installation
from streamrec.bench.traffic import Traffic
from streamrec.events import JobView
from streamrec.kafka.client import client_config
from streamrec.kafka.producer import Producer

P50, P99, COUNT = "p50 ms", "p99 ms", "probes"
CONSUMED, REDIS, HTTP = (
    "floor: acknowledged, then at a bare consumer", "floor: one Redis round trip", "floor: one HTTP round trip",
)  # fmt: skip
_PAUSE_S: Final = 0.001  # between two looks
_GIVE_UP_S: Final = 15.0  # one change
_GAP_S: Final = 0.02  # between two probes


def freshness(
    bench: Bench, *, members: int, jobs: int, rates: Sequence[int], probes: int, seconds: float, turns: int
) -> Report:
    """Run the benchmark.

    Parameters
    ----------
    bench
        What to work with.
    members, jobs
        Of the made-up site.
    rates
        Events a second that go on meanwhile.
    probes, seconds
        Changes that are timed at each rate of each turn, in so many seconds at most.
    turns
        How often all is measured.
    """
    bench.tell(0.0, "making up a site")
    wanted = int(sum(rates) * seconds * 1.5)
    site = Site(members, jobs, wanted)
    before = site.beginning()
    found, checks = Turns(), []
    steps, step = turns * (1 + len(rates)), 0
    lags: dict[int, int] = {}
    for turn in range(turns):
        records = site.happenings(wanted, lambda share: bench.tell(0.05 + 0.0 * share, "making up what happens"))
        with bench.installation(explore=0.0) as system, contextlib.ExitStack() as stack:
            bench.tell(0.1 + 0.9 * step / steps, "building the state")
            for name in ("worker", "trainer", "lookup"):
                system.start(name, on=system.places.all)
            system.produce(before)
            system.settle()
            system.wait(system.ready, "the lookup to be ready")
            watched = _watched(system, site)
            prober = stack.enter_context(_Prober(system))
            bench.tell(0.1 + 0.9 * step / steps, "the floor of the parts")
            _floors(system, watched, found, probes)
            step += 1
            sent = 0
            for rate in rates:
                bench.tell(0.1 + 0.9 * step / steps, f"{rate:,} events/s", f"turn {turn + 1} of {turns}")
                step += 1
                part = records[sent : sent + int(rate * seconds * 1.5)]
                sent += len(part)
                took, reached, lag = _at(prober, part, rate, watched, probes, seconds)
                line = f"at {rate:,} events/s"
                _note(found, line, took)
                found.add(line, "events/s sent", reached)
                lags[rate] = max(lags.get(rate, 0), lag)
                system.settle(900.0)
                changed = prober.all_changed()
                checks.append(Check("every probe changed the answer, in the end", bool(took) and changed, line))
    return Report(
        "freshness",
        {
            **machine(), "broker": bench.broker, "members": members, "jobs": jobs, "turns": turns, "seconds_a_rate": seconds,
            **{f"lag_after_{rate}": lag for rate, lag in lags.items()},
        },
        found.lines(), merged(checks),
        (
            "worker, trainer, lookup, broker, Redis and this program share all cores; answers are looked at every few ms",
            f"the floors are of a machine at rest; a probe of {_GIVE_UP_S * 1000:,.0f} ms was given up on",
        ),
    )  # fmt: skip


def _watched(system: Installation, site: Site) -> list[str]:
    """Members with a list, to be probed in turn."""
    members = [profile.member_id for profile in site.world.profiles()[:50]]
    with Asker(system.settings.lookup_port) as asker:
        watched = [member for member in members if asker.top(member) is not None]
    if not watched:
        raise BrokenBenchError("no member has a list")
    return watched


def _at(
    prober: "_Prober", records: Sequence[Any], rate: int, watched: Sequence[str], probes: int, seconds: float
) -> tuple[list[float], float, int]:
    """What the probes took (ms), the rate that was reached, and the lag at the end."""
    took: list[float] = []
    system = prober.system
    with Traffic(system.settings, records, rate) as traffic:
        system.wait(lambda: traffic.sent > rate // 2, "traffic")
        deadline = time.monotonic() + seconds
        while len(took) < probes and time.monotonic() < deadline and not traffic.finished and not prober.late:
            took.append(prober.probe(watched[len(took) % len(watched)]))
            system.check()
            time.sleep(_GAP_S)
        lag = system.pending()
        reached = traffic.sent / traffic.seconds
    return took, reached, lag


class _Prober:
    """Sends one event, and asks until the answer shows it."""

    def __init__(self, system: Installation) -> None:
        self.system = system
        self.late: dict[str, str] = {}  # member -> job of probes that were given up on
        self._producer = Producer(system.settings, linger_ms=0.0)
        self._asker = Asker(system.settings.lookup_port)
        self._sent = 0

    def probe(self, member: str) -> float:
        """Milliseconds from the acknowledgement to the answer without the job; after so long it is given up, and `late`."""
        job = self._asker.top(member)
        if job is None:
            raise BrokenBenchError(f"the list of {member} is empty: more jobs are needed")
        acknowledged = self.send(member, job)
        while self._asker.top(member) == job:
            self.system.check()
            if time.perf_counter() - acknowledged > _GIVE_UP_S:
                self.late[member] = job
                break
            time.sleep(_PAUSE_S)
        return max(0.0, (time.perf_counter() - acknowledged) * 1000)

    def all_changed(self) -> bool:
        """Whether those that were given up on have come in the meantime."""
        late, self.late = self.late, {}
        return all(self._asker.top(member) != job for member, job in late.items())

    def send(self, member: str, job: str) -> float:
        """Produce a view; when it was acknowledged."""
        self._sent += 1
        view = JobView(
            event_id=f"probe-{time.time_ns()}", member_id=member, job_id=job, occurred_at=time.time_ns() // 1_000_000
        )
        when: list[float] = []
        there = threading.Event()

        def acknowledged(error: Any, _message: Any) -> None:
            if error is None:
                when.append(time.perf_counter())
            there.set()

        self._producer.offer(encoded(view), acknowledged)
        if not there.wait(10) or not when:
            raise BrokenBenchError("a probe was not acknowledged")
        return when[0]

    def __enter__(self) -> "_Prober":
        return self

    def __exit__(self, *_error: object) -> None:
        self._producer.close(0.0)
        self._asker.__exit__()


def _floors(system: Installation, watched: Sequence[str], found: Turns, probes: int) -> None:
    with _Prober(system) as prober, Asker(system.settings.lookup_port) as asker:
        _note(found, CONSUMED, _consumed(system, prober, watched, min(probes, 100)))
        _note(found, REDIS, [_timed(system.client.ping) for _ in range(500)])
        _note(found, HTTP, [_timed(lambda: asker.ask("/health/live")) for _ in range(500)])
    system.settle()


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _consumed(system: Installation, prober: _Prober, watched: Sequence[str], probes: int) -> list[float]:
    consumer = Consumer(client_config(system.settings, "bench") | {
        "group.id": "bench-floor", "enable.auto.commit": False, "fetch.wait.max.ms": system.settings.fetch_wait_ms,
    })  # fmt: skip
    partitions = range(system.settings.partitions)
    consumer.assign([TopicPartition("job-views", number, OFFSET_END) for number in partitions])
    arrived: list[float] = []
    ending = threading.Event()

    def read() -> None:
        while not ending.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                arrived.append(time.perf_counter())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    took = []
    try:
        system.wait(lambda: _reads(prober, watched[0], arrived), "the bare consumer", 20.0, pause_s=0.1)
        for number in range(probes):
            count = len(arrived)
            acknowledged = prober.send(watched[number % len(watched)], f"floor-{number}")
            while len(arrived) == count and time.perf_counter() - acknowledged < _GIVE_UP_S:
                time.sleep(0.0005)
            took.append(max(0.0, (arrived[-1] - acknowledged) * 1000))
    finally:
        ending.set()
        reader.join(5)
        consumer.close()
    return took


def _reads(prober: _Prober, member: str, arrived: list[float]) -> bool:
    """Whether the consumer has found its place: it starts at the end, wherever that is when it asks."""
    count = len(arrived)
    prober.send(member, "floor")
    time.sleep(0.2)
    return len(arrived) > count


def _note(found: Turns, line: str, took: list[float]) -> None:
    if took:
        took = sorted(took)
        found.add(line, P50, took[len(took) // 2])
        found.add(line, P99, took[min(len(took) - 1, int(0.99 * len(took)))])
        found.add(line, COUNT, len(took))
