"""Tests of streamrec.cli.since."""

import time

import click
import pytest

from streamrec.cli.since import Since


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("3d", 259_200)])
def test_a_time_ago(text: str, seconds: int) -> None:
    before = time.time()
    at = Since().convert(text, None, None) / 1000
    assert before - 0.002 <= at + seconds <= time.time() + 0.002


@pytest.mark.parametrize(
    "text", ["2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-11-15T00:13:20+02:00", "20231114T221320"]
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str) -> None:
    assert Since().convert(text, None, None) == 1_700_000_000_000


@pytest.mark.parametrize("text", ["", "2", "2w", "-2h", "yesterday", "2023-13-01"])
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither such as 30m"):
        Since().convert(text, None, None)
