"""A whole installation that can be hurt: a Kafka and a Redis that come back with their data, and a network in between."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from streamrec.kafka.producer import Producer
from streamrec.local.kafka import Installation, Ports, prepare, start_node
from streamrec.local.ports import free_port, free_ports
from streamrec.local.scrape import Samples, UnreachableError
from streamrec.local.scrape import metrics as scrape
from streamrec.local.servers import start_broker, start_redis
from tests.brokers import CHANGES
from tests.e2e.conftest import Process, System
from tests.e2e.judging import POSTINGS
from tests.faults.proxy import Net

SESSION_S: Final = 2.0
# What Redis has acknowledged is in the kernel by then: SIGKILL takes nothing of it, and no disk has to be waited for.
_REDIS: Final = ("--appendonly", "yes", "--appendfsync", "no")
_OUTLAST_S: Final = 120.0  # of the tests' own producer: it waits for a Kafka that is away, and loses nothing


class LastingRedis:
    """A Redis that keeps every write in a file before it acknowledges it, and whose data can be put aside and brought back."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory, self.port, self._options = directory, free_port(), (*_REDIS, *options)
        self._server = start_redis(directory, self.port, options=self._options)

    @property
    def address(self) -> str:
        return self._server.address

    def kill(self) -> None:
        """SIGKILL."""
        self._server.stop(0)

    def start(self) -> None:
        """Start it again on what is on its disk."""
        self._server = start_redis(self.directory, self.port, options=self._options)

    def put_aside(self) -> Path:
        """A copy of the data as it is now."""
        aside = self.directory / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(self.directory / "appendonlydir", aside)
        return aside

    def bring_back(self, aside: Path | None) -> None:
        """Put a copy in place of the data, None: nothing; while it does not run."""
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        if aside is not None:
            shutil.copytree(aside, self.directory / "appendonlydir")

    def stop(self) -> None:
        self._server.stop()


class LastingKafka:
    """One node of Apache Kafka that is reached directly at one port, and through a proxy each at the others."""

    def __init__(self, directory: Path, installed: Installation, proxied: int) -> None:
        self._directory, self._installed = directory, installed
        own, controller, *inner = free_ports(2 + proxied)
        self._ports = Ports(own, controller)
        self.proxies = [Net(f"127.0.0.1:{port}") for port in inner]
        names = [f"PROXIED{number}" for number in range(proxied)]
        listeners = [f"BROKER://127.0.0.1:{own}", f"CONTROLLER://127.0.0.1:{controller}"]
        advertised = [f"BROKER://127.0.0.1:{own}"]
        for name, port, proxy in zip(names, inner, self.proxies, strict=True):
            listeners.append(f"{name}://127.0.0.1:{port}")
            advertised.append(f"{name}://{proxy.address}")
        changes = CHANGES | {
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(
                f"{each}:PLAINTEXT" for each in ("BROKER", "CONTROLLER", *names)
            ),
        }
        prepare(directory, installed, [self._ports], changes=changes)
        self.start()

    @property
    def address(self) -> str:
        return self._server.address

    def kill(self) -> None:
        """SIGKILL."""
        self._server.stop(0)

    def start(self) -> None:
        """Start it (again) on what is on its disk."""
        self._server = start_node(self._directory, self._installed, 1, self._ports.broker)

    def stop(self) -> None:
        for proxy in self.proxies:
            proxy.close()
        self._server.stop(0)


class EmbeddedBroker:
    """The embedded broker in the same clothes, without a proxy: for what has nothing to do with the network or the log."""

    proxies: tuple[Net, ...] = ()

    def __init__(self, directory: Path) -> None:
        self._server = start_broker(directory)

    @property
    def address(self) -> str:
        return self._server.address

    def stop(self) -> None:
        self._server.stop()


class Site(System):
    """A `System` whose worker and trainer reach Kafka and Redis by a network of their own, and the lookup by another.

    Attributes
    ----------
    node, lasting
        Kafka and Redis.
    inner_kafka, inner_redis
        The network of worker and trainer.
    outer_kafka, outer_redis
        The lookup's.
    """

    kafka_patience_s = _OUTLAST_S  # Kafka may be away, or just starting

    def __init__(self, directory: Path, broker: Callable[[Path], Any], **overrides: Any) -> None:
        self.node = broker(directory)
        self.lasting = LastingRedis(directory / "redis")
        self.inner_redis, self.outer_redis, self._own_redis = (Net(self.lasting.address) for _ in range(3))
        self.inner_kafka: Any
        self.outer_kafka: Any
        self.inner_kafka, self.outer_kafka = self.node.proxies or (None, None)
        super().__init__(
            directory, start_broker, kafka=self.node.address, redis=f"redis://{self._own_redis.address}/0",
            **{"session_timeout_s": SESSION_S, **overrides},
        )  # fmt: skip
        self._producer.close()
        self._producer = Producer(msgspec.structs.replace(self.settings, produce_timeout_s=_OUTLAST_S))

    def start(self, name: str, *options: str, **others: Any) -> Process:
        """`System.start`, through the proxies; a second process of a role has metrics at a port of its own."""
        kafka, redis = (
            (self.outer_kafka, self.outer_redis) if name == "lookup" else (self.inner_kafka, self.inner_redis)
        )
        ways = {"STREAMREC_REDIS": f"redis://{redis.address}/0"}
        if kafka is not None:
            ways["STREAMREC_KAFKA"] = kafka.address
        return super().start(name, *options, **(ways | others))

    def start_beside(self, name: str, **others: Any) -> tuple[Process, int]:
        """A second process of a role, and the port of its metrics."""
        port = free_port()
        return self.start(name, **{f"STREAMREC_{name.upper()}_METRICS_PORT": str(port)}, **others), port

    def begin(self) -> None:
        """Postings, then worker, trainer and lookup: all there, and everything produced in the state."""
        self.produce(("job-postings", posting) for posting in POSTINGS)
        self.start_all(_OUTLAST_S)
        self.settle(_OUTLAST_S, trainer=False)

    def flush(self) -> None:
        """Wait for the acknowledgements, as long as a Kafka that is away may take."""
        self._producer.flush(_OUTLAST_S)

    def of(self, name: str) -> Process:
        """The newest process of a role."""
        return next(process for process in reversed(self.processes) if process.name == name)

    def kill(self, name: str) -> None:
        """SIGKILL the newest process of a role, and wait until it is gone."""
        process = self.of(name)
        process.signal(signal.SIGKILL)
        process.wait(10)

    def measured(self, name: str, port: int | None = None) -> Samples:
        """The metrics of a role; none while it does not answer."""
        ports = {
            "worker": self.settings.worker_metrics_port, "trainer": self.settings.trainer_metrics_port,
            "lookup": self.settings.lookup_port,
        }  # fmt: skip
        try:
            return scrape(f"http://127.0.0.1:{port or ports[name]}/metrics")
        except UnreachableError:
            return Samples()

    def moved(self, name: str, metric: str, least: float = 1.0, **labels: str) -> Callable[[], bool]:
        """A condition to wait for: that the metric of a role has grown since now."""
        before = self.measured(name).total(metric, **labels)
        return lambda: self.measured(name).total(metric, **labels) >= before + least

    def fail_over(self, to: str) -> None:
        """Whoever spoke with Redis speaks with another one from now on."""
        for proxy in (self.inner_redis, self.outer_redis, self._own_redis):
            proxy.redirect(to)

    def close(self) -> None:
        super().close()
        for proxy in (self.inner_redis, self.outer_redis, self._own_redis):
            proxy.close()
        self.lasting.stop()
        self.node.stop()
