"""Everything that becomes of an event once it has been decoded: what its owners fold, pack, unpack and read, without servers."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from streamrec import codecs
from streamrec.agents.derived import entry_of
from streamrec.events import (
    Connection,
    Event,
    Impression,
    ImpressionSeen,
    JobActivity,
    JobEvent,
    JobPosting,
    MemberActivity,
    MemberProfile,
    Tombstone,
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
from streamrec.features.library import FEATURE_SET, PLAN, feature_names
from streamrec.features.network import fold_own, fold_told
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.state import JobState, MemberState, Neighbours, Network, pack, unpack
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.models import labels, shown, snapshot
from streamrec.models.job_check import JobCheck
from streamrec.models.labels import Rules, Source
from streamrec.models.rows import InvalidExampleError
from streamrec.models.shown import Shown

RULES = Rules()
SOURCE = Source("job-views#labels", "id", 0, 7)
READER = Reader(tuple(PLAN.features.values()))


class Owners:
    """One member, one job and one model, with all that is kept of them."""

    def __init__(self) -> None:
        self.member, self.job, self.network, self.row = MemberState(), JobState(), Network(), Neighbours()
        self.shown, self.model = Shown(), JobCheck(FEATURE_SET, feature_names())

    def take(self, event: Any) -> None:
        """What the agent that reads it does; anything else than `InvalidExampleError` that is raised ends it."""
        match event:
            case JobEvent() | Connection() | MemberProfile() | Tombstone():
                self._take_own(event)
            case JobPosting():
                fold_posting(self.job, event)
            case JobActivity():
                for told in event.entries:
                    self._take_entry(told)
            case MemberActivity():
                for known in event.entries:
                    fold_told(self.network, "me", "Acme", known)
            case Impression():
                labels.show(self.shown, event, SOURCE, RULES)
                self._learn(
                    [labels.close(self.shown, "me", event.request_id, event.served_at + RULES.window_ms, SOURCE)]
                )
            case ImpressionSeen():
                labels.see(self.shown, event)
            case TrainingExample():
                self._learn([event])

    def _take_own(self, event: JobEvent | Connection | MemberProfile | Tombstone) -> None:
        profile = self.member.profile
        if isinstance(event, Event):
            if is_duplicate(self.member, event):
                return
            remember(self.member, event)
        effects = fold_member(self.member, event)
        fold_own(self.network, profile, event, effects)
        if isinstance(event, JobEvent) and (action := labels.check_of(event)) is not None:
            self._learn(labels.act(self.shown, event, action, SOURCE, RULES).examples)
        self._tell(effects)

    def _tell(self, effects: list[Effect]) -> None:
        """What is derived passes the checks of those who read it."""
        entries = tuple(entry_of(effect, 1, index) for index, effect in enumerate(effects))
        activity = JobActivity(source_topic="job-views", source_topic_id="id", source_partition=0, entries=entries)
        read = codecs.decode_record("JobActivity", b"k", codecs.encode(activity), now_ms=0, skew_ms=0)
        assert read == activity
        for entry in entries:
            self._take_entry(entry)

    def _take_entry(self, entry: Any) -> None:
        if entry.action is not None:
            fold_entry(self.job, entry)
        if entry.neighbours:
            fold_neighbours(self.row, entry)

    def _learn(self, examples: Iterable[TrainingExample | None]) -> None:
        for example in examples:
            if example is None:
                continue
            try:
                self.model.learn(example)
            except InvalidExampleError:
                continue

    def read(self, now: int) -> None:
        """What is kept goes to Redis and back, is read as features, and a snapshot of the model can be loaded."""
        for state in (self.member, self.job, self.network, self.row):
            assert pack(unpack(type(state), pack(state))) == pack(state)  # type: ignore[type-var]
        assert shown.pack(shown.unpack(shown.pack(self.shown))) == shown.pack(self.shown)
        assert all(np.isfinite(weight) and weight >= 0 for weight in self.row.weights.values())
        table = JobTable(8)
        table.upsert("j1", self.job)
        view = MemberView.build(self.member, {"j1": self.row}, table, now, self.network)
        READER.values(Reading(view, table, np.array([0, -1], np.int32), now))
        if self.model.examples:
            taken = snapshot.take(self.model, version=1, now=now, code_version="test")
            again = snapshot.unpack(snapshot.pack(taken))
            snapshot.restore(JobCheck(FEATURE_SET, feature_names()), again)
            assert np.isfinite(snapshot.scorer_of(again).weights).all()
