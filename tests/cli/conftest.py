"""A broker and a Redis that only these tests use, and the command line run in this process."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from streamrec.cli import cli
from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_redis
from tests.brokers import StartBroker

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Server]:
    """Empty at the start of each test file."""
    with start_broker(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Empty at the start of each test file."""
    with start_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def away() -> dict[str, str]:
    """Settings of an installation of which nothing runs."""
    ports = {name: str(free_port()) for name in (
        "LOOKUP_PORT", "WORKER_METRICS_PORT", "TRAINER_METRICS_PORT", "PROBE_METRICS_PORT",
    )}  # fmt: skip
    addresses = {"KAFKA": f"127.0.0.1:{free_port()}", "REDIS": f"redis://127.0.0.1:{free_port()}/0"}
    return {f"STREAMREC_{name}": value for name, value in (ports | addresses).items()}


@pytest.fixture
def environ(away: dict[str, str], own_broker: Server, own_redis: Server) -> dict[str, str]:
    """Settings of one of which Kafka and Redis run."""
    redis.Redis(port=own_redis.port).flushall()
    return away | {"STREAMREC_KAFKA": own_broker.address, "STREAMREC_REDIS": f"redis://{own_redis.address}/0"}


@pytest.fixture
def client(own_redis: Server) -> Iterator["redis.Redis"]:
    """Redis, to put things there."""
    with redis.Redis(port=own_redis.port) as client:
        yield client


@pytest.fixture
def run() -> Run:
    """Runs a command under an environment; an exception that is not an exit fails the test."""

    def run(environ: dict[str, str], *arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), env=environ, catch_exceptions=False)

    return run


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """What a command prints with ``--json``."""
    return lambda environ, *arguments: json.loads(run(environ, *arguments, "--json").stdout)
