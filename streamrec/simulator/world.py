"""A job site whose truth is known, as it goes on in time.

The world moves in windows. At the start of one, jobs are opened and closed, careers and fashions move on, people meet, and
sessions begin. Then pages are looked at, wave by wave: one page of every session that has one, all in the same arrays; a
session's next page belongs to a later wave, so that what a member did on a page sways the next one. Between members news
travels with the waves, not to the millisecond.
"""

from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec
import numpy as np

from streamrec.events import Connection, Event, JobApplication, JobDismissal, JobPosting, MemberProfile
from streamrec.simulator import behaviour, calendar
from streamrec.simulator.arrays import Flags, Floats, Ints, logistic, weighted
from streamrec.simulator.calendar import DAY_MS, HOUR_MS
from streamrec.simulator.clock import Clock
from streamrec.simulator.companies import Companies
from streamrec.simulator.examination import chances, examined
from streamrec.simulator.graph import Graph
from streamrec.simulator.jobs import LIFE_MS, Jobs
from streamrec.simulator.members import Members
from streamrec.simulator.memory import Memory
from streamrec.simulator.scribe import Happening, Occasion, Record, Scribe
from streamrec.simulator.sessions import Sessions, Visits
from streamrec.simulator.shelves import Shelves
from streamrec.simulator.truth import Truth, Weights

PAGE: Final = 20  # jobs on one
SESSIONS_A_DAY: Final = 1.5  # of the average member
EVENTS_A_SESSION: Final = 5.0  # measured: 3 in a small world, whose jobs its members soon know, to 7 in a large one
_WINDOW_SESSIONS: Final = 1024  # about so many begin in a window, as far as its length allows
_SHORTEST_MS, _LONGEST_MS = 60_000, 3 * HOUR_MS
_STAYS_MS: Final = 30 * DAY_MS  # a job that is neither filled nor expired, on average
_FILLS: Final = 1 / 30  # chance that an application fills the job
_NOTICE_MS: Final = HOUR_MS  # a job is off the shelves so long before it is closed, so that no view comes after
_TURN_MS: Final = 45 * DAY_MS  # between two turns of a member's life, on average
_MEETS_MS: Final = 50 * DAY_MS  # between two new connections that a member makes, on average


class Looks(NamedTuple):
    """Jobs that are examined, all arrays ``(n,)``, ordered by visit and position.

    Attributes
    ----------
    visit
        On which of the visits' pages, by its place among them.
    position
        Place on the page, 0 for the first.
    row
        The job.
    place
        Place on all pages of the list together: what events call the position.
    """

    visit: Ints
    position: Ints
    row: Ints
    place: Ints


class Examination(NamedTuple):
    """The truth of one examined job at that moment. For tests only: nothing of it is sent anywhere."""

    member_id: str
    job_id: str
    at: int
    position: int
    probability: float
    checked: bool


