"""Visits to the site: a member comes, turns over some pages, and goes."""

from typing import Final, NamedTuple

import numpy as np

from streamrec.simulator.arrays import Draw, Flags, Ints
from streamrec.simulator.jobs import NEVER

GAP_MS: Final = 30_000  # at least, between two pages of a session
_READING_MS: Final = 40_000  # on average, on top of that
_MOST_PAGES: Final = 12
_GOES_ON, _GOES_ON_IDLE = 0.85, 0.7  # chance of another page after one with a check, and after one without


class Visits(NamedTuple):
    """Pages that are looked at, one a session: all arrays are ``(n,)``, in the order of `at`.

    Attributes
    ----------
    slot
        Where the session is kept.
    member, at, session
        Whose it is (row), when it is looked at (ms), the number of the session.
    page
        0 for a list that is asked for anew, else how many pages of it the member has turned over.
    """

    slot: Ints
    member: Ints
    at: Ints
    session: Ints
    page: Ints


class Sessions:
    """All sessions that are under way; `begun` counts those that ever were."""

    def __init__(self, draw: Draw, members: int) -> None:
        self._draw = draw
        self._busy = np.zeros(members, np.bool_)
        self._member, self._at, self._number, self._pages, self._page = (np.zeros(0, np.int64) for _ in range(5))
        self.begun = 0

    def begin(self, members: Ints, at: Ints) -> None:
        """Let members come at these times; those that are here already, or come twice, come once."""
        _, first = np.unique(members, return_index=True)
        first = np.sort(first)
        first = first[~self._busy[members[first]]]
        members, at = members[first], at[first]
        self._busy[members] = True
        going_on = self._at < NEVER
        numbers = np.arange(self.begun, self.begun + len(members))
        self.begun += len(members)
        zeros = np.zeros(len(members), np.int64)
        self._member = np.concatenate([self._member[going_on], members])
        self._at = np.concatenate([self._at[going_on], at])
        self._number = np.concatenate([self._number[going_on], numbers])
        self._pages = np.concatenate([self._pages[going_on], zeros])
        self._page = np.concatenate([self._page[going_on], zeros])

    def due(self, until: int) -> Visits:
        """The next page of each session that has one before `until`."""
        slot = np.flatnonzero(self._at < until)
        slot = slot[np.argsort(self._at[slot], kind="stable")]
        return Visits(slot, self._member[slot], self._at[slot], self._number[slot], self._page[slot])

    def turn(self, visits: Visits, checked: Flags) -> None:
        """After a page, with or without a check: to the next one, or away. After a check it is a list asked for anew."""
        slot, count = visits.slot, len(visits.slot)
        self._pages[slot] += 1
        going = self._draw.random(count) < np.where(checked, _GOES_ON, _GOES_ON_IDLE)
        going &= self._pages[slot] < _MOST_PAGES
        gap = GAP_MS + self._draw.exponential(_READING_MS, size=count).astype(np.int64)
        self._at[slot] = np.where(going, visits.at + gap, NEVER)
        self._page[slot] = np.where(checked, 0, self._page[slot] + 1)
        self._busy[visits.member[~going]] = False
