"""Some members and jobs, and events of theirs: what costs are measured on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from streamrec.events import JobEvent, MemberProfile
from streamrec.features.state import JobState, MemberState, Neighbours, Network
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView


class Done(NamedTuple):
    """An event, and the profile of its member at the time."""

    event: JobEvent
    profile: MemberProfile | None


class Sample:
    """States by id, and events.

    Parameters
    ----------
    members, jobs, neighbours, networks
        As a store holds them; members and jobs of which something is not held are left out of that map.
    events
        In any order; may be empty.
    now
        The moment to read at (ms).
    """

    def __init__(
        self,
        members: Mapping[str, MemberState],
        jobs: Mapping[str, JobState],
        neighbours: Mapping[str, Neighbours],
        networks: Mapping[str, Network],
        events: Sequence[Done],
        now: int,
    ) -> None:
        self.members, self.jobs, self.neighbours, self.networks = members, jobs, neighbours, networks
        self.events, self.now = events, now

    @cached_property
    def table(self) -> JobTable:
        """The jobs, as columns."""
        table = JobTable(capacity=max(1, len(self.jobs)))
        for job_id, state in self.jobs.items():
            table.upsert(job_id, state)
        return table

    def view(self, member_id: str) -> MemberView:
        """A member as a ranking sees it."""
        return MemberView.build(
            self.members[member_id], self.neighbours, self.table, self.now, self.networks.get(member_id)
        )
