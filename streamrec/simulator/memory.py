"""What members did lately, as far as it sways what they do next."""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Flags, Floats, Ints
from streamrec.simulator.graph import Graph
from streamrec.simulator.vocabulary import ROLES

SESSION_MS: Final = 30 * 60_000  # after so long a member has forgotten what it was looking for
_DONE_WITH: Final = 32
_LIKED: Final = 4


class Memory:
    """The last jobs that each member viewed or dismissed, the last ones it liked, saved or applied for, and its last role.

    Attributes
    ----------
    done_with, liked
        Rows of jobs, int32 ``(members, …)``, -1 for none.
    """

    def __init__(self, members: int) -> None:
        self.done_with = np.full((members, _DONE_WITH), -1, np.int32)
        self.liked = np.full((members, _LIKED), -1, np.int32)
        self._done = np.zeros(members, np.int64)
        self._likes = np.zeros(members, np.int64)
        self._role = np.full(members, -1, np.int16)
        self._at = np.zeros(members, np.int64)
        self._ever_liked = np.zeros(1024, np.bool_)  # by anybody; of most jobs nobody's connections are to be asked

    def is_done_with(self, members: Ints, rows: Ints) -> Flags:
        """Whether each member has viewed or dismissed the job beside it lately."""
        return np.asarray((self.done_with[members] == rows[:, None]).any(axis=1))

    def in_mind(self, members: Ints, function: Ints, role: Ints, at: Ints | int) -> Flags:
        """Whether each job is of the role that the member viewed last in this session."""
        same = self._role[members] == function.astype(np.int16) * ROLES + role
        return np.asarray(same & (at - self._at[members] < SESSION_MS))

    def friends(self, graph: Graph, members: Ints, rows: Ints) -> Floats:
        """How many connections of each member have the job among those that they liked, saved or applied for last."""
        count = np.zeros(len(members))
        asked = np.flatnonzero(self._ever_liked[rows.clip(max=len(self._ever_liked) - 1)])
        others = graph.others[members[asked]]
        liked = (self.liked[others] == rows[asked, None, None]).any(axis=2)
        count[asked] = (liked & (others >= 0)).sum(axis=1)
        return count

    def view(self, members: Ints, function: Ints, role: Ints, at: Ints) -> None:
        """Remember of what role the jobs were that members viewed, in the order of their times."""
        self._role[members] = function.astype(np.int16) * ROLES + role  # of equal members the last one stays
        self._at[members] = at

    def put_away(self, members: Ints, rows: Ints) -> None:
        """Remember views and dismissals, in the order of their times."""
        self._push(self.done_with, self._done, members, rows)

    def like(self, members: Ints, rows: Ints) -> None:
        """Remember likes, saves and applications."""
        self._push(self.liked, self._likes, members, rows)
        if len(rows) and (size := int(rows.max()) + 1) > len(self._ever_liked):
            self._ever_liked = np.concatenate([self._ever_liked, np.zeros(size, np.bool_)])
        self._ever_liked[rows] = True

    def _push(self, ring: Ints, count: Ints, members: Ints, rows: Ints) -> None:
        for member, row in zip(members.tolist(), rows.tolist(), strict=True):
            ring[member, count[member] % ring.shape[1]] = row
            count[member] += 1
