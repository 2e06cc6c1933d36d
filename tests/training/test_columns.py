"""From the cells of foreign tables to fields."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.training.columns import Columns, time_ms
from streamrec.training.rows import FileError, Table


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - a bound
def test_every_way_to_write_a_time_means_the_same(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    expected = round(moment.timestamp() * 1000)
    texts = (f"{expected}", f"{expected / 1000:.3f}", moment.isoformat(), moment.isoformat().replace("+00:00", "Z"),
             moment.replace(tzinfo=None).isoformat(" "))  # fmt: skip
    assert {time_ms(text) for text in texts} == {expected}


@pytest.mark.parametrize("text", ["yesterday", "12:30", "nan", "inf", "0x10", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        time_ms(text)


def columns_of(tmp_path: Path, header: str, renamed: dict[str, str] | None = None) -> Columns:
    (tmp_path / "log.csv").write_text(header + "\n")
    names = {"ts": "occurred_at", "user_id": "member_id", "dwell_s": "dwell_ms"}
    return Columns(Table(tmp_path / "log.csv"), names, ("JobView",), ("occurred_at", "member_id"), renamed or {})


def test_columns_are_found_by_their_names_by_those_of_the_fields_and_by_what_the_user_says(tmp_path: Path) -> None:
    assert columns_of(tmp_path, "ts,user_id").place == {"occurred_at": 0, "member_id": 1}
    assert columns_of(tmp_path, "member_id,occurred_at").place == {"member_id": 0, "occurred_at": 1}
    assert columns_of(tmp_path, "who,when", {"ts": "when", "member_id": "who"}).place == {
        "member_id": 0,
        "occurred_at": 1,
    }


def test_what_the_user_says_overrules_a_column_of_the_usual_name(tmp_path: Path) -> None:
    columns = columns_of(tmp_path, "ts,when,user_id", {"ts": "when"})
    assert columns.place == {"occurred_at": 1, "member_id": 2}
    assert columns.unknown == ["ts"]


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no column user_id; there are when, who: .* --columns user_id=NAME"):
        columns_of(tmp_path, "when,who", {"ts": "when"})


def test_columns_that_mean_nothing_are_known_as_such(tmp_path: Path) -> None:
    assert columns_of(tmp_path, "ts,user_id,shoe_size,member_id").unknown == ["shoe_size", "member_id"]


def test_cells_become_fields_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    columns = columns_of(tmp_path, "ts,user_id,dwell_s,surface")
    assert columns.fields("JobView", ["5", " m1 ", "1.5", ""]) == {
        "occurred_at": 5000, "member_id": "m1", "dwell_ms": 1500,
    }  # fmt: skip
    assert columns.fields("JobView", ["5", "", "-3", "feed"])["dwell_ms"] == 0
    assert columns.fields("JobView", ["5", "", "1e9", "feed"])["dwell_ms"] == 86_400_000
    with pytest.raises(ValueError, match="occurred_at cannot be 'soon'"):
        columns.fields("JobView", ["soon", "m1", "", ""])