class World:
    """A job site; the same seed, sizes, times and calls give the same records.

    Parameters
    ----------
    seed
        Of everything random in it.
    members, jobs
        How many there are; about `jobs` stay open.
    now_ms
        When it begins; postings are up to 60 days older.
    compression
        How many times as fast its days go as the times in its records (see `Clock`).
    seasonal
        Whether people come by the hour and the day, or steadily.
    weights
        What sways members (see `Truth`).
    remember
        Whether `examinations` is kept.

    Attributes
    ----------
    examinations
        Every examined job so far, with its true probability and what became of it.

    Examples
    --------
    >>> world = World(seed=1, members=50, jobs=40)
    >>> len(world.postings()), len(world.profiles())
    (40, 50)
    >>> world.next_event(1_750_000_000_000) == World(seed=1, members=50, jobs=40).next_event(1_750_000_000_000)
    True
    """

    def __init__(
        self, seed: int = 0, members: int = 2000, jobs: int = 1000, now_ms: int = 1_750_000_000_000, *,
        compression: float = 1.0, seasonal: bool = True, weights: Weights | None = None, remember: bool = False,
    ) -> None:  # fmt: skip
        if members < 2 or jobs < 1:
            raise ValueError("a world needs at least two members and one job")
        weights = weights or Weights()
        draws = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(6)]
        self._site_draw, self._life_draw, self.draw = draws[3:]
        self.clock = Clock(now_ms, compression)
        self.companies = Companies(draws[0], jobs)
        self.members = Members(draws[1], members, self.companies, now_ms)
        self.jobs = Jobs(draws[0], self.companies, weights.spread)
        self.graph = Graph(draws[2], self.members)
        self.memory = Memory(members)
        self.truth = Truth(self.members, self.jobs, self.companies, self.graph, self.memory, weights)
        self.sessions = Sessions(self._life_draw, members)
        self._name = f"{seed}-{now_ms:x}"
        self.scribe = Scribe(self.members, self.jobs, self.clock, self._name)
        self._shelves = Shelves(self._site_draw, self.members, self.jobs, self.companies)
        self._begin_jobs(jobs, now_ms)
        self._seasonal, self._begin, self.now = seasonal, now_ms, now_ms
        self._activity = np.cumsum(self.members.activity)
        self._each_ms = DAY_MS / (members * SESSIONS_A_DAY)
        self.window_ms = int(np.clip(_WINDOW_SESSIONS * self._each_ms, _SHORTEST_MS, _LONGEST_MS))
        self._filled: list[Ints] = []
        self._pending: list[Happening] = []
        self._next: deque[Record] = deque()
        self._posted: dict[str, int] = {}  # when jobs were opened by the caller's time
        self.examinations: list[Examination] | None = [] if remember else None

    def _begin_jobs(self, jobs: int, now: int) -> None:
        age = np.minimum(self._life_draw.exponential(_STAYS_MS * 0.8, size=jobs), LIFE_MS * 0.98)
        rows = self.jobs.open(np.sort(now - age.astype(np.int64)))
        self._shelves.put(rows)
        self._shelves.arrange(now)

    # What was there before.

    def postings(self) -> list[JobPosting]:
        """Every posting so far, as it stands (closed ones too), oldest first."""
        jobs, shown = self.jobs, self.clock.shown
        closed = (jobs.closes_at[: len(jobs)] <= self.now) & (jobs.posted_at[: len(jobs)] + LIFE_MS > self.now)
        return [jobs.posting(row, shown, closed=bool(closed[row])) for row in range(len(jobs))]

    def profiles(self) -> list[MemberProfile]:
        """The profile of every member."""
        updated_at = self.members.updated_at.tolist()
        return [self.members.profile(row, self.clock.shown(at)) for row, at in enumerate(updated_at)]

    def connections(self) -> list[Connection]:
        """The ties that there were at the beginning, made in the year before."""
        pairs = self.graph.initial
        at = self._begin - 1 - np.arange(len(pairs))[::-1] * (365 * DAY_MS // max(len(pairs), 1))
        scribe = Scribe(self.members, self.jobs, self.clock, f"{self._name}-before")
        return [happening.record for happening in scribe.connections(pairs, at)]  # type: ignore[misc]

    # The truth, for tests.

    def true_probability(self, member_id: str, job_id: str, now: int | None = None) -> float:
        """P(check | examined) at the time `now` that records would show; by default at the world's present."""
        return float(self.true_probabilities([member_id], [job_id], now)[0])

    def true_probabilities(self, member_ids: Sequence[str], job_ids: Sequence[str], now: int | None = None) -> Floats:
        """`true_probability` of each member and the job beside it.

        Raises
        ------
        KeyError
            The world has no such member or job.
        """
        members = np.array([self.members.row(member_id) for member_id in member_ids], np.int64)
        rows = np.array([self.jobs.row(job_id) for job_id in job_ids], np.int64)
        return self.truth.probability(members, rows, self.now if now is None else self.clock.time(now))

    def expected_checks(self, member_id: str, job_ids: Sequence[str], now: int | None = None) -> float:
        """How many jobs of a list the member checks on average, by the position bias and the truth; unknown jobs count 0."""
        rows = self.jobs.rows(list(job_ids))
        known = np.flatnonzero(rows >= 0)
        members = np.full(len(known), self.members.row(member_id))
        at = self.now if now is None else self.clock.time(now)
        return float(chances(len(rows))[known] @ self.truth.probability(members, rows[known], at))

    # Going on.

    @property
    def rate(self) -> float:
        """Records a second of shown time, about."""
        return len(self.members) * SESSIONS_A_DAY * EVENTS_A_SESSION / 86_400 * self.clock.compression

    def next_event(self, now_ms: int) -> Record:
        """The next thing that happens, as if it happened at `now_ms`."""
        while not self._next:
            self._next.extend(happening.record for happening in self.advance(self.now + self.window_ms))
        record = self._next.popleft()
        if isinstance(record, Event):
            return msgspec.structs.replace(record, occurred_at=now_ms)
        if isinstance(record, MemberProfile):
            return msgspec.structs.replace(record, updated_at=now_ms)
        if record.closed:
            posted_at = self._posted.pop(record.job_id, record.posted_at or now_ms)
        else:
            posted_at = self._posted[record.job_id] = now_ms
        return msgspec.structs.replace(record, posted_at=posted_at, expires_at=posted_at + LIFE_MS)

    def advance(self, until: int) -> list[Happening]:
        """Go on to the time `until` (ms of the world) with the site's own pages; what happened before it, in order."""
        found = []
        while self.now < until:
            end = min(until, self.now + self.window_ms)
            self.begin_window(end)
            while len((visits := self.sessions.due(end)).slot):
                self.look(visits, self._site_looks(visits), [None] * len(visits.slot), "search")
            found += self.end_window(end)
        return found

    def begin_window(self, end: int) -> None:
        """Let everything happen up to the time `end` but for what members do on their pages."""
        now, draw = self.now, self._life_draw
        span = end - now
        self._turn_over(now, end)
        self.companies.drift(span / DAY_MS)
        turning = self._some_members(span / _TURN_MS)
        if len(turning):
            self._turn_lives(turning, now, end)
        meeting = self._some_members(span / _MEETS_MS)
        if len(meeting):
            pairs = self.graph.connect(meeting)
            self._pending += self.scribe.connections(pairs, draw.integers(now, end, size=len(pairs)))
        at = calendar.arrivals(draw, now, end, self._each_ms, seasonal=self._seasonal)
        self.sessions.begin(weighted(draw, self._activity, len(at)), at)

    def _some_members(self, share: float) -> Ints:
        count = int(self._life_draw.poisson(share * len(self.members)))
        return np.unique(self._life_draw.integers(len(self.members), size=count))

    def _turn_over(self, now: int, end: int) -> None:
        """Close some jobs, and open as many."""
        draw, shelves, jobs = self._life_draw, self._shelves, self.jobs
        shelves.arrange(now)
        standing = shelves.standing
        count = draw.poisson(len(standing) * (end - now) / _STAYS_MS)
        withdrawn = standing[draw.integers(len(standing), size=count)] if len(standing) else standing
        leaving = np.unique(np.concatenate([*self._filled, withdrawn]))
        leaving = leaving[shelves.shows(leaving)]
        self._filled = []
        at = now + _NOTICE_MS + draw.integers(end - now, size=len(leaving))
        jobs.closes_at[leaving] = np.minimum(jobs.closes_at[leaving], at)
        shelves.take(leaving)
        self._pending += self.scribe.postings(leaving, at, closed=True)
        expiring = standing[shelves.shows(standing) & (jobs.closes_at[standing] < end + _NOTICE_MS)]
        shelves.take(expiring)
        if opened := len(leaving) + len(expiring):
            at = np.sort(draw.integers(now, end, size=opened))
            rows = jobs.open(at)
            shelves.put(rows)  # to be found from the next window on, when all are posted
            self._pending += self.scribe.postings(rows, at, closed=False)

    def _turn_lives(self, rows: Ints, now: int, end: int) -> None:
        """Promotions, moves, new tastes, and new careers where tastes have turned before."""
        kind = self._life_draw.integers(4, size=len(rows))
        self.members.promote(rows[kind == 0])
        self.members.move(rows[kind == 1])
        self.members.turn(rows[kind == 2])
        self.members.change_career(rows[kind == 3])
        told = rows[kind != 2]  # what members come to like they do not tell
        at = self._life_draw.integers(now, end, size=len(told))
        self.members.updated_at[told] = at
        self._pending += self.scribe.profiles(told, at)

    def _site_looks(self, visits: Visits) -> Looks:
        visit, position = np.nonzero(examined(self.draw, len(visits.slot), PAGE))
        member = visits.member[visit]
        row = self._shelves.find(member, self.graph, self.memory)
        # In place of what cannot be shown comes any job: a hole would make its place seem less examined.
        holes = np.flatnonzero(~self._showable(visit, member, row))
        row[holes] = self._shelves.any(len(holes))
        kept = self._showable(visit, member, row)
        return Looks(visit[kept], position[kept], row[kept], position[kept])

    def _showable(self, visit: Ints, member: Ints, row: Ints) -> Flags:
        """Jobs that can be found, that the member has neither viewed nor dismissed lately, each once on a page."""
        first = np.zeros(len(row), np.bool_)
        first[np.unique(visit * len(self.jobs) + row, return_index=True)[1]] = True
        return np.asarray(first & (row >= 0) & ~self.memory.is_done_with(member, row))

    def look(self, visits: Visits, looks: Looks, requests: Sequence[str | None], surface: str) -> Flags:
        """Let members do what they do with the jobs that they examine.

        Parameters
        ----------
        visits
            From `Sessions.due`.
        looks
            What is examined on their pages.
        requests
            For each visit the id of the answer that was its page: then it is told which of its places were seen.
        surface
            Where it was.

        Returns
        -------
        ndarray
            Which of `looks` are checked, bool ``(n,)``.
        """
        draw, scribe = self.draw, self.scribe
        member, page_at = visits.member[looks.visit], visits.at[looks.visit]
        z = self.truth.log_odds(member, looks.row, page_at)
        checked = behaviour.checks(draw, z)
        if self.examinations is not None:
            self._remember(member, looks, page_at, z, checked)

        def occasion(visit: Ints) -> Occasion:
            return Occasion(visits.session[visit], [requests[place] for place in visit.tolist()], surface)

        self._pending += scribe.seen(visits, looks.visit, looks.place, requests)
        visit, position, row, place = (column[checked] for column in looks)
        who, at, odds = member[checked], behaviour.viewed_at(page_at[checked], position), z[checked]
        dwell = behaviour.dwell_ms(draw, odds)
        self._pending += scribe.views(who, row, at, place, dwell, occasion(visit))
        self.memory.view(who, self.jobs.function[row], self.jobs.role[row], at)
        for deeds in behaviour.follow_ups(draw, odds, at):
            which = deeds.which
            self._pending += scribe.follow_ups(deeds.kind, who[which], row[which], deeds.at, occasion(visit[which]))
            self.memory.like(who[which], row[which])
            if deeds.kind is JobApplication:
                self._filled.append(row[which][draw.random(len(which)) < _FILLS])
        sent = behaviour.dismissals(draw, z, page_at, looks.position, checked)
        done = np.union1d(np.flatnonzero(checked), sent.which)
        self.memory.put_away(member[done], looks.row[done])
        self._pending += scribe.follow_ups(
            JobDismissal, member[sent.which], looks.row[sent.which], sent.at, occasion(looks.visit[sent.which])
        )
        self.sessions.turn(visits, np.bincount(visit, minlength=len(visits.slot)) > 0)
        return checked

    def _remember(self, member: Ints, looks: Looks, at: Ints, z: Floats, checked: Flags) -> None:
        assert self.examinations is not None  # noqa: S101 - for the type checker
        ids, job_ids, shown = self.members.ids, self.jobs.ids, self.clock.shown
        for one, row, time, position, chance, label in zip(
            member.tolist(), looks.row.tolist(), at.tolist(), looks.position.tolist(), logistic(z).tolist(),
            checked.tolist(), strict=True,
        ):  # fmt: skip
            self.examinations.append(Examination(ids[one], job_ids[row], shown(time), position, chance, label))

    def end_window(self, end: int) -> list[Happening]:
        """What happened before the time `end`, in order; later consequences stay for the next windows."""
        self.now = end
        shown = self.clock.shown(end)
        self._pending.sort(key=itemgetter(0))
        count = len(self._pending)
        while count and self._pending[count - 1].at >= shown:
            count -= 1
        found, self._pending = self._pending[:count], self._pending[count:]
        return found
