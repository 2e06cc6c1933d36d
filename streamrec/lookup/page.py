"""Which jobs of a ranked list are served now, and where: every one is checked again, since the list was made."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from streamrec.features.columns import COLUMN_OF, EXPIRES_AT
from streamrec.features.state import MemberHead, MemberState
from streamrec.features.table import JobTable
from streamrec.lookup.cursor import job_hash
from streamrec.ranking import rerank
from streamrec.ranking.filters import barred, floor_of
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.rules import NOT_BLOCKED, NOT_SEEN, RULES, Rule

_COMPANY: Final = COLUMN_OF["company"]


class Page:
    """Picks the next jobs of a ranked list: those not shown yet that may be served to the member at this moment.

    Parameters
    ----------
    table
        All jobs.
    state
        The member's; a fresh one for an unknown member. Its head alone will do for lists that were ranked from this very state:
        what the member did is not in them, and only what changed in the table is checked.
    now
        Milliseconds.
    viewed_again_after_ms, without_posting, rules
        As for a ranking (see `ranking.filters`).
    shown
        Hashes of the jobs on earlier pages (see `cursor`).
    size
        Jobs wanted.
    depth
        Jobs that all pages together may show.
    explore, seed
        As for `rerank.place`; default 0, nothing is tried. Only a first page is explored: what follows is the ranking
        less what was shown, which is certain once the first page is known.
    """

    def __init__(
        self,
        table: JobTable,
        state: MemberState | MemberHead,
        now: int,
        *,
        viewed_again_after_ms: int | None = None,
        without_posting: bool = False,
        rules: Collection[Rule] = RULES,
        shown: Collection[bytes] = (),
        size: int,
        depth: int,
        explore: float = 0.0,
        seed: str = "",
    ) -> None:
        self._table, self._now, self._without_posting = table, now, without_posting
        self._shown, self._size = shown, max(0, min(size, depth - len(shown)))
        self._room_after = len(shown) + self._size < depth
        self._explore, self._seed = 0.0 if shown else explore, seed
        blocked = state.profile.blocked_companies if state.profile is not None and NOT_BLOCKED in rules else ()
        self._blocked = [code for code in (table.code("company", name) for name in blocked) if code]
        self._floor = floor_of(state, table, rules)
        self._barred: Sequence[Collection[str]]
        if isinstance(state, MemberHead):
            self._barred = ()
        elif viewed_again_after_ms is None and NOT_SEEN in rules:
            # As `barred` has it, without building one set of all that the member ever did.
            recent = {recent.job_id for recent in state.recent}
            self._barred = [
                jobs
                for jobs in (state.applied, state.dismissed, state.viewed, state.liked, state.saved, recent)
                if jobs
            ]
        else:
            self._barred = [jobs for jobs in [barred(state, now, viewed_again_after_ms, rules)] if jobs]

    def pick(self, ranked: RankedList) -> "Picked":
        """The page out of this list."""
        size = self._size
        # Who comes from further down, and how likely that was, depends on how many there are.
        look = size + 1 if not self._explore else max(size + 1, rerank.DEPTH)
        found = self._servable(ranked.job_ids, look)
        ended = len(found) <= size
        placed = rerank.place(min(len(found), rerank.DEPTH if self._explore else 0), self._explore, self._seed)
        jobs = [found[rank] for rank in placed.ranks[:size]]
        propensities = list(placed.propensities[:size])
        rest = found[len(jobs) : size]
        jobs += rest
        propensities += [1.0] * len(rest)
        return Picked(
            [place for place, _ in jobs], [row for _, row in jobs], propensities,
            full=len(jobs) == size, more=not ended and self._room_after,
            short=ended and (len(jobs) < size or self._room_after),
        )  # fmt: skip

    def _servable(self, job_ids: Sequence[str], look: int) -> list[tuple[int, int]]:
        """(position in the list, row in the table) of the first `look` jobs that may be served.

        One by one: a page has few jobs, and numpy takes longer to begin than Python does for all of them.
        """
        table, now, without = self._table, self._now, self._without_posting
        columns, row_of = table.columns, table.row
        expires_at, closed, has_posting, codes = (
            columns.times.item,
            columns.closed.item,
            columns.has_posting.item,
            columns.codes.item,
        )
        found: list[tuple[int, int]] = []
        for position, job_id in enumerate(job_ids):
            row = row_of(job_id)
            if row is None or expires_at(row, EXPIRES_AT) <= now or closed(row) or not (without or has_posting(row)):
                continue
            if self._blocked and codes(row, _COMPANY) in self._blocked:
                continue
            if self._floor is not None and self._floor.bars(table, row):
                continue
            if self._barred and any(job_id in jobs for jobs in self._barred):
                continue
            if self._shown and job_hash(job_id) in self._shown:
                continue
            found.append((position, row))
            if len(found) == look:
                break
        return found


class Picked(NamedTuple):
    """What `Page.pick` found, one entry a job in the first three.

    Attributes
    ----------
    positions
        In the list, from 0.
    rows
        In the table.
    propensities
        Probability with which the policy puts that job at that place.
    full, more
        Whether the page is full, and whether another one can follow.
    short
        Whether the list ended before that could be said, if there are more jobs than it holds.
    """

    positions: list[int]
    rows: list[int]
    propensities: list[float]
    full: bool
    more: bool
    short: bool
