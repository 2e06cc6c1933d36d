"""The windows of `cells.window`, whose mistakes name their line."""

from collections.abc import Callable
from typing import Any

from streamrec.features.cells import window
from streamrec.features.cells.window import Window
from streamrec.features.language.declaration import DeclarationError


def _window(made: Callable[..., Window], *parts: Any) -> Window:
    try:
        return made(*parts)
    except ValueError as error:
        problem, _, remedy = str(error).partition(": ")
        raise DeclarationError(problem, remedy) from error


def _whole(name: str, number: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise DeclarationError(f"{name} is {number!r}", "give a whole number")


def decay(half_life: str) -> Window:
    """Every event, halved with each half-life, ``"5m"`` to ``"3650d"``.

    Examples
    --------
    >>> str(decay("168h"))
    'decay(7d)'
    """
    return _window(window.decay, half_life)


def sliding(length: str, panes: int = 12) -> Window:
    """The events of the last `length`, ``"5m"`` to ``"30d"``, in steps of a pane: see `cells.sliding.Sliding`."""
    _whole("the number of panes of a sliding window", panes)
    return _window(window.sliding, length, panes)


def last(k: int) -> Window:
    """The last `k` events, or the last `k` distinct texts of `latest`."""
    _whole("the number of last events", k)
    return _window(window.last, k)


def session(gap: str) -> Window:
    """The events since the last pause longer than `gap`, until such a pause has passed again."""
    return _window(window.session, gap)
