"""Apache Kafka that goes on when the command that started it has ended, and keeps its data: for people, see `cli.kafka`."""

import fcntl
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamrec.local.kafka import LASTING, Ports, install, node_directory, prepare, start_all
from streamrec.local.ports import is_free
from streamrec.local.servers import ServerError

_PATIENCE_S: Final = 20.0  # for an orderly end; nothing is lost without
_STEP_S: Final = 0.05


def numbers(directory: Path) -> list[int]:
    """Of the nodes that have been set up in `directory`."""
    return sorted(int(found.name[5:]) for found in directory.glob("node-*") if found.name[5:].isdigit())


def running(directory: Path) -> list[int]:
    """Of the nodes that run: those that hold the lock that Kafka takes on its data."""
    return [number for number in numbers(directory) if _is_locked(node_directory(directory, number) / "data" / ".lock")]


def addresses(directory: Path) -> str:
    """Bootstrap servers, comma separated, as the nodes are set up."""
    found = []
    for number in numbers(directory):
        said = (node_directory(directory, number) / "server.properties").read_text()
        found += re.findall(r"^advertised\.listeners=BROKER://(.+)$", said, re.MULTILINE)
    return ",".join(found)


def start(directory: Path, *, nodes: int, port: int, wipe: bool, say: Callable[[str], None]) -> None:
    """Start `nodes` nodes on `port` and those after it, two each; what they kept before is there again, unless `wipe`.

    Raises
    ------
    ServerError
        Java or Maven is missing, a port is taken, the data in `directory` is of another number of nodes, or runs already.
    """
    installed = install(directory, say)
    if running(directory):
        raise ServerError(f"Apache Kafka runs already at {addresses(directory)}; `streamrec kafka stop` stops it")
    before = numbers(directory)
    if wipe:
        _wipe(directory)
    elif before and len(before) != nodes:
        raise ServerError(
            f"{directory} has the data of {len(before)} node(s), not of {nodes}: start with --nodes {len(before)}, or with "
            "--wipe, which removes it"
        )
    ports = [Ports(first, first + 1) for first in range(port, port + 2 * nodes, 2)]
    if taken := [number for pair in ports for number in pair if not is_free(number)]:
        raise ServerError(
            f"port {taken[0]} is taken: stop what listens there (another Kafka?), or choose another with --port"
        )
    prepare(directory, installed, ports)
    for number, server in enumerate(start_all(directory, installed, ports, flags=LASTING, outlives=True), 1):
        (node_directory(directory, number) / "kafka.pid").write_text(f"{server.pid}\n")


def stop(directory: Path, *, wipe: bool) -> list[int]:
    """Stop the nodes that run, all at once, in order if they manage to; answers their numbers. `wipe` removes what they kept.

    Raises
    ------
    ServerError
        A node runs and its process id is not to be found.
    """
    stopped = running(directory)
    pids = {number: _pid(node_directory(directory, number)) for number in stopped}
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [pid for node, pid in pids.items() if node in running(directory)]
        for pid in left:
            os.kill(pid, number)
        deadline = time.monotonic() + _PATIENCE_S
        while running(directory) and time.monotonic() < deadline:
            time.sleep(_STEP_S)
    if wipe:
        _wipe(directory)
    return stopped


def _wipe(directory: Path) -> None:
    for number in numbers(directory):
        shutil.rmtree(node_directory(directory, number))


def _pid(own: Path) -> int:
    try:
        return int((own / "kafka.pid").read_text())
    except (OSError, ValueError) as error:
        raise ServerError(
            f"a Kafka runs on {own}/data that `streamrec kafka start` did not start: stop it yourself"
        ) from error


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
