"""What the made-up site itself shows where nobody recommends: a mixture by trade, place, fame and age."""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Draw, Flags, Ints, weighted
from streamrec.simulator.companies import Companies
from streamrec.simulator.graph import Graph
from streamrec.simulator.jobs import Jobs
from streamrec.simulator.members import Members
from streamrec.simulator.memory import Memory
from streamrec.simulator.vocabulary import FUNCTIONS, REGIONS

_MIXTURE: Final = np.cumsum([0.3, 0.25, 0.15, 0.08, 0.07, 0.15])
_TRADE, _NEARBY, _FAMOUS, _NEWEST, _FRIENDS, _ANY = range(6)
_NEW_SHARE: Final = 0.05
_REARRANGED_MS: Final = 600_000  # a job that was opened stands on its shelves at the latest after so long


class Shelves:
    """Jobs that can be found, by what they are found by.

    Attributes
    ----------
    standing
        Rows of the jobs that can be found.
    """

    def __init__(self, draw: Draw, members: Members, jobs: Jobs, companies: Companies) -> None:
        self._draw, self._members, self._jobs, self._companies = draw, members, jobs, companies
        self.standing = np.zeros(0, np.int64)
        self._shown = np.zeros(0, np.bool_)
        self._new: list[Ints] = []
        self._arranged_at = 0

    def put(self, rows: Ints) -> None:
        """Jobs that can be found from the next `arrange` on. Somebody may recommend them, and they be filled, before that."""
        self._new.append(rows)
        shown = np.zeros(len(self._jobs), np.bool_)
        shown[: len(self._shown)] = self._shown
        shown[rows] = True
        self._shown = shown

    def take(self, rows: Ints) -> None:
        """Jobs that cannot be found any more, from now on."""
        self._shown[rows] = False

    def shows(self, rows: Ints) -> Flags:
        """Whether each job can be found, at the latest from the next `arrange` on."""
        return self._shown[rows]

    def arrange(self, at: int) -> None:
        """Sort the jobs anew, if that is due at the time `at`."""
        if len(self.standing) and at - self._arranged_at < _REARRANGED_MS:
            return
        self._arranged_at = at
        new = np.concatenate([*self._new, np.zeros(0, np.int64)]).astype(np.int64)
        self._new = []
        standing = np.concatenate([self.standing, new])
        self.standing = standing = standing[self._shown[standing]]
        jobs = self._jobs
        function, region = jobs.function[standing].astype(np.int64), jobs.region[standing]
        self._trade = _Shelf(standing, function, FUNCTIONS)
        self._nearby = _Shelf(standing, function * REGIONS + region, FUNCTIONS * REGIONS)
        self._fame = np.cumsum(np.exp(jobs.appeal[standing] + self._companies.fame[jobs.company[standing]]))
        newest = max(1, int(_NEW_SHARE * len(standing)))
        self._newest = standing[np.argpartition(-jobs.posted_at[standing], newest - 1)[:newest]]

    def find(self, members: Ints, graph: Graph, memory: Memory) -> Ints:
        """A job for each of `members` (it may occur again), -1 where none is found."""
        draw, count = self._draw, len(members)
        found = self.any(count)
        if not len(self.standing):
            return found
        source = np.searchsorted(_MIXTURE, draw.random(count), side="right").clip(max=_ANY)
        taste = np.cumsum(self._members.taste[members], axis=1)
        trade = (draw.random(count)[:, None] * taste[:, -1:] > taste).sum(axis=1).clip(max=FUNCTIONS - 1)
        for number in (_TRADE, _NEARBY, _FAMOUS, _NEWEST, _FRIENDS):
            chosen = np.flatnonzero(source == number)
            who = members[chosen]
            if number == _TRADE:
                rows = self._trade.pick(draw, trade[chosen])
            elif number == _NEARBY:
                rows = self._nearby.pick(draw, trade[chosen] * REGIONS + self._members.region[who])
            elif number == _FAMOUS:
                rows = self.standing[weighted(draw, self._fame, len(chosen))]
            elif number == _NEWEST:
                rows = self._newest[draw.integers(len(self._newest), size=len(chosen))]
            else:
                friend = graph.others[who, (draw.random(len(chosen)) * graph.degree[who]).astype(np.int64)]
                liked = memory.liked[friend, draw.integers(memory.liked.shape[1], size=len(chosen))]
                rows = np.where(friend >= 0, liked, -1)
            found[chosen] = np.where(rows >= 0, rows, found[chosen])
        return np.where((found >= 0) & self._shown[found], found, -1)

    def any(self, count: int) -> Ints:
        """So many jobs at random, -1 where none is found."""
        if not len(self.standing):
            return np.full(count, -1)
        found = self.standing[self._draw.integers(len(self.standing), size=count)]
        return np.where(self._shown[found], found, -1)


class _Shelf:
    """Rows of jobs in order of a label."""

    def __init__(self, standing: Ints, label: Ints, labels: int) -> None:
        self._rows = standing[np.argsort(label, kind="stable")]
        self._size = np.bincount(label, minlength=labels)
        self._start = np.cumsum(self._size) - self._size

    def pick(self, draw: Draw, label: Ints) -> Ints:
        """One of each label, -1 where there is none."""
        place = self._start[label] + (draw.random(len(label)) * self._size[label]).astype(np.int64)
        return np.where(self._size[label] > 0, self._rows[place.clip(max=len(self._rows) - 1)], -1)
