"""What a benchmark runs on: a broker and a Redis with nothing in them, and streamrec's processes as they are deployed.

The embedded broker starts empty. A broker of the installation's own is used only while it has none of our topics, and is
left without them: a benchmark never writes beside anybody's data. Redis is always one of the benchmark's own.
"""

import contextlib
import http.client
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import redis
from confluent_kafka.admin import AdminClient

from streamrec import topics
from streamrec.agents.worker import slot_name
from streamrec.bench.cores import Places, pin
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import client_config
from streamrec.kafka.producer import Producer, Record
from streamrec.local import scrape
from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_broker, start_redis
from streamrec.local.supervisor import Child, Supervisor, command_of
from streamrec.settings import Settings, environ_of
from streamrec.stores import generations
from streamrec.stores.positions import Position, unpack

_TURN_S: Final = 0.02
_QUEUE: Final = 200_000
_SHORT_SESSION_S: Final = 2.0
DERIVED: Final = ("job-activity", "member-activity")
MODEL_TOPIC: Final = "training-examples"
_INTERNAL: Final = (*DERIVED, MODEL_TOPIC)


class InterruptedBenchError(Exception):
    """Ctrl-C."""


class BrokenBenchError(Exception):
    """It cannot be measured: the message says what happened and, if anything, what to do."""


