"""Apache Kafka on this machine without containers: nodes in KRaft mode, each broker and controller at once.

People start it with ``streamrec kafka start`` (see `local.lasting`), tests with `start_kafka` and `Cluster`. What a node keeps
is in its directory: a node that starts on it again goes on from there, also after SIGKILL.
"""

import base64
import hashlib
import re
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from streamrec.local import jars
from streamrec.local.ports import free_ports
from streamrec.local.servers import Server, ServerError

_UP_S: Final = 60.0  # on a busy machine; 1.5 s otherwise
_STOP_S: Final = 30.0
QUICK: Final = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # for a life of seconds
LASTING: Final = ("-Xmx512m",)
_LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)


class Ports(NamedTuple):
    """Where a node listens: for clients and other brokers, and for controllers."""

    broker: int
    controller: int


class Installation(NamedTuple):
    """A Java, Kafka's jars, and an archive of the classes that Kafka loads: with it a node is up in 1.5 s, not in 3."""

    java: str
    jars: Path
    archive: Path

    def command(self, *arguments: str, flags: Sequence[str] = QUICK) -> list[str]:
        """The command line that runs a class with `arguments`, the name of the class first."""
        shared = []
        if self.archive.exists() and self.archive.stat().st_size:
            shared = [
                f"-XX:SharedArchiveFile={self.archive}",
                "-Xshare:auto",
                "-Xlog:disable",
                "-Xlog:all=error:stderr",
            ]
        return [self.java, *flags, *shared, *_LOGGING, "-cp", f"{self.jars}/*", *arguments]


def install(directory: Path, say: Callable[[str], None] = lambda _line: None) -> Installation:
    """Find Java, and have all else in `directory`: some 45 MB that Maven fetches the first time, and an archive of 50 MB.

    Raises
    ------
    ServerError
        Java or Maven is missing, or Maven cannot get the jars.
    """
    java = jars.java()
    place = jars.fetch(directory, say)
    real = Path(java).resolve()
    identity = hashlib.sha256(f"{real} {real.stat().st_mtime_ns}".encode()).hexdigest()[:8]  # each Java needs its own
    installed = Installation(java, place, place / f"classes-{identity}.jsa")
    if not installed.archive.exists():
        say("looking which classes it loads, for quicker starts from now on")
        _archive(installed)
    return installed


def _archive(installed: Installation) -> None:
    """Run a node once to see what it loads. Where that fails, an empty file says not to try again."""
    with tempfile.TemporaryDirectory(dir=installed.jars) as unfinished:
        made = Path(unfinished) / "classes.jsa"
        node = start_kafka(Path(unfinished), installed, flags=(*QUICK, f"-XX:ArchiveClassesAtExit={made}"))
        node.stop(_STOP_S)
        made.touch()
        made.rename(installed.archive)


def properties(number: int, ports: Sequence[Ports], data: Path) -> dict[str, str]:
    """The configuration of node `number` (from 1) of those with these `ports`.

    With three nodes or more there are three replicas of everything, and a record is acknowledged once two have it.

    Examples
    --------
    >>> properties(1, [Ports(9092, 9093)], Path("data"))["advertised.listeners"]
    'BROKER://127.0.0.1:9092'
    """
    mine, replicas = ports[number - 1], min(3, len(ports))
    enough = "2" if replicas == 3 else "1"
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{at.controller}" for node, at in enumerate(ports, 1)),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": f"BROKER://127.0.0.1:{mine.broker},CONTROLLER://127.0.0.1:{mine.controller}",
        "advertised.listeners": f"BROKER://127.0.0.1:{mine.broker}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",  # a misspelt topic is an error; `streamrec topics create` makes ours
        "default.replication.factor": str(replicas),
        "min.insync.replicas": enough,
        "offsets.topic.replication.factor": str(replicas),
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": enough,
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": enough,
        "group.initial.rebalance.delay.ms": "0",  # the first consumer of a group does not wait 3 s for others
    }


def node_directory(directory: Path, number: int) -> Path:
    """Of one node: its configuration, its log and its data."""
    return directory.absolute() / f"node-{number}"


