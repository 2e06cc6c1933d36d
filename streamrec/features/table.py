"""All jobs, held in the process of whoever ranks: columns of numbers, an index of titles, the leaders of each group.

The table is filled from packed `JobState` and follows the changes; it is a cache, and nothing is decided in it. Row
numbers are stable: a job keeps its row for the life of the table, also when it was removed and comes back.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.events import JobPosting
from streamrec.features.columns import (
    CODED,
    EXPIRES_AT,
    FIRST_AT,
    LABELS,
    LAST_AT,
    NEVER,
    NEWEST,
    POSTED_AT,
    SKILLS,
    Bools,
    Columns,
    Floats,
    Ints,
    Longs,
    Rows,
    tie_of,
)
from streamrec.features.job_cells import JobCells
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.leaders import Group, Leaders, Standings
from streamrec.features.library import PLAN, POPULARITY
from streamrec.features.order import descending
from streamrec.features.plan import Plan
from streamrec.features.resemblance import touchers_in
from streamrec.features.state import JobState
from streamrec.features.text import tokens
from streamrec.features.texts import text_of
from streamrec.features.titles import Titles

_NO_CODES: Final = (0,) * len(CODED)
_WASTE: Final = 1000  # rows that are not worth loading anew for


class JobTable:
    """Every job that has a posting or was acted on.

    Parameters
    ----------
    capacity
        Rows to make room for at first; the table grows by itself.
    plan
        Whose aggregates of jobs are held, `library.POPULARITY` among them; default the shipped one.

    Attributes
    ----------
    ids
        Job id of each row.
    postings
        Posting of each row, None where there is none.
    versions
        Version of the state of each row.
    posting_count
        Number of jobs with a posting, closed ones included.
    columns
        The arrays behind the properties, at full capacity: there, row -1 reads as a job of which nothing is known.
    titles
        Index of the words of the titles.
    layout
        By state key, where `Columns.cells` holds an aggregate that is counted by the job alone.
    timed
        By state key, which column of `Columns.cell_times` an aggregate with a time to live has.
    keyed
        By state key, aggregates that are counted by the job and something else.
    rollups
        By how they are declared, aggregates that are added up over jobs.

    Examples
    --------
    >>> table = JobTable()
    >>> posting = JobPosting(job_id="j1", title="Night Nurse", city="Olney", posted_at=5)
    >>> table.upsert("j1", JobState(version=1, posting=posting))
    0
    >>> table.in_place(table.code("city", "OLNEY"), 0, 10).tolist(), table.rows(["j1", "j2"]).tolist()
    ([0], [0, -1])
    """

    def __init__(self, capacity: int = 1024, plan: Plan = PLAN) -> None:
        self._cells = JobCells(plan)
        self.layout, self.timed = self._cells.layout, self._cells.timed
        self.keyed, self.rollups = self._cells.keyed, self._cells.rollups
        self._leading = self._cells.places(POPULARITY)
        self.ids: list[str] = []
        self.postings: list[JobPosting | None] = []
        self.versions: list[int] = []
        self.posting_count = 0
        self.columns = Columns(capacity, self._cells.blank, len(self.timed))
        self.titles = Titles(capacity)
        self._leaders = Leaders(self.columns)
        self._rows: dict[str, int] = {}
        self._removed: set[int] = set()
        self._codes: dict[str, dict[str, int]] = {name: {} for name in (*CODED, *LABELS, "skill")}
        self._texts: dict[str, list[str | None]] = {name: [None] for name in self._codes}

    def __len__(self) -> int:
        """Rows in use, those of removed jobs included."""
        return len(self.ids)

    @property
    def wasteful(self) -> bool:
        """Whether most rows are of removed jobs, and there are many: rows are given back only by loading all anew."""
        return len(self._removed) > max(_WASTE, len(self.ids) // 2)

    # Which row.

    def row(self, job_id: str) -> int | None:
        """Row of a job, None where it is unknown or removed."""
        row = self._rows.get(job_id)
        return None if row is None or row in self._removed else row

    def rows(self, job_ids: Iterable[str]) -> Rows:
        """int32 row of each job, -1 where it is unknown or removed."""
        found: Iterable[int] = map(self._rows.get, job_ids, repeat(-1))
        if self._removed:
            found = (-1 if row in self._removed else row for row in found)
        return np.fromiter(found, np.int32)

    # Writing.

    def upsert(self, job_id: str, state: JobState) -> int:
        """Take over the state of a job, known or new; returns its row. Call it with every newer state of the job."""
        row = self._rows.get(job_id)
        if row is None:
            row = self._rows[job_id] = len(self.ids)
            self.ids.append(job_id)
            self.postings.append(None)
            self.versions.append(0)
            self.columns.hold(row + 1)
            self.titles.hold(row + 1)
            self.columns.ties[row] = tie_of(job_id)
        self._removed.discard(row)
        columns, posting = self.columns, None if state.removed else state.posting
        before = self.postings[row]
        if posting is not before and posting != before:
            self._write_posting(row, posting)
        elif posting is not None:
            self.postings[row] = posting  # equal, and the older one need not be kept alive
        self.versions[row] = state.version
        columns.closed[row] = state.removed or (posting is not None and posting.closed)
        posted_at = (posting.posted_at or 0) if posting is not None else 0
        cells = self._cells.write(columns, row, state)
        leading = (*[cells[place] for place in self._leading], float(posted_at or state.first_at or -math.inf))
        columns.scores[row] = leading
        columns.times[row, :EXPIRES_AT] = (posted_at, state.first_at, state.last_at)
        self._leaders.written(row, tuple(columns.codes[row].tolist()), leading)
        touchers = touchers_in(state.touchers)
        columns.touchers[row] = 0
        columns.touchers[row, : len(touchers)] = touchers
        return row

    def remove(self, job_id: str) -> None:
        """Forget a job: it is unknown until it is upserted again. Its row is not given to another."""
        row = self.row(job_id)
        if row is not None:
            self.upsert(job_id, JobState(removed=True))
            self._removed.add(row)

    def leading(self, counted: Aggregate) -> int:
        """Which column of `Columns.scores` has an aggregate of `library.POPULARITY`. Raises KeyError for another one."""
        try:
            return POPULARITY.index(counted)
        except ValueError:
            raise KeyError(f"jobs are not ordered by {counted}") from None

    def values(self, counted: Aggregate, rows: Rows, now: int) -> Floats:
        """Values of an aggregate of the plan that is counted by the job alone: float64 ``(n,)`` as of `now` (ms)."""
        as_of = np.maximum(self.columns.times[rows, LAST_AT], now)
        return counted.cell.read(self.columns.cells[rows, self.layout[counted.state_key]], as_of)

    def _write_posting(self, row: int, posting: JobPosting | None) -> None:
        columns, before = self.columns, tuple(self.columns.codes[row].tolist())
        self.posting_count += (posting is not None) - (self.postings[row] is not None)
        self.postings[row] = posting
        self.titles.put(row, None if posting is None else tokens(posting.title))
        columns.has_posting[row] = posting is not None
        after = _NO_CODES
        if posting is not None:
            after = tuple([self._encode(name, getattr(posting, name)) for name in CODED])
            columns.times[row, EXPIRES_AT] = NEVER if posting.expires_at is None else posting.expires_at
            columns.remote[row] = -1 if posting.remote is None else posting.remote
        else:
            columns.times[row, EXPIRES_AT], columns.remote[row] = NEVER, -1
        self._write_offer(row, posting)
        if after != before:  # the row leaves its former groups
            self._leaders.written(row, before, tuple(columns.scores[row, : NEWEST + 1].tolist()))
            self._cells.move(columns, row, before, after)
            columns.codes[row] = after

    def _write_offer(self, row: int, posting: JobPosting | None) -> None:
        """What is asked for and what is paid."""
        columns = self.columns
        pay = (None, None) if posting is None else (posting.salary_min, posting.salary_max)
        columns.pay[row] = [math.nan if each is None else each for each in pay]
        columns.labels[row] = [0 if posting is None else self._encode(name, getattr(posting, name)) for name in LABELS]
        skills = () if posting is None else posting.skills
        codes = list(dict.fromkeys(code for skill in skills if (code := self._encode("skill", skill))))[:SKILLS]
        columns.skills[row] = codes + [0] * (SKILLS - len(codes))

    def _encode(self, column: str, text: str | None) -> int:
        known, codes = text_of(text), self._codes[column]
        if known is None:
            return 0
        if known not in codes:
            codes[known] = len(self._texts[column])
            self._texts[column].append(known)
        return codes[known]

    # Columns, as arrays of length len(table).

    @property
    def has_posting(self) -> Bools:
        """Whether the job has a posting."""
        return self.columns.has_posting[: len(self.ids)]

    @property
    def closed(self) -> Bools:
        """Whether the job is closed, or was removed."""
        return self.columns.closed[: len(self.ids)]

    @property
    def remote(self) -> npt.NDArray[np.int8]:
        """1 for remote, 0 for not, -1 where unknown."""
        return self.columns.remote[: len(self.ids)]

    @property
    def posted_at(self) -> Longs:
        """When the posting says that it was posted (ms), 0 where unknown."""
        return self.columns.times[: len(self.ids), POSTED_AT]

    @property
    def first_at(self) -> Longs:
        """Time of the job's first action (ms), 0 where there is none."""
        return self.columns.times[: len(self.ids), FIRST_AT]

    @property
    def last_at(self) -> Longs:
        """Time of the job's last action (ms), 0 where there is none."""
        return self.columns.times[: len(self.ids), LAST_AT]

    @property
    def expires_at(self) -> Longs:
        """When the posting expires (ms), the largest int64 where never."""
        return self.columns.times[: len(self.ids), EXPIRES_AT]

    @property
    def company(self) -> Ints:
        """Codes of companies (see `code`)."""
        return self._coded("company")

    @property
    def city(self) -> Ints:
        """Codes of cities (see `code`)."""
        return self._coded("city")

    @property
    def region(self) -> Ints:
        """Codes of regions (see `code`)."""
        return self._coded("region")

    @property
    def country(self) -> Ints:
        """Codes of countries (see `code`)."""
        return self._coded("country")

    @property
    def industry(self) -> Ints:
        """Codes of industries (see `code`)."""
        return self._coded("industry")

    @property
    def function(self) -> Ints:
        """Codes of functions (see `code`)."""
        return self._coded("function")

    @property
    def popularity(self) -> Floats:
        """log2 scores ``(n, 3)`` of the positive actions, one of each of `library.POPULARITY`."""
        return self.columns.scores[: len(self.ids), :NEWEST]

    def _coded(self, name: str) -> Ints:
        return self.columns.codes[: len(self.ids), CODED.index(name)]

    def code(self, column: str, text: str | None) -> int:
        """Code of `text` in one of `CODED` or `LABELS`, or as a ``skill``.

        0 for None, for blank text and for what no posting has said.

        Codes are equal where the texts are, but for case and space around them. They hold for this table only.
        """
        return self._codes[column].get(text_of(text) or "", 0)

    def text(self, column: str, code: int) -> str | None:
        """The text behind a code, as it is compared; None for 0."""
        return self._texts[column][code]

    def vocabulary(self, column: str) -> int:
        """One more than the largest code of `column` (see `code`)."""
        return len(self._texts[column])

    # Words of titles.

    def tokens(self, row: int) -> Ints:
        """int32 codes of the words of a row's title."""
        words: Ints = self.titles.words[row]
        return words[words > 0]

    def idf(self, codes: Ints) -> npt.NDArray[np.float32]:
        """How much each word says: ``log(1 + titles / titles with the word)``."""
        return self.titles.idf(codes)

    # Choosing rows.

    def servable(self, rows: Rows, now: int, without_posting: bool) -> Bools:
        """Which of `rows` may be shown at `now` (ms): known, not closed, not expired, with a posting unless waived."""
        mask: Bools = self.columns.times[rows, EXPIRES_AT] > now
        mask &= ~self.columns.closed[rows]  # row -1 counts as closed
        if not without_posting:
            mask &= self.columns.has_posting[rows]
        return mask

    def matching(self, weights: Mapping[int, float], limit: int, now: int) -> Rows:
        """Open postings whose titles overlap most with weighted words.

        Parameters
        ----------
        weights
            Weight of each word, by its code; above 0.

        Returns
        -------
        ndarray
            Up to `limit` rows with an overlap above 0, best first (see `Titles.overlap`); of equal ones the newest
            first, then by `Columns.ties`.
        """
        return self.best_open(self.titles.overlap(weights, len(self.ids)), limit, now)

    def best_open(self, scores: Floats, limit: int, now: int) -> Rows:
        """Up to `limit` rows that are neither closed nor expired at `now` (ms), those with the highest `scores` above 0.

        `scores` has one number a row, and is used up. Best first; of equal ones the newest first, then by `Columns.ties`.
        """
        n = len(self.ids)
        closed = self.columns.times[:n, EXPIRES_AT] <= now
        closed |= self.columns.closed[:n]
        scores[closed] = 0.0
        edge = np.partition(scores, n - limit)[n - limit] if n > limit > 0 else 0.0
        rows = np.flatnonzero(scores >= edge) if edge > 0.0 else np.flatnonzero(scores)
        values = scores[rows]
        order = descending(values, -self.columns.scores[rows, NEWEST], self.columns.ties[rows])
        return rows[order[:limit]].astype(np.int32)

    def top(
        self, half_life_index: int, limit: int, region: int = 0, function: int = 0, *, now: int | None = None
    ) -> Rows:
        """Most popular open rows by one of `library.POPULARITY`, best first; of a region or a function if given.

        With `now` (ms), expired ones are left out as well. Jobs without a posting are among them (see `servable`).
        """
        return self._leaders.best(Group(half_life_index, region=region, function=function), limit, now)

    def standings(self, index: int, limit: int, now: int) -> Standings:
        """Places of the best `limit` open rows by a column of `Columns.scores`; `now` as in `top`."""
        return self._leaders.standings(Group(index), limit, now)

    def newest(self, limit: int, region: int = 0, *, now: int | None = None) -> Rows:
        """Newest open rows, by `posted_at`, else by `first_at`; of a region if given. `now` as in `top`."""
        return self._leaders.best(Group(NEWEST, region=region), limit, now)

    def in_place(self, city: int, region: int, limit: int, *, now: int | None = None) -> Rows:
        """Newest open rows of the city (in that region, if given), then of the region; `now` as in `top`."""
        found: list[int] = []
        if city:
            found = self._leaders.best(Group(NEWEST, city=city, region=region), limit, now).tolist()
        if region and len(found) < limit:
            near = self._leaders.best(Group(NEWEST, region=region), limit, now).tolist()
            found = list(dict.fromkeys(found + near))
        return np.array(found[:limit], np.int32)
