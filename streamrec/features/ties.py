"""Some jobs beside what is known of one member's past: recent jobs, words, connections, the most popular job at home."""

from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import CODED, Floats, Ints, Rows
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.ties import CONNECTIONS_DID
from streamrec.features.table import JobTable
from streamrec.features.texts import MISSING, Numbers
from streamrec.features.view import APPLIED, CHECKED, DESIRED, LAST, LIKED, RECENT, SOURCES, MemberView, Singles

_COLUMN: Final = {name: index for index, name in enumerate(CODED)}
_WORDS: Final = {"interests": RECENT, "profile.desired_titles": DESIRED, "last_title": LAST}
_DID: Final = dict(zip(CONNECTIONS_DID, (CHECKED, LIKED, APPLIED), strict=True))
_WHOLE: Final = 2.0**48  # shares are counted in parts of this many: whole numbers add up alike in any order


class Ties:
    """What ties n jobs to one member; `codes` and `gaps` as of `Reading`."""

    def __init__(self, view: MemberView, table: JobTable, rows: Rows, codes: Ints, gaps: Floats) -> None:
        self._view, self._table, self._rows, self._codes, self._gaps = view, table, rows, codes, gaps

    # The member's recent jobs.

    @cached_property
    def _covisits(self) -> tuple[Singles, npt.NDArray[np.int64]]:
        return self._view.covisits(self._rows)

    @property
    def covisit_scores(self) -> Singles:
        """How strongly each job is tied to the member's recent ones; 0 for none."""
        return self._covisits[0]

    @property
    def covisit_ranks(self) -> npt.NDArray[np.int64]:
        """The order of that: 0 is best, -1 is none."""
        return self._covisits[1]

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
        column = _COLUMN[name]
        equal = self._codes[:, column, None] == recent[:, column]
        share: Floats = equal @ shares
        share /= _WHOLE
        share += self._gaps[:, column]
        return share

    # Words of titles.

    @cached_property
    def _titles(self) -> Ints:
        return self._table.titles.words[self._rows]

    @cached_property
    def _says(self) -> Singles:
        says = self._table.titles.idf(self._titles)
        says *= says
        return says

    def cosine(self, words: str) -> Singles:
        """Cosine of the title with words of the member; NaN where either has none."""
        return self._cosines[:, _WORDS[words]]

    @cached_property
    def _cosines(self) -> Singles:
        says = self._says
        weights = self._view.words(self._table)
        dot = np.einsum("nw,nwk->nk", says, weights[self._titles])
        length = np.sqrt(says.sum(axis=1))[:, None] * self._view.lengths(self._table)
        result: Singles = np.full(dot.shape, np.nan, np.float32)
        np.divide(dot, length, out=result, where=length > 0.0)
        return result

    def desired_coverage(self) -> Any:
        """How much of one of the desired titles is in the job's title, words weighted by idf²: 1 for all; NaN without any."""
        best: Any = MISSING
        for codes in self._view.desired_titles:
            says = self._table.titles.idf(codes) ** 2
            has = (self._titles[:, :, None] == codes).any(axis=1)
            best = np.fmax(best, (has * says).sum(axis=1) / says.sum())
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
        column = _COLUMN["company"]
        codes, found = self._codes[:, column], self._gaps[:, column].copy()
        for code, count in self._view.colleagues.items():
            found[codes == code] = count
        return found

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
        return np.where(self._codes[:, _COLUMN[name]] == code, beside, np.nan)
