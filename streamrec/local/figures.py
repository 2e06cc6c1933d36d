"""Figures as people read them."""

from typing import Final

UNKNOWN: Final = "-"


def milliseconds(seconds: float | None) -> str:
    """A short time, for people.

    Examples
    --------
    >>> milliseconds(0.0421), milliseconds(2.5), milliseconds(None)
    ('42 ms', '2.5 s', '-')
    """
    if seconds is None:
        return UNKNOWN
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals, or a dash."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """A count with thousands apart, or a dash."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share in percent, or a dash."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"
