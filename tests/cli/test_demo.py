"""The demo's options are checked before anything starts."""

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.cli.demo import Duration, Speed


@given(st.integers(1, 10_000), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600)]))
def test_a_duration_is_a_number_with_a_unit(number: int, unit: tuple[str, int]) -> None:
    assert Duration().convert(f"{number}{unit[0]}", None, None) == number * unit[1]


@pytest.mark.parametrize("text", ["", "s", "0s", "-5s", "5 parsecs", "1e3"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "0x", "fast", "x"])
def test_anything_but_max_and_a_multiple_is_no_speed(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no speed"):
        Speed().convert(text, None, None)


@pytest.mark.parametrize("options", [("--speed", "max"), ("--catalogue", "FILE"), ("--members-file", "FILE")])
def test_options_of_a_log_need_a_log(run: Any, tmp_path: Path, options: tuple[str, str]) -> None:
    file = tmp_path / "file.csv"
    file.touch()
    result = run({}, "demo", options[0], options[1].replace("FILE", str(file)))
    assert result.exit_code == 2
    assert "go with --replay" in result.output


def test_a_log_without_its_columns_is_named(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("when,who\n1,2\n")
    result = run({}, "demo", "--replay", str(file))
    assert result.exit_code == 2
    assert "log.csv" in result.output


def test_a_directory_that_cannot_be_written_is_named(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = run({"STREAMREC_DATA_DIR": str(file / "data")}, "demo", "--duration", "5s")
    assert result.exit_code == 1
    assert str(file) in result.output
