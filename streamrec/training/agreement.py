"""Whether a running system answers as the offline one does: at points in time spread over a log, and at every query.

At each point the same members are asked about on both sides: those who acted last, the latest first, then others of the
log, so that members of whom little or nothing is known yet are among them. Lists agree when they hold the same jobs in the
same order; that their scores are equal to the last bit is counted beside it.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from streamrec.events import Event
from streamrec.training.replay import Due
from streamrec.training.system import Listed, System

TOP: Final = 10
_TOLD: Final = 5  # differences that are told in full


class Difference(msgspec.Struct, frozen=True):
    """Two lists that should be one: after how many events of the log, as of when (ms), for whom.

    `point` is the number of the point in time, from 1; None for the answer to a query.
    """

    events: int
    at: int
    point: int | None
    member_id: str
    live: list[str]
    offline: list[str]

    def __str__(self) -> str:
        where = "a query" if self.point is None else f"point {self.point}"
        first = next(place for place in range(len(self.live) + 1) if self.live[place:][:1] != self.offline[place:][:1])
        return (
            f"member {self.member_id}, {where} (after {self.events:,} events, at {self.at}), from rank {first + 1} on:\n"
            f"  live     {', '.join(self.live) or 'nothing'}\n  offline  {', '.join(self.offline) or 'nothing'}"
        )


class Compared(msgspec.Struct):
    """Lists that were held against each other."""

    lists: int = 0
    equal: int = 0
    equal_scores: int = 0  # of the equal ones
    empty: int = 0  # on both sides: they say little

    def add(self, live: Listed, offline: Listed) -> bool:
        """Count a pair; whether it agrees."""
        same = live.job_ids == offline.job_ids
        self.lists += 1
        self.equal += same
        self.equal_scores += same and live.scores == offline.scores
        self.empty += not live.job_ids and not offline.job_ids
        return same


class Agreement:
    """Asks `live` and `offline` for the same lists.

    Parameters
    ----------
    live, offline
        Both have taken the same records whenever this is called.
    points
        Points in time, evenly spread over the events of a log; the last one is its end.
    members
        Members asked about at each point, fewer only if the log has no more.

    Attributes
    ----------
    at_points
        What came out, a `Compared` for each point that was reached.
    at_queries
        The same of the lists that the queries of the evaluation got.
    differences
        The first few, in the order of the log.
    """

    def __init__(self, live: System, offline: System, points: int, members: int) -> None:
        self.live, self.offline = live, offline
        self._points, self._size = points, members
        self.at_points: list[Compared] = []
        self.at_queries = Compared()
        self.differences: list[Difference] = []
        self._recent: dict[str, None] = {}  # who acted, the latest last
        self._known: list[str] = []
        self._due: list[int] = []  # numbers of events after which a point is due

    def begin(self, log: Iterable[Due]) -> None:
        """Learn whom the log is about, and how long it is."""
        events, known = 0, dict[str, None]()
        for due in log:
            events += isinstance(due.event, Event)
            if (member_id := getattr(due.event, "member_id", None)) is not None:
                known[member_id] = None
        self._known = list(known)
        self._due = [-(-events * number // self._points) for number in range(1, self._points + 1)]

    def acted(self, member_id: str) -> None:
        """A member did something."""
        self._recent.pop(member_id, None)
        self._recent[member_id] = None

    def query(self, live: Listed, member_id: str, events: int, at: int, size: int) -> Listed:
        """Hold the answer to a query against the offline one; that one."""
        offline = self.offline.answer(member_id, at, size)
        if not self.at_queries.add(live, offline):
            self._note(Difference(events, at, None, member_id, live.job_ids, offline.job_ids))
        return offline

    def look(self, events: int, at: int) -> None:
        """Compare, if a point is due now that `events` are taken; called after each second of the log, with its last time."""
        if not self._due or events < self._due[0]:
            return
        self._due = [due for due in self._due if due > events]
        found = Compared()
        self.at_points.append(found)
        for member_id in self.members():
            live, offline = (system.answer(member_id, at, TOP) for system in (self.live, self.offline))
            if not found.add(live, offline):
                self._note(
                    Difference(events, at, len(self.at_points), member_id, live.job_ids, offline.job_ids)
                )  # fmt: skip

    def members(self) -> Sequence[str]:
        """Whom the next point would ask about."""
        chosen = list(islice(reversed(self._recent), self._size))
        others = (member_id for member_id in self._known if member_id not in self._recent)
        return [*chosen, *islice(others, self._size - len(chosen))]

    def _note(self, difference: Difference) -> None:
        if len(self.differences) < _TOLD:
            self.differences.append(difference)

    @property
    def agrees(self) -> bool:
        """Whether no list differed."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """As ``streamrec evaluate --live --json`` has it under ``live``; `members` is the least that a point asked about."""
        total = {
            field: sum(getattr(point, field) for point in self.at_points) for field in Compared.__struct_fields__
        }  # fmt: skip
        return {
            "points": len(self.at_points),
            "members": min((point.lists for point in self.at_points), default=0),
            **total,
            "queries": msgspec.to_builtins(self.at_queries),
            "first_difference": msgspec.to_builtins(self.differences[0]) if self.differences else None,
            "differences": msgspec.to_builtins(self.differences),
        }
