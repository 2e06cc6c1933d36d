"""What a team would otherwise run, measured in the same pass: popularity, decayed popularity, co-visitation, session kNN.

Each is told of every positive action after it was asked for the action's member, and gives a score to every job. They
are written apart from the system on purpose: a mistake that both made would not show. Where co-visitation and session
kNN have nothing to say of a job, popularity with a half-life of ten days does, below all that they have something to
say of: nobody would serve such jobs in any other order.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


class Baseline(ABC):
    """Scores for all jobs, from what members did before. Jobs are rows: 0, 1, 2, … in the order of their appearance."""

    @abstractmethod
    def scores(self, member_id: str, now: int, rows: int) -> Scores:
        """Score of each of the first `rows` jobs for a member at `now` (ms); the array belongs to the caller."""

    @abstractmethod
    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:
        """Take in a positive action, `first` if it is the member's first with the job; times (ms) never fall."""


class Popularity(Baseline):
    """Number of members so far; with a half-life, each counts half as much after it, and half of that after another.

    Examples
    --------
    >>> popular = Popularity(half_life_ms=10)
    >>> for row, at in ((0, 0), (0, 0), (1, 30)):
    ...     popular.learn("ann", row, at, first=True)
    >>> popular.scores("bob", 30, 3)[:2].tolist()  # log2 of 2/8 and of 1, both of them 3 half-lives up
    [1.0, 3.0]
    """

    def __init__(self, half_life_ms: float = math.inf) -> None:
        self._half_life_ms = half_life_ms
        # log2 of the sum with every action counted as 2^(at / half-life): never touched again while nothing is added.
        self._scores = _Column(-math.inf)

    def scores(self, member_id: str, now: int, rows: int) -> Scores:  # noqa: ARG002
        """See `Baseline.scores`."""
        return self._scores.first(rows).copy()

    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:  # noqa: ARG002
        """See `Baseline.learn`."""
        if not first:
            return
        scores = self._scores.first(row + 1)
        before, now = float(scores[row]), at / self._half_life_ms
        high, low = max(before, now), min(before, now)
        scores[row] = high + math.log2(1.0 + 2.0 ** (low - high))


class Behind(Baseline):
    """Scores of some jobs; the others by popularity, below them."""

    def __init__(self) -> None:
        self._popularity = Popularity(10 * _DAY_MS)

    def scores(self, member_id: str, now: int, rows: int) -> Scores:
        """See `Baseline.scores`."""
        scores = self._own(member_id, now, rows)
        popularity = self._popularity.scores(member_id, now, rows)
        popularity -= popularity.max(initial=0.0) + 1.0
        return np.where(scores > 0.0, scores, popularity)

    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:
        """See `Baseline.learn`."""
        self._popularity.learn(member_id, row, at, first)

    @abstractmethod
    def _own(self, member_id: str, now: int, rows: int) -> Scores:
        """Scores above 0 of the jobs that there is something to say of, 0 of the others."""


class CoVisitation(Behind):
    """Jobs that came shortly before or after the member's last jobs, with whoever touched both.

    A member's first touch of a job ties it to the `PARTNERS` jobs before: ``2 ** (-gap / 3 d)``, fading by half every
    30 d. Asked for, the ties of the member's last jobs are summed, each job back counting 0.8 of the one after it.
    """

    PARTNERS: Final = 20
    _GAP_MS: Final = 3 * _DAY_MS
    _FADE_MS: Final = 30 * _DAY_MS
    _BY_RANK: Final = 0.8

    def __init__(self) -> None:
        super().__init__()
        self._recent: dict[str, list[tuple[int, int]]] = defaultdict(list)  # distinct, newest last
        self._ties: dict[int, _Ties] = defaultdict(_Ties)
        self._begin: int | None = None

    def _own(self, member_id: str, now: int, rows: int) -> Scores:  # noqa: ARG002 - all fade alike
        found, weights = [], []
        for rank, (row, _) in enumerate(reversed(self._recent.get(member_id, ()))):
            ties = self._ties.get(row)
            if ties is not None:
                found.append(ties.rows)
                weights.append(ties.weights * self._BY_RANK**rank)
        if not found:
            return np.zeros(rows)
        sums: Scores = np.bincount(np.concatenate(found), np.concatenate(weights), rows)[:rows].astype(np.float64)
        return sums

    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:
        """See `Baseline.learn`."""
        super().learn(member_id, row, at, first)
        self._begin = at if self._begin is None else self._begin
        recent = self._recent[member_id]
        if first:
            # Ties keep the weight as of the log's begin: a later one is larger by what the earlier ones have faded.
            grown = 2.0 ** ((at - self._begin) / self._FADE_MS)
            for other, then in recent:
                weight = grown * 2.0 ** (-(at - then) / self._GAP_MS)
                self._ties[row].add(other, weight)
                self._ties[other].add(row, weight)
        others = [touch for touch in recent if touch[0] != row]
        recent[:] = [*others[-self.PARTNERS + 1 :], (row, at)]


class SessionKnn(Behind):
    """Jobs of the members whose last jobs are most like this member's.

    A session is a member's last `LENGTH` distinct jobs. Those that hold one of the member's jobs are compared: the last
    `HOLDERS` of each job, by the sum over shared jobs of ``exp(-position / 8)``, times ``exp(-age / 5 d)`` of the
    session. The `NEIGHBOURS` most like it vote for their jobs, ``exp(-distance / 5)`` for a job so many places away
    from the newest shared one. Positions count from the newest job.
    """

    LENGTH: Final = 30
    HOLDERS: Final = 500
    NEIGHBOURS: Final = 100
    _BY_POSITION: Final = 8.0
    _BY_AGE_MS: Final = 5.0 * _DAY_MS
    _BY_DISTANCE: Final = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[str, int] = {}  # of members
        self._sessions: npt.NDArray[np.int64] = np.full((1024, self.LENGTH), -1)  # newest first
        self._last = _Column(0.0)
        self._holders: dict[int, dict[int, None]] = defaultdict(
            dict
        )  # by job: members, the one that came last at the end
        self._position: npt.NDArray[np.float64] = np.exp(-np.arange(self.LENGTH) / self._BY_POSITION)

    def _own(self, member_id: str, now: int, rows: int) -> Scores:
        number = self._numbers.get(member_id)
        if number is None:
            return np.zeros(rows)
        session = self._sessions[number]
        session = session[session >= 0]
        holders = [np.fromiter(self._holders[row], np.int64, len(self._holders[row])) for row in session.tolist()]
        members, where = np.unique(np.concatenate(holders), return_inverse=True)
        weights = np.repeat(self._position[: len(session)], [len(part) for part in holders])
        likeness = np.bincount(where, weights, len(members))
        likeness *= np.exp((self._last.first(len(self._numbers))[members] - now) / self._BY_AGE_MS)
        others = members != number
        members, likeness = members[others], likeness[others]
        if len(members) > self.NEIGHBOURS:
            best = np.lexsort((members, -likeness))[: self.NEIGHBOURS]
            members, likeness = members[best], likeness[best]
        theirs = self._sessions[members]
        known = np.zeros(rows + 1, np.bool_)  # the last one stands for -1, no job
        known[session] = True
        shared = known[theirs]
        newest = np.where(shared.any(axis=1), shared.argmax(axis=1), self.LENGTH)
        distance = np.abs(np.arange(self.LENGTH) - newest[:, None])
        votes = likeness[:, None] * np.exp(-distance / self._BY_DISTANCE)
        votes[newest == self.LENGTH] = 0.0
        filled = theirs >= 0
        sums: Scores = np.bincount(theirs[filled], votes[filled], rows)[:rows].astype(np.float64)
        return sums

    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:
        """See `Baseline.learn`."""
        super().learn(member_id, row, at, first)
        number = self._numbers.setdefault(member_id, len(self._numbers))
        if number == len(self._sessions):
            self._sessions = np.concatenate([self._sessions, np.full_like(self._sessions, -1)])
        self._last.first(number + 1)[number] = at
        session = self._sessions[number]
        session[:] = np.concatenate([[row], session[session != row], np.full(self.LENGTH, -1)])[: self.LENGTH]
        holders = self._holders[row]
        holders.pop(number, None)
        holders[number] = None
        if len(holders) > self.HOLDERS:
            del holders[next(iter(holders))]


class _Column:
    """Numbers by row, doubled when they are full."""

    def __init__(self, empty: float) -> None:
        self._empty = empty
        self._values: Scores = np.full(1024, empty)

    def first(self, rows: int) -> Scores:
        if rows > len(self._values):
            more = max(len(self._values), rows - len(self._values))
            self._values = np.concatenate([self._values, np.full(more, self._empty)])
        return self._values[:rows]


class _Ties:
    """Rows tied to a row, and how strongly."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._rows: Rows = np.zeros(4, np.int64)
        self._weights: Scores = np.zeros(4)

    @property
    def rows(self) -> Rows:
        return self._rows[: len(self._places)]

    @property
    def weights(self) -> Scores:
        return self._weights[: len(self._places)]

    def add(self, row: int, weight: float) -> None:
        place = self._places.setdefault(row, len(self._places))
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
        self._rows[place] = row
        self._weights[place] += weight


BASELINES: Final[dict[str, Callable[[], Baseline]]] = {
    "popularity": Popularity,
    "decayed_popularity_1h": lambda: Popularity(_HOUR_MS),
    "decayed_popularity_1d": lambda: Popularity(_DAY_MS),
    "decayed_popularity_10d": lambda: Popularity(10 * _DAY_MS),
    "covisitation": CoVisitation,
    "session_knn": SessionKnn,
}
