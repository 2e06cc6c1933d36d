"""Avro and Parquet files are read as the same log in CSV is."""

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from pyarrow import Table, parquet

from streamrec.codecs.records import KINDS
from streamrec.events import Connection, JobLike, JobPosting, JobSave, JobView
from streamrec.training.replay import Due, Replay
from streamrec.training.rows import BadRow, FileError
from streamrec.training.tables import EVENT_OF

AVRO = Path(__file__).parents[2] / "avro"
EVENTS = [
    JobView(event_id="e1", member_id="ann", job_id="j1", occurred_at=1_700_000_000_000, dwell_ms=500, surface="home"),
    JobSave(event_id="e2", member_id="ann", job_id="j1", occurred_at=1_700_000_001_000, saved=False),
    JobLike(event_id="e3", member_id="bob", job_id="j|2", occurred_at=1_700_000_002_000),
    Connection(event_id="e4", member_id="bob", other_member_id="ann", occurred_at=1_700_000_003_000, connected=False),
]
POSTING = JobPosting(
    job_id="j1", title="Nurse", skills=("a|b", "c"), remote=False, salary_min=1.5, posted_at=1_600_000_000_000
)


def avro(path: Path, records: list[Any]) -> Path:
    kinds = list(dict.fromkeys(type(each).__name__ for each in records))
    schemas = [fastavro.schema.load_schema(AVRO / f"{kind}.avsc") for kind in kinds]
    rows = [(schemas[kinds.index(type(each).__name__)]["name"], _fields(each)) for each in records]
    single = len(schemas) == 1
    with path.open("wb") as out:
        fastavro.writer(out, schemas[0] if single else schemas, [row[1] if single else row for row in rows])
    return path


def _fields(record: Any) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in msgspec.structs.asdict(record).items()
    }


def events_of(replay: Replay) -> list[Any]:
    found = list(replay)
    assert not [item for item in found if isinstance(item, BadRow)], found
    return [item.event for item in found if isinstance(item, Due)]


def test_an_avro_file_of_several_records_gives_the_records_back(tmp_path: Path) -> None:
    replay = Replay(avro(tmp_path / "log.avro", EVENTS), avro(tmp_path / "jobs.avro", [POSTING]))
    assert events_of(replay) == [POSTING, *EVENTS]
    assert replay.progress == 1.0
    assert not replay.warnings


def test_an_avro_file_of_one_record_gives_the_records_back(tmp_path: Path) -> None:
    assert events_of(Replay(avro(tmp_path / "log.avro", EVENTS[:1]))) == EVENTS[:1]


def test_a_parquet_file_is_read_as_the_csv_file_is(tmp_path: Path) -> None:
    rows = [
        {"ts": 1_700_000_000, "user_id": "ann", "item_id": "j1", "event": "view", "dwell_s": 1.5},
        {"ts": 1_700_000_000, "user_id": "ann", "item_id": "j1", "event": "view", "dwell_s": None},
        {"ts": 1_700_000_001, "user_id": "bob", "item_id": "j2", "event": "save", "dwell_s": None},
    ]
    parquet.write_table(Table.from_pylist(rows), tmp_path / "log.parquet")
    with (tmp_path / "log.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = events_of(Replay(tmp_path / "log.parquet"))
    assert found == events_of(Replay(tmp_path / "log.csv"))
    assert [each.event_id for each in found] == [each.event_id for each in events_of(Replay(tmp_path / "log.csv"))]
    assert len(found) == 3


def test_times_in_parquet_may_be_timestamps_and_lists_lists(tmp_path: Path) -> None:
    at = datetime(2024, 1, 2, tzinfo=UTC)
    parquet.write_table(
        Table.from_pylist([{"ts": at, "user_id": "a", "item_id": "j", "event": "view"}]), tmp_path / "l"
    )
    parquet.write_table(Table.from_pylist([{"item_id": "j", "title": "Nurse", "skills": ["a|b", "c"]}]), tmp_path / "j")
    posting, view = events_of(Replay(tmp_path / "l", tmp_path / "j"))
    assert view.occurred_at == at.timestamp() * 1000
    assert posting.skills == ("a|b", "c")


@pytest.mark.parametrize("content", [b"Obj\x01", b"Obj\x01\x00garbage", b"PAR1", b"PAR1" + b"x" * 50])
def test_a_damaged_file_is_an_error_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(FileError, match="broken"):
        events_of(Replay(path))


def test_an_avro_file_cut_short_is_an_error(tmp_path: Path) -> None:
    path = avro(tmp_path / "log.avro", EVENTS[:1] * 50)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileError, match="after record"):
        list(Replay(path))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.parquet"
    parquet.write_table(Table.from_pylist([{"ts": 1}]), path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FileError, match=r"pip install 'streamrec\[parquet\]'"):
        Replay(path)


def test_every_action_has_its_event() -> None:
    assert set(EVENT_OF) == {
        name for name in KINDS if name.startswith("Job") and name not in ("JobPosting", "JobActivity")
    } | {"Connection"}
