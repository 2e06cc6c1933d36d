"""Servers for the tests: started once a session, on free ports, by the same code as the demo's.

Whatever needs a broker runs twice: on the embedded one, and on Apache Kafka (marker `kafka`) where there are Java 17 and Maven.
Without them the second half is skipped, and the header and the reasons of the skips say so; with CI=true it fails instead.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from streamrec.local import jars, kafka, servers
from streamrec.local.servers import Server, start_redis

from .brokers import BOTH, CHANGES, DIRECTORY, LACK, StartBroker
from .faults.report import Report
from .redis_cluster import LocalCluster
from .registry_server import RegistryServer

# A busy machine makes no example wrong, so none has a deadline. `make test-fast` takes the quick profile.
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile("thorough")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests that have a short and a long form (marker `soak`) take the long one with ``--long``."""
    parser.addoption("--long", action="store_true", help="the long forms of tests marked soak: minutes to an hour each")


def pytest_configure(config: pytest.Config) -> None:
    """In the long form properties are tried with many more examples."""
    if config.getoption("--long"):
        hypothesis.settings.load_profile("long")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form of a test is wanted."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def report(request: pytest.FixtureRequest, long: bool) -> Iterator[Report]:
    """Takes what a test of a fault measured, for ``ops/reliability.md``; kept if the test passes."""
    made = Report(request.node.nodeid, long)
    began, failed = time.monotonic(), request.session.testsfailed
    yield made
    if request.session.testsfailed == failed:
        made.write(time.monotonic() - began)


def pytest_report_header() -> str:
    """What the second half runs on."""
    return f"Apache Kafka: {jars.kafka_version() if LACK is None else f'its half of the tests cannot run. {LACK}'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the second half where Apache Kafka cannot run; in CI `kafka_installed` fails then, and says why."""
    if LACK is None or os.environ.get("CI") == "true":
        return
    for item in items:
        if item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.skip(reason=LACK))


@pytest.fixture(scope="session")
def kafka_installed() -> kafka.Installation:
    """Apache Kafka; the first session of a checkout has Maven fetch it."""
    return kafka.install(DIRECTORY, lambda line: print(f"\n{line}"))


@pytest.fixture(scope="session", params=BOTH)
def broker_kind(request: pytest.FixtureRequest) -> str:
    """The embedded broker, then, in the second half, Apache Kafka."""
    return str(request.param)


@pytest.fixture(scope="session")
def start_broker(broker_kind: str, request: pytest.FixtureRequest) -> StartBroker:
    """Starts an empty broker that keeps its log in a directory, of the kind whose turn it is."""
    if broker_kind == "embedded":
        return servers.start_broker
    installed: kafka.Installation = request.getfixturevalue("kafka_installed")
    return lambda directory: kafka.start_kafka(directory, installed, changes=CHANGES)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis of the session's own; each test keeps to a namespace of its own."""
    with start_redis(Path(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A Redis Cluster of three nodes of the session's own; each test keeps to a namespace of its own."""
    cluster = LocalCluster(Path(tmp_path_factory.mktemp("cluster")))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Server]:
    """A broker of the session's own, one of each kind; each test keeps to topics and groups of its own."""
    with start_broker(Path(tmp_path_factory.mktemp("broker"))) as server:
        yield server


@pytest.fixture
def registry_server() -> Iterator[RegistryServer]:
    """A schema registry of the test's own."""
    server = RegistryServer()
    yield server
    server.stop()