class Installation:
    """Broker, Redis and the processes of one turn; everything is gone after it.

    Parameters
    ----------
    directory
        For logs and data.
    base
        Settings that the processes get, but for where things are.
    own_broker
        Whether to use the broker that `base` names instead of the embedded one.
    stopped
        Asked while waiting: whether somebody wants it all to end.
    places
        Which cores what is measured may use, and which the rest.
    """

    def __init__(
        self, directory: Path, base: Settings, *, own_broker: bool = False,
        stopped: Callable[[], bool] = lambda: False, places: Places | None = None,
    ) -> None:  # fmt: skip
        self.directory, self.stopped, self.places = directory, stopped, places or Places()
        self._own_broker = own_broker
        self._ended: list[Child] = []  # told to
        self.supervisor = Supervisor(lambda _line: None, directory / "logs")
        self.redis_server = self._beside(start_redis(directory))
        broker = None if own_broker else self._beside(start_broker(directory))
        self.settings = msgspec.structs.replace(
            base, redis=f"redis://{self.redis_server.address}/0", data_dir=str(directory / "data"), namespace="bench",
            kafka=base.kafka if broker is None else broker.address, group=f"streamrec-bench-{time.time_ns():x}",
            lookup_host="127.0.0.1", metrics_host="127.0.0.1", lookup_port=free_port(), worker_metrics_port=free_port(),
            trainer_metrics_port=free_port(),
        )  # fmt: skip
        self.admin = Admin(self.settings)
        self._specs = topics.load()
        if own_broker and (there := sorted(set(self._specs) & set(self.admin.partitions()))):
            self.supervisor.stop()
            raise BrokenBenchError(
                f"the broker at {base.kafka} has topics of streamrec ({', '.join(there[:3])}, …): a benchmark would write "
                "beside your data; give it a broker without them, or leave out --kafka"
            )
        self.admin.create(self._specs)
        self.client = redis.Redis.from_url(self.settings.redis)
        self._producer: Producer | None = None

    def _beside(self, server: Server) -> Server:
        pin(server.pid, *self.places.others)
        return self.supervisor.adopt(server)

    def start(self, name: str, settings: Settings | None = None, *, on: tuple[int, ...] | None = None) -> Child:
        """Start ``streamrec NAME``, kept to the cores `on` (default: to the core for what is measured)."""
        child = self.supervisor.start(name, command_of(name), environ_of(settings or self.settings))
        pin(child.pid, *(on or self.places.measured))
        return child

    def produce(self, records: Iterable[Record]) -> int:
        """Send records, and return when all are acknowledged; how many there were."""
        if self._producer is None:
            self._producer = Producer(self.settings, linger_ms=5.0, queue_records=_QUEUE)
        count = 0
        for count, record in enumerate(records, 1):  # noqa: B007 - the last one is asked for below
            self._producer.send_now(record)
        self._producer.flush(120)
        return count

    def url(self, path: str) -> str:
        """An address of the lookup."""
        return f"http://127.0.0.1:{self.settings.lookup_port}{path}"

    def metrics(self, port: int) -> scrape.Samples:
        """What a process says of itself."""
        return scrape.metrics(f"http://127.0.0.1:{port}/metrics", timeout_s=5.0)

    def positions(self, names: Iterable[str]) -> dict[tuple[str, int], int]:
        """Next offset that is not in the state, by topic and partition."""
        keys = generations.current(self.client, self.settings).keys(self.settings.namespace)
        places = [
            (name, number, "model" if name == MODEL_TOPIC else slot_name(name, number))
            for name in names
            for number in range(self._specs[name].partition_count(self.settings.partitions))
        ]
        pipe = self.client.pipeline(transaction=False)
        for name, _, slot in places:
            pipe.hget(keys.positions(slot), name)
        found = pipe.execute()
        return {
            (name, number): unpack(Position, value).next_offset if isinstance(value, bytes) else 0
            for (name, number, _), value in zip(places, found, strict=True)
        }

    def pending(self, *, trainer: bool = False) -> int:
        """Records that are in Kafka and not in the state yet; with `trainer`, those that it has to learn from as well."""
        names = [name for name in self.consumed if trainer or name != MODEL_TOPIC]
        ends = self.admin.bounds(names)
        done = self.positions(names)
        return sum(max(0, high - done[place]) for place, (_, high) in ends.items())

    @property
    def consumed(self) -> list[str]:
        """Topics that worker and trainer read."""
        read = [name for name, spec in self._specs.items() if name not in ("dead-letters", "erasures") and spec.read_by]
        return sorted(read, key=lambda name: (name in _INTERNAL, name))

    @staticmethod
    def is_internal(name: str) -> bool:
        """Whether a topic is derived from others."""
        return name in _INTERNAL

    def settle(self, patience_s: float = 300.0, *, trainer: bool = False) -> None:
        """Wait until all that was produced, and all that was derived from it, is in the state."""

        def done() -> bool:  # twice, since what is read last may have led to something where it was looked first
            return not self.pending(trainer=trainer) and not self.pending(trainer=trainer)

        self.wait(done, "everything produced to be in the state", patience_s, pause_s=0.1)

    def wait(
        self, condition: Callable[[], bool], what: str, patience_s: float = 60.0, *, pause_s: float = _TURN_S
    ) -> None:
        """Wait until `condition` holds.

        Raises
        ------
        InterruptedBenchError
            Somebody wants it to end.
        BrokenBenchError
            It does not within `patience_s`, or a process has died.
        """
        deadline = time.monotonic() + patience_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise BrokenBenchError(f"gave up after {patience_s:g} s waiting for {what}{self._said()}")
            time.sleep(pause_s)

    def check(self) -> None:
        """Raise InterruptedBenchError or BrokenBenchError if it cannot go on; see `wait`."""
        if self.stopped():
            raise InterruptedBenchError
        for child in self.supervisor.children:
            if not child.running and child not in self._ended:
                raise BrokenBenchError(f"{child.name} has ended by itself{self._said()}")

    def stop(self, child: Child) -> None:
        """Stop a process in good order."""
        self._ended.append(child)
        child.stop(15.0)

    def ready(self) -> bool:
        """Whether the lookup answers as it should."""
        try:
            return scrape.get(self.url("/health/ready"))[0] == http.client.OK
        except scrape.UnreachableError:
            return False

    def _said(self) -> str:
        lines = [
            line
            for path in sorted((self.directory / "logs").glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()[-3:]
        ]
        return "" if not lines else ": " + " / ".join(lines[-6:])

    def close(self) -> None:
        """Stop everything, and leave a broker that was there before as it was."""
        if self._producer is not None:
            self._producer.close(0.0)
        self.supervisor.stop(5.0)
        if self._own_broker:
            self._delete_topics()
        with contextlib.suppress(redis.RedisError):
            self.client.close()

    def _delete_topics(self) -> None:
        client = AdminClient(client_config(self.settings, "bench"))
        for future in client.delete_topics(list(self._specs), operation_timeout=30).values():
            with contextlib.suppress(Exception):  # one that is not there
                future.result(30)
        deadline = time.monotonic() + 30
        while set(self._specs) & set(self.admin.partitions()) and time.monotonic() < deadline:
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Bench:
    """What all benchmarks are given: where to work, what to work with, whom to tell.

    Parameters
    ----------
    settings
        Of the installation.
    directory
        An empty one, for everything.
    own_broker
        See `Installation`.
    stopped, show
        Whether to end early; told the share that is done, figures and what is being done.
    short
        Small sizes: whether the results are sound is the question, and no time is worth anything.
    """

    def __init__(
        self, settings: Settings, directory: Path, *, own_broker: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        show: Callable[[float, list[str], str], None] = lambda _share, _figures, _phase: None, short: bool = False,
    ) -> None:  # fmt: skip
        self.settings, self.directory, self.own_broker = settings, directory, own_broker
        self.stopped, self.show, self.short = stopped, show, short
        self.places = Places()
        self._made = 0

    def installation(self, **overrides: Any) -> Installation:
        """A fresh one, with these settings instead of those of the installation."""
        self._made += 1
        directory = self.directory / f"{self._made:03d}"
        directory.mkdir()
        if self.short:  # the embedded broker lets a group wait for half of it
            overrides = {"session_timeout_s": _SHORT_SESSION_S, **overrides}
        return Installation(
            directory, msgspec.structs.replace(self.settings, **overrides), own_broker=self.own_broker,
            stopped=self.stopped, places=self.places,
        )  # fmt: skip

    def tell(self, share: float, phase: str, *figures: str) -> None:
        """Show how far it is; raises InterruptedBenchError if somebody wants it to end."""
        self.show(share, list(figures), phase)
        if self.stopped():
            raise InterruptedBenchError

    @property
    def broker(self) -> str:
        """Which one, for the conditions of a report."""
        return f"Kafka at {self.settings.kafka}" if self.own_broker else "embedded"
