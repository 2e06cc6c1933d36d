"""Windows, as the language gives them."""

from collections.abc import Callable

import pytest

from streamrec.features.cells import window
from streamrec.features.language import decay, last, session, sliding


def test_they_are_those_of_the_cells() -> None:
    assert [decay("7d"), sliding("1h", 6), last(5), session("30m")] == [
        window.decay("7d"), window.sliding("1h", 6), window.last(5), window.session("30m"),
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["7 d", "", "1.5h", "-1h", "7w", 7])
def test_a_wrong_duration_is_refused(given: str, refused: Callable[..., None]) -> None:
    problem = f"{given!r} is no duration"
    remedy = 'write a whole number and one of s, m, h, d, such as "30s", "5m", "1h", "7d"'
    refused(lambda: decay(given), problem, remedy)
    refused(lambda: sliding(given), problem, remedy)
    refused(lambda: session(given), problem, remedy)


def test_wrong_numbers_are_refused(refused: Callable[..., None]) -> None:
    refused(lambda: last("5"), "the number of last events is '5'", "give a whole number")  # type: ignore[arg-type]
    refused(lambda: sliding("1h", 1.5), "the number of panes of a sliding window is 1.5", "give a whole number")  # type: ignore[arg-type]
