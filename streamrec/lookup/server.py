"""Runs the lookup service: one process, or several that share a port."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from streamrec.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_SETTINGS_VARIABLE: Final = "STREAMREC_LOOKUP_PROCESS"
_GRACE_S: Final = 10  # for open requests when the service is stopped

# prometheus_client decides when it is first imported whether it keeps its values in files that all processes share. So
# nothing that imports it may be imported at the top of this module, which runs before the variable is set.


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, and then until the open requests are answered, for at most ten seconds.

    With ``lookup_workers`` above 1 there is a process for each, and this one watches over them: one that dies is
    replaced.

    Raises
    ------
    SystemExit
        It cannot listen at `lookup_host` and `lookup_port`, or cannot start.
    SettingsError
        Events are to be written by a schema registry, and its settings do not work.
    """
    if settings.framing == "confluent":
        from streamrec.kafka.registry import Registry  # noqa: PLC0415 - only where it is used

        Registry(settings)  # once, to say what is wrong with the settings here rather than in each process
    os.environ[_SETTINGS_VARIABLE] = msgspec.json.encode(settings).decode()
    directory = _metrics_directory(settings) if settings.lookup_workers > 1 else None
    if directory is not None:
        os.environ[METRICS_VARIABLE] = str(directory)
    try:
        uvicorn.run(
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
            timeout_graceful_shutdown=_GRACE_S,
        )
    finally:
        del os.environ[_SETTINGS_VARIABLE]
        if directory is not None:
            os.environ.pop(METRICS_VARIABLE, None)
            shutil.rmtree(directory, ignore_errors=True)


def create() -> "ASGIApp":
    """The application of one process; uvicorn calls it in each."""
    from streamrec.lookup.app import create_app  # noqa: PLC0415 - see above
    from streamrec.lookup.health import forget_dead_processes  # noqa: PLC0415
    from streamrec.lookup.publishing import Publisher  # noqa: PLC0415
    from streamrec.lookup.service import Service, wall_clock_ms  # noqa: PLC0415
    from streamrec.stores.keys import Keys  # noqa: PLC0415
    from streamrec.stores.redis import RedisStore  # noqa: PLC0415

    settings = msgspec.json.decode(os.environ[_SETTINGS_VARIABLE], type=Settings)
    forget_dead_processes()
    _end_with_parent()
    store = RedisStore(settings.redis, Keys(settings.namespace, settings.partitions))
    return create_app(Service(settings, store, Publisher(settings), wall_clock_ms))


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
