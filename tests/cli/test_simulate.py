"""``streamrec simulate``: into files, to Kafka at its speed, in a closed loop, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamrec import topics
from streamrec.cli import cli
from streamrec.kafka.admin import Admin
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from tests.brokers import StartBroker

COUNTED = [name for name in topics.PUBLIC_TOPICS if name in topics.MEMBER_TOPICS or name == "job-postings"]


def run(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["simulate", *map(str, arguments)], env=environ)


@pytest.fixture
def kafka(tmp_path: Path, start_broker: StartBroker) -> Iterator[Server]:
    """A broker of the test's own, with all topics."""
    with start_broker(tmp_path / "broker") as server:
        Admin(Settings(kafka=server.address)).create(topics.load())
        yield server
        server.stop(patience_s=0.2)


def stored(server: Server) -> dict[str, int]:
    """Records by topic."""
    admin = Admin(Settings(kafka=server.address))
    return {name: sum(high for _, high in admin.watermarks(name).values()) for name in COUNTED}


def test_a_file_is_written_that_the_printed_command_replays(tmp_path: Path) -> None:
    log = tmp_path / "week.csv.gz"
    result = run("--members", "50", "--jobs", "40", "--events", "200", "--out", log)
    assert result.exit_code == 0, result.output
    assert f"streamrec replay {log} --catalogue {tmp_path / 'week-jobs.csv.gz'}" in result.stdout
    again = run("--members", "50", "--jobs", "40", "--events", "200", "--out", tmp_path / "b.csv.gz", "--json")
    assert json.loads(again.stdout)["events"] == 200
    assert (tmp_path / "b.csv.gz").read_bytes() == log.read_bytes()


@pytest.mark.servers
def test_all_that_is_said_to_be_sent_is_in_kafka(kafka: Server) -> None:
    result = run(
        "--kafka", "--members", "300", "--jobs", "200", "--events", "2000", "--json", STREAMREC_KAFKA=kafka.address
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    found = stored(kafka)
    said = {kind: summary["before"].get(kind, 0) + summary["sent"].get(kind, 0)
            for kind in summary["before"] | summary["sent"]}  # fmt: skip
    assert found == {name: said.get(topics.load()[name].schema, 0) for name in COUNTED}
    assert summary["events"] == 2000
    assert time.time() * 1000 > summary["last_at"] > time.time() * 1000 - 90 * 86_400_000


@pytest.mark.servers
def test_ctrl_c_ends_it_with_what_was_sent_delivered(kafka: Server) -> None:
    command = [sys.executable, "-m", "streamrec", "simulate", "--kafka", "--members", "300", "--jobs", "200", "--json"]
    environ = {**os.environ, "STREAMREC_KAFKA": kafka.address}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while stored(kafka)["job-views"] < 100 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    summary = json.loads(output)
    assert summary["stopped"] == "interrupted"
    assert summary["sent"]["JobView"] == stored(kafka)["job-views"] >= 100
    assert abs(summary["last_at"] - time.time() * 1000) < 20_000  # live: events show the present


@pytest.mark.slow  # waits until Kafka has had its chance
def test_what_is_not_running_is_told_with_a_remedy() -> None:
    away = f"http://127.0.0.1:{free_port()}"
    result = run("--closed-loop", away, "--events", "5")
    assert result.exit_code == 1
    assert f"no lookup service answers at {away}" in result.stderr
    result = run("--kafka", "--events", "5", STREAMREC_KAFKA=f"127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "is it running?" in result.stderr


@pytest.mark.servers
def test_missing_topics_are_told(tmp_path: Path, start_broker: StartBroker) -> None:
    with start_broker(tmp_path / "broker") as server:
        result = run("--kafka", "--events", "5", STREAMREC_KAFKA=server.address)
        server.stop(patience_s=0.2)
    assert result.exit_code == 1
    assert "job-views: it does not exist: run `streamrec topics create`" in result.stderr


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    result = run("--out", tmp_path / "nowhere" / "x.csv", "--events", "5")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say where it goes"),
        (("--out", "x.csv"), "say when it ends"),
        (("--kafka", "--speed", "10x"), "say when it ends"),
        (("--kafka", "--out", "x.csv", "--events", "5"), "goes with neither"),
        (("--kafka", "--rate", "5", "--speed", "1x"), "exclude each other"),
        (("--closed-loop", "http://127.0.0.1:1", "--speed", "max", "--events", "5"), "answers as of now"),
        (("--closed-loop", "ftp://x", "--events", "5"), "no address"),
        (("--kafka", "--speed", "fast"), "neither max nor a number"),
        (("--kafka", "--duration", "soon"), "is no time"),
        (("--kafka", "--members", "1"), "not in the range"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
