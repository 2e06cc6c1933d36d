"""A window: which events of a key count, and how much. `make.make` makes a cell of it and an aggregate."""

import re
from dataclasses import dataclass
from typing import Final

UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
MINUTE_MS: Final = UNITS_MS["m"]
DAY_MS: Final = UNITS_MS["d"]

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([dhms])")


@dataclass(frozen=True)
class Window:
    """Which events count; made by `decay`, `sliding`, `last`, `session`, or `always`.

    Attributes
    ----------
    kind
        The name of the function that made it.
    span_ms
        Half-life, length, or gap (ms); 0 where the window has none.
    parts
        Panes of a sliding window, or how many events are the last; 0 where the window has none.
    """

    kind: str
    span_ms: int = 0
    parts: int = 0

    def __str__(self) -> str:
        if self.kind == "last":
            return f"last({self.parts})"
        if self.kind == "sliding":
            return f"sliding({text_of(self.span_ms)}, panes={self.parts})"
        return f"{self.kind}({text_of(self.span_ms)})" if self.span_ms else self.kind


def milliseconds(duration: str) -> int:
    """A duration such as "30s", "5m", "1h" or "7d", in ms.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> milliseconds("5m"), milliseconds("7d")
    (300000, 604800000)
    >>> milliseconds("1.5 hours")
    Traceback (most recent call last):
    ValueError: '1.5 hours' is no duration: write a whole number and one of s, m, h, d, such as "30s", "5m", "1h", "7d"
    """
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise ValueError(
            f'{duration!r} is no duration: write a whole number and one of s, m, h, d, such as "30s", "5m", "1h", "7d"'
        )
    return int(match[1]) * UNITS_MS[match[2]]


def text_of(span_ms: int) -> str:
    """The shortest text of a duration: that which `milliseconds` reads.

    Examples
    --------
    >>> text_of(7_200_000), text_of(90_000), text_of(1)
    ('2h', '90s', '1ms')
    """
    for unit, length in UNITS_MS.items():
        if span_ms % length == 0:
            return f"{span_ms // length}{unit}"
    return f"{span_ms}ms"


def decay(half_life: str) -> Window:
    """Every event, halved with each half-life.

    Examples
    --------
    >>> str(decay("168h"))
    'decay(7d)'
    """
    return Window("decay", milliseconds(half_life))


def sliding(length: str, panes: int = 12) -> Window:
    """The events of the last `length`, in steps of a pane: see `sliding.Sliding`."""
    return Window("sliding", milliseconds(length), panes)


def last(k: int) -> Window:
    """The last `k` events."""
    return Window("last", parts=k)


def session(gap: str) -> Window:
    """The events since the last pause longer than `gap`, until such a pause has passed again."""
    return Window("session", milliseconds(gap))


always: Final = Window("always")
