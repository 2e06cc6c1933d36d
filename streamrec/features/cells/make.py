"""The one constructor of cells: an aggregate, by name, over a window."""

import re
from typing import Final

from streamrec.features.cells.always import Always, FirstAt, LatestAt
from streamrec.features.cells.base import Cell
from streamrec.features.cells.decay import Decay, DecayedCount
from streamrec.features.cells.last import Last, LatestDistinct
from streamrec.features.cells.session import Session
from streamrec.features.cells.sliding import Sliding
from streamrec.features.cells.summary import SUMMARIES
from streamrec.features.cells.top import Top
from streamrec.features.cells.window import Window

_SUMMARIES: Final = tuple(SUMMARIES)
_FADING: Final = tuple(name for name, summary in SUMMARIES.items() if summary.weighted)
_TOP: Final = re.compile(r"top ([1-9][0-9]*)")
_REMEDIES: Final = {
    "least": "use sliding or last", "most": "use sliding or last", "distinct": "use sliding or last",
    "texts": "use last, such as last(20)", "top 20": "use decay, such as decay(7d)",
    "first_at": "use always", "latest_at": "use always",
}  # fmt: skip


def make(aggregate: str, window: Window) -> Cell:  # noqa: PLR0911  (a table)
    """The cell of an aggregate over a window.

    Parameters
    ----------
    aggregate
        count, total, mean, variance, least, most, distinct; over always first_at and latest_at, too; over last(k) the texts
        themselves (texts); over decay the heaviest texts (top 20).
    window
        See `window`.

    Raises
    ------
    ValueError
        There is no such aggregate, or not over this window, or a number is out of range.

    Examples
    --------
    >>> from streamrec.features.cells.window import always, decay, last, session, sliding
    >>> cells = (make("count", decay("7d")), make("most", sliding("1h")), make("texts", last(5)), make("top 20", decay("30d")))
    >>> [str(cell) for cell in cells]
    ['count over decay(7d)', 'most over sliding(1h, panes=12)', 'texts over last(5)', 'top 20 over decay(30d)']
    >>> make("least", decay("7d"))
    Traceback (most recent call last):
    ValueError: there is no least over decay(7d): use sliding or last
    """
    top = _TOP.fullmatch(aggregate)
    name = "top 20" if top else aggregate
    if name not in _SUMMARIES and name not in _REMEDIES:
        known = ", ".join(dict.fromkeys((*_SUMMARIES, *_REMEDIES)))
        raise ValueError(f"there is no aggregate {aggregate!r}: choose one of {known}")
    match window.kind, name:
        case "decay", "count":
            return DecayedCount(window.span_ms)
        case "decay", _ if top:
            return Top(int(top[1]), window.span_ms)
        case "decay", _ if name in _FADING:
            return Decay(window.span_ms, SUMMARIES[name])
        case "sliding", _ if name in _SUMMARIES:
            return Sliding(window.span_ms, SUMMARIES[name], window.parts)
        case "last", "texts":
            return LatestDistinct(window.parts)
        case "last", _ if name in _SUMMARIES:
            return Last(SUMMARIES[name], window.parts)
        case "session", _ if name in _SUMMARIES:
            return Session(SUMMARIES[name], window.span_ms)
        case "always", "first_at":
            return FirstAt()
        case "always", "latest_at":
            return LatestAt()
        case "always", _ if name in _SUMMARIES:
            return Always(SUMMARIES[name])
    raise ValueError(f"there is no {aggregate} over {window}: {_REMEDIES[name]}")
