"""``streamrec evaluate``: what it prints, and how it ends."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamrec.cli import cli
from streamrec.training.baselines import BASELINES
from streamrec.training.segments import SEGMENTS

GOLDEN = Path(__file__).parents[1] / "golden" / "evaluate" / "shape.json"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def log_of(path: Path, events: int = 120, header: str = "ts,user_id,item_id,event") -> Path:
    draw = Random(1)
    rows = [f"{1_700_000_000 + 37 * n},m{draw.randrange(9)},j{draw.randrange(15)},{draw.choice(('view', 'view', 'save'))}"
            for n in range(events)]  # fmt: skip
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return log_of(tmp_path / "log.csv")


def shape(value: Any) -> Any:
    """Names and kinds of what is there."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return "null" if value is None else "number" if isinstance(value, int | float) else type(value).__name__


def test_the_json_has_the_documented_shape(log: Path) -> None:
    found = run(log, "--json")
    assert found.exit_code == 0
    figures = json.loads(found.stdout)
    baselines = figures.pop("baselines")
    assert shape(figures) == json.loads(GOLDEN.read_text())
    assert list(baselines) == list(BASELINES)
    assert all(shape(each) == shape({name: figures[name] for name in SEGMENTS}) for each in baselines.values())
    assert figures["events"] == 120
    assert 0 < figures["all"]["whole"]["hr@10"] < 1


def test_the_order_of_the_rows_does_not_matter(log: Path, tmp_path: Path) -> None:
    def untimed(path: Path) -> Any:
        figures = json.loads(run(path, "--json", "--baseline", "popularity").stdout)
        return {name: value for name, value in figures.items() if not re.search("second|per_query", name)}

    header, *rows = log.read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join((header, *rows[::-1])))
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(log.read_bytes()))
    assert untimed(log) == untimed(tmp_path / "turned.csv") == untimed(tmp_path / "log.csv.gz")


def test_tables_name_the_system_and_the_chosen_baselines(log: Path) -> None:
    found = run(log, "--baseline", "session_knn", "--baseline", "popularity")
    assert found.exit_code == 0
    assert "120 events" in found.stdout
    assert "cold members, whole" in found.stdout
    assert "cold members, second half" not in found.stdout  # all have come by then
    assert re.search(r"members with 5 or more +\d", found.stdout)
    assert "new jobs" not in found.stdout
    assert re.search(r"together +[\d.]+ +[\d.]+ +[\d.]+", found.stdout)
    assert "P(stronger | view)" in found.stdout
    assert all(name in found.stdout for name in ("streamrec", "session_knn", "popularity"))
    assert "covisitation" not in found.stdout
    assert json.loads(run(log, "--json", "--baseline", "none").stdout)["baselines"] == {}


def test_peers_are_asked_for_by_name(log: Path) -> None:
    options = ("--baseline", "bm25", "--baseline", "als", "--baseline", "popularity")
    figures = json.loads(run(log, *options, "--json").stdout)
    assert list(figures["baselines"]) == ["popularity", "als", "bm25"]
    counts = {name: each["trainings"] for name, each in figures["trainings"].items()}
    assert counts == {"als": 2, "bm25": 2}  # the log is 74 minutes long
    printed = run(log, *options, "--retrain-every", "30s")
    assert re.search(r"als: trained \d\d times in [\d.]+ s", printed.stdout)


def test_columns_names_of_events_and_bad_rows_are_those_of_replay(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.csv", header="when,user_id,item_id,event")
    log.write_text(log.read_text().replace(",save", ",wish") + "soon,m1,j1,view\n")
    assert run(log).exit_code == 2
    found = run(log, "--columns", "ts=when", "--map", "wish=job-saves", "--json", "--baseline", "none")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["events"] == 120
    assert "log.csv:122: bad_value" in found.stderr
    assert "1 bad row" in found.stderr


def test_a_catalogue_is_ranked_whole_on_demand(log: Path, tmp_path: Path) -> None:
    catalogue, members = tmp_path / "jobs.csv", tmp_path / "members.csv"
    catalogue.write_text("item_id,title,state\n" + "".join(f"j{n},Night nurse {n},MD\n" for n in range(40)))
    members.write_text("user_id,position_of_interest\nm1,nurse\n")
    files = ("--catalogue", catalogue, "--members", members, "--baseline", "none", "--json")
    seen, whole = (json.loads(run(log, *files, "--candidates", kind).stdout) for kind in ("seen", "catalogue"))
    assert seen["all"]["whole"]["queries"] == whole["all"]["whole"]["queries"]
    assert seen["all"]["whole"]["hr@50"] < 1.0 == whole["all"]["whole"]["hr@50"]  # nothing is out of reach


def test_the_report_is_one_page_that_needs_nothing(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(log, "--report", page).exit_code == 0
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert all(name in text for name in ("log.csv", "streamrec", *BASELINES, "ndcg@10", "<svg", "AUC"))
    assert all(name in text for name in ("HR@10 over the log", "Candidate recall by source", "Calibration of P"))
    assert len(re.findall("<svg", text)) == 4
    assert not re.search(r"https?:|src=|<script|<link", text)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--candidates", "catalogue"), 2, "--catalogue FILE"),
        (("--baseline", "als2"), 2, "popularity"),
        (("--retrain-every", "1d"), 2, "--retrain-every: only with --baseline als or bm25"),
        (("--baseline", "als", "--retrain-every", "soon"), 2, "--retrain-every: 'soon' is no duration"),
        (("--points", "3"), 2, "--points: only with --live"),
        (("--points", "3", "--compare-members", "9"), 2, "--points, --compare-members: only with"),
        (("--baseline", "none", "--baseline", "popularity"), 2, "goes with no other"),
        (("--columns", "ts=when"), 2, "no column when"),
        (("--map", "view=nowhere"), 2, "nowhere"),
        (("--map", "view=ignore", "--map", "save=ignore"), 1, "means anything"),
        (("--map", "view=job-dismissals", "--map", "save=job-dismissals"), 1, "no event to ask for"),
        (("--report", "/nowhere/at/all.html"), 1, "/nowhere/at/all.html"),
    ],
)
def test_mistakes_are_told(log: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    found = run(log, *arguments)
    assert found.exit_code == code
    assert words in found.stderr


@pytest.mark.slow  # a process of its own
def test_ctrl_c_ends_with_what_there_is(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.csv", events=500_000)
    command = [sys.executable, "-m", "streamrec", "evaluate", str(log), "--json", "--baseline", "none"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline()  # of progress: it is at work
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["events"] < 500_000
    assert "ended early" in err


def test_a_log_can_be_ended_early(log: Path) -> None:
    assert json.loads(run(log, "--events", "30", "--json", "--baseline", "none").stdout)["events"] == 30
