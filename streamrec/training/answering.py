"""The system in memory, answering too: what it shows becomes impressions, and with what members do then, labels.

`Offline` ranks and learns from logs; here the loop is closed. Lists are placed, kept as shown, labelled and learned by the
same pure functions as on servers: `ranking.rerank`, `models.labels`. What servers add is left out: lists are always ranked
anew, the model serves what it has just learned, and windows close by the time of the last record.
"""

from collections import defaultdict
from collections.abc import Collection
from heapq import heappop, heappush

from streamrec.events import Impression, ImpressionItem, ImpressionSeen, JobEvent, TrainingExample
from streamrec.models import labels
from streamrec.models.labels import Rules, Source
from streamrec.models.shown import Shown
from streamrec.ranking import candidates
from streamrec.ranking.rerank import place
from streamrec.settings import Settings
from streamrec.training.offline import SOURCE_ID, Offline
from streamrec.training.system import Record


class Answering(Offline):
    """See the module; parameters and attributes as of `Offline`.

    Examples
    --------
    >>> from streamrec.events import JobPosting, JobView
    >>> site = Answering(Settings(explore=0.0))
    >>> for job_id in ("nurse", "cook"):
    ...     site.take(JobPosting(job_id=job_id, title=job_id))
    >>> [item.job_id for item in site.serve("r1", "ann", 1000, 20).items]
    ['cook', 'nurse']
    >>> site.take(JobView(event_id="e1", member_id="ann", job_id="nurse", occurred_at=2000, request_id="r1"))
    >>> site.pass_to(2000 + 1_800_000)
    >>> {kind: (learned.positives, learned.negatives) for kind, learned in site.model.learned.items()}
    {'positive': (1, 0), 'closed': (0, 1)}
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._rules = Rules(int(settings.label_window_s * 1000), settings.label_weights, settings.shown_kept)
        self._shown: dict[str, Shown] = defaultdict(Shown)
        self._due: list[tuple[int, int, str, str]] = []  # when a list closes, its number, the member, the request
        self._answers = 0

    def serve(
        self, request_id: str, member_id: str, now: int, limit: int, *, surface: str | None = None,
        before: Collection[str] = (),
    ) -> Impression:  # fmt: skip
        """A page of a member's list at `now` (ms), which the member will see.

        Parameters
        ----------
        request_id
            Names the answer; seeds its exploration.
        limit
            Jobs on the page.
        before
            Ids of the jobs on the list's earlier pages.
        """
        self.pass_to(now)
        ranked = self.rank(member_id, now)
        places = [index for index, job_id in enumerate(ranked.job_ids) if job_id not in before]
        placed = place(len(places), self.workflow.explored(self.settings.explore), request_id)
        width = 4 * len(self.model.feature_names)
        items = []
        for position, propensity in zip(range(min(limit, len(places))), placed.propensities, strict=False):
            index = places[placed.ranks[position]]
            items.append(ImpressionItem(
                job_id=ranked.job_ids[index], position=len(before) + position, score=ranked.scores[index],
                p_check=ranked.p_check[index], propensity=propensity,
                features=ranked.features[width * index : width * (index + 1)],
                sources=tuple(candidates.explain(ranked.sources[index])),
            ))  # fmt: skip
        self._answers += 1
        made = Impression(
            request_id=request_id, member_id=member_id, served_at=now, surface=surface, workflow="offline",
            model_name=ranked.model_name, model_version=ranked.model_version, feature_set=ranked.feature_set,
            items=tuple(items),
        )  # fmt: skip
        if items:
            source = Source("impressions#labels", SOURCE_ID, 0, self._answers)
            self._learn(labels.show(self._shown[member_id], made, source, self._rules).examples)
            heappush(self._due, (now + self._rules.window_ms, self._answers, member_id, request_id))
        return made

    def pass_to(self, now: int) -> None:
        """Close the lists whose window has passed at `now` (ms): everything before that has been taken."""
        while self._due and self._due[0][0] <= now:
            closes_at, number, member_id, request_id = heappop(self._due)
            source = Source("impressions#closed", SOURCE_ID, 0, number)
            example = labels.close(self._shown[member_id], member_id, request_id, closes_at, source)
            self._learn([] if example is None else [example])

    def see(self, seen: ImpressionSeen) -> None:
        """Take in what a client reports as seen."""
        labels.see(self._shown[seen.member_id], seen)

    def learn(self, event: JobEvent) -> None:
        """Learn from an action that it was on a shown job or, where it names no answer, what a sample says."""
        action = labels.check_of(event)
        if action is None:
            return
        source = Source("actions#labels", SOURCE_ID, 0, self._taken)
        found = labels.act(self._shown[event.member_id], event, action, source, self._rules)
        self._learn(found.examples)
        if not found.matched and event.request_id is None:
            super().learn(event)

    def take(self, record: Record) -> None:
        """As `Offline.take`; time passes to that of the record."""
        if isinstance(record, JobEvent):
            self.pass_to(record.occurred_at)
        super().take(record)

    def _learn(self, examples: Collection[TrainingExample]) -> None:
        for example in examples:
            self.model.learn(example)
