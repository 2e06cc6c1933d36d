"""The demo as a person runs it: everything comes up, events become lists, and no process stays behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamrec.local.prometheus import installed
from tests.brokers import DIRECTORY, ON_EMBEDDED

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.alone]

PROCESSES = 6 + installed()  # broker, Redis, worker, lookup, trainer, probe; and Prometheus, where there is one
FEWEST = 200  # events that must have been processed: the machine may be busy, but not that busy


class Run:
    """A demo that runs, with what it has printed so far in files."""

    def __init__(self, directory: Path, broker_kind: str, *options: str) -> None:
        if broker_kind == "kafka":  # its jars are there already
            (directory / "data").mkdir()
            (directory / "data" / "kafka").symlink_to(DIRECTORY)
        self._out, self._err = directory / "out", directory / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "streamrec", "demo", "--broker", broker_kind, *options],
                env={**os.environ, "STREAMREC_DATA_DIR": str(directory / "data")}, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def family(self) -> list[psutil.Process]:
        """Every process that it has started, and theirs."""
        family: list[psutil.Process] = psutil.Process(self.popen.pid).children(recursive=True)
        return family

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.popen.poll() is None, f"it ended before {what}: {self.out}{self.err}"
            assert time.monotonic() < deadline, f"{what} took too long: {self.out}{self.err}"
            time.sleep(0.05)


def none_left(family: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(family, timeout=10)
    return not alive


@pytest.fixture
def start(tmp_path: Path, broker_kind: str) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*options: str) -> Run:
        runs.append(Run(tmp_path, broker_kind, *options))
        return runs[-1]

    yield start
    for run in runs:
        if run.popen.poll() is None:
            run.popen.kill()
        run.popen.wait()


def mean(course: list[dict[str, Any]], name: str) -> float:
    """Of a figure over some steps, each by its lists."""
    lists = sum(step["lists"] for step in course)
    return float(sum((step[name] or 0.0) * step["lists"] for step in course) / lists)


@ON_EMBEDDED  # nothing in it depends on the broker
def test_a_demo_processes_events_and_its_lists_become_better_and_p_check_true(start: Callable[..., Run]) -> None:
    run = start("--duration", "40s", "--json")
    run.wait_for(lambda: len(run.family()) == PROCESSES, "broker, Redis, worker, lookup and, when events come, trainer")
    family = run.family()
    assert run.popen.wait(120) == 0, run.out + run.err
    figures = json.loads(run.out)
    assert figures["exit_code"] == 0
    assert figures["processed"] == figures["sent"] >= FEWEST
    assert figures["lag"] == 0
    assert figures["rejected"] == figures["duplicates"] == 0
    assert figures["answered"] >= figures["lists"] > 200
    assert figures["failed"] < 0.02 * figures["lists"]  # a busy machine may take its time over one
    assert figures["first_list_s"] < 15 or psutil.getloadavg()[0] > 2 * (psutil.cpu_count() or 1)
    assert figures["examples"] > 200
    assert figures["restarts"] == 0
    assert "first personal list" in run.err
    assert "http://127.0.0.1:" in run.err
    assert "\x1b" not in run.err  # plain lines, no colours, without a terminal
    assert none_left(family)

    # By the truth, so without luck: some 1.0 at first, 2.4 at the end, and 0.2 of popular jobs.
    course = [step for step in figures["course"] if step["lists"]]
    late = course[-len(course) // 3 :]
    assert mean(late, "worth") > 1.4 * figures["first_worth"], run.err
    assert mean(late, "worth") > 4 * mean(late, "popular_worth")
    assert mean(late, "hit_rate") > figures["first_hit_rate"]
    assert course[0]["mean_p_check"] is None  # no model yet
    assert figures["calibrated"]
    assert figures["calibration_error"] < 0.2  # some 0.05; 0.4 with a level that is fitted to sampled jobs
    assert 1 / 3 < mean(late, "mean_p_check") / mean(late, "check_rate") < 4  # 1.2 to 2.1; above 5 before it is fitted


@ON_EMBEDDED
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_stays_behind_whatever_ends_it(start: Callable[..., Run], number: signal.Signals) -> None:
    run = start()
    run.wait_for(lambda: "first personal list" in run.out and len(run.family()) == PROCESSES, "the first list")
    family = run.family()
    run.popen.send_signal(number)
    code = run.popen.wait(60)  # at worst each process takes its ten seconds
    assert code == (-number if number is signal.SIGKILL else 0), run.out + run.err
    assert none_left(family)
    if number is not signal.SIGKILL:
        assert "events " in run.out
        assert "hit rate " in run.out


def test_a_taken_port_gives_the_next_one_and_a_crashed_process_comes_back(start: Callable[..., Run]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = start("--port", str(port), "--duration", "12s", "--json")
        run.wait_for(lambda: "first personal list" in run.err and len(run.family()) == PROCESSES, "the first list")
        [chosen] = re.findall(rf"port {port} is taken: the API is on port (\d+)", run.err)
        assert port < int(chosen) < port + 100
        [trainer] = [process for process in run.family() if process.cmdline()[-1] == "trainer"]
        trainer.kill()
        assert run.popen.wait(90) == 0, run.out + run.err
    assert "trainer was killed by SIGKILL: starting it again in 0.5 s" in run.err
    figures = json.loads(run.out)
    assert figures["restarts"] == 1
    assert figures["processed"] == figures["sent"]


def test_a_log_is_fed_to_its_end(start: Callable[..., Run], tmp_path: Path) -> None:
    log, catalogue = tmp_path / "log.csv", tmp_path / "jobs.csv"
    rows = [f"{1_700_000_000 + number},u{number % 20},i{number * 7 % 50},view" for number in range(600)]
    log.write_text("\n".join(["ts,user_id,item_id,event", *rows, "never,u1,i1,view"]) + "\n")
    catalogue.write_text(
        "\n".join(["item_id,title,city", *(f"i{number},Nurse {number},Leeds" for number in range(50))])
    )
    run = start("--replay", str(log), "--catalogue", str(catalogue), "--json")
    run.wait_for(lambda: len(run.family()) == PROCESSES, "all processes")
    family = run.family()
    assert run.popen.wait(90) == 0, run.out + run.err
    figures = json.loads(run.out)
    assert (figures["sent"], figures["processed"], figures["fed"]) == (650, 650, True)
    assert "log.csv:602" in run.err
    assert none_left(family)
