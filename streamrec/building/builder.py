"""The agents' work in memory: members, jobs, labels and the model, as of the last record taken.

What differs from `training.offline` is that records have their place in Kafka's log. So it is known which of the examples
that they make the model has learned before (its marks say so), and the live agents can go on with what is not finished:
impressions whose window is open.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from streamrec.agents.derived import is_applied
from streamrec.agents.due import Due
from streamrec.agents.labels import CLOSED, IMPRESSIONS
from streamrec.agents.members import time_of
from streamrec.codecs import Message
from streamrec.events import (
    Connection,
    Event,
    Impression,
    ImpressionSeen,
    JobEvent,
    JobPosting,
    MemberProfile,
    Tombstone,
    TrainingExample,
    digest_of,
)
from streamrec.features.fold import fold_posting
from streamrec.features.network import fold_own
from streamrec.models import labels
from streamrec.models import passed as passed_over
from streamrec.models.base import InvalidExampleError
from streamrec.models.labels import Rules, Source
from streamrec.models.passed import Passed
from streamrec.models.shown import Shown
from streamrec.ranking.examples import example, is_positive
from streamrec.settings import Settings
from streamrec.stores.positions import Mark
from streamrec.training.offline import Offline

FILE_ID: Final = "file"  # in place of a topic's id

LAST_INDEX: Final = 2**31 - 1  # above that of any effect of one record
_SHARES: Final = 1 << 16


class Past(msgspec.Struct, frozen=True):
    """A record of a past log: when it was written (ms), and where; `offset` is -1 in a file, where nothing has a place."""

    at: int
    topic: str
    event: Message | Tombstone
    partition: int = -1
    offset: int = -1


class Kept(msgspec.Struct):
    """What a member was shown, and when that is forgotten (ms)."""

    shown: Shown
    until: int


class Builder(Offline):
    """See the module.

    Parameters
    ----------
    settings
        Of the installation.
    topic_ids
        Kafka's ids of the topics that are read.
    marks
        What the model has learned before, by source: an example at or below its source's mark is not learned again.
    learn
        Share of the actions that are learned from, 0 to 1.
    erased
        The ledger of erasures (see `kafka.forgetting.erasures`); what is older is left out. Goes on with each tombstone.

    Attributes
    ----------
    shown
        By member.
    passed
        By member, what it was shown and did not check.
    due
        By partition of `impressions`: what is not closed yet, in the order of the log.
    closed
        By partition of `impressions`: the last one closed.
    duplicates, unusable, learned
        Events that were there before; examples that the model refused; examples learned here.
    """

    def __init__(
        self, settings: Settings, topic_ids: Mapping[str, str], marks: Mapping[str, Mark], learn: float = 1.0,
        erased: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(settings)
        self.rules = Rules(int(settings.label_window_s * 1000), settings.label_weights, settings.shown_kept)
        self.shown: dict[str, Kept] = {}
        self.passed: dict[str, Passed] = {}
        self.due: dict[int, deque[Due]] = {}
        self.closed: dict[int, int] = {}
        self.duplicates = self.unusable = self.learned = 0
        self.erased = dict(erased or {})
        self.clock = 0  # event time: nothing later has happened in what was taken
        self._ids, self._marks = topic_ids, marks
        self._share = round(learn * _SHARES)
        self._idle_ms = int(settings.idle_watermark_s * 1000)
        self._has_table = False  # jobs are put into it only once something is learned: that is the slow part
        self._closes_next = 0

    def take(self, past: Past) -> None:  # type: ignore[override]
        """Learn from a record what has not been learned before, then fold it, as the agents do."""
        self._pass_to(past)
        if self._is_erased(past):
            return
        match past.event:
            case Impression() as impression:
                self._show(past, impression)
            case ImpressionSeen() as seen:
                labels.see(self._shown_of(seen.member_id, past.at), seen)
            case Tombstone(key) if past.topic == "job-postings":
                self._remove(key)
            case Tombstone(key):
                self._erase(key, past.at)
            case JobEvent() as event:
                if not self._is_duplicate(event):
                    if is_positive(event):
                        self._act(past, event)
                    self.fold(event)
            case Event() as event:
                if not self._is_duplicate(event):
                    self.fold(event)
            case JobPosting() | MemberProfile() as entity:
                self.fold(entity)
            case other:
                raise TypeError(f"{past.topic} holds a {type(other).__name__}")

    def marks(self, ends: Mapping[tuple[str, int], int]) -> dict[str, Mark]:
        """What has been learned once everything before `ends` was taken: what the model begins with when it goes live.

        Every example from a record before its end counts as learned, whether one was made or not. A builder that was not
        to learn leaves the model and its marks as they are.
        """
        marks = dict(self._marks)
        if not self._share:
            return marks
        for (topic, partition), end in ends.items():
            if end and topic in self._ids:
                for source in (f"{topic}/{partition}", f"{topic}#labels/{partition}"):
                    marks[source] = Mark(self._ids[topic], end - 1, LAST_INDEX)
        for partition, offset in self.closed.items():
            mark = marks.get(f"{CLOSED}/{partition}")
            if not is_applied(mark, self._ids[IMPRESSIONS], offset, 0):
                marks[f"{CLOSED}/{partition}"] = Mark(self._ids[IMPRESSIONS], offset, LAST_INDEX)
        return marks

    def counts(self) -> tuple[int, int, int, int]:
        """What `resume` takes: records taken, duplicates, examples that could not be used, examples learned."""
        return (self._taken, self.duplicates, self.unusable, self.learned)

    def resume(self, counts: tuple[int, int, int, int]) -> None:
        """Go on counting; called once the content of an interrupted builder has been put in."""
        self._taken, self.duplicates, self.unusable, self.learned = counts
        self._closes_next = min((waiting[0].closes_at for waiting in self.due.values() if waiting), default=0)

    def _is_erased(self, past: Past) -> bool:
        """Whether it is of a member who was erased after that."""
        event = past.event
        if not self.erased or not isinstance(
            event, JobEvent | Connection | MemberProfile | Impression | ImpressionSeen
        ):
            return False
        members = (event.member_id, event.other_member_id) if isinstance(event, Connection) else (event.member_id,)
        return any(time_of(event) <= self.erased.get(digest_of(each), -1) for each in members)

    def _erase(self, member_id: str, at: int) -> None:
        digest = digest_of(member_id)
        self.erased[digest] = max(at, self.erased.get(digest, 0))
        if (network := self.networks.pop(member_id, None)) is not None:
            self._tell(fold_own(network, None, Tombstone(member_id), []))
        self.members.pop(member_id, None)
        self.shown.pop(member_id, None)
        self.passed.pop(member_id, None)

    def _is_duplicate(self, event: Event) -> bool:
        state = self.members.get(event.member_id)
        if state is None or not self.is_known(state, event):
            return False
        self.duplicates += 1
        return True

    def _remove(self, job_id: str) -> None:
        fold_posting(self._job(job_id), Tombstone(job_id))
        self._changed(job_id)

    def _changed(self, job_id: str) -> None:
        if self._has_table:
            super()._changed(job_id)

    def _act(self, past: Past, event: JobEvent) -> None:
        """As the member agent: a label if the job was shown, else what a sample says."""
        action = labels.check_of(event)
        if action is not None and (passed := self.passed.get(event.member_id)) is not None:
            passed_over.check(passed, event.job_id)
            if not passed.jobs:
                del self.passed[event.member_id]
        if action is not None and (self.shown or event.request_id):
            shown = self._shown_of(event.member_id, past.at)
            found = labels.act(shown, event, action, self._source(past, f"{past.topic}#labels"), self.rules)
            self._learn(found.examples)
            self._keep(event.member_id, past.at)
            if found.matched:
                return
        if self._is_wanted(past, event):
            self._sample(past, event)

    def _is_wanted(self, past: Past, event: JobEvent) -> bool:
        """Whether a sample of this action is to be learned: making one is what takes time."""
        if past.offset >= 0:
            mark = self._marks.get(f"{past.topic}/{past.partition}")
            if is_applied(mark, self._ids[past.topic], past.offset, 0):
                return False
        if self._share >= _SHARES:
            return True
        number = int.from_bytes(blake2b(event.event_id.encode(), digest_size=2).digest(), "big")
        return number < self._share

    def _sample(self, past: Past, event: JobEvent) -> None:
        if not self._has_table:
            self._has_table = True
            for job_id in self.jobs:
                super()._changed(job_id)
        source, state = self._source(past, past.topic), self.state_of(event.member_id)
        made = example(
            event, source, state, self.neighbours_of(state), self.table, self.settings.negatives,
            viewed_again_after_ms=self.settings.viewed_again_after_ms, without_posting=self.without_posting,
            network=self.networks.get(event.member_id), sources=self.workflow.sources,
        )  # fmt: skip
        if made is not None:
            self._learn([made])

    def _learn(self, examples: Iterable[TrainingExample]) -> None:
        for made in examples if self._share else ():
            mark = self._marks.get(f"{made.source_topic}/{made.source_partition}")
            if is_applied(mark, made.source_topic_id, made.source_offset, made.source_index):
                continue
            try:
                self.model.learn(made)
            except InvalidExampleError:  # shown by a version with other features
                self.unusable += 1
            else:
                self.learned += 1

    def _source(self, past: Past, name: str) -> Source:
        if past.offset < 0:
            return Source(name, FILE_ID, 0, self._taken)
        return Source(name, self._ids[past.topic], past.partition, past.offset)

    def _shown_of(self, member_id: str, now: int) -> Shown:
        kept = self.shown.get(member_id)
        if kept is None or kept.until <= now:
            kept = self.shown[member_id] = Kept(Shown(), now)
        self._keep(member_id, now)
        return kept.shown

    def _keep(self, member_id: str, now: int) -> None:
        kept = self.shown[member_id]
        kept.until = now + 1000 * labels.lifetime_s(kept.shown, self.rules)

    def _show(self, past: Past, impression: Impression) -> None:
        member = impression.member_id
        made = labels.show(
            self._shown_of(member, past.at), impression, self._source(past, f"{past.topic}#labels"), self.rules
        )
        self._keep(member, past.at)
        if made.duplicate:
            return
        self._learn(made.examples)
        if made.kept:
            closes_at = min(impression.served_at, past.at) + self.rules.window_ms
            waiting = self.due.setdefault(past.partition, deque())
            waiting.append(Due(past.offset, member, impression.request_id, closes_at))
            self._closes_next = min(self._closes_next or closes_at, closes_at)

    def _pass_to(self, past: Past) -> None:
        """Event time goes on to that of the record; what is due by then is closed, in the order of the log."""
        event = past.event
        if isinstance(event, Event | Impression):
            at = event.served_at if isinstance(event, Impression) else event.occurred_at
            self.clock = max(self.clock, min(at, past.at))
        if self._closes_next and self._closes_next <= self.clock - self._idle_ms:
            for partition, waiting in self.due.items():
                while waiting and waiting[0].closes_at <= self.clock - self._idle_ms:
                    self._close(partition, waiting.popleft(), past.at)
            self._closes_next = min((waiting[0].closes_at for waiting in self.due.values() if waiting), default=0)

    def _close(self, partition: int, due: Due, now: int) -> None:
        self.closed[partition] = due.offset
        kept = self.shown.get(due.member_id)
        if kept is None or kept.shown.find(due.request_id) is None:
            return  # the member was erased, or has been shown too much since
        source = Source(CLOSED, self._ids[IMPRESSIONS], partition, due.offset)
        made = labels.close(kept.shown, due.member_id, due.request_id, due.closes_at, source)
        self._keep(due.member_id, now)
        if made is not None:
            self._learn([made])
            passed_over.close(self.passed.setdefault(due.member_id, Passed()), kept.shown, due.request_id)
