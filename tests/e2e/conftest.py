"""A whole installation for a test: broker, Redis, worker, trainer and lookup as separate processes, on free ports."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from streamrec import codecs, topics
from streamrec.agents.worker import slot_name
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Producer, Record
from streamrec.local.ports import free_port
from streamrec.local.servers import die_with_parent, start_redis
from streamrec.partitioner import partition_of
from streamrec.settings import Settings, environ_of
from streamrec.stores import generations
from streamrec.stores.connect import connect
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Position, unpack
from tests.brokers import StartBroker

Spoil = str  # Python statements run in a process before its command, to take a guard away


class Process:
    """One process of the system, its output in a file."""

    def __init__(
        self, name: str, command: list[str], environ: Mapping[str, str], log: Path, code: Path | str | None = None
    ) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command, env={**os.environ, **environ}, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent(), start_new_session=True, cwd=code,  # noqa: PLW1509 - one libc call
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def code(self) -> int | None:
        return self._popen.poll()

    @property
    def asleep(self) -> bool:
        """Whether it has been stopped by SIGSTOP."""
        return self.alive and psutil.Process(self._popen.pid).status() == psutil.STATUS_STOPPED

    @property
    def said(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, patience_s: float) -> int:
        """Exit code, once it has ended."""
        return self._popen.wait(patience_s)

    def stop(self) -> None:
        if self.alive:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.terminate()
            try:
                self._popen.wait(8)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()


class System:
    """Starts, feeds, asks, kills and waits; everything is gone after `close`."""

    kafka_patience_s: float | None = None  # of the test's own questions; None: as of commands

    def __init__(self, directory: Path, start_broker: StartBroker, **overrides: Any) -> None:
        """`overrides` are settings; with `kafka` or `redis` among them, somebody else's is used."""
        self.directory = directory
        self.servers = {}
        if "kafka" not in overrides:
            self.servers["kafka"] = self.broker = start_broker(directory)
        if "redis" not in overrides:
            self.servers["redis"] = self.redis = start_redis(directory)
        places = {"kafka": "{}", "redis": "redis://{}/0"}
        self.settings = msgspec.structs.replace(
            Settings(),
            data_dir=str(directory / "data"), lookup_port=free_port(), worker_metrics_port=free_port(),
            trainer_metrics_port=free_port(), probe_metrics_port=free_port(),
            **{name: places[name].format(server.address) for name, server in self.servers.items()},
            **{"snapshot_interval_s": 0.5, "explore": 0.0, **overrides},  # lists purely by score, unless asked for
        )  # fmt: skip
        self.specs = topics.load()
        self.admin = Admin(self.settings, self.kafka_patience_s)
        self.admin.create(self.specs)
        self.client = connect(self.settings)
        self._producer = Producer(self.settings)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.settings.lookup_port}", timeout=10)
        self.processes: list[Process] = []

    @property
    def keys(self) -> Keys:
        """Keys of the generation that counts now."""
        return generations.current(self.client, self.settings).keys(self.settings.namespace)

    def grow(self, partitions: int) -> None:
        """Processes that start from now on have the setting changed."""
        self.settings = msgspec.structs.replace(self.settings, partitions=partitions)
        self._producer.close()
        self._producer = Producer(self.settings)  # one that knows of them: others learn it within some minutes

    def environ(self) -> dict[str, str]:
        """The settings as environment variables."""
        return environ_of(self.settings)

    def start(
        self,
        name: str,
        *options: str,
        fault: str = "",
        spoil: Spoil = "",
        code: Path | str | None = None,
        **environ: str,
    ) -> Process:
        """Start ``streamrec NAME``; `fault` arms a fault point, `spoil` takes a guard away first, `code` has other sources."""
        command = [sys.executable, "-m", "streamrec", name, *options]
        if spoil:
            arguments = ["streamrec", name, *options]
            program = f"import sys; sys.argv = {arguments!r}\n{spoil}\nfrom streamrec.cli import main; main()"
            command = [sys.executable, "-c", program]
        environ = {**self.environ(), "STREAMREC_FAULT": fault, **environ}
        process = Process(name, command, environ, self.directory / f"{name}-{len(self.processes)}.log", code)
        self.processes.append(process)
        return process

    def start_all(self, patience_s: float = 30) -> None:
        """Worker, trainer and lookup, up and ready."""
        for name in ("worker", "trainer", "lookup"):
            self.start(name)
        self.wait(self.ready, "the lookup to be ready", patience_s)

    def ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def produce(self, events: Iterable[tuple[str, Any]]) -> None:
        """Send (topic, event, record or raw bytes) pairs and wait for the acknowledgements."""
        self.produce_as(None, events)

    def produce_as(self, partitions: int | None, events: Iterable[tuple[str, Any]]) -> None:
        """`produce` as it would be if the topics had so many partitions."""
        for topic, event in events:
            if isinstance(event, Record):
                record = event
            elif isinstance(event, bytes):
                record = Record(topic=topic, key=b"raw", value=event)
            else:
                key = getattr(event, "key", None) or (event.job_id if topic == "job-postings" else event.member_id)
                value = None if type(event).__name__ == "Tombstone" else codecs.encode(event)
                place = None if partitions is None else partition_of(key, partitions)
                record = Record(topic=topic, key=key.encode(), value=value, partition=place)
            self._producer.send_now(record)
        self.flush()

    def flush(self) -> None:
        """Wait until Kafka has acknowledged all that was sent."""
        self._producer.flush(30)

    def pending(self) -> dict[str, int]:
        """Records by partition that are not in the state (or the model) yet."""
        missing, keys = {}, self.keys
        for name in sorted(
            CONSUMED, key=lambda name: (name in DERIVED, name)
        ):  # what is derived comes after its sources
            for partition, (_, high) in self.admin.watermarks(name).items():
                slot = "model" if name == "training-examples" else slot_name(name, partition)
                stored = self.client.hget(keys.positions(slot), name)
                done = unpack(Position, bytes(stored)).next_offset if isinstance(stored, bytes) else 0
                if high > done:
                    missing[f"{name}/{partition}"] = high - done
        return missing

    def settle(self, patience_s: float = 60, *, trainer: bool = True) -> None:
        """Wait until everything produced is in the state."""

        def done() -> bool:
            return not [name for name in self.pending() if trainer or not name.startswith("training-examples")]

        # Twice, since what is read last may have led to something where it was looked first.
        self.wait(lambda: done() and done(), "everything produced to be in the state", patience_s)

    def wait(self, condition: Callable[[], Any], what: str, patience_s: float = 20) -> Any:
        """Poll `condition` until it is true; its value."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.02)
        said = {path.name: path.read_text(errors="replace")[-3000:] for path in self.directory.glob("*.log")}
        logs = "\n".join(f"--- {name}\n{text}" for name, text in said.items())
        pytest.fail(f"gave up after {patience_s} s waiting for {what}; pending {self.pending()}\n{logs}")

    def recommendations(self, member_id: str, **params: Any) -> dict[str, Any]:
        answer = self.http.get(f"/v1/members/{member_id}/recommendations", params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        self.http.close()
        self.client.close()
        self._producer.close()
        for server in self.servers.values():
            server.stop()


DERIVED = frozenset({"job-activity", "member-activity", "training-examples"})
CONSUMED = frozenset({
    "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "member-profiles",
    "job-postings", "job-activity", "member-activity", "training-examples", "impressions", "impressions-seen",
})  # fmt: skip


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[System]:
    """A system shared by the tests of one file, all of it running."""
    built = System(Path(tmp_path_factory.mktemp("system")), start_broker)
    try:
        built.start_all()
        yield built
    finally:
        built.close()


@pytest.fixture
def make_system(tmp_path: Path, start_broker: StartBroker) -> Iterator[Callable[..., System]]:
    """Makes systems of which nothing but broker and Redis runs yet."""
    made: list[System] = []

    def make(**overrides: Any) -> System:
        directory = tmp_path / f"system{len(made)}"
        directory.mkdir()
        made.append(System(directory, start_broker, **overrides))
        return made[-1]

    yield make
    for system in made:
        system.close()
