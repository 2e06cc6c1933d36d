"""The service as it runs in production: a process of its own, with two workers."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import psutil
import pytest

from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.lookup.tokens import Token, encode
from streamrec.settings import Settings

pytestmark = pytest.mark.servers
_RUN = """
import sys, msgspec
from streamrec.lookup.server import run
from streamrec.settings import Settings
run(msgspec.json.decode(sys.argv[1], type=Settings))
"""


class Lookup:
    """A running lookup service."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.url = f"http://127.0.0.1:{settings.lookup_port}"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN, msgspec.json.encode(settings).decode()],
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        until(lambda: self.get("/health/live") is not None, 30, self.log)

    def get(self, path: str, **query: str) -> httpx.Response | None:
        """An answer over a connection of its own, None where nothing listens."""
        try:
            return httpx.get(self.url + path, params=query, timeout=30)
        except httpx.TransportError:
            return None

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        found = psutil.Process(self.process.pid).children()
        alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]

    def open_requests(self) -> int:
        """Connections of clients that the workers have accepted."""
        port = int(self.url.rpartition(":")[2])
        connections = [each for worker in self.workers() for each in worker.net_connections("tcp")]
        return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)

    def total(self, route: str) -> float:
        """Requests counted for a route, over all processes."""
        answer = self.get("/metrics")
        assert answer is not None
        found = re.search(rf'streamrec_lookup_requests_total{{route="{route}",status="200"}} (\S+)', answer.text)
        return float(found[1]) if found else 0.0

    def told(self, name: str) -> float:
        """A figure without labels."""
        answer = self.get("/metrics")
        assert answer is not None
        [found] = re.findall(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
        return float(found)


def until(holds: Callable[[], bool], patience_s: float, log: Path) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


Make = Callable[..., Lookup]


@pytest.fixture
def make(redis_server: Server, tmp_path: Path) -> Iterator[Make]:
    """Starts services; they are gone after the test."""
    started: list[Lookup] = []

    def start(**overrides: Any) -> Lookup:
        settings = Settings(
            redis=f"redis://{redis_server.address}/0", namespace=f"server-{uuid4().hex}",
            data_dir=str(tmp_path / "data"), lookup_port=free_port(), after_budget_ms=10_000, **overrides,
        )  # fmt: skip
        started.append(Lookup(settings, tmp_path / "lookup.log"))
        return started[-1]

    yield start
    for running in started:
        for process in psutil.Process(running.process.pid).children() if running.process.poll() is None else []:
            process.kill()
        running.process.kill()
        running.process.wait()


@pytest.fixture
def lookup(make: Make) -> Lookup:
    return make(lookup_workers=2)


def test_two_workers_answer_and_their_metrics_are_summed(lookup: Lookup, tmp_path: Path) -> None:
    until(lambda: len(lookup.workers()) == 2, 10, lookup.log)
    pids = {worker.pid for worker in lookup.workers()}

    def files() -> set[int]:
        paths = (tmp_path / "data" / "lookup-metrics" / str(lookup.process.pid)).glob("counter_*.db")
        return {int(path.stem.rpartition("_")[2]) for path in paths}

    until(lambda: files() == pids, 15, lookup.log)
    sent = 0

    def both_answered() -> bool:
        nonlocal sent
        batch = [threading.Thread(target=lookup.get, args=("/v1/popular",)) for _ in range(20)]
        for thread in batch:
            thread.start()
        for thread in batch:
            thread.join()
        sent += len(batch)
        cpu = [worker.cpu_times().user for worker in lookup.workers()]
        return sent >= 100 and all(cpu)

    until(both_answered, 30, lookup.log)
    assert {lookup.total("popular") for _ in range(10)} == {sent}  # whichever worker is asked
    answer = lookup.get("/metrics")
    assert answer is not None
    assert "streamrec_table_age_seconds" in answer.text
    assert "pid=" not in answer.text
    together = [psutil.Process(lookup.process.pid), *lookup.workers()]
    assert lookup.told("process_resident_memory_bytes") == pytest.approx(
        sum(each.memory_info().rss for each in together), rel=0.05
    )
    assert lookup.told("process_open_fds") == pytest.approx(sum(each.num_fds() for each in together), abs=12)
    assert lookup.told("process_max_fds") == sum(each.rlimit(psutil.RLIMIT_NOFILE)[0] for each in together)
    assert lookup.told("process_start_time_seconds") == pytest.approx(together[0].create_time(), abs=0.1)


def test_a_worker_that_dies_is_replaced_and_nothing_counted_is_lost(lookup: Lookup) -> None:
    until(lambda: len(lookup.workers()) == 2, 10, lookup.log)
    for _ in range(10):
        lookup.get("/v1/popular")
    before = lookup.workers()
    spent = lookup.told("process_cpu_seconds_total")
    assert spent > sum(each.cpu_times().user for each in before)
    before[0].kill()

    def replaced() -> bool:
        return len({worker.pid for worker in lookup.workers()} - {worker.pid for worker in before}) == 1

    until(replaced, 20, lookup.log)
    until(lambda: lookup.get("/health/live") is not None, 20, lookup.log)
    assert lookup.total("popular") == 10
    [fresh] = [worker for worker in lookup.workers() if worker.pid not in {each.pid for each in before}]
    taken = fresh.cpu_times().user
    # What the dead one took is not forgotten; each process tells of itself in its own time.
    until(lambda: lookup.told("process_cpu_seconds_total") > spent + taken / 2, 10, lookup.log)


def test_open_requests_are_answered_when_the_service_is_stopped(make: Make, tmp_path: Path) -> None:
    # With a drain, as in production: a connection that a busy machine accepted without reading its request yet would be
    # closed otherwise, and no client can tell.
    lookup = make(lookup_workers=2, lookup_drain_s=1.0)
    until(lambda: len(lookup.workers()) == 2, 10, lookup.log)
    answers: list[Any] = []

    def ask() -> None:
        token = encode(Token("t", "job-views", 0, 5))  # never comes: this waits for the whole budget of 10 s
        answers.append(lookup.get("/v1/members/m1/recommendations", after=token))

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    workers = lookup.workers()
    until(lambda: lookup.open_requests() == 8, 5, lookup.log)
    os.kill(lookup.process.pid, signal.SIGTERM)
    until(lambda: lookup.get("/health/live") is None, 8, lookup.log)  # refused while they wait: nobody waits in vain
    assert answers == []
    for thread in asking:
        thread.join()
    assert [answer and answer.status_code for answer in answers] == [200] * 8
    assert {answer.json()["freshness"]["after"] for answer in answers} == {"budget_exceeded"}
    assert lookup.process.wait(15) == 0, lookup.log.read_text()
    assert not [worker for worker in workers if worker.is_running()]
    assert list((tmp_path / "data" / "lookup-metrics").iterdir()) == []
    assert "Traceback" not in lookup.log.read_text()


def test_workers_do_not_outlive_a_service_that_is_killed(lookup: Lookup) -> None:
    until(lambda: len(lookup.workers()) == 2, 10, lookup.log)
    workers = lookup.workers()
    lookup.process.kill()
    lookup.process.wait()
    until(lambda: not [worker for worker in workers if worker.is_running()], 15, lookup.log)


def test_one_worker_runs_in_the_process_itself(make: Make) -> None:
    lookup = make()
    lookup.get("/v1/popular")
    assert lookup.total("popular") == 1
    assert lookup.workers() == []
    os.kill(lookup.process.pid, signal.SIGTERM)
    assert lookup.process.wait(15) == 0, lookup.log.read_text()
    assert "Traceback" not in lookup.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_that_is_stopped_is_not_ready_first_and_answers_until_the_drain_is_over(
    make: Make, workers: int
) -> None:
    lookup = make(lookup_workers=workers, lookup_drain_s=2.0)
    until(lambda: len(lookup.workers()) == (2 if workers == 2 else 0), 10, lookup.log)

    def said() -> tuple[int, list[str]]:
        answer = lookup.get("/health/ready")
        assert answer is not None, "it does not listen any more"
        return answer.status_code, [missing["what"] for missing in answer.json()["missing"]]

    assert said() == (200, ["no_model"])
    with httpx.Client(base_url=lookup.url) as client:

        def kept() -> httpx.Response:
            return client.get("/v1/popular").raise_for_status()

        assert kept().headers.get("connection") is None
        began = time.monotonic()
        os.kill(lookup.process.pid, signal.SIGTERM)
        until(lambda: said() == (503, ["no_model", "stopping"]), 2, lookup.log)
        until(lambda: kept().headers.get("connection") == "close", 1, lookup.log)  # over the connection from before
        until(lambda: httpx.get(lookup.url + "/nothing").headers.get("connection") == "close", 1, lookup.log)
    until(lambda: lookup.get("/health/live") is None, 5, lookup.log)
    assert time.monotonic() - began >= 2.0
    assert lookup.process.wait(15) == 0, lookup.log.read_text()
    assert "Traceback" not in lookup.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_cuts_the_drain_short(make: Make, workers: int) -> None:
    lookup = make(lookup_workers=workers, lookup_drain_s=60.0)

    def stopping() -> bool:
        answer = lookup.get("/health/ready")
        return answer is not None and answer.status_code == 503

    os.kill(lookup.process.pid, signal.SIGTERM)
    until(stopping, 5, lookup.log)
    os.kill(lookup.process.pid, signal.SIGTERM)
    assert lookup.process.wait(10) == 0, lookup.log.read_text()


def test_ctrl_c_does_not_wait_for_load_balancers(make: Make) -> None:
    lookup = make(lookup_drain_s=60.0)
    os.kill(lookup.process.pid, signal.SIGINT)
    assert lookup.process.wait(10) == 0, lookup.log.read_text()
    assert "Traceback" not in lookup.log.read_text()
