"""The live picture fits a small terminal and shows titles as they are."""

import io

import pytest
from rich.console import Console

from streamrec.local.dashboard import draw
from streamrec.local.judgement import COURSE, Judgement, Row
from streamrec.local.observer import SHOWN
from streamrec.local.picture import Item, Picture, Watched

LINKS = [
    ("API", "http://127.0.0.1:8080"),
    ("docs", "http://127.0.0.1:8080/docs"),
    ("metrics", "http://127.0.0.1:8080/metrics"),
]
ITEMS = tuple(
    Item(f"Nurse [b]number[/b] {rank}", "Leeds", 0.25, "co-visited", None if rank % 2 else -rank)
    for rank in range(SHOWN)
)
JUDGEMENT = Judgement(rows=tuple(
    Row(name, "87.3 %", "first 22.0 %", tuple(step / 30 for step in range(COURSE))) for name in ("hits", "worth", "p", "error")
))  # fmt: skip
MEMBER = Watched("m-7", "nurse, Leeds", ("viewed Night nurse",), ITEMS, 3)


def drawn(width: int, picture: Picture, watched: Watched | None) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, height=50, force_terminal=True, color_system=None, legacy_windows=False
    )
    console.print(draw(picture, watched, LINKS))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("watched", [None, MEMBER])
def test_it_fits_into_a_terminal_of_24_lines(width: int, watched: Watched | None) -> None:
    lines = drawn(
        width,
        Picture(
            elapsed_s=75, sent=123_456, sent_rate=200, freshness_p50_s=0.02, freshness_p99_s=0.1, judgement=JUDGEMENT
        ),
        watched,
    )
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width + 200  # links add escape codes, invisible ones
    assert "1:15" in lines[0]
    assert "123,456  200/s" in "".join(lines)
    assert "20 ms, 100 ms" in "".join(lines)
    assert sum("▁▁▂" in line and "87.3 % first 22.0 %" in line for line in lines) == 4


def test_a_title_in_brackets_is_no_markup() -> None:
    assert any("Nurse [b]number[/b] 3" in line for line in drawn(120, Picture(), MEMBER))


def test_it_shows_what_is_new_and_what_moved() -> None:
    text = "\n".join(drawn(120, Picture(), MEMBER))
    assert "new" in text
    assert "▼4" in text
    assert "changed 3 times" in text


def test_a_model_better_than_the_constant_is_marked() -> None:
    better = "\n".join(drawn(120, Picture(log_loss=0.2, constant_log_loss=0.3), None))
    worse = "\n".join(drawn(120, Picture(log_loss=0.4, constant_log_loss=0.3), None))
    assert "0.200 ✓" in better
    assert "✓" not in worse
