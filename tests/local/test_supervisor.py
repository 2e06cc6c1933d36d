"""Processes are started, restarted and stopped in order, and none outlives the supervisor."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streamrec.local.supervisor import FINAL_EXITS, Supervisor

SLEEPER = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]  # fmt: skip
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(said.append, tmp_path) as supervisor:
        yield supervisor


def text_in(path: Path, text: str) -> Callable[[], bool]:
    return lambda: path.exists() and text in path.read_text()


def test_a_child_writes_to_a_log_of_its_own_and_gets_the_environment(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(
        "worker", [sys.executable, "-c", "import os; print(os.environ['GREETING'])"], {"GREETING": "good day"}
    )
    wait_for(text_in(tmp_path / "worker.log", "good day"), "the line in the log")


def test_without_log_files_lines_carry_the_name_of_their_process(said: list[str]) -> None:
    with Supervisor(said.append, None) as supervisor:
        supervisor.start("worker", SLEEPER)
        supervisor.start("trainer", SLEEPER)
        wait_for(lambda: {"worker  | hello", "trainer | hello"} <= set(said), "both lines")


def test_a_crashed_child_is_started_again_and_it_is_said(supervisor: Supervisor, said: list[str]) -> None:
    child = supervisor.start("worker", SLEEPER)
    other = supervisor.start("trainer", SLEEPER)
    first, unharmed = child.pid, other.pid
    psutil.Process(first).kill()
    wait_for(lambda: supervisor.check() or child.restarts == 1, "the restart")  # type: ignore[func-returns-value]
    assert child.running
    assert child.pid != first
    assert other.pid == unharmed
    assert len(said) == 1
    assert said[0].startswith("worker was killed by SIGKILL: starting it again in 0.5 s (see ")


@pytest.mark.slow
def test_the_pause_before_a_restart_doubles(supervisor: Supervisor, said: list[str]) -> None:
    child = supervisor.start("worker", [sys.executable, "-c", "raise SystemExit(4)"])
    wait_for(lambda: supervisor.check() or child.restarts == 2, "two restarts", 20)  # type: ignore[func-returns-value]
    wait_for(lambda: supervisor.check() or len(said) == 3, "the third end")  # type: ignore[func-returns-value]
    assert ["0.5 s" in said[0], "1 s" in said[1], "2 s" in said[2]] == [True] * 3
    assert "ended with exit code 4" in said[0]


@pytest.mark.parametrize("code", FINAL_EXITS)
def test_a_child_that_no_restart_can_mend_is_not_started_again(
    supervisor: Supervisor, said: list[str], code: int
) -> None:
    child = supervisor.start("worker", [sys.executable, "-c", f"raise SystemExit({code})"])
    wait_for(lambda: supervisor.check() or child.gave_up, "giving up")  # type: ignore[func-returns-value]
    supervisor.check()
    assert child.restarts == 0
    assert "refused to start" in said[0]


def test_children_stop_in_the_reverse_order_of_their_start(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        f"    open({str(order)!r}, 'a').write(sys.argv[1] + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    for name in ("trainer", "worker", "lookup"):
        supervisor.start(name, [sys.executable, "-c", script, name])
        wait_for(text_in(tmp_path / f"{name}.log", "ready"), name)
    supervisor.stop()
    assert order.read_text().split() == ["lookup", "worker", "trainer"]
    assert supervisor.children == []


def test_a_child_that_ignores_the_request_is_killed_after_the_deadline(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    pid = supervisor.start("worker", STUBBORN).pid
    wait_for(text_in(tmp_path / "worker.log", "deaf"), "the child to be deaf")
    supervisor.stop(patience_s=0.2)
    assert gone(pid)
    assert said[0].startswith("worker did not stop within 0.2 s: killed")


def test_what_a_child_has_started_goes_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start("lookup", [sys.executable, "-c", PARENT])
    log = tmp_path / "lookup.log"
    wait_for(text_in(log, "child"), "the grandchild")
    grandchild = int(log.read_text().split()[1])
    supervisor.stop()
    wait_for(lambda: gone(grandchild), "the grandchild's end")


SUPERVISING = """
import sys
from pathlib import Path
from streamrec.local.signals import StopSignals
from streamrec.local.supervisor import FINAL_EXITS, Supervisor
sleeper, stubborn = eval(sys.argv[2])
supervisor = Supervisor(lambda line: print(line, flush=True), Path(sys.argv[1]))
with StopSignals(supervisor.kill) as stop, supervisor:
    pids = [supervisor.start("worker", sleeper).pid, supervisor.start("lookup", sleeper).pid]
    if stubborn:
        pids.append(supervisor.start("deaf", stubborn).pid)
        while "deaf" not in Path(sys.argv[1], "deaf.log").read_text():
            pass
    print(*pids, flush=True)
    while not stop.wait(0.2):
        supervisor.check()
    print("stopping", flush=True)
"""


Supervising = Callable[[bool], tuple[subprocess.Popen[str], list[int]]]


@pytest.fixture
def supervising(tmp_path: Path) -> Iterator[Supervising]:
    """Starts a process that supervises two children, or a deaf third one; it and the children are gone afterwards."""
    started: list[tuple[subprocess.Popen[str], list[int]]] = []

    def start(stubborn: bool) -> tuple[subprocess.Popen[str], list[int]]:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISING, str(tmp_path), repr((SLEEPER, STUBBORN if stubborn else None))],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        started.append((process, [int(pid) for pid in process.stdout.readline().split()]))
        return started[-1]

    yield start
    for process, pids in started:
        process.kill()
        process.communicate()
        for pid in pids:
            if not gone(pid):
                psutil.Process(pid).kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_is_left_behind_whatever_ends_the_supervisor(
    supervising: Supervising, number: signal.Signals
) -> None:
    process, pids = supervising(False)
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    process.send_signal(number)
    code = process.wait(10)
    assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
    wait_for(lambda: all(gone(pid) for pid in pids), "the children's end")


def test_a_second_interrupt_kills_a_child_that_takes_its_time(supervising: Supervising) -> None:
    process, pids = supervising(True)
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 128 + signal.SIGINT
    wait_for(lambda: all(gone(pid) for pid in pids), "the children's end")
