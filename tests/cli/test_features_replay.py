"""``streamrec features replay``: what it writes, that it is the same for any number of processes, and how it ends."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from streamrec.cli import cli
from streamrec.features.state import MemberState, unpack

ROWS = 6_000


def write_log(path: Path, rows: int = ROWS) -> Path:
    kinds = ("view", "view", "view", "like", "save", "apply", "dismiss")
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["ts", "user_id", "item_id", "event"])
        for number in range(rows):
            who, job = number * 7919 % 101, number * 104_729 % 211
            writer.writerow([1_700_000_000 + number * 60 - number % 5 * 9_000, f"m{who}", f"j{job}", kinds[number % 7]])
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["features", "replay", *map(str, arguments)])


def summary(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_files_are_the_same_for_any_number_of_processes(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv")
    one, two = (
        summary(run("--from", log, "--workers", count, "--out", tmp_path / count, "--json")) for count in ("1", "2")
    )
    for name in ("members", "jobs", "neighbours", "networks"):
        assert (tmp_path / "1" / f"{name}.avro").read_bytes() == (tmp_path / "2" / f"{name}.avro").read_bytes(), name
    for name in ("events", "members", "jobs", "duplicates", "late", "bytes", "records"):
        assert one[name] == two[name], name
    assert (one["events"], one["members"], one["jobs"]) == (ROWS, 101, 211)
    assert one["late"] > 0
    assert one["cells"]
    with (tmp_path / "1" / "members.avro").open("rb") as file:
        states: list[Any] = list(fastavro.reader(file))
    assert [each["id"] for each in states] == sorted(each["id"] for each in states)
    assert sum(len(unpack(MemberState, each["state"]).recent) for each in states) > 0


def test_values_are_the_same_in_every_format_and_at_their_time(tmp_path: Path) -> None:
    log, found = write_log(tmp_path / "log.csv", 200), {}
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"values.{suffix}"
        said = summary(
            run(
                "--from",
                log,
                "--workers",
                "1",
                "--values",
                path,
                "--features",
                "job_views,member_views,covisit",
                "--json",
            )
        )
        found[suffix] = said["values_written"]
    with (tmp_path / "values.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "values.jsonl").read_text().splitlines()]
    table = parquet.read_table(tmp_path / "values.parquet").to_pylist()
    assert lines == table == [{**row, "value": float(row["value"])} for row in rows]
    assert set(found.values()) == {len(rows)}
    assert {row["feature"] for row in rows} == {"job_views", "member_views", "covisit"}
    later = tmp_path / "later.jsonl"
    run("--from", log, "--workers", "1", "--values", later, "--features", "job_views", "--at", "2030-01-01T00:00:00Z")
    before = max(line["value"] for line in lines if line["feature"] == "job_views")
    assert max(json.loads(line)["value"] for line in later.read_text().splitlines()) < before / 100


def test_until_leaves_out_what_came_later(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv", 100)
    assert summary(run("--from", log, "--workers", "1", "--until", "1700003000", "--json"))["records"] < 100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--values", "values.txt"), "end with .parquet, .csv, .jsonl"),
        (("--features", "nothing"), "there is no feature nothing"),
        (("--at", "soon"), "'soon' is no time"),
        (("--workers", "0"), "0 is not in the range"),
        (("--columns", "ts=when"), "no column when"),
    ],
)
def test_a_mistake_is_exit_code_2(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    result = run("--from", write_log(tmp_path / "log.csv", 10), *options)
    assert result.exit_code == 2
    assert says in result.output


def test_help_has_examples() -> None:
    for command in ((), ("replay",), ("check-parity",)):
        answer = CliRunner().invoke(cli, ["features", *command, "--help"])
        assert answer.exit_code == 0
        assert "Examples:" in answer.output


def test_ctrl_c_ends_it_with_its_processes(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv", 400_000)
    arguments = ["features", "replay", "--from", str(log), "--workers", "2", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "streamrec", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 20
    while len(workers := children.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert b"interrupted; nothing has been written" in errors
    assert b"Traceback" not in errors
    assert not (tmp_path / "out").exists()
    while [pid for pid in workers if Path(f"/proc/{pid}").exists()]:  # Python's own helper goes a moment later
        assert time.monotonic() < deadline
        time.sleep(0.02)
