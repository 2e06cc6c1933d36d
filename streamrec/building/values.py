"""Values of features, as of one time, from the states that a log has left: by job, by member, and by member and job."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from streamrec.building.part import Folded
from streamrec.features.language import Feature
from streamrec.features.plan import Plan
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.state import JobState, MemberState, Neighbours, Network, unpack
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView, sources

_MANY: Final = 4_096  # jobs read at once


class Value(msgspec.Struct, frozen=True):
    """One value: of a job, of a member, or of both; the other id is empty."""

    member_id: str
    job_id: str
    feature: str
    value: float


class States:
    """Unpacked states, and the table of all jobs, to read features from.

    Parameters
    ----------
    folded
        The states.
    plan
        Whose cells they hold.
    """

    def __init__(self, folded: Folded, plan: Plan) -> None:
        self._folded = folded
        self.table = JobTable(max(1024, len(folded.jobs)), plan)
        for job_id in sorted(folded.jobs):
            self.table.upsert(job_id, unpack(JobState, folded.jobs[job_id]))
        self._blank = MemberView.build(MemberState(), {}, self.table, 0)

    def member(self, member_id: str) -> MemberState:
        """State of a member; a fresh one of an unknown member."""
        return unpack(MemberState, self._folded.members.get(member_id))

    def of_jobs(self, reader: Reader, job_ids: Sequence[str], now: int) -> Iterator[Value]:
        """Features of jobs alone."""
        for start in range(0, len(job_ids), _MANY):
            some = job_ids[start : start + _MANY]
            rows = self.table.rows(some)
            yield from _values("", some, reader, Reading(self._blank, self.table, rows, now))

    def of_member(self, reader: Reader, member_id: str, job_ids: Sequence[str], now: int) -> Iterator[Value]:
        """Features of a member beside jobs or, without jobs, of the member alone."""
        state, folded = self.member(member_id), self._folded
        rows = {job: unpack(Neighbours, folded.neighbours[job]) for job in sources(state) if job in folded.neighbours}
        network = folded.networks.get(member_id)
        view = MemberView.build(state, rows, self.table, now, None if network is None else unpack(Network, network))
        places = self.table.rows(job_ids) if job_ids else np.array([-1], np.int32)
        yield from _values(member_id, job_ids or [""], reader, Reading(view, self.table, places, now))


def by_entity(features: Iterable[Feature]) -> tuple[list[Feature], list[Feature], list[Feature]]:
    """Those about a job, about a member, and about both."""
    found: Mapping[str, list[Feature]] = {"job": [], "member": [], "": []}
    for each in features:
        found[each.entity if each.entity in found else ""].append(each)
    return found["job"], found["member"], found[""]


def all_values(folded: Folded, plan: Plan, features: Sequence[Feature], now: int) -> Iterator[Value]:
    """Values as of `now` (ms) of all jobs, of all members, and of each member's recent jobs: in the order of ids."""
    states = States(folded, plan)
    jobs, members, pairs = map(Reader, by_entity(features))
    if jobs.columns:
        yield from states.of_jobs(jobs, sorted(folded.jobs), now)
    for member_id in sorted(folded.members) if members.columns or pairs.columns else ():
        if members.columns:
            yield from states.of_member(members, member_id, [], now)
        recent = sorted(touch.job_id for touch in states.member(member_id).recent) if pairs.columns else []
        if recent:
            yield from states.of_member(pairs, member_id, recent, now)


def _values(member_id: str, job_ids: Sequence[str], reader: Reader, reading: Reading) -> Iterator[Value]:
    found = reader.matrix(reading).tolist()
    for job_id, row in zip(job_ids, found, strict=True):
        for name, value in zip(reader.columns, row, strict=True):
            yield Value(member_id, job_id, name, value)
