"""Where the jobs to be ranked come from: a few hundred out of all, one small function a source."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from streamrec.features.columns import NEWEST, Rows
from streamrec.features.likeness import alike
from streamrec.features.table import JobTable
from streamrec.features.view import LIKED, MemberView

HOUR, DAYS = 0, 2  # of `library.POPULARITY`: half-lives of one hour, ten days


class Ask(NamedTuple):
    """What a source is asked: up to `limit` rows, best first, as of `now`; `region` and `function` are of a filter."""

    view: MemberView
    table: JobTable
    now: int
    limit: int
    region: int = 0
    function: int = 0


class Source(NamedTuple):
    """A source of candidates.

    Attributes
    ----------
    name
        As the API shows it.
    size
        Candidates that it may contribute.
    weight
        Of its ranks in the blend that orders a list while there is no model.
    read
        Gives the rows. They may be filtered in part or not at all: the gate comes afterwards.
    """

    name: str
    size: int
    weight: float
    read: Callable[[Ask], Rows]


def covisited(ask: Ask) -> Rows:
    """Jobs touched by members who touched the jobs that this member touched lately."""
    return ask.view.covisit_rows[: ask.limit]


def popular_hour(ask: Ask) -> Rows:
    """What most act on now: half-life one hour."""
    return ask.table.top(HOUR, ask.limit, ask.region, ask.function, now=ask.now)


def popular_days(ask: Ask) -> Rows:
    """What most have acted on lately: half-life ten days."""
    return ask.table.top(DAYS, ask.limit, ask.region, ask.function, now=ask.now)


def popular_region(ask: Ask) -> Rows:
    """Popular in the member's region, at both half-lives in turn."""
    return _both(ask, ask.region or ask.view.region, ask.function) if ask.view.region else _NONE


def popular_function(ask: Ask) -> Rows:
    """Popular in the member's function (kind of work), at both half-lives in turn."""
    return _both(ask, ask.region, ask.function or ask.view.function) if ask.view.function else _NONE


def newest(ask: Ask) -> Rows:
    """Newest postings; a job without one counts from its first event."""
    return ask.table.newest(ask.limit, ask.region, now=ask.now)


def title(ask: Ask) -> Rows:
    """All open postings by how much their titles have in common with what the member looked at and wants."""
    return (
        ask.table.best_open(ask.view.overlap(ask.table).copy(), ask.limit, ask.now) if ask.view.token_weights else _NONE
    )


def place(ask: Ask) -> Rows:
    """Newest postings in the member's city, then in its region."""
    return ask.table.in_place(ask.view.city, ask.view.region, ask.limit, now=ask.now)


def network(ask: Ask) -> Rows:
    """Jobs that connections liked, saved or applied for lately: by how many, then the newest posting first."""
    counts = ask.view.network_counts[:, LIKED]
    rows = ask.view.network_rows[counts > 0.0]
    columns = ask.table.columns
    order = np.lexsort((columns.ties[rows], -columns.scores[rows, NEWEST], -counts[counts > 0.0]))
    return rows[order[: ask.limit]]


def content(ask: Ask) -> Rows:
    """All open postings by how much they are like what the member looked at: place, words of the title, industry."""
    return alike(ask.view, ask.table, ask.limit, ask.now)


def _both(ask: Ask, region: int, function: int) -> Rows:
    half = (ask.limit + 1) // 2
    hour, days = (ask.table.top(index, half, region, function, now=ask.now) for index in (HOUR, DAYS))
    both = min(len(hour), len(days))
    turns = np.stack((hour[:both], days[:both]), axis=1).reshape(-1)
    return turns if len(hour) == len(days) else np.concatenate([turns, hour[both:], days[both:]])


_NONE: Final[Rows] = np.zeros(0, np.int32)

# The position is the bit in stored lists: it never changes its meaning, and new sources come last.
SOURCES: Final = (
    Source("covisited", 100, 3.0, covisited),
    Source("popular_hour", 40, 1.0, popular_hour),
    Source("popular_days", 60, 1.0, popular_days),
    Source("popular_region", 30, 2.0, popular_region),
    Source("popular_function", 30, 1.5, popular_function),
    Source("newest", 30, 0.5, newest),
    Source("title", 80, 2.0, title),
    Source("place", 30, 1.0, place),
    Source("network", 30, 2.0, network),
    Source("content", 120, 3.0, content),
)


def explain(sources: int) -> list[str]:
    """Names of the sources in a bit mask; bits of a later version are passed over.

    Examples
    --------
    >>> explain(0b1000010)
    ['popular_hour', 'title']
    """
    return [source.name for number, source in enumerate(SOURCES) if sources >> number & 1]
