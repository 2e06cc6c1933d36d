"""Tests of streamrec.features.seniority."""

import pytest

from streamrec.features.seniority import UNKNOWN, level_of


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("Internship", "Entry level"), ("entry", "Associate"), ("mid", "SENIOR"), ("Senior", "Lead"),
     ("manager", "Director"), ("director", "VP")],
)  # fmt: skip
def test_each_step_is_above_the_one_before(lower: str, higher: str) -> None:
    assert UNKNOWN < level_of(lower) < level_of(higher)


def test_spelling_does_not_matter() -> None:
    assert level_of("mid-senior level") == level_of(" Mid_Senior ") == level_of("Mid Senior Level")


@pytest.mark.parametrize("text", [None, "", "  ", "level", "ninja"])
def test_what_says_nothing_is_unknown(text: str | None) -> None:
    assert level_of(text) == UNKNOWN
