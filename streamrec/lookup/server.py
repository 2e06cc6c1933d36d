"""Runs the lookup service: one process, or several that share a port; and stops it without failing a request.

At SIGTERM it says that it is not ready, and goes on answering for `lookup_drain_s`, each answer the last one of its
connection; so whoever balances load over several lookups takes it out in time. Then nothing listens any more, open requests
are answered, what was shown is sent, and the exit code is 0. A second SIGTERM cuts the first phase short. SIGINT has none:
nobody's load balancer waits for a Ctrl-C; a second one ends it at once.
"""

import asyncio
import contextlib
import math
import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from streamrec import tracing
from streamrec.ranking.default import default_workflow
from streamrec.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from streamrec.lookup.service import Service

METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_SETTINGS_VARIABLE: Final = "STREAMREC_LOOKUP_PROCESS"
_KEEP_ALIVE_S: Final = 75  # longer than load balancers keep an idle connection: the one that reuses it should end it
_CHECK_S: Final = 0.1

# prometheus_client decides when it is first imported whether it keeps its values in files that all processes share. So
# nothing that imports it may be imported at the top of this module, which runs before the variable is set.


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, and then until the open requests are answered, for at most `drain_timeout_s`.

    With ``lookup_workers`` above 1 there is a process for each, and this one watches over them: one that dies is
    replaced.

    Raises
    ------
    SystemExit
        It cannot listen at `lookup_host` and `lookup_port`, or cannot start; with code 0 after SIGTERM.
    SettingsError
        There is no such workflow as the setting names; or events are to be written by a schema registry, and its settings do
        not work.
    """
    default_workflow(settings)
    if settings.framing == "confluent":
        from streamrec.kafka.registry import Registry  # noqa: PLC0415 - only where it is used

        Registry(settings)  # once, to say what is wrong with the settings here rather than in each process
    tracing.check(settings)
    os.environ[_SETTINGS_VARIABLE] = msgspec.json.encode(settings).decode()
    directory = _metrics_directory(settings) if settings.lookup_workers > 1 else None
    if directory is not None:
        os.environ[METRICS_VARIABLE] = str(directory)
    before = signal.signal(
        signal.SIGTERM, _stopped
    )  # uvicorn puts its own above, and raises the signal again at its end
    try:
        config = uvicorn.Config(
            "streamrec.lookup.server:create",
            factory=True,
            host=settings.lookup_host,
            port=settings.lookup_port,
            workers=settings.lookup_workers,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            interface="asgi3",
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),
        )
        with contextlib.suppress(KeyboardInterrupt):
            if settings.lookup_workers > 1:
                _Processes(config, [config.bind_socket()]).run()
            else:
                uvicorn.Server(config).run()
    finally:
        signal.signal(signal.SIGTERM, before)
        del os.environ[_SETTINGS_VARIABLE]
        if directory is not None:
            os.environ.pop(METRICS_VARIABLE, None)
            shutil.rmtree(directory, ignore_errors=True)


def _stopped(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - signal's signature
    raise SystemExit(0)


class _Processes(Multiprocess):
    """Uvicorn's watch over several processes, with another end."""

    def terminate_all(self) -> None:
        """Tell all to stop. The port is theirs alone now: what came to ours after they close it would wait in vain."""
        super().terminate_all()
        for socket in self.sockets:
            socket.close()

    def join_all(self) -> None:
        """Wait until all have ended; a second signal to this process reaches them too."""
        self.signal_queue.clear()
        while living := [process for process in self.processes if process.exitcode is None]:
            for process in living:
                process.process.join(_CHECK_S / len(living))
            for number in self.signal_queue:
                for process in living:
                    if process.pid is not None and number in (signal.SIGINT, signal.SIGTERM):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(process.pid, number)
            self.signal_queue.clear()


def create() -> "ASGIApp":
    """The application of one process; uvicorn calls it in each."""
    from streamrec.lookup.app import create_app  # noqa: PLC0415 - see above
    from streamrec.lookup.health import forget_dead_processes  # noqa: PLC0415
    from streamrec.lookup.publishing import Publisher  # noqa: PLC0415
    from streamrec.lookup.service import Service, wall_clock_ms  # noqa: PLC0415
    from streamrec.stores.connect import open_store  # noqa: PLC0415
    from streamrec.stores.keys import Keys  # noqa: PLC0415

    settings = msgspec.json.decode(os.environ[_SETTINGS_VARIABLE], type=Settings)
    tracing.start("lookup", settings)
    forget_dead_processes()
    _end_with_parent()
    store = open_store(settings, Keys(settings.namespace, settings.partitions))
    service = Service(settings, store, Publisher(settings), wall_clock_ms)
    _drain_first(service)
    _tidying.append(asyncio.get_running_loop().create_task(_tidy(service)))
    return create_app(service)


_tidying: Final[list["asyncio.Task[None]"]] = []  # of this process; a task that nobody holds may be dropped


async def _tidy(service: "Service") -> None:
    """Set the table of jobs aside from garbage collection once it is there: a walk over it would stop every request."""
    from streamrec import garbage  # noqa: PLC0415

    garbage.settle()
    while not service.serving.loaded:  # noqa: ASYNC110 - once in a process
        await asyncio.sleep(_CHECK_S)
    garbage.settle()


def _drain_first(service: "Service") -> None:
    """Put `lookup_drain_s` between the first SIGTERM and what uvicorn does at it."""
    loop, stop = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    assert callable(stop)  # noqa: S101 - uvicorn's own

    def drain(number: int, frame: FrameType | None) -> None:
        wait_s = 0.0 if service.stopping else service.settings.lookup_drain_s
        service.stopping = True
        if wait_s:
            loop.call_soon_threadsafe(loop.call_later, wait_s, stop, number, None)
        else:
            stop(number, frame)

    signal.signal(signal.SIGTERM, drain)


def _end_with_parent() -> None:
    """Stop this process, orderly, when the one that watches over it is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(parent.sentinel, gone)


def _metrics_directory(settings: Settings) -> Path:
    """A fresh directory for the values that the processes share; those of services that were killed are removed."""
    above = Path(settings.data_dir) / "lookup-metrics"
    try:
        above.mkdir(parents=True, exist_ok=True)
        for old in above.iterdir():
            if old.name.isdecimal() and not _lives(int(old.name)):
                shutil.rmtree(old, ignore_errors=True)
        directory = above.resolve() / str(os.getpid())
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
    except OSError:  # a read-only installation
        return Path(tempfile.mkdtemp(prefix="streamrec-metrics-"))
    return directory


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
