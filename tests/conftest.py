"""Servers for the tests: started once a session, on free ports, by the same code as the demo's."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from streamrec.local.servers import Server, start_broker, start_redis

from .redis_cluster import LocalCluster
from .registry_server import RegistryServer

# A busy machine makes no example wrong, so none has a deadline. `make test-fast` takes the quick profile.
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.load_profile("thorough")


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
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Kafka-compatible broker of the session's own; each test keeps to topics and groups of its own."""
    with start_broker(Path(tmp_path_factory.mktemp("broker"))) as server:
        yield server


@pytest.fixture
def registry_server() -> Iterator[RegistryServer]:
    """A schema registry of the test's own."""
    server = RegistryServer()
    yield server
    server.stop()
