"""How good the lists are, by what members do: what a feed finds out, for those who show it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

COURSE: Final = 24  # steps at most
_BARS: Final = "▁▂▃▄▅▆▇█"


class Row(msgspec.Struct, frozen=True):
    """One figure: what it is now, what is to be seen beside it, and its course over the whole time in equal steps.

    There are `COURSE` steps at most; None stands for a step in which there was nothing to say.
    """

    name: str
    now: str
    beside: str
    course: tuple[float | None, ...] = ()


class Judgement(msgspec.Struct, frozen=True):
    """The same thing said in four ways; nothing of it while there is nothing to say.

    Attributes
    ----------
    rows
        For the live picture, four at most.
    words
        For a plain line.
    summary
        For the end: names of at most ten letters, and sentences.
    figures
        For programs, beside the fields of `picture.Picture`.
    """

    rows: tuple[Row, ...] = ()
    words: str = ""
    summary: tuple[tuple[str, str], ...] = ()
    figures: dict[str, Any] = {}


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, from 0 to the largest one; a blank for None.

    Examples
    --------
    >>> sparkline([0.0, 1.0, None, 4.0, 2.0])
    '▁▃ █▅'
    """
    largest = max((value for value in values if value is not None), default=0.0) or 1.0
    steps = len(_BARS) - 1
    return "".join(" " if value is None else _BARS[round(steps * max(0.0, value) / largest)] for value in values)
