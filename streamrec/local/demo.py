"""The whole of streamrec on one machine for a while: servers, services, events, figures, and a summary."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from streamrec.kafka.admin import Admin
from streamrec.local import prometheus
from streamrec.local.brokers import StartBroker
from streamrec.local.feed import Feed
from streamrec.local.lists import Lists
from streamrec.local.observer import Observer
from streamrec.local.picture import Picture, summary
from streamrec.local.ports import free_port
from streamrec.local.screen import Screen
from streamrec.local.servers import Server, ServerError, start_redis
from streamrec.local.services import SERVICES, start_services
from streamrec.local.signals import StopSignals
from streamrec.local.supervisor import Supervisor
from streamrec.settings import Settings
from streamrec.topics import load

_TICK_S: Final = 0.25
_DRAIN_S: Final = 10.0  # at most, for what was sent to be processed before the summary


class Outcome(msgspec.Struct, frozen=True):
    """How it went: the exit code, the figures, and where the logs are."""

    code: int
    picture: Picture
    logs: str


def fresh_directory(data_dir: str) -> Path:
    """A directory for this run; those of runs that are over go away, so that only the last one's logs are kept.

    Examples
    --------
    >>> import tempfile
    >>> fresh_directory(tempfile.mkdtemp()).name == str(os.getpid())
    True
    """
    runs = Path(data_dir).absolute() / "demo"
    mine = runs / str(os.getpid())
    for old in runs.glob("*"):
        if old == mine or not _runs(old.name):
            shutil.rmtree(old, ignore_errors=True)
    (mine / "data").mkdir(parents=True)
    return mine


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError):
        return False
    return True


def with_free_ports(settings: Settings, directory: Path, port: int) -> Settings:
    """`settings` on loopback, with ports that are free: `port` or one after it for the API."""
    worker_port = free_port(settings.worker_metrics_port)
    trainer_port = free_port(max(settings.trainer_metrics_port, worker_port + 1))
    probe_port = free_port(max(settings.probe_metrics_port, trainer_port + 1))
    return msgspec.structs.replace(
        settings, data_dir=str(directory / "data"), lookup_host="127.0.0.1", lookup_port=free_port(port),
        metrics_host="127.0.0.1", worker_metrics_port=worker_port, trainer_metrics_port=trainer_port,
        probe_metrics_port=probe_port, probe_url=None,
    )  # fmt: skip


def links(settings: Settings) -> list[tuple[str, str]]:
    """Names and addresses of what can be opened in a browser."""
    base = f"http://{settings.lookup_host}:{settings.lookup_port}"
    return [("API", base), ("docs", f"{base}/docs"), ("metrics", f"{base}/metrics")]


class Demo:
    """One run.

    Parameters
    ----------
    settings
        Batch sizes, list size and the like. Kafka, Redis, ports and directories are the demo's own.
    make_feed
        Makes what the system is fed with once it is known where Kafka and the lookup are.
    duration_s
        How long to feed events; None: until a signal.
    port
        Where the API should be; the next free one if it is taken.
    make_screen
        Makes the screen once the addresses are known.
    stay
        Whether to go on showing when the feed has come to its end, until a signal.
    start_broker
        Starts the broker that it is to have.
    """

    def __init__(
        self, settings: Settings, make_feed: Callable[[Settings], Feed], *, duration_s: float | None, port: int,
        make_screen: Callable[[list[tuple[str, str]]], Screen], stay: bool, start_broker: StartBroker,
    ) -> None:  # fmt: skip
        self._started = time.monotonic()
        self._settings, self._make_feed, self._duration_s, self._port = settings, make_feed, duration_s, port
        self._make_screen, self._stay, self._start_broker = make_screen, stay, start_broker

    def run(self) -> Outcome:
        """Start everything, feed, show, stop everything.

        Raises
        ------
        ServerError
            The broker or Redis is missing or did not come up.
        OSError
            No port is free, or the directory cannot be written.
        """
        directory = fresh_directory(self._settings.data_dir)
        settings = with_free_ports(self._settings, directory, self._port)
        self._screen = self._make_screen(links(settings))
        self._announce(settings, directory)
        supervisor = Supervisor(self._screen.say, directory)
        with StopSignals(lambda: self._kill(supervisor)) as stop, supervisor:
            servers = [supervisor.adopt(start(directory)) for start in (self._start_broker, start_redis)]
            broker, redis = servers
            settings = msgspec.structs.replace(settings, kafka=broker.address, redis=f"redis://{redis.address}/0")
            Admin(settings).create(load())
            feed = self._make_feed(settings)
            self._watch_by_prometheus(supervisor, settings, directory)
            start_services(supervisor, settings, [name for name in SERVICES if name not in feed.late])
            observer = Observer(settings, feed, Lists(settings.lookup_host, settings.lookup_port), self._started)
            feed.start()
            observer.start()
            trouble = self._watch(
                stop, supervisor, servers, observer, lambda: start_services(supervisor, settings, feed.late)
            )
            return self._finish(stop, supervisor, observer, directory, trouble)

    def _kill(self, supervisor: Supervisor) -> None:
        supervisor.kill()
        self._screen.close()

    def _announce(self, settings: Settings, directory: Path) -> None:
        if settings.lookup_port != self._port:
            self._screen.say(f"port {self._port} is taken: the API is on port {settings.lookup_port}")
        for name, url in links(settings):
            self._screen.say(f"{name:<8} {url}")
        self._screen.say(f"logs     {directory}")
        self._screen.say("Ctrl-C ends it; a second Ctrl-C at once.")

    def _watch_by_prometheus(self, supervisor: Supervisor, settings: Settings, directory: Path) -> None:
        """Start Prometheus where it is installed; the demo is as good without it."""
        if not prometheus.installed():
            self._screen.say(f"no Prometheus here, so nothing keeps the metrics ({prometheus.INSTALL})")
            return
        try:
            server = supervisor.adopt(prometheus.start_prometheus(directory, settings))
        except ServerError as error:
            self._screen.say(f"without Prometheus: {error}")
            return
        self._screen.say(f"Prometheus http://{server.address}; dashboards, in Grafana at http://127.0.0.1:3000, by")
        self._screen.say(
            f"  PROMETHEUS_URL=http://{server.address} docker compose --file ops/compose.yaml up grafana-demo"
        )

    def _watch(
        self,
        stop: StopSignals,
        supervisor: Supervisor,
        servers: list[Server],
        observer: Observer,
        start_late: Callable[[], object],
    ) -> str | None:
        """Show until it is over; what went wrong, if anything did."""
        feed, greeted, complete = observer.feed, False, False
        while not stop.wait(_TICK_S):
            if feed.began_at and not complete:
                complete = True
                start_late()
            supervisor.check()
            if not greeted and (greeting := observer.greeting()) is not None:
                greeted = True
                self._screen.say(greeting)
            self._screen.show(observer.picture, observer.watched)
            if feed.failure is not None:
                return f"the feed broke off: {feed.failure}"
            if dead := [server.name for server in servers if not server.running]:
                return f"{dead[0]} has ended, and with it all that it held"
            if lost := [child.name for child in supervisor.children if child.gave_up]:
                return f"{lost[0]} does not start"
            if self._duration_s and feed.began_at and time.monotonic() >= feed.began_at + self._duration_s:
                return None
            if feed.ended and not self._stay and observer.picture.lag == 0:
                return None
        return None

    def _finish(
        self, stop: StopSignals, supervisor: Supervisor, observer: Observer, directory: Path, trouble: str | None
    ) -> Outcome:
        children = supervisor.children
        supervisor.end("probe")  # what it sends must not be under way when the rest is counted
        observer.feed.stop()
        observer.feed.join(_DRAIN_S)
        deadline = time.monotonic() + _DRAIN_S
        while trouble is None and stop.received is None and observer.behind() and time.monotonic() < deadline:
            supervisor.check()
            time.sleep(_TICK_S)
        observer.stop()
        picture = observer.picture
        picture.restarts = sum(child.restarts for child in children)
        self._screen.show(picture, observer.watched)
        self._screen.close()
        for text in summary(picture):
            self._screen.say(text)
        trouble = trouble or _shortcoming(picture, interrupted=stop.received is not None)
        if trouble is not None:
            self._screen.say(f"streamrec demo: {trouble}; what the processes said is in {directory}/*.log")
        return Outcome(0 if trouble is None else 1, picture, str(directory))


def _shortcoming(picture: Picture, interrupted: bool) -> str | None:
    if interrupted:
        return None
    if not picture.processed:
        return "no event was processed"
    if picture.first_list_s is None:
        return "no personal list was answered"
    return None
