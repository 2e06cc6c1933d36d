"""What a feature is, and how the features of a list of jobs become one matrix: the machinery beside `library`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from streamrec.events import Action
from streamrec.features.columns import (
    CODED,
    COUNT_HALF_LIFE_MS,
    FIRST_AT,
    FIRST_COUNT,
    LAST_AT,
    NEWEST,
    POPULARITY_HALF_LIVES_MS,
    POSTED_AT,
    SCORES,
    SKILLS,
    Floats,
    Ints,
    Rows,
)
from streamrec.features.table import JobTable
from streamrec.features.view import SOURCES, MemberView, Singles

_HALF_LIVES: Final = np.full(SCORES, float(COUNT_HALF_LIFE_MS))
_HALF_LIVES[:NEWEST] = POPULARITY_HALF_LIVES_MS
_LARGEST: Final = 64.0  # log2 of a decayed count: no job comes near, and the matrix stays finite whatever is stored
_COLUMN: Final = {name: index for index, name in enumerate(CODED)}
MINUTE_MS: Final = 60_000


class Reading:
    """Some jobs beside one member: what several features need, read once, with one row a job.

    Attributes
    ----------
    view, table, rows, now
        What is read; row -1 is a job of which nothing is known.
    decayed
        float64 ``(n, 9)``: the columns of `Columns.scores` as decayed values at `now`.
    codes
        int32 ``(n, 6)``, in the order of `CODED`.
    times
        int64 ``(n, 4)``, ms: as `Columns.times`.
    overlaps
        float32 ``(n, 3)``: cosine, with words weighted by idf, of the title with the member's recent titles, desired
        titles and last title. NaN where either has no words.
    network
        float32 ``(n, 3)``: log1p of `MemberView.network_counts`.
    """

    def __init__(self, view: MemberView, table: JobTable, rows: Rows, now: int) -> None:
        self.view, self.table, self.rows, self.now = view, table, rows, now
        columns = table.columns
        self.codes: Ints = columns.codes[rows]
        self.times = columns.times[rows]
        self.scores: Floats = columns.scores[rows]
        # An event from the near future counts in full, not as more than itself.
        as_of = np.maximum(self.times[:, LAST_AT], now)
        exponents = self.scores - as_of[:, None] / _HALF_LIVES
        self.decayed: Floats = np.exp2(np.minimum(exponents, _LARGEST, out=exponents))
        self.log_decayed: Floats = np.log1p(self.decayed)
        self.covisit_scores, self.covisit_ranks = view.covisits(rows)
        self.overlaps = self._overlaps()
        self.network = np.log1p(view.network(rows))
        self._recent_codes: Ints = columns.codes[view.recent_rows[:SOURCES]]
        weights = view.recent_weights[:SOURCES]
        # The sum is 0 where an unknown job came last and the known ones years before.
        self._recent_shares: Singles = weights / (weights.sum() or np.float32(1.0))

    def _overlaps(self) -> Singles:
        words = self.table.titles.words[self.rows]
        says = self.table.titles.idf(words)
        says *= says
        weights = self.view.words(self.table)
        dot = np.einsum("nw,nwk->nk", says, weights[words])
        length = np.sqrt(says.sum(axis=1))[:, None] * self.view.lengths(self.table)
        result: Singles = np.full(dot.shape, np.nan, np.float32)
        np.divide(dot, length, out=result, where=length > 0.0)
        return result

    def desired_coverage(self) -> Singles:
        """How much of one of the desired titles is in the job's title, words weighted by idf²: 1 for all; NaN without any."""
        titles = self.table.titles
        if not self.view.desired_titles:
            return self.constant(np.nan)
        words, best = titles.words[self.rows], self.constant(0.0)
        for codes in self.view.desired_titles:
            says = titles.idf(codes) ** 2
            has = (words[:, :, None] == codes).any(axis=1)
            np.maximum(best, (has * says).sum(axis=1) / says.sum(), out=best)
        return best

    def company_popularity(self) -> Floats:
        """log1p of the positive actions at one's company, at the longest of `POPULARITY_HALF_LIVES_MS`."""
        return np.log1p(self.table.companies.popularity(self.codes[:, _COLUMN["company"]], self.now))

    def popularity(self, index: int) -> Floats:
        """log1p of the decayed positive actions at one of `POPULARITY_HALF_LIVES_MS`."""
        return self.log_decayed[:, index]

    def count(self, action: Action) -> Floats:
        """Decayed count of an action."""
        return self.decayed[:, FIRST_COUNT + action]

    def log_count(self, action: Action) -> Floats:
        """log1p of the decayed count of an action."""
        return self.log_decayed[:, FIRST_COUNT + action]

    def same(self, name: str, code: int) -> Singles:
        """1 where the job's code in a column of `CODED` is `code`, 0 where it differs, NaN where either is unknown."""
        if not code:
            return self.constant(np.nan)
        codes = self.codes[:, _COLUMN[name]]
        same: Singles = (codes == code).astype(np.float32)
        same[codes == 0] = np.nan
        return same

    def share(self, name: str) -> Singles:
        """Share, by weight, of the member's recent jobs that have the job's code; NaN where either is unknown."""
        if not len(self._recent_shares):
            return self.constant(np.nan)
        codes = self.codes[:, _COLUMN[name]]
        same = codes[:, None] == self._recent_codes[None, :, _COLUMN[name]]
        # Not `dot`: BLAS may sum a row in another order beside other rows, and equal jobs must have equal values.
        share: Singles = (same * self._recent_shares).sum(axis=1)
        share[codes == 0] = np.nan
        return share

    def skill_overlap(self) -> Singles:
        """Share of the skills asked for that the member has; NaN where either names none."""
        skills = self.view.skills
        if not skills:
            return self.constant(np.nan)
        asked = self.table.columns.skills[self.rows]
        has = np.isin(asked, list(skills)) if len(skills) > SKILLS else (asked[:, :, None] == list(skills)).any(axis=2)
        count = (asked > 0).sum(axis=1).astype(np.float32)
        share: Singles = np.full(len(self.rows), np.nan, np.float32)
        np.divide((has & (asked > 0)).sum(axis=1), count, out=share, where=count > 0.0)
        return share

    def level_gap(self) -> Singles:
        """Steps between the job's level and the member's, whichever is higher; NaN where either is unknown."""
        if self.view.level < 0:
            return self.constant(np.nan)
        levels = self.table.columns.level[self.rows]
        gap: Singles = np.abs(levels - self.view.level).astype(np.float32)
        gap[levels < 0] = np.nan
        return gap

    def log_pay(self) -> Floats:
        """log of the pay beside the member's floor, cut at -1 and 1; NaN where either is unknown, or currencies differ."""
        columns = self.table.columns
        ratio: Floats = np.log(columns.salary[self.rows].astype(np.float64) / self.view.salary_floor)
        ratio[columns.currency[self.rows] != self.view.currency] = np.nan
        return np.clip(ratio, -1.0, 1.0)

    def of_companies(self, companies: Mapping[int, float]) -> Singles:
        """A number by company; 0 for other companies, NaN where there are none or the job names none."""
        if not companies:
            return self.constant(np.nan)
        codes = self.codes[:, _COLUMN["company"]]
        values = self.constant(0.0)
        for code, value in companies.items():
            values[codes == code] = value
        values[codes == 0] = np.nan
        return values

    def beside_leader(self, name: str, code: int) -> Singles:
        """Popularity at the longest half-life beside that of the group's most popular job; NaN outside the group."""
        result = self.constant(np.nan)
        if code:
            index = NEWEST - 1
            region, function = (code, 0) if name == "region" else (0, code)
            leader = self.table.top(index, 1, region=region, function=function)
            if len(leader):
                inside = self.codes[:, _COLUMN[name]] == code
                best = self.table.columns.scores[leader[0], index]
                result[inside] = np.exp2(np.minimum(self.scores[inside, index] - best, 0.0))
        return result

    def log_minutes_since(self, times: npt.NDArray[np.int64]) -> Floats:
        """log1p of the minutes from `times` (ms) to `now`; 0 for a time to come, NaN for an unknown one (0)."""
        minutes: Floats = np.log1p(np.maximum(self.now - times, 0) / MINUTE_MS)
        minutes[times == 0] = np.nan
        return minutes

    def posted_at(self) -> npt.NDArray[np.int64]:
        """When the job was posted or, where that is unknown, first acted on (ms); 0 where there is neither."""
        posted, first = self.times[:, POSTED_AT], self.times[:, FIRST_AT]
        return np.where(posted != 0, posted, first)

    def constant(self, value: float) -> Singles:
        """`value` for every job."""
        return np.full(len(self.rows), value, np.float32)


class Feature(msgspec.Struct, frozen=True):
    """One number about a member and a job.

    Attributes
    ----------
    name
        Unique in its set.
    description
        What it says, for people.
    unit
        What it is measured in.
    default
        Its value where what it needs is missing.
    read
        Gives the values, one a row of the reading: NaN where something is missing.
    """

    name: str
    description: str
    unit: str
    default: float
    read: Callable[[Reading], npt.NDArray[np.float32] | Floats]


def assemble(features: Sequence[Feature], reading: Reading) -> npt.NDArray[np.float32]:
    """Values of `features` for the jobs of a reading, with the defaults where something is missing.

    Returns
    -------
    ndarray
        float32 ``(n, len(features))``, C-contiguous, finite.
    """
    values = np.empty((len(features), len(reading.rows)), np.float32)
    for row, feature in zip(values, features, strict=True):
        row[:] = feature.read(reading)
    matrix = np.ascontiguousarray(values.T)
    missing = np.isnan(matrix)
    if missing.any():
        defaults = np.array([feature.default for feature in features], np.float32)
        np.copyto(matrix, defaults, where=missing)
    return matrix
