"""What happens, as records: nothing of the truth goes into them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamrec.events import (
    Connection,
    ImpressionSeen,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.simulator.arrays import Ints
from streamrec.simulator.clock import Clock
from streamrec.simulator.jobs import Jobs
from streamrec.simulator.members import Members
from streamrec.simulator.sessions import Visits

FollowUp = JobSave | JobLike | JobApplication | JobDismissal
Record = JobView | FollowUp | ImpressionSeen | Connection | JobPosting | MemberProfile


class Happening(NamedTuple):
    """A record, and when it comes: the time (ms) that is shown in it, if any is."""

    at: int
    record: Record


def is_deed(record: Record) -> bool:
    """Whether a member did something: what rates and counts of events go by."""
    return isinstance(record, JobEvent | Connection)


class Occasion(NamedTuple):
    """In which list of which session each of some deeds was done; `request` is the answer that the list came with."""

    session: Ints
    request: Sequence[str | None]
    surface: str


class Scribe:
    """Writes records.

    Parameters
    ----------
    members, jobs
        Whose and what; their ids.
    clock
        What time is shown.
    name
        What ids of events begin with: those of different worlds must differ.
    """

    def __init__(self, members: Members, jobs: Jobs, clock: Clock, name: str) -> None:
        self._members, self._jobs, self._clock, self._name = members, jobs, clock, name
        self._written = 0

    def _event_id(self) -> str:
        self._written += 1
        return f"{self._name}-{self._written}"

    def views(
        self, members: Ints, rows: Ints, at: Ints, position: Ints, dwell_ms: Ints, occasion: Occasion
    ) -> list[Happening]:
        """Jobs that were opened; all arrays are ``(n,)``, times are the world's."""
        ids, job_ids, shown, surface, name = (
            self._members.ids, self._jobs.ids, self._clock.shown, occasion.surface, self._name,
        )  # fmt: skip
        found = []
        for member, row, time, place, dwell, session, request in zip(
            members.tolist(), rows.tolist(), at.tolist(), position.tolist(), dwell_ms.tolist(),
            occasion.session.tolist(), occasion.request, strict=True,
        ):  # fmt: skip
            occurred_at = shown(time)
            view = JobView(
                event_id=self._event_id(), member_id=ids[member], job_id=job_ids[row], occurred_at=occurred_at,
                request_id=request, session_id=f"{name}-s{session}", surface=surface, position=place, dwell_ms=dwell,
            )  # fmt: skip
            found.append(Happening(occurred_at, view))
        return found

    def follow_ups(
        self, kind: type[FollowUp], members: Ints, rows: Ints, at: Ints, occasion: Occasion
    ) -> list[Happening]:  # fmt: skip
        """Other things done with jobs; parameters as for `views`."""
        found = []
        for member, row, time, session, request in zip(
            members.tolist(), rows.tolist(), at.tolist(), occasion.session.tolist(), occasion.request, strict=True
        ):
            occurred_at = self._clock.shown(time)
            deed = kind(
                event_id=self._event_id(), member_id=self._members.ids[member], job_id=self._jobs.ids[row],
                occurred_at=occurred_at, request_id=request, session_id=f"{self._name}-s{session}",
                surface=occasion.surface,
            )  # fmt: skip
            found.append(Happening(occurred_at, deed))
        return found

    def seen(self, visits: Visits, visit: Ints, place: Ints, requests: Sequence[str | None]) -> list[Happening]:
        """Which places of answers were looked at: for each visit that has a request, those of `place` ``(n,)`` on its page."""
        found, ends = [], np.searchsorted(visit, np.arange(len(requests) + 1))
        for number, (member, time, request) in enumerate(
            zip(visits.member.tolist(), visits.at.tolist(), requests, strict=True)
        ):
            places = place[ends[number] : ends[number + 1]].tolist()
            if request is not None and places:
                occurred_at = self._clock.shown(time)
                seen = ImpressionSeen(
                    event_id=self._event_id(), member_id=self._members.ids[member], occurred_at=occurred_at,
                    request_id=request, positions=tuple(places),
                )  # fmt: skip
                found.append(Happening(occurred_at, seen))
        return found

    def connections(self, pairs: Ints, at: Ints) -> list[Happening]:
        """Members who connected, ``(n, 2)``."""
        found = []
        for (one, other), time in zip(pairs.tolist(), at.tolist(), strict=True):
            occurred_at = self._clock.shown(time)
            connection = Connection(
                event_id=self._event_id(), member_id=self._members.ids[one], other_member_id=self._members.ids[other],
                occurred_at=occurred_at,
            )  # fmt: skip
            found.append(Happening(occurred_at, connection))
        return found

    def postings(self, rows: Ints, at: Ints, *, closed: bool) -> list[Happening]:
        """Jobs that were opened or closed."""
        shown = self._clock.shown
        return [
            Happening(shown(time), self._jobs.posting(row, shown, closed=closed))
            for row, time in zip(rows.tolist(), at.tolist(), strict=True)
        ]

    def profiles(self, members: Ints, at: Ints) -> list[Happening]:
        """What members say of themselves from then on."""
        found = []
        for member, time in zip(members.tolist(), at.tolist(), strict=True):
            updated_at = self._clock.shown(time)
            found.append(Happening(updated_at, self._members.profile(member, updated_at)))
        return found
