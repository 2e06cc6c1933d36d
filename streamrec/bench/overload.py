"""Twice as many events as the worker can take: what becomes of lag, lookups and lists, and how it recovers."""

import time
from collections.abc import Sequence
from typing import Final

from streamrec.bench import load
from streamrec.bench.beside import Beside
from streamrec.bench.cores import machine
from streamrec.bench.figures import Check, Report, Turns
from streamrec.bench.load import Load
from streamrec.bench.records import Site
from streamrec.bench.site import Bench, Installation
from streamrec.bench.traffic import Traffic
from streamrec.kafka.producer import Record
from streamrec.local import scrape

REST, OVER, AFTER = "before", "at twice the sustainable rate", "after it has recovered"
_CONNECTIONS: Final = 16
_SAMPLE_S: Final = 0.25


def overload(bench: Bench, *, members: int, jobs: int, backlog: int, seconds: float, lookups: float) -> Report:
    """Run the benchmark: find the rate at which a backlog is taken in, send twice that for `seconds`, and wait.

    `lookups` lists a second are asked for all the while, of members who act.
    """
    bench.tell(0.0, "making up a site")
    site = Site(members, jobs, 20 * backlog)
    before, first = site.beginning(), site.happenings(backlog)
    found, sent = Turns(), 0
    with bench.installation() as system:
        worker = system.start("worker")
        system.start("lookup", on=system.places.others)
        bench.tell(0.05, "building the state")
        sent += system.produce(before)
        system.settle()
        system.wait(system.ready, "the lookup to be ready")
        asked = list(
            dict.fromkeys(record.key.decode() for record in first if record.topic == "job-views" and record.key)
        )[:500]
        paths = [f"/v1/members/{member}/recommendations?limit=10&track=false" for member in asked]

        def ask(line: str, lasting_s: float) -> Load:
            said = load.run(
                "127.0.0.1", system.settings.lookup_port, paths, system.directory, connections=_CONNECTIONS, seconds=lasting_s,
                rate=lookups, by="own" if bench.short else None, on=system.places.others,
                wait=lambda done: system.wait(done, "the load to end", 300.0),
            )  # fmt: skip
            for unit, value in (("lists/s", said.rate), ("p50 ms", said.p50_ms), ("p99 ms", said.p99_ms)):
                found.add(line, unit, value)
            return said

        bench.tell(0.15, "finding the sustainable rate")
        rate = _sustainable(system, first)
        sent += len(first)
        bench.tell(0.3, REST)
        loads = [ask(REST, seconds / 2)]
        many = int(2 * rate * seconds)
        records = site.happenings(many, lambda share: bench.tell(0.4, "making up what happens", f"{share:.0%}"))
        bench.tell(0.6, OVER, f"{2 * rate:,.0f} events/s")
        base = system.metrics(system.settings.worker_metrics_port)
        with Traffic(system.settings, records, 2 * rate) as traffic, _Lag(system, traffic) as lag:
            loads.append(ask(OVER, seconds))
            system.wait(lambda: traffic.finished, "the traffic to end", 10 * seconds + 60)
            reached, ended = traffic.sent / traffic.seconds, time.perf_counter()
            bench.tell(0.8, "recovering", f"{lag.most:,} records behind")
            system.settle(900.0)
            recovery = time.perf_counter() - ended
        sent += len(records)
        bench.tell(0.9, AFTER)
        loads.append(ask(AFTER, seconds / 2))
        metrics = system.metrics(system.settings.worker_metrics_port)
        for unit, value in (
            ("events/s sent", reached), ("records behind at most", float(lag.most)), ("seconds to recover", recovery),
            ("lists shed", _more(metrics, base, "streamrec_lists_rerank_shed_total")),
            ("lists reranked", _more(metrics, base, "streamrec_lists_reranked_total")),
        ):  # fmt: skip
            found.add("the worker meanwhile", unit, value)
        checks = _checks(system, loads, sent, lag)
        system.stop(worker)
    return Report(
        "overload",
        {
            **machine(), "broker": bench.broker, "members": members, "jobs": jobs, "sustainable_rate": round(rate),
            "seconds": seconds, "lookups_a_second": lookups, "requests_by": "own" if bench.short else load.generator(),
        },
        found.lines(), checks,
        ("the worker on one core; lookup, broker, Redis and this program on the others",),
    )  # fmt: skip


def _sustainable(system: Installation, records: Sequence[Record]) -> float:
    """Events a second that the worker takes in when they wait, with all that is derived from them."""
    began = time.perf_counter()
    system.produce(records)
    system.settle()
    return len(records) / (time.perf_counter() - began)


def _more(now: scrape.Samples, then: scrape.Samples, *names: str) -> float:
    return sum(now.total(name) - then.total(name) for name in names)


def _checks(system: Installation, loads: Sequence[Load], sent: int, lag: "_Lag") -> tuple[Check, ...]:
    metrics = system.metrics(system.settings.worker_metrics_port)
    public = [name for name in system.consumed if not system.is_internal(name)]
    taken = sum(int(metrics.total("streamrec_events_processed_total", topic=name)) for name in public)
    ends = sum(high for name in public for _, high in system.admin.watermarks(name).values())
    letters = sum(high for _, high in system.admin.watermarks("dead-letters").values())
    failed = sum(each.failed for each in loads)
    return (
        Check(
            "nothing is lost, nothing counts twice",
            taken == sent == ends,
            f"{sent} sent, {ends} in Kafka, {taken} taken in",
        ),
        Check("no dead letters", letters == 0, f"{letters}"),
        Check("every list is answered", failed == 0, f"{failed} of {sum(each.requests for each in loads)} failed"),
        Check(
            "the worker was behind, and is not any more", lag.most > 0 and system.pending() == 0, f"{lag.most} at most"
        ),
    )


class _Lag(Beside):
    """Looks how far the worker is behind what has been sent, within ``with``."""

    def __init__(self, system: Installation, traffic: Traffic) -> None:
        super().__init__(self._run, patience_s=5)
        self._system, self._traffic = system, traffic
        self._topics = [name for name in system.consumed if not system.is_internal(name)]
        self._base = sum(system.positions(self._topics).values())
        self.most = 0

    def _run(self) -> None:
        while not self.over.wait(_SAMPLE_S):
            sent = self._traffic.sent
            done = sum(self._system.positions(self._topics).values()) - self._base
            self.most = max(self.most, sent - done)
