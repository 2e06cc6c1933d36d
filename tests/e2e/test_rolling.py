"""A rolling restart under load: no request fails, no event counts twice or not at all, and none is late by more than stated."""

import itertools
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from streamrec import codecs
from streamrec.events import JobView
from streamrec.kafka.producer import Producer, Record
from streamrec.local.ports import free_port
from streamrec.stores.positions import Position, unpack

from .conftest import Process, System
from .judging import JOBS, POSTINGS, START, Log, differences

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.alone]

LATEST_S = 10.0  # README, "For operators". Typical: 3 s, of which the embedded broker's join takes 2 s.
EVENTS_A_SECOND = 100
DRAIN_S = 2.0
CHECK_S = 0.2  # between two looks of the load balancer: well below DRAIN_S


class Loop:
    """Calls `step` every so often in a thread of its own, until left; what it raises is raised again then."""

    def __init__(self, step: Callable[[], None], every_s: float) -> None:
        self._step, self._every_s = step, every_s
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                self._step()
                due = max(due + self._every_s, time.monotonic() - 1.0)
                self._stop.wait(due - time.monotonic())
        except Exception as error:  # noqa: BLE001 - raised again in the test
            self._error = error

    def __enter__(self) -> "Loop":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error


class Events:
    """A producer at a steady rate, and how long each event takes until the state holds it."""

    def __init__(self, system: System, log: Log) -> None:
        self._log, self._keys = log, system.keys
        self._producer = Producer(system.settings)
        self._redis = redis.Redis.from_url(system.settings.redis)
        self._underway: dict[tuple[str, int], deque[tuple[int, float]]] = {}
        self.latest_s, self.arrived = 0.0, 0
        self.partitions = system.settings.partitions

    def produce(self) -> None:
        """A twentieth of a second's worth of events."""
        for topic, event in self._log.more(EVENTS_A_SECOND // 20):
            at = time.monotonic()

            def report(error: Any, message: Any, at: float = at) -> None:
                assert error is None, error
                place = (message.topic(), message.partition())
                self._underway.setdefault(place, deque()).append((message.offset(), at))

            record = Record(topic=topic, key=event.member_id.encode(), value=codecs.encode(event))
            assert self._producer.offer(record, report)

    def watch(self) -> None:
        """Look once at what the state holds."""
        for number in range(self.partitions):
            stored: Any = self._redis.hgetall(self._keys.positions(f"m{number}"))
            for topic, value in stored.items():
                place, position = (topic.decode(), number), unpack(Position, value)
                underway = self._underway.get(place, deque())
                while underway and underway[0][0] < position.next_offset:
                    self.latest_s = max(self.latest_s, time.monotonic() - underway.popleft()[1])
                    self.arrived += 1

    def caught_up(self, since: float) -> bool:
        """Whether the state holds all that was produced up to a third of a second after `since`."""
        since += 0.3
        heads = [underway[0][1] for underway in list(self._underway.values()) if underway]
        return time.monotonic() > since and all(at > since for at in heads)

    def close(self) -> None:
        self._producer.flush(20)
        self._producer.close()


class Client:
    """An application behind a load balancer: it asks those lookups that say they are ready, and asks once."""

    def __init__(self, urls: list[str], log: Log) -> None:
        self._log, self._numbers = log, itertools.count()
        self._urls, self._ready = urls, dict.fromkeys(urls, False)
        self._checks = {url: httpx.Client(base_url=url, timeout=5) for url in urls}
        self._clients = {url: httpx.Client(base_url=url, timeout=10) for url in urls}
        self.failed: list[str] = []
        self.served = dict.fromkeys(urls, 0)
        self.waited = 0  # requests with `after=` whose event the answer saw

    def check(self) -> None:
        """What the load balancer does every CHECK_S."""
        for url, client in self._checks.items():
            try:
                self._ready[url] = client.get("/health/ready").status_code == 200
            except httpx.TransportError:
                self._ready[url] = False

    def ask(self) -> None:
        """One request; every tenth one is an event, and a request that waits for it."""
        number = next(self._numbers)
        ready = [url for url in self._urls if self._ready[url]]
        url = ready[number % len(ready)]  # with none ready the test has failed
        member = f"asker-{number % 7}"
        try:
            params: dict[str, str] = {}
            if number % 10 == 0:
                params["after"] = self._send(self._clients[url], number, f"http-{number}")
                member = f"http-{number}"
            answer = self._clients[url].get(f"/v1/members/{member}/recommendations", params=params)
            if answer.status_code != 200:
                self.failed.append(answer.text)
            self.served[url] += 1
            self.waited += bool(params) and answer.json()["freshness"]["after"] == "reached"
        except (httpx.HTTPError, KeyError) as error:
            self.failed.append(f"{url}: {error!r}")

    def wait_for_both(self, system: System) -> None:
        """Wait until both lookups have been asked, a few times."""
        before = dict(self.served)
        system.wait(lambda: all(self.served[url] >= before[url] + 5 for url in self._urls), "both lookups to be asked")

    def _send(self, client: httpx.Client, number: int, member: str) -> str:
        event = JobView(event_id=member, member_id=member, job_id=JOBS[number % len(JOBS)], occurred_at=START)
        body = {
            "type": "JobView",
            "event_id": member,
            "member_id": member,
            "job_id": event.job_id,
            "occurred_at": START,
        }
        token = str(client.post("/v1/events", json=body).raise_for_status().json()["results"][0]["token"])
        self._log.events.append(("job-views", event))
        return token

    def close(self) -> None:
        for client in [*self._checks.values(), *self._clients.values()]:
            client.close()


class Member:
    """A process of which there are two, and how to start and replace it."""

    def __init__(self, system: System, name: str, variable: str) -> None:
        self._system, self.name, self._variable = system, name, variable
        self.port = free_port()
        self.stop_s: list[float] = []  # from SIGTERM to the end
        self.over_s: list[float] = []  # … until the others had caught up
        self.up_s: list[float] = []  # from the start until all had caught up
        self.process = self._start()

    def _start(self) -> Process:
        return self._system.start(self.name, **{self._variable: str(self.port)})

    def ready(self) -> bool:
        """A lookup says so itself; a worker has positions once it has taken partitions over."""
        path, sign = ("/health/ready", "") if self.name == "lookup" else ("/metrics", "streamrec_position_offset{")
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and sign in answer.text

    def wait(self) -> None:
        self._system.wait(self.ready, f"the {self.name} to be ready", 30)

    def replace(self, settled: Callable[[float], bool]) -> None:
        """As an operator does it: SIGTERM, the end, the others go on; a new one, until that is ready and has caught up."""
        began = time.monotonic()
        self.process.signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        self.stop_s.append(time.monotonic() - began)
        self._wait_until(settled)
        self.over_s.append(time.monotonic() - began)
        began = time.monotonic()
        self.process = self._start()
        self.wait()
        self._wait_until(settled)
        self.up_s.append(time.monotonic() - began)

    def _wait_until(self, settled: Callable[[float], bool]) -> None:
        now = time.monotonic()
        self._system.wait(lambda: settled(now), "the others to go on", 30)


def test_a_rolling_restart_fails_no_request_and_delays_no_event_for_long(
    make_system: Callable[..., System],
) -> None:
    system, log = make_system(lookup_drain_s=DRAIN_S, session_timeout_s=3.0), Log(5)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    trainer = system.start("trainer")
    workers = [Member(system, "worker", "STREAMREC_WORKER_METRICS_PORT") for _ in range(2)]
    lookups = [Member(system, "lookup", "STREAMREC_LOOKUP_PORT") for _ in range(2)]
    for member in [*workers, *lookups]:
        member.wait()
    client = Client([f"http://127.0.0.1:{lookup.port}" for lookup in lookups], log)
    client.check()
    events = Events(system, log)
    with Loop(events.watch, 0.02), Loop(client.check, CHECK_S), Loop(events.produce, 0.05), Loop(client.ask, 0.04):
        system.wait(lambda: events.arrived > EVENTS_A_SECOND, "the load to run", 20)
        for worker in workers:
            worker.replace(events.caught_up)
        trainer.signal(signal.SIGTERM)
        assert trainer.wait(20) == 0
        system.start("trainer")
        for lookup in lookups:
            lookup.replace(lambda _: True)
            client.wait_for_both(system)
    for lookup in lookups:
        lookup.process.signal(signal.SIGKILL)  # nobody asks any more: the end of the test waits for no drain
    events.close()
    system.settle()
    events.watch()
    figures: dict[str, object] = {
        "latest_s": round(events.latest_s, 2), "arrived": events.arrived, "served": client.served,
        "waited": client.waited, "failed": len(client.failed),
    }  # fmt: skip
    for member in [*workers, *lookups]:
        seconds = (round(each[0], 2) for each in (member.stop_s, member.over_s, member.up_s))
        figures[f"{member.name} on {member.port}"] = "stopped in {} s, over after {} s, up after {} s".format(*seconds)
    print(figures)  # with -s: what was measured
    client.close()
    assert client.failed == []
    assert client.waited > 0
    assert differences(system, log) == []
    assert events.latest_s < LATEST_S, figures
