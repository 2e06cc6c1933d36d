"""Windows and durations as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.cells.window import Window, always, decay, last, milliseconds, session, sliding, text_of


@pytest.mark.parametrize(
    ("text", "length"), [("1s", 1_000), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000), ("30d", 2_592_000_000)]
)
def test_a_duration_is_a_whole_number_of_a_unit(text: str, length: int) -> None:
    assert milliseconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0m", "-5m", "1.5h", "5 m", "5M", "5m ", "05m", "5ms", "1w", "٣h", "9" * 10 + "d", 5, None]
)
def test_what_is_no_duration_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r'no duration: .*"30s", "5m", "1h", "7d"'):
        milliseconds(text)


@given(st.integers(1, 10**8).map(lambda seconds: seconds * 1000))
def test_a_duration_is_read_as_it_is_written(length: int) -> None:
    assert milliseconds(text_of(length)) == length


def test_windows_are_equal_by_what_they_mean() -> None:
    assert decay("168h") == decay("7d") != decay("8d")
    assert sliding("60m") == sliding("1h", panes=12) != sliding("1h", panes=6)
    assert len({decay("1h"), sliding("1h"), session("1h"), last(1), always, Window("always")}) == 5


def test_windows_are_written_as_they_are_made() -> None:
    windows = [decay("7d"), sliding("1h", panes=12), last(20), session("30m"), always]
    assert [str(window) for window in windows] == [
        "decay(7d)",
        "sliding(1h, panes=12)",
        "last(20)",
        "session(30m)",
        "always",
    ]
