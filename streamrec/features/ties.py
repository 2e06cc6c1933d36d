"""Some jobs beside what is known of one member's past: recent jobs, words, connections, the most popular job at home."""

from functools import cached_property
from typing import Any, Final

import numpy as np

from streamrec.features.columns import COLUMN_OF, Floats, Ints, Rows
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.ties import CONNECTIONS_DID
from streamrec.features.table import JobTable
from streamrec.features.texts import MISSING, Numbers
from streamrec.features.view import (
    APPLIED,
    CHECKED,
    DESIRED,
    LAST,
    LIKED,
    RECENT,
    SOURCES,
    Covisits,
    MemberView,
    Singles,
)

_WORDS: Final = {"interests": RECENT, "profile.desired_titles": DESIRED, "last_title": LAST}
_DID: Final = dict(zip(CONNECTIONS_DID, (CHECKED, LIKED, APPLIED), strict=True))
STANDINGS: Final = 100  # of the best jobs are told apart
_WHOLE: Final = 2.0**48  # shares are counted in parts of this many: whole numbers add up alike in any order


class Ties:
    """What ties n jobs to one member; `codes` and `gaps` as of `Reading`."""

    def __init__(self, view: MemberView, table: JobTable, rows: Rows, codes: Ints, gaps: Floats) -> None:
        self._view, self._table, self._rows, self._codes, self._gaps = view, table, rows, codes, gaps

    # The member's recent jobs.

    @cached_property
    def _covisits(self) -> Covisits:
        return self._view.covisits(self._rows)

    @property
    def covisit_scores(self) -> Singles:
        """How strongly each job is tied to the member's recent ones; 0 for none."""
        return self._covisits.scores

    @property
    def covisit_ranks(self) -> Floats:
        """The order of that: 0 is best; NaN where there is none."""
        ranks = self._covisits.ranks
        return np.where(ranks < 0, np.nan, ranks)

    @property
    def last_covisit_scores(self) -> Singles:
        """How strongly each job is tied to the member's newest one; 0 for none."""
        return self._covisits.last

    @cached_property
    def _recent(self) -> tuple[Ints, Floats]:
        """Codes of the member's recent jobs, and the share of each among them, in whole numbers."""
        weights = self._view.recent_weights[:SOURCES].astype(np.float64)
        # The sum is 0 where an unknown job came last and the known ones years before.
        shares = np.rint(weights / (weights.sum() or 1.0) * _WHOLE)
        return self._table.columns.codes[self._view.recent_rows[:SOURCES]], shares

    def share(self, name: str) -> Numbers:
        """Share, by weight, of the member's recent jobs that have the job's code; NaN where either is unknown."""
        recent, shares = self._recent
        if not len(shares):
            return MISSING
        column = COLUMN_OF[name]
        by_code = np.zeros(self._table.vocabulary(name))
        np.add.at(by_code, recent[:, column], shares)
        share: Floats = by_code.take(self._codes[:, column])
        share /= _WHOLE
        share += self._gaps[:, column]
        return share

    def resemblance(self) -> Floats:
        """How much those who touched each job last resemble the member, 0 to 1."""
        return self._view.resemblance(self._table).of(self._table.columns.touchers[self._rows])

    # Words of titles.

    @cached_property
    def _titles(self) -> Ints:
        """Codes of the words of each title, int32 ``(w, n)``: as many words as the longest of these titles has."""
        words = self._table.titles.words[self._rows]
        return np.ascontiguousarray(words[:, : np.count_nonzero(words.any(axis=0))].T)

    def cosine(self, words: str) -> Singles:
        """Cosine of the title with words of the member; NaN where either has none."""
        return self._cosines[:, _WORDS[words]]

    @cached_property
    def _cosines(self) -> Singles:
        titles, words = self._titles, self._view.words(self._table)
        says = self._table.titles.says.take(titles)
        parts = words.take(titles, axis=0)
        parts *= says[:, :, None]
        dot, square = np.zeros((len(self._rows), 3), np.float32), np.zeros(len(self._rows), np.float32)
        for part, amount in zip(parts, says, strict=True):  # one by one: a sum may take another order beside other rows
            dot += part
            square += amount
        length = np.sqrt(square)[:, None] * self._view.lengths(self._table)
        result: Singles = np.full(dot.shape, np.nan, np.float32)
        np.divide(dot, length, out=result, where=length > 0.0)
        return result

    def desired_coverage(self) -> Numbers:
        """How much of one of the desired titles is in the job's title, words weighted by idf²: 1 for all; NaN without any."""
        titles = self._view.desired_titles
        if not titles:
            return MISSING
        wanted = np.unique(np.concatenate(titles))
        says = self._table.titles.idf(wanted).astype(np.float64) ** 2
        shares = np.zeros((len(titles), len(self._table.titles)))
        for by_word, codes in zip(shares, titles, strict=True):
            amounts = says[np.searchsorted(wanted, codes)]
            by_word[codes] = np.rint(amounts / amounts.sum() * _WHOLE)
        # A title has each word once, and whole numbers add up alike in any order.
        covered = [by_word.take(self._titles).sum(axis=0) for by_word in shares]
        best: Floats = np.max(covered, axis=0) / _WHOLE
        return best

    # Connections.

    @cached_property
    def _network(self) -> Singles:
        return self._view.network(self._rows)

    def connections_that(self, did: str) -> Singles:
        """How many connections did so much with each job lately."""
        return self._network[:, _DID[did]]

    def connections_at(self) -> Numbers:
        """How many connections work at the job's company; NaN without connections or company."""
        if not self._view.colleagues:
            return MISSING
        column = COLUMN_OF["company"]
        by_code = np.zeros(self._table.vocabulary("company"))
        by_code[list(self._view.colleagues)] = list(self._view.colleagues.values())
        found: Floats = by_code.take(self._codes[:, column])
        found += self._gaps[:, column]
        return found

    # The best of all.

    def standing(self, index: int) -> Floats:
        """How many open jobs are ahead by a column of `Columns.scores`, at most `STANDINGS`."""
        best = self._table.standings(index, STANDINGS, self._view.now)
        place = np.searchsorted(best.rows, self._rows)
        return np.where(best.rows.take(place) == self._rows, best.places.take(place), float(STANDINGS))

    # The place where the member is at home.

    def beside_best(self, name: str, counted: Aggregate) -> Any:
        """A count beside that of the most popular job of the member's group; NaN outside the group."""
        code = getattr(self._view, name)
        if not code:
            return MISSING
        index = self._table.leading(counted)
        region, function = (code, 0) if name == "region" else (0, code)
        leader = self._table.top(index, 1, region=region, function=function)
        if not len(leader):
            return MISSING
        scores = self._table.columns.scores
        beside = np.exp2(np.minimum(scores[self._rows, index] - scores[leader[0], index], 0.0))
        return np.where(self._codes[:, COLUMN_OF[name]] == code, beside, np.nan)