def prepare(
    directory: Path, installed: Installation, ports: Sequence[Ports], *,
    changes: Mapping[str, str] | None = None, format_options: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write the configuration of the nodes in `directory`, and format the storage of those that have none.

    Parameters
    ----------
    directory, installed
        Where the nodes keep what they keep, and what runs them.
    ports
        Of each node.
    changes
        Properties beside or instead of those of `properties`.
    format_options
        For Kafka's ``storage format``, such as ``--add-scram``.

    Raises
    ------
    ServerError
        The storage cannot be formatted; the message has what Kafka says.
    """
    identity = _cluster_id(directory)
    for number in range(1, len(ports) + 1):
        own = node_directory(directory, number)
        own.mkdir(parents=True, exist_ok=True)
        entries = properties(number, ports, own / "data") | dict(changes or {})
        config = own / "server.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in entries.items()))
        if (own / "data" / "meta.properties").exists():
            continue
        command = installed.command(
            "kafka.tools.StorageTool", "format", f"--cluster-id={identity}", "--config", str(config), *format_options
        )
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the command is ours
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ServerError(f"the storage of node {number} cannot be formatted: {' '.join(said)}")


def _cluster_id(directory: Path) -> str:
    """The one that a node in `directory` has already, else a new one."""
    for meta in sorted(directory.glob("node-*/data/meta.properties")):
        if found := re.search(r"^cluster\.id=(.+)$", meta.read_text(), re.MULTILINE):
            return found[1].strip()
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def start_node(
    directory: Path, installed: Installation, number: int, port: int, *,
    flags: Sequence[str] = QUICK, patience_s: float = _UP_S, outlives: bool = False,
) -> Server:  # fmt: skip
    """Start a node that has been prepared; `patience_s` and `outlives` as for `Server`."""
    own = node_directory(directory, number)
    command = installed.command("kafka.Kafka", str(own / "server.properties"), flags=flags)
    return Server(f"Apache Kafka's node {number}", command, port, own / "kafka.log", patience_s, outlives=outlives)


def start_kafka(
    directory: Path, installed: Installation, *, flags: Sequence[str] = QUICK,
    changes: Mapping[str, str] | None = None, format_options: Sequence[str] = (),
) -> Server:  # fmt: skip
    """Start one node on a free port, for the life of this process; parameters and errors as of `prepare` and `Server`."""
    ports = Ports(*free_ports(2))
    prepare(directory, installed, [ports], changes=changes, format_options=format_options)
    return start_node(directory, installed, 1, ports.broker, flags=flags)


class Cluster:
    """Some nodes on free ports, for the life of this process: up when the constructor returns.

    Parameters
    ----------
    directory, installed, changes
        As for `prepare`.
    nodes
        How many.

    Raises
    ------
    ServerError
        A node does not come up.
    """

    def __init__(
        self, directory: Path, installed: Installation, nodes: int = 3, changes: Mapping[str, str] | None = None
    ) -> None:
        numbers = free_ports(2 * nodes)
        self._directory, self._installed = directory, installed
        self.ports = [Ports(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
        prepare(directory, installed, self.ports, changes=changes)
        self.nodes = start_all(directory, installed, self.ports)

    @property
    def address(self) -> str:
        """Bootstrap servers, comma separated."""
        return ",".join(node.address for node in self.nodes)

    def kill(self, number: int) -> None:
        """SIGKILL node `number`, from 1."""
        self.nodes[number - 1].stop(0)

    def restart(self, number: int) -> None:
        """Start a node again on what it had when it ended."""
        port = self.ports[number - 1].broker
        self.nodes[number - 1] = start_node(self._directory, self._installed, number, port)

    def stop(self) -> None:
        """Stop all nodes at once: with the others away a node in order waits in vain. Safe to call twice."""
        for node in self.nodes:
            node.stop(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_all(
    directory: Path, installed: Installation, ports: Sequence[Ports], *,
    flags: Sequence[str] = QUICK, outlives: bool = False,
) -> list[Server]:  # fmt: skip
    """Start all nodes, and wait only then: one comes up when most of them can vote."""
    nodes = [
        start_node(directory, installed, number, at.broker, flags=flags, patience_s=0, outlives=outlives)
        for number, at in enumerate(ports, 1)
    ]
    try:
        for node in nodes:
            node.wait_until_up(_UP_S)
    except BaseException:  # also a Ctrl-C
        for node in nodes:
            node.stop(0)
        raise
    return nodes
