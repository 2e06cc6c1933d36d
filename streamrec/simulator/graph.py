"""Who is connected with whom: members know others of their trade and region more often than chance has it (homophily).

Each of a member's ties is drawn from one of four circles: those of the same function and region, of the same function,
of the same region, everybody. Ties hold for both.

References
----------
McPherson, Smith-Lovin, Cook: Birds of a Feather: Homophily in Social Networks, 2001.
"""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Draw, Ints
from streamrec.simulator.members import Members
from streamrec.simulator.vocabulary import FUNCTIONS, REGIONS

MOST: Final = 24  # connections of a member
_TIES: Final = 4  # that a member makes itself at the beginning, on average; as many come from others
_CIRCLES: Final = np.cumsum([0.45, 0.2, 0.15, 0.2])  # same function and region, same function, same region, anybody


class Graph:
    """Connections as a matrix: `others` is int32 ``(members, MOST)``, -1 where there is none; `degree` counts them."""

    def __init__(self, draw: Draw, members: Members) -> None:
        self._draw, self._members = draw, members
        self.others = np.full((len(members), MOST), -1, np.int32)
        self.degree = np.zeros(len(members), np.int64)
        both = members.function * REGIONS + members.region
        self._circles = [
            _Circle(both, FUNCTIONS * REGIONS), _Circle(members.function, FUNCTIONS), _Circle(members.region, REGIONS),
        ]  # fmt: skip
        count = min(len(members) * _TIES, len(members) * (len(members) - 1) // 4)
        self.initial = self.connect(draw.integers(len(members), size=count))

    def connect(self, members: Ints) -> Ints:
        """Let each of `members` (it may occur again) make a tie; those that are new as ``(n, 2)``."""
        draw = self._draw
        circle = np.searchsorted(_CIRCLES, draw.random(len(members)), side="right")
        other = draw.integers(len(self._members), size=len(members))
        for number, candidates in enumerate(self._circles):
            chosen = np.flatnonzero(circle == number)
            other[chosen] = candidates.companion(draw, members[chosen])
        pairs = np.stack([members, other], axis=1)
        pairs = pairs[members != other]
        _, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
        pairs = pairs[np.sort(first)]
        pairs = pairs[~(self.others[pairs[:, 0]] == pairs[:, 1, None]).any(axis=1)]
        return np.asarray(pairs[self._add(pairs)])

    def _add(self, pairs: Ints) -> list[int]:
        """Note ties; the numbers of those for which both had room."""
        taken = []
        degree, others = self.degree, self.others
        for number, (one, other) in enumerate(pairs.tolist()):
            if degree[one] < MOST and degree[other] < MOST:
                others[one, degree[one]], others[other, degree[other]] = other, one
                degree[one] += 1
                degree[other] += 1
                taken.append(number)
        return taken


class _Circle:
    """Members by what they have in common, as they were at the beginning."""

    def __init__(self, label: Ints, labels: int) -> None:
        self._label = label.copy()
        self._order = np.argsort(label, kind="stable")
        self._size = np.bincount(label, minlength=labels)
        self._start = np.cumsum(self._size) - self._size

    def companion(self, draw: Draw, members: Ints) -> Ints:
        """Somebody of each member's circle; it may be the member itself."""
        label = self._label[members]
        place = self._start[label] + (draw.random(len(members)) * self._size[label]).astype(np.int64)
        return np.asarray(self._order[place])
