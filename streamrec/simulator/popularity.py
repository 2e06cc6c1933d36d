"""The list that everybody gets: the jobs that were checked most often, for comparison with lists that are personal."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from streamrec.simulator.arrays import Ints

_SORTED_EVERY_S: Final = 0.5


class Popularity:
    """Counts checks, and names for each member the most checked of the open jobs that it has not checked itself.

    Parameters
    ----------
    clock
        Seconds: how often the jobs are sorted anew.

    Examples
    --------
    >>> popularity = Popularity(clock=lambda: 0.0)
    >>> popularity.note(np.array([0, 1, 2]), np.array([5, 5, 3]))
    >>> closes_at = np.full(8, 100)
    >>> popularity.lists(np.array([7, 0]), np.array([0, 0]), closes_at, at=50, size=2).tolist()
    [[5, 3], [3, 0]]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._sorted_at = clock, -np.inf
        self._counts: Ints = np.zeros(0, np.int64)
        self._order: list[int] = []
        self._checked: dict[int, set[int]] = {}

    def note(self, members: Ints, rows: Ints) -> None:
        """Each of `members` has checked the job beside it."""
        self._reserve(int(rows.max(initial=-1)) + 1)
        np.add.at(self._counts, rows, 1)
        for member, row in zip(members.tolist(), rows.tolist(), strict=True):
            self._checked.setdefault(member, set()).add(row)

    def lists(self, members: Ints, pages: Ints, closes_at: Ints, at: int, size: int) -> Ints:
        """A page of `size` jobs for each of `members`, -1 where there are no more; `pages` counts from 0.

        Parameters
        ----------
        closes_at
            Of all jobs: from when on each cannot be checked any more.
        at
            The time.
        """
        if self._clock() - self._sorted_at >= _SORTED_EVERY_S:
            self._reserve(len(closes_at))
            open_rows = np.flatnonzero(closes_at > at)
            self._order = open_rows[np.argsort(-self._counts[open_rows], kind="stable")].tolist()
            self._sorted_at = self._clock()
        found = np.full((len(members), size), -1, np.int64)
        for place, (member, page) in enumerate(zip(members.tolist(), pages.tolist(), strict=True)):
            jobs, wanted = self._first(member, size * (page + 1)), size * page
            found[place, : len(jobs[wanted:])] = jobs[wanted:]
        return found

    def _first(self, member: int, count: int) -> list[int]:
        checked, jobs = self._checked.get(member, set()), []
        for row in self._order:
            if row not in checked:
                jobs.append(row)
                if len(jobs) == count:
                    break
        return jobs

    def _reserve(self, size: int) -> None:
        if size > len(self._counts):
            grown = np.zeros(max(size, 2 * len(self._counts)), np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown
