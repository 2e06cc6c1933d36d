"""A small site on which features are declared, fed by events and read: through plan, fold, packed states, table and reader."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrec.agents.derived import entry_of
from streamrec.events import (
    ActivityEntry,
    Connection,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.features.fold import fold_entry, fold_member, fold_neighbours, fold_posting
from streamrec.features.language import DeclarationError, Expression, Feature
from streamrec.features.language.types import Type
from streamrec.features.library import POPULARITY
from streamrec.features.plan import Plan
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.state import JobState, MemberState, Neighbours, Network, NetworkAct, pack, unpack
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView, sources

START = 1_750_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
MISSING = -77.0


def _feature(name: str, expression: Expression) -> Feature:
    return Feature(name, expression, "under test", "1", default=0.0 if expression.type is Type.CATEGORY else MISSING)


class Small:
    """Features under test by name: expressions, whose default is `MISSING`, or features as they are."""

    def __init__(self, **features: Expression | Feature) -> None:
        self.features = [each if isinstance(each, Feature) else _feature(name, each) for name, each in features.items()]
        leading = [Feature(f"leading_{number}", each, "needed", "1") for number, each in enumerate(POPULARITY)]
        self.plan = Plan([*leading, *self.features])
        self.members: dict[str, MemberState] = {}
        self.jobs: dict[str, JobState] = {}
        self.neighbours: dict[str, Neighbours] = {}
        self.network = Network()
        self.entries: list[ActivityEntry] = []
        self._events = 0

    def post(self, job_id: str, **fields: Any) -> None:
        posting = JobPosting(job_id=job_id, **{"title": "Nurse", **fields})
        fold_posting(self.jobs.setdefault(job_id, JobState()), posting)

    def profile(self, member_id: str = "m", **fields: Any) -> None:
        self._fold(member_id, MemberProfile(member_id=member_id, updated_at=START, **fields))

    def connect(self, member_id: str, other: str, at: int, connected: bool = True) -> None:
        self._fold(member_id, Connection(
            event_id="c", member_id=member_id, other_member_id=other, occurred_at=at, connected=connected
        ))  # fmt: skip

    def act(self, kind: type[JobEvent], job_id: str, at: int = START, member_id: str = "m", **fields: Any) -> None:
        self._events += 1
        self._fold(
            member_id, kind(event_id=f"e{self._events}", member_id=member_id, job_id=job_id, occurred_at=at, **fields)
        )

    def view(self, *args: Any, **fields: Any) -> None:
        self.act(JobView, *args, **fields)

    def save(self, *args: Any, **fields: Any) -> None:
        self.act(JobSave, *args, **fields)

    def like(self, *args: Any, **fields: Any) -> None:
        self.act(JobLike, *args, **fields)

    def apply(self, *args: Any, **fields: Any) -> None:
        self.act(JobApplication, *args, **fields)

    def dismiss(self, *args: Any, **fields: Any) -> None:
        self.act(JobDismissal, *args, **fields)

    def friend(self, other: str, company: str, **acts: int) -> None:
        """A connection of everybody, and its strongest action on jobs."""
        self.network.edges[other] = START
        self.network.companies[other] = company
        self.network.acts.extend(NetworkAct(other, job_id, action, START) for job_id, action in acts.items())

    def _fold(self, member_id: str, event: Any) -> None:
        for effect in fold_member(self.members.setdefault(member_id, MemberState()), event, self.plan):
            entry = entry_of(effect, len(self.entries))
            self.entries.append(entry)
            fold_entry(self.jobs.setdefault(entry.job_id, JobState()), entry, self.plan)
            fold_neighbours(self.neighbours.setdefault(entry.job_id, Neighbours()), entry)

    def table(self) -> JobTable:
        table = JobTable(2, self.plan)
        for job_id, state in self.jobs.items():
            table.upsert(job_id, unpack(JobState, pack(state)))
        return table

    def reading(
        self, rows: Sequence[int], now: int = START, member_id: str = "m", table: JobTable | None = None, **context: str
    ) -> Reading:
        table = table or self.table()
        state = unpack(MemberState, pack(self.members.get(member_id, MemberState())))
        near = {job_id: self.neighbours[job_id] for job_id in sources(state) if job_id in self.neighbours}
        view = MemberView.build(state, near, table, now, self.network)
        return Reading(view, table, np.array(rows, np.int32), now, context)

    def read(self, *job_ids: str, now: int = START, member_id: str = "m", **context: str) -> dict[str, list[float]]:
        """Values of all columns for the jobs; `MISSING` where they are."""
        table = self.table()
        reader = Reader([self.plan.find(each.id) for each in self.features])
        rows = table.rows(job_ids).tolist()
        whole = reader.matrix(self.reading(rows, now, member_id, table, **context))
        for place, row in enumerate(rows):  # n rows are what each is alone
            alone = reader.matrix(self.reading([row], now, member_id, table, **context))
            assert np.array_equal(alone, whole[place : place + 1])
        assert reader.matrix(self.reading([], now, member_id, table, **context)).shape == (0, len(reader.columns))
        return {name: column.tolist() for name, column in zip(reader.columns, whole.T, strict=True)}


def refused(declare: Callable[[], object], problem: str, remedy: str, line: int | None = None) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare()
    at = f"{Path(declare.__code__.co_filename).relative_to(Path(__file__).parents[2])}:{line or declare.__code__.co_firstlineno}"
    assert str(caught.value) == f"{at}: {problem}; {remedy}"
