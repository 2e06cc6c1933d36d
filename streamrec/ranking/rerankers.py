"""What may change an order by score, as workflows declare it.

`discount` lowers scores of what was passed over; `vary` and `at_most_per` are for variety, and `explore` is to learn.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streamrec.features.columns import CODED, Floats, Rows
from streamrec.features.table import JobTable
from streamrec.ranking.declaration import WorkflowError, is_count, place
from streamrec.ranking.diversity import spread
from streamrec.ranking.variety import DEPTH, POOL, likeness, relevance, varied

Positions = npt.NDArray[np.intp]


class Standing(NamedTuple):
    """An order that is to be changed: n jobs, best first, by row of the `table`, with the log odds of their scores."""

    rows: Rows
    log_odds: Floats
    table: JobTable

    def take(self, positions: Positions) -> "Standing":
        """The jobs at these positions, in this order."""
        return Standing(self.rows[positions], self.log_odds[positions], self.table)


class AtMostPer(msgspec.Struct, frozen=True):
    """At most `most` jobs with the same `column` in any `within` places in a row; see `diversity.spread`.

    It holds of the list as it is ranked. A job that closes afterwards, or that `explore` puts elsewhere, may break it by one.
    """

    column: str
    most: int
    within: int

    @property
    def name(self) -> str:
        """As the API shows it."""
        return f"at_most_per({self.column}, {self.most}, within={self.within})"

    def reorder(self, standing: Standing, size: int) -> Positions:
        """Positions in the standing of the jobs that make the list of `size`, in its order."""
        groups = getattr(standing.table, self.column)[standing.rows].tolist()
        return np.array(spread(groups, self.most, self.within, size), np.intp)


class Vary(msgspec.Struct, frozen=True):
    """Each of the first `variety.DEPTH` places goes to a job that is good and unlike those just before it; see `variety`."""

    share: float

    @property
    def name(self) -> str:
        """As the API shows it."""
        return f"vary({self.share:g})"

    def reorder(self, standing: Standing, size: int) -> Positions:
        """As of `AtMostPer`."""
        worth = relevance(standing.log_odds)[:POOL]
        first = varied(worth, likeness(standing.table, standing.rows[:POOL]), self.share, min(size, DEPTH))
        rest = np.delete(np.arange(len(standing.rows)), first)
        return np.concatenate([np.array(first, np.intp), rest[: max(0, size - len(first))]])


class Discount(msgspec.Struct, frozen=True):
    """What the member was shown and did not check sinks: the odds of the score, times `per_showing` for each time.

    See `models.passed` for what counts. Of a blend, which is no probability, the score itself.
    """

    per_showing: float

    @property
    def name(self) -> str:
        """As the API shows it."""
        return f"discount({self.per_showing:g})"

    def lower(self, scores: Floats, times: Floats, *, odds: bool) -> Floats:
        """Scores of jobs that were passed over so many times. `odds`: the scores are probabilities."""
        lowered: Floats = scores * self.per_showing**times
        return lowered / (1.0 - scores + lowered) if odds else lowered


class Explore(msgspec.Struct, frozen=True):
    """Now and then a job from further down is tried near the top, see `rerank`; by whoever shows the list, at that moment.

    `share` is that of the answers, None for the setting `explore`.
    """

    share: float | None = None

    @property
    def name(self) -> str:
        """As the API shows it."""
        return "explore()" if self.share is None else f"explore({self.share:g})"


Mover = AtMostPer | Vary  # what puts jobs elsewhere, before the list is there
Reranker = Discount | Mover | Explore
KNOWN: Final = "discount(PER_SHOWING), vary(SHARE), at_most_per(COLUMN, MOST, within=PLACES) and explore()"


def at_most_per(column: str, most: int, *, within: int) -> AtMostPer:
    """Declare that at most `most` of any `within` jobs in a row are equal in `column`, such as ``company``.

    Raises
    ------
    WorkflowError
        The table of jobs has no such column, or the numbers make no sense.

    Examples
    --------
    >>> at_most_per("company", 3, within=10).name
    'at_most_per(company, 3, within=10)'
    """
    if column not in CODED:
        raise WorkflowError(place(), f"at_most_per: no column {column!r}", f"one of {', '.join(CODED)}")
    if not is_count(most) or not is_count(within) or not most < within:
        what = f"at_most_per: most is {most!r}, within is {within!r}"
        raise WorkflowError(place(), what, "whole numbers, with 1 <= most < within, or it would change nothing")
    return AtMostPer(column, most, within)


def vary(share: float) -> Vary:
    """Declare how much variety counts beside the score: 0 is the order by score, 1 asks for variety alone.

    Jobs are alike by company, by the words of their titles and by place; each is compared with the ten before it.

    Raises
    ------
    WorkflowError
        The share is not between 0 and 1.

    Examples
    --------
    >>> vary(0.3).name
    'vary(0.3)'
    """
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0.0 <= share <= 1.0:
        raise WorkflowError(
            place(), f"vary: the share is {share!r}", "from 0 (the order by score) to 1 (variety alone)"
        )
    return Vary(float(share))


def discount(per_showing: float) -> Discount:
    """Declare that jobs which the member was shown and did not check sink; declared first, since it changes scores.

    Raises
    ------
    WorkflowError
        The factor is not between 0 and 1.

    Examples
    --------
    >>> discount(0.8).name, discount(0.5).lower(np.array([0.5]), np.array([1.0]), odds=True).round(3).tolist()
    ('discount(0.8)', [0.333])
    """
    if not isinstance(per_showing, int | float) or isinstance(per_showing, bool) or not 0.0 < per_showing < 1.0:
        remedy = "above 0 and below 1; leave discount() out for none"
        raise WorkflowError(place(), f"discount: the factor is {per_showing!r}", remedy)
    return Discount(float(per_showing))


def explore(share: float | None = None) -> Explore:
    """Declare that lists are explored, in a `share` of the answers; default: as the setting `explore` says.

    Raises
    ------
    WorkflowError
        The share is not between 0 and 1.

    Examples
    --------
    >>> explore().name, explore(0.3).name
    ('explore()', 'explore(0.3)')
    """
    if share is not None and not 0.0 < share <= 1.0:
        remedy = "above 0 and at most 1; leave explore() out for none"
        raise WorkflowError(place(), f"explore: the share is {share!r}", remedy)
    return Explore(share)
