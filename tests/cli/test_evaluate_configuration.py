"""What is evaluated: ``--workflow``, ``--without``, ``--compare``."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamrec.cli import cli
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.training.paired import COMPARED
from streamrec.training.segments import PARTS, SEGMENTS

JOBS, POPULAR, DIVERSE = (WORKFLOWS.find(name).label for name in ("jobs", "popular", "diverse"))


def run(*arguments: str | Path) -> Result:
    command = ["evaluate", "--baseline", "none", *map(str, arguments)]
    return CliRunner().invoke(cli, command, catch_exceptions=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    draw, path = Random(1), tmp_path / "log.csv"
    rows = [f"{1_700_000_000 + 37 * n},m{draw.randrange(9)},j{min(draw.randrange(60), draw.randrange(60))},view"
            for n in range(200)]  # fmt: skip
    path.write_text("\n".join(("ts,user_id,item_id,event", *rows)) + "\n")
    return path


def figures(found: Result) -> Any:
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def test_a_workflow_and_an_ablation_are_what_is_evaluated(log: Path) -> None:
    plain, popular, without = (
        figures(run(log, "--json", *options))
        for options in (
            (),
            ("--workflow", "popular"),
            ("--without", "tag:popularity,newest", "--without", "posting_age"),
        )
    )
    assert plain["configuration"] == JOBS
    assert popular["configuration"] == POPULAR
    assert without["configuration"] == f"{JOBS} without tag:popularity, newest, posting_age"
    assert list(popular["candidate_recall"]["all"]["whole"]["sources"]) == ["popular_hour", "popular_days", "newest"]
    assert "newest" not in without["candidate_recall"]["all"]["whole"]["sources"]
    assert len({each["all"]["whole"]["mrr"] for each in (plain, popular, without)}) == 3
    assert "comparison" not in plain


def test_two_configurations_are_compared(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    options = ("--compare", "workflow=popular", "--report", page)
    found = figures(run(log, "--json", *options))["comparison"]
    assert found["configuration"] == POPULAR
    assert list(found["differences"]) == list(SEGMENTS)
    assert list(found["differences"]["all"]) == list(PARTS)
    assert list(found["differences"]["all"]["whole"]) == ["queries", "members", *COMPARED]
    assert found["second"] == {
        name: value
        for name, value in figures(run(log, "--json", "--workflow", "popular")).items() if name in SEGMENTS
    }  # fmt: skip
    assert f"second ({POPULAR}) less streamrec" in page.read_text()
    printed = run(log, *options)
    assert printed.exit_code == 0
    assert f"second: {POPULAR}" in printed.stdout
    assert "second less streamrec, second half" in printed.stdout


def test_what_the_second_does_not_say_is_as_in_the_first(log: Path) -> None:
    first = ("--json", "--workflow", "diverse", "--without", "newest")
    labels = [
        figures(run(log, *first, *(f"--compare={each}" for each in said)))["comparison"]["configuration"]
        for said in (["workflow=jobs"], ["without=job_idle", "without=covisit"], ["without="])
    ]
    assert labels == [f"{JOBS} without newest", f"{DIVERSE} without job_idle, covisit", DIVERSE]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workflow", "job"), "there is no workflow 'job'; there are jobs"),
        (("--without", "network"), "say source:network or tag:network"),
        (("--without", "popularty"), "did you mean popularity?"),
        (("--compare", "workflow=nothing"), "there is no workflow 'nothing'"),
        (("--compare", "without=titel"), "did you mean title"),
        (("--compare", "with=title"), "did you mean without?"),
        (("--compare", "size=9"), "--compare 'size=9': say workflow=NAME or without=NAME,NAME"),
        (("--compare", "withuot=title"), "did you mean without?"),
        (("--compare", "title"), "say workflow=NAME or without=NAME,NAME"),
        (("--compare", "workflow=jobs"), f"both are {JOBS}; say what differs"),
        (("--compare", "workflow=jobs,popular"), "one name"),
        (("--compare", "workflow="), "one name"),
        (("--live", "--without", "newest", "--compare", "without="), "--without, --compare: not with --live"),
    ],
)
def test_mistakes_are_told(log: Path, arguments: tuple[str, ...], words: str) -> None:
    found = run(log, *arguments)
    assert found.exit_code == 2
    assert words in found.stderr
