"""The system in memory, without servers: the agents' pure calls, on dicts, one record after the other.

What the member agent, the job agent, the trainer and the recommender do with stores and topics between them, this does
in one process, by the same functions in the same order, so that what is measured here is what is served.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from streamrec.events import (
    Connection,
    Event,
    JobEvent,
    JobPosting,
    TrainingExample,
)
from streamrec.features.fold import (
    Effect,
    fold_entry,
    fold_member,
    fold_neighbours,
    fold_posting,
    is_duplicate,
    remember,
)
from streamrec.features.forgetting import begin_anew, is_idle
from streamrec.features.network import Note, fold_own, spread
from streamrec.features.state import JobState, MemberState, Neighbours, Network
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.models.base import Model
from streamrec.ranking.default import default_workflow
from streamrec.ranking.engine import rank, recent_ids
from streamrec.ranking.examples import example, is_positive
from streamrec.ranking.gather import Candidates
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.workflow import Workflow
from streamrec.settings import Settings
from streamrec.training.configuration import Configuration
from streamrec.training.system import Listed, Record, System

SOURCE_ID: Final = "offline"  # in place of a topic's id


class Offline(System):
    """Members, jobs and the model, as of the last record taken.

    Parameters
    ----------
    settings
        By which workflow lists are made and how long they are, how many negatives an example has, whether a viewed job may
        come again, and whether a job without a posting is served.
    configured
        The workflow and the model instead, if they are not those of the settings.

    Attributes
    ----------
    members, jobs, neighbours, networks
        What a store would hold, by id.
    table
        All jobs, for rankings.
    model
        Has learned from every action so far.
    also
        Other models that learn the same actions, beside what their workflows would have had to choose from; default none.
    candidates
        What the last list was chosen from.

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> world = Offline(Settings())
    >>> world.take(JobView(event_id="e1", member_id="ann", job_id="nurse", occurred_at=1000))
    >>> world.rank("bob", 2000).job_ids, world.rank("ann", 2000).job_ids
    (['nurse'], [])
    """

    def __init__(self, settings: Settings, configured: Configuration | None = None) -> None:
        configured = configured or Configuration(default_workflow(settings))
        self.settings, self.workflow, self.model = settings, configured.workflow, configured.model()
        self.members: dict[str, MemberState] = {}
        self.jobs: dict[str, JobState] = {}
        self.neighbours: dict[str, Neighbours] = {}
        self.networks: dict[str, Network] = {}
        self.table = JobTable()
        self.also: list[tuple[Workflow, Model]] = []
        self.candidates = Candidates(np.zeros(0, np.int32), np.zeros(0, np.uint16), np.zeros(0))
        self._taken = 0
        self._view: tuple[tuple[str, int, int], MemberView] | None = None

    def rank(
        self, member_id: str, now: int, workflow: Workflow | None = None, model: Model | None = None
    ) -> RankedList:
        """The list that the system would serve to a member at `now` (ms), known or not; or, by another workflow and model."""
        state, model = self.state_of(member_id), model or self.model
        scorer = model.scorer(1, now) if model.examples else None
        return rank(
            workflow or self.workflow, state, self.neighbours_of(state), self.table, scorer, now,
            size=self.settings.list_size, viewed_again_after_ms=self.settings.viewed_again_after_ms,
            without_posting=self.without_posting, network=self.networks.get(member_id), view=self.view_of(member_id, now),
            observe=self._observe,
        )  # fmt: skip

    def _observe(self, found: Candidates) -> None:
        self.candidates = found

    def answer(self, member_id: str, now: int, size: int) -> Listed:
        """See `System.answer`."""
        ranked = self.rank(member_id, now)
        return Listed(ranked.job_ids[:size], ranked.scores[:size])

    def state_of(self, member_id: str) -> MemberState:
        """State of a member; a fresh one of an unknown member."""
        return self.members.get(member_id) or MemberState()

    def view_of(self, member_id: str, now: int) -> MemberView:
        """The member as a ranking at `now` (ms) sees it; kept until anything happens, since several ask for the same."""
        key = (member_id, now, self._taken)
        if self._view is None or self._view[0] != key:
            state = self.state_of(member_id)
            self._view = (
                key,
                MemberView.build(state, self.neighbours_of(state), self.table, now, self.networks.get(member_id)),
            )
        return self._view[1]

    @property
    def without_posting(self) -> bool:
        """Whether jobs without a posting are served now: as `Serving.without_posting`."""
        choice = self.settings.serve_without_posting
        return self.table.posting_count == 0 if choice == "auto" else choice == "yes"

    def neighbours_of(self, state: MemberState) -> Mapping[str, Neighbours]:
        """Co-visitation rows that a ranking for this member reads."""
        return {job_id: row for job_id in recent_ids(state) if (row := self.neighbours.get(job_id)) is not None}

    def learn(self, event: JobEvent) -> TrainingExample | None:
        """Learn from an action what it says beside what else could have been chosen; call it before `fold`."""
        made = self._example(event, self.workflow)
        if made is not None:
            self.model.learn(made)
        for workflow, model in self.also:
            other = made if workflow.sources == self.workflow.sources else self._example(event, workflow)
            if other is not None:
                model.learn(other)
        return made

    def _example(self, event: JobEvent, workflow: Workflow) -> TrainingExample | None:
        state, now = self.state_of(event.member_id), event.occurred_at
        known = self._view is not None and self._view[0] == (event.member_id, now, self._taken)
        return example(
            event, ("", SOURCE_ID, 0, self._taken), state, self.neighbours_of(state), self.table, self.settings.negatives,
            viewed_again_after_ms=self.settings.viewed_again_after_ms, without_posting=self.without_posting,
            network=self.networks.get(event.member_id),
            view=self.view_of(event.member_id, now) if known else None, sources=workflow.sources,
        )  # fmt: skip

    def fold(self, event: Record) -> None:
        """Take a record into the state of its member or job, and of the jobs that it means something for."""
        self._taken += 1
        if isinstance(event, JobPosting):
            fold_posting(self._job(event.job_id), event)
            self._changed(event.job_id)
            return
        state = self.members.setdefault(event.member_id, MemberState())
        if isinstance(event, Event):
            remember(state, event)
        profile, effects = state.profile, fold_member(state, event)
        for effect in effects:
            self._apply(effect)
        if isinstance(event, Connection) or event.member_id in self.networks:
            network = self.networks.setdefault(event.member_id, Network())
            self._tell(fold_own(network, profile, event, effects))

    def take(self, record: Record) -> None:
        """See `System.take`."""
        if isinstance(record, Event):
            state = self.members.get(record.member_id)
            if state is not None and self.is_known(state, record):
                return
            if isinstance(record, JobEvent) and is_positive(record):
                self.learn(record)
        self.fold(record)

    def is_known(self, state: MemberState, event: Event) -> bool:
        """Whether an event was there before; a member who was away for too long begins anew first, see `features.forgetting`."""
        if is_idle(state, event.occurred_at, self.settings.member_kept_ms):
            begin_anew(state)
        return is_duplicate(state, event)

    def _apply(self, effect: Effect) -> None:
        job_id = effect.job_id
        if effect.action is not None:
            fold_entry(self._job(job_id), effect)
            self._changed(job_id)
        if effect.neighbours:
            row = self.neighbours.get(job_id)
            if row is None:
                row = self.neighbours[job_id] = Neighbours()
            fold_neighbours(row, effect)

    def _tell(self, notes: list[Note]) -> None:
        """Let connections know, and the member of what they tell in return."""
        spread(self.networks, notes, self._company_of)

    def _company_of(self, member_id: str) -> str | None:
        profile = self.state_of(member_id).profile
        return profile.company if profile else None

    def _job(self, job_id: str) -> JobState:
        state = self.jobs.get(job_id)
        if state is None:
            state = self.jobs[job_id] = JobState()
        return state

    def _changed(self, job_id: str) -> None:
        self.table.upsert(job_id, self.jobs[job_id])
