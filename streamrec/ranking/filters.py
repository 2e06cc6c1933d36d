"""What may be in a list at all: the caller's filters, and the jobs that must never be served to this member."""

from collections.abc import Collection
from typing import Final, NamedTuple, cast

import msgspec
import numpy as np

from streamrec.features.columns import CODED, LABELS, Bools, Floats, Rows
from streamrec.features.state import MemberHead, MemberState
from streamrec.features.table import JobTable
from streamrec.ranking.rules import ABOVE_FLOOR, NOT_BLOCKED, NOT_SEEN, RULES, Rule


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller wants to see; None lets everything through. Texts are compared without regard to case.

    A job whose posting lacks the field, or that has no posting, does not pass a filter by text. ``remote=True`` passes
    jobs that are remote, ``remote=False`` those that are not known to be. `salary_min` passes jobs that are known to pay as
    much at best, in whatever currency they name; `currency` those that name this one for their pay. `not_company` holds back
    jobs of these companies, and none whose company is not known.
    """

    city: str | None = None
    region: str | None = None
    country: str | None = None
    industry: str | None = None
    function: str | None = None
    company: str | None = None
    remote: bool | None = None
    salary_min: float | None = None
    currency: str | None = None
    not_company: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether any filter is set."""
        return self != NO_FILTERS


NO_FILTERS: Final = Filters()

_CURRENCY: Final = LABELS.index("currency")


def seen_by(state: MemberState) -> dict[str, int]:
    """Jobs that the member has viewed or more (liked, saved, or touched lately), with the time of the last touch."""
    seen = {recent.job_id: recent.at for recent in state.recent}
    for touched in (state.viewed, state.liked, state.saved):
        for job_id, at in touched.items():
            if at > seen.get(job_id, 0):
                seen[job_id] = at
    return seen


def barred(
    state: MemberState, now: int, viewed_again_after_ms: int | None = None, rules: Collection[Rule] = RULES
) -> set[str]:
    """Ids of the jobs that must not be served because of what this member did with them.

    Applied and dismissed: never again. Seen (see `seen_by`): not again for `viewed_again_after_ms`, with None never; at
    once where `NOT_SEEN` is not among the rules.

    Examples
    --------
    >>> state = MemberState(viewed={"a": 1_000, "b": 9_000}, applied={"c": 1})
    >>> sorted(barred(state, 10_000)), sorted(barred(state, 10_000, viewed_again_after_ms=5_000))
    (['a', 'b', 'c'], ['b', 'c'])
    """
    never = state.applied.keys() | state.dismissed.keys()
    if NOT_SEEN not in rules:
        return never
    if viewed_again_after_ms is None:
        return never.union(state.viewed, state.liked, state.saved, (recent.job_id for recent in state.recent))
    since = now - viewed_again_after_ms
    return never.union(job_id for job_id, at in seen_by(state).items() if at > since)


class Floor(NamedTuple):
    """The least pay of a year that a member works for: an amount, and the code of its currency."""

    least: float
    currency: int

    def is_below(self, table: JobTable, rows: Rows) -> Bools:
        """Which of n rows are known to pay less, in the same currency: a mask of n."""
        below: Bools = paid_at_best(table, rows) < self.least
        below &= table.columns.labels[rows, _CURRENCY] == self.currency
        return below

    def bars(self, table: JobTable, row: int) -> bool:
        """The same of one row."""
        least, most = table.columns.pay.item(row, 0), table.columns.pay.item(row, 1)
        best = most if least != least or most > least else least  # noqa: PLR0124 - NaN is unequal to itself
        return best < self.least and table.columns.labels.item(row, _CURRENCY) == self.currency


def floor_of(state: MemberState | MemberHead, table: JobTable, rules: Collection[Rule] = RULES) -> Floor | None:
    """The floor that the member's profile names, if `ABOVE_FLOOR` is among the rules; None where no job could be below it."""
    profile = state.profile
    if ABOVE_FLOOR not in rules or profile is None or profile.salary_floor is None:
        return None
    currency = table.code("currency", profile.currency)
    return Floor(profile.salary_floor, currency) if currency else None


def paid_at_best(table: JobTable, rows: Rows) -> Floats:
    """The most that each of n rows offers: float64 ``(n,)``, NaN where it does not say."""
    pay = table.columns.pay[rows]
    return np.fmax(pay[:, 0], pay[:, 1])


class Gate:
    """Lets through the rows that may be served to one member now; built once a ranking, asked for many rows at a time.

    Parameters
    ----------
    state
        The member; a fresh one for an unknown member.
    table
        All jobs.
    now
        Milliseconds.
    filters
        The caller's; default none.
    viewed_again_after_ms
        See `barred`; default None, a job that was viewed is not served again.
    without_posting
        Whether a job without a posting may be served; default False.
    rules
        What a workflow declares; default all. Those that it must declare hold in any case.
    """

    def __init__(
        self,
        state: MemberState,
        table: JobTable,
        now: int,
        *,
        filters: Filters | None = None,
        viewed_again_after_ms: int | None = None,
        without_posting: bool = False,
        rules: Collection[Rule] = RULES,
    ) -> None:
        self.table, self.now, self.without_posting = table, now, without_posting
        self.filters = filters or NO_FILTERS
        rows = table.rows(barred(state, now, viewed_again_after_ms, rules))
        rows = rows[rows >= 0]
        self.barred_count = len(rows)
        # One flag a job: fresh zeroed pages cost nothing until touched, and asking is one gather.
        self._barred = np.zeros(len(table), dtype=np.bool_)
        self._barred[rows] = True
        self._floor = floor_of(state, table, rules)
        blocked = state.profile.blocked_companies if state.profile and NOT_BLOCKED in rules else ()
        blocked = (*blocked, *self.filters.not_company)
        self._blocked = [code for code in (table.code("company", name) for name in blocked) if code]
        wanted = ((column, getattr(self.filters, column)) for column in CODED)
        asked = self.filters.currency
        self._currency = None if asked is None else table.code("currency", asked)
        self.codes = {column: table.code(column, text) for column, text in wanted if text is not None}

    def allows(self, rows: Rows) -> Bools:
        """Whether each of `rows` (n) may be served: a mask of n. None of them may be -1."""
        table = self.table
        mask = table.servable(rows, self.now, self.without_posting)
        mask &= ~self._barred[rows]
        if self._blocked:
            mask &= ~np.isin(table.company[rows], self._blocked)
        for column, code in self.codes.items():
            # A text that no job has is code 0, and so is a missing one: then nothing passes.
            mask &= (getattr(table, column)[rows] == code) & (code > 0)
        if self.filters.remote is not None:
            mask &= (table.remote[rows] == 1) == self.filters.remote
        if self._floor is not None:
            mask &= ~self._floor.is_below(table, rows)
        if self.filters.salary_min is not None:
            mask &= paid_at_best(table, rows) >= self.filters.salary_min  # false where it is not known
        if self._currency is not None:
            mask &= (table.columns.labels[rows, _CURRENCY] == self._currency) & (self._currency > 0)
        return mask

    def all_allowed(self) -> Rows:
        """Every row that may be served, ascending. Looks at the whole table."""
        # A slice reads each column in one go; picking all rows one by one takes ten times as long.
        everything = cast(Rows, slice(0, len(self.table)))
        return np.flatnonzero(self.allows(everything)).astype(np.int32)
