"""The commands explain themselves, and a user's mistake ends with a message."""

import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from streamrec.cli import COMMANDS

OURS = ("worker", "trainer", "lookup", "probe", "up", "demo", "status", "doctor")


@pytest.mark.parametrize("command", OURS)
def test_help_has_examples_and_the_option_for_settings(run: Any, command: str) -> None:
    result = run({}, command, "--help")
    assert result.exit_code == 0
    assert f"streamrec {command}" in result.output.partition("Examples:")[2]
    assert "--config FILE" in result.output


def test_the_list_of_commands_names_them_all(run: Any) -> None:
    output = run({}, "--help").output
    assert all(command in output for command in COMMANDS)


@pytest.mark.parametrize("command", OURS)
def test_a_wrong_setting_is_named_with_exit_code_2(run: Any, command: str) -> None:
    result = run({"STREAMREC_PARTITIONS": "many"}, command)
    assert result.exit_code == 2
    assert "STREAMREC_PARTITIONS: Expected `int`" in result.output


@pytest.mark.parametrize("command", [("worker",), ("lookup",), ("workflows", "list")])
def test_a_workflow_that_does_not_exist_is_named_with_exit_code_2(
    command: tuple[str, ...], away: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamrec", *command], env=os.environ | away | {"STREAMREC_WORKFLOW": "best"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("streamrec: workflow: there is no workflow 'best'; there are jobs (jobs@1, jobs@2), ")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_settings_file_that_is_not_there_is_named(run: Any) -> None:
    result = run({}, "status", "--config", "nowhere.toml")
    assert result.exit_code == 2
    assert "nowhere.toml" in result.output


def test_an_unknown_name_in_the_settings_file_is_named(run: Any, tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "streamrec.toml")  # noqa: PTH118
    with open(path, "w") as file:  # noqa: PTH123
        file.write("kafak = 'x:9092'\n")
    result = run({}, "worker", "--config", path)
    assert result.exit_code == 2
    assert "kafak: no such setting" in result.output


@pytest.mark.servers  # of which none is there: waits for the time-out
@pytest.mark.parametrize("command", ["worker", "trainer", "up"])
def test_kafka_away_is_said_without_a_traceback(run: Any, command: str, away: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamrec", command], env=os.environ | away, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Kafka does not answer" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["LOOKUP_PORT", "WORKER_METRICS_PORT"])
def test_up_says_which_port_is_taken_before_anything_starts(run: Any, away: dict[str, str], name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(away[f"STREAMREC_{name}"])))
        other.listen()
        result = run(away, "up")
    assert result.exit_code == 1
    assert "is taken" in result.output
    assert f"STREAMREC_{name}" in result.output
