"""The command as a person uses it: Kafka goes on when it has ended, and keeps what it has."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamrec.cli import cli
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Producer, Record
from streamrec.kafka.reader import read
from streamrec.local import lasting
from streamrec.local.kafka import Installation
from streamrec.local.ports import is_free
from streamrec.settings import Settings

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    def run(*arguments: str) -> Done:
        command = [sys.executable, "-m", "streamrec", "kafka", *arguments]
        environ = {**os.environ, "STREAMREC_DATA_DIR": str(tmp_path)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)

    yield run
    if (tmp_path / "kafka").exists():
        lasting.stop(tmp_path / "kafka", wipe=False)


@pytest.mark.servers
@pytest.mark.kafka
def test_what_is_in_it_is_there_again_until_it_is_wiped(
    run: Run, tmp_path: Path, kafka_installed: Installation
) -> None:
    directory = tmp_path / "kafka"
    directory.symlink_to(_with_jars(tmp_path / "own", kafka_installed))
    port = next(port for port in range(21_000, 30_000, 2) if is_free(port) and is_free(port + 1))  # no client's port
    started = run("start", "--port", str(port))
    assert (started.returncode, started.stdout.split(";")[0]) == (0, f"Apache Kafka answers at 127.0.0.1:{port}"), (
        started.stderr
    )
    again = run("start", "--port", str(port))
    assert again.returncode == 1
    assert f"Apache Kafka runs already at 127.0.0.1:{port}; `streamrec kafka stop` stops it" in again.stderr

    settings = Settings(kafka=f"127.0.0.1:{port}")
    assert CliRunner().invoke(cli, ["topics", "create"], env={"STREAMREC_KAFKA": settings.kafka}).exit_code == 0
    producer = Producer(settings)
    producer.send_now(Record("job-views", b"m1", b"kept"))
    producer.flush(10)
    producer.close()
    assert run("stop").stdout == "stopped 1 node(s)\n"
    assert run("stop").stdout == "no Apache Kafka of ours runs here\n"

    assert run("start", "--nodes", "3").returncode == 1
    again = run("start", "--port", str(port))
    assert again.returncode == 0, again.stderr
    assert [record.value for record in read(settings, "job-views")] == [b"kept"]
    os.kill(int((directory / "node-1" / "kafka.pid").read_text()), signal.SIGKILL)
    lasting.stop(directory, wipe=False)
    assert lasting.running(directory) == []

    wiped = run("start", "--port", str(port), "--wipe")
    assert wiped.returncode == 0, wiped.stderr
    assert Admin(settings).partitions() == {}
    assert "what it had kept is removed" in run("stop", "--wipe").stdout
    assert not list(directory.glob("node-*"))


def _with_jars(directory: Path, installed: Installation) -> Path:
    """A directory for nodes in which the jars are already."""
    directory.mkdir()
    (directory / installed.jars.name).symlink_to(installed.jars)
    return directory


@pytest.mark.servers
@pytest.mark.kafka
def test_a_taken_port_is_named(run: Run, tmp_path: Path, kafka_installed: Installation, broker_port: int) -> None:
    (tmp_path / "kafka").symlink_to(_with_jars(tmp_path / "own", kafka_installed))
    refused = run("start", "--port", str(broker_port))
    assert refused.returncode == 1
    assert f"port {broker_port} is taken" in refused.stderr


@pytest.fixture
def broker_port() -> Iterator[int]:
    """A port on which something listens."""
    import socket  # noqa: PLC0415

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_without_java_there_is_a_message_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    answer = run("start")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Error: Apache Kafka needs Java, and there is none on the PATH: install Java 17")


@pytest.mark.parametrize("command", [(), ("start",), ("stop",)])
def test_help_has_examples(run: Run, command: tuple[str, ...]) -> None:
    answer = run(*command, "--help")
    assert answer.returncode == 0
    assert "Examples:\n  " in answer.stdout
