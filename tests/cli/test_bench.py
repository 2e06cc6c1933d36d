"""``streamrec bench``: the short form of each benchmark is sound, and a broken result ends with exit code 1."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamrec.bench import train as trains
from streamrec.bench.figures import Check, Report
from streamrec.cli import cli


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)])


def short(name: str, tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "report.json"
    result = run(name, "--short", "--json", file)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(file.read_bytes())
    assert report["checks"]
    assert all(check["passed"] for check in report["checks"])
    for line in report["lines"]:
        assert line["name"] in result.stdout
        assert line["absent"] or all(figure["median"] >= 0 for figure in line["figures"]), line
    return report


def test_train_and_replay_are_beside_their_baselines(tmp_path: Path) -> None:
    for name in ("train", "replay"):
        report = short(name, tmp_path)
        assert any(line["of_baseline"] for line in report["lines"]), name


@pytest.mark.servers
def test_ingest_takes_in_all_that_waits_and_names_what_is_absent(tmp_path: Path) -> None:
    report = short("ingest", tmp_path)
    worker, faust, bare, quix = report["lines"]
    assert worker["of_baseline"] > 0
    assert faust["figures"]
    assert bare["figures"]
    assert "pip install quixstreams" in quix["absent"]
    assert {check["name"] for check in report["checks"]} == {"everything is taken in once", "no dead letters"}


@pytest.mark.servers
def test_lookup_is_beside_bare_servers(tmp_path: Path) -> None:
    report = short("lookup", tmp_path)
    ratios = [line["of_baseline"] for line in report["lines"] if line["of_baseline"] is not None]
    assert len(ratios) == 6
    assert min(ratios) > 0


@pytest.mark.servers
def test_freshness_ends_with_a_changed_answer(tmp_path: Path) -> None:
    report = short("freshness", tmp_path)
    [line] = [line for line in report["lines"] if line["name"] == "at 50 events/s"]
    assert {figure["unit"]: figure["median"] for figure in line["figures"]}["probes"] >= 1


@pytest.mark.servers
def test_an_overload_loses_nothing(tmp_path: Path) -> None:
    report = short("overload", tmp_path)
    assert "nothing is lost, nothing counts twice" in {check["name"] for check in report["checks"]}


@pytest.mark.servers
def test_growth_tells_bytes_of_jobs_and_members(tmp_path: Path) -> None:
    report = short("growth", tmp_path)
    units = {figure["unit"] for line in report["lines"] for figure in line["figures"]}
    assert {"Redis bytes a job", "Redis bytes a member", "us of CPU an event"} <= units


def test_a_broken_result_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Report("train", {}, (), (Check("every model has learned", False, "River"),))
    monkeypatch.setattr(trains, "train", lambda *_, **__: broken)
    result = run("train", "--short")
    assert result.exit_code == 1
    assert "BROKEN: every model has learned (River)" in result.stdout


@pytest.mark.parametrize(
    "arguments", [("ingest", "--workers", "1,x"), ("freshness", "--rates", "0"), ("growth", "--job-counts", "")]
)
def test_a_list_of_numbers_that_is_none_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert arguments[1] in result.output


@pytest.mark.servers
def test_ctrl_c_ends_it_and_all_that_it_started(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamrec", "bench", "overload"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("streamrec-bench-*/001/logs/worker.log")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Traceback" not in errors
    assert not out
    assert not list(tmp_path.glob("streamrec-bench-*"))
