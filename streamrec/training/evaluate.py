"""Test, then learn: how well the system would have ranked what members chose, on a log, in the order of time.

Protocol
--------
* Events of the same second are all answered before any of them is learned. What postings and profiles say is known from
  their own time on, without one from the log's begin.
* A query is an event that is its member's first with that job; a dismissal is none, since nobody wants it at the top of
  a list.
* Candidates are the jobs that the member has not touched, of those that had an event before (``seen``) or of those that
  are posted and open (``catalogue``). A target that is not among them is a miss. Equal scores are ordered by job id.
* With ``seen``, what a catalogue says of a job is known from the job's first event on.
* A second configuration, if there is one, answers the same queries after the first, and learns the same actions.
* Warm items had an event before; cold members had none (`segments` has the others).

Who answers is a `System`: the one in memory (`Offline`), or one that runs, which the log is then replayed through record by
record (`local.lockstep`). What is asked, when, and what is made of the answers is the same. Beside a running system the one
in memory takes the same records, for the baselines, for P(stronger | view), and to be compared with (see `agreement`).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final, Literal

import msgspec
import numpy as np

from streamrec.events import Connection, Event, JobEvent, JobPosting, JobView, MemberProfile, is_probe
from streamrec.ranking.examples import is_positive
from streamrec.settings import Settings
from streamrec.training.agreement import Agreement
from streamrec.training.baselines import Baseline
from streamrec.training.beside import Beside
from streamrec.training.configuration import Configuration
from streamrec.training.measures import CUT, measure, over_time
from streamrec.training.offline import Offline
from streamrec.training.paired import compared
from streamrec.training.peers import EVERY_MS, Peer, baseline
from streamrec.training.recall import Recall
from streamrec.training.replay import Due
from streamrec.training.segments import NEW_MS, Query, known_of
from streamrec.training.stronger import StrongerGivenView
from streamrec.training.system import Listed, Record, System

Kind = Literal["seen", "catalogue"]
SYSTEM: Final = "streamrec"
OFFLINE: Final = "offline"  # the system in memory, where another one is evaluated
SECOND: Final = "second"  # the configuration that it is compared with
NO_BASELINES: Final = (SYSTEM, OFFLINE, SECOND)


def protocol_settings(settings: Settings, candidates: Kind) -> Settings:
    """`settings` under which a system serves just the candidates of the protocol."""
    served: Literal["yes", "no"] = "yes" if candidates == "seen" else "no"
    return msgspec.structs.replace(settings, serve_without_posting=served)


class Evaluation(msgspec.Struct, frozen=True):
    """What came out; `to_json` is the documented form."""

    events: int
    queries: int
    seconds: float
    ranking_seconds: float
    configuration: str  # what was evaluated: workflow, and without what
    results: dict[str, dict[str, Any]]  # by who: streamrec, offline or second where there is one, the baselines
    over_time: dict[str, Any]  # hit rate by tenth of the log
    recall: dict[str, Any]  # of candidates, by source: see `Recall.result`
    stronger: dict[str, Any] | None
    agreement: dict[str, Any] | None = None  # of a running system with the one in memory
    comparison: dict[str, Any] | None = None  # with a second configuration: see `paired.compared`
    trainings: dict[str, Any] = {}  # of peers: how often they were trained, and how long it took

    def to_json(self) -> dict[str, Any]:
        """As ``streamrec evaluate --json`` prints it.

        Besides how much and how fast: ``configuration``, what was evaluated; by segment and part (see `segments`) the metrics
        of `measures.measure`, here of the system, under ``baselines`` of each of them; ``over_time``, see
        `measures.over_time`; ``candidate_recall``, see `Recall.result`; ``stronger_given_view``, null where nothing but views
        happened. Only where they were asked for: ``comparison`` with a second configuration (its label, metrics and recall, and
        the ``differences`` of `paired.compared`), ``trainings`` of peers, ``live``.
        """
        live = {} if self.agreement is None else {"live": {**self.agreement, OFFLINE: self.results[OFFLINE]}}
        second = {} if self.comparison is None else {"comparison": {**self.comparison, SECOND: self.results[SECOND]}}
        return {
            "events": self.events,
            "configuration": self.configuration,
            "events_per_second": round(self.events / self.seconds, 1) if self.seconds else None,
            "queries_per_second": round(self.queries / self.seconds, 1) if self.seconds else None,
            "milliseconds_per_query": round(1000 * self.ranking_seconds / self.queries, 3) if self.queries else None,
            **self.results[SYSTEM],
            "over_time": self.over_time,
            "candidate_recall": self.recall,
            "stronger_given_view": self.stronger,
            "baselines": {name: result for name, result in self.results.items() if name not in NO_BASELINES},
            **({"trainings": self.trainings} if self.trainings else {}),
            **live,
            **second,
        }


class Evaluator:
    """One pass over a log.

    Parameters
    ----------
    candidates
        ``seen`` or ``catalogue``, see above.
    baselines
        Names from `baselines.BASELINES` or `peers.PEERS`.
    settings
        Of the system.
    live
        A running system under `protocol_settings`, which is then the one evaluated; default None, the one in memory.
    points, compared
        With `live`: at how many points in time, and for how many members, its lists are compared.
    configured
        The workflow and the model of the system in memory; default those of the settings.
    second
        Others, to compare these with; default none.
    retrain_every_ms
        How old the models of peers may be, by the log.

    Raises
    ------
    MissingPeersError
        A peer is asked for, and its library is not installed.
    """

    def __init__(
        self, candidates: Kind, baselines: Sequence[str], settings: Settings, live: System | None = None,
        points: int = 5, compared: int = 100, *, configured: Configuration | None = None,
        second: Configuration | None = None, retrain_every_ms: int = EVERY_MS,
    ) -> None:  # fmt: skip
        self.world = Offline(protocol_settings(settings, candidates), configured)
        self.agreement = None if live is None else Agreement(live, self.world, points, compared)
        self._system: System = live or self.world
        self._candidates = candidates
        self._baselines: dict[str, Baseline] = {name: baseline(name, retrain_every_ms) for name in baselines}
        self._configuration = (configured or Configuration(self.world.workflow)).label
        self._recall = Recall(self.world.workflow.sources)
        self._stronger = StrongerGivenView(configured.columns if configured else ())
        self._waiting: dict[str, JobPosting] = {}  # postings of jobs that are not seen yet
        self._seen: set[str] = set()
        self._touched: dict[str, dict[str, None]] = {}  # by member
        self._members: dict[str, int] = {}
        self._earlier: dict[str, int] = {}  # events by member
        self._posted_at: dict[str, int] = {}  # by job, as its posting says
        self._places: dict[str, int] = {}  # of all job ids in their order
        self._order = np.zeros(0, np.int64)
        self.events = 0
        self.queries: list[Query] = []
        self._second = None if second is None else Beside(self.world, second)
        self._second_recall = Recall([] if second is None else second.workflow.sources)
        also = [OFFLINE] * (live is not None) + [SECOND] * (second is not None)
        self.ranks: dict[str, list[int]] = {name: [] for name in (SYSTEM, *also, *self._baselines)}
        self.ranking_seconds = self._taking_seconds = 0.0

    def run(self, log: Sequence[Due], report: Callable[[int, int], None], stop: Callable[[], bool]) -> Evaluation:
        """Evaluate `log`, which is sorted by time.

        Parameters
        ----------
        report
            Called now and then with the number of records taken and of queries answered.
        stop
            Asked after each second of the log; once it says so, the log ends there.
        """
        started = time.perf_counter()
        log = [due for due in log if not is_probe(getattr(due.event, "member_id", ""))]  # nobody chose anything there
        jobs = {item.event.job_id for item in log if isinstance(item.event, JobEvent | JobPosting)}
        self._places = {job_id: place for place, job_id in enumerate(sorted(jobs))}
        if self.agreement is not None:
            self.agreement.begin(log)
        taken = 0
        for _, group in groupby(log, key=lambda due: due.at // 1000):
            second = list(group)
            self._take_second(second)
            taken += len(second)
            if self.agreement is not None:
                self.agreement.look(self.events, second[-1].at)
            report(taken, len(self.queries))
            if stop():
                break
        seconds = time.perf_counter() - started
        return Evaluation(
            events=self.events, queries=len(self.queries), seconds=seconds, ranking_seconds=self.ranking_seconds,
            configuration=self._configuration,
            results=measure(self.queries, self.ranks, self.events),
            over_time=over_time(self.queries, self.ranks, self.events), recall=self._recall.result(self.queries, self.events),
            stronger=self._stronger.result(self.events), agreement=self._agreement(),
            comparison=self._comparison(),
            trainings={
                name: {"trainings": each.trainings, "seconds": round(each.seconds, 1)}
                for name, each in self._baselines.items() if isinstance(each, Peer)
            },
        )  # fmt: skip

    def _agreement(self) -> dict[str, Any] | None:
        if self.agreement is None:
            return None
        each = round(1000 * self._taking_seconds / self.events, 1) if self.events else None
        return {"milliseconds_per_event": each, **self.agreement.to_json()}

    def _comparison(self) -> dict[str, Any] | None:
        if self._second is None:
            return None
        return {
            "configuration": self._second.configured.label,
            "candidate_recall": self._second_recall.result(self.queries, self.events),
            "differences": compared(self.queries, self.ranks[SYSTEM], self.ranks[SECOND], self.events),
        }

    def _take_second(self, second: Iterable[Due]) -> None:
        events: list[JobEvent | Connection] = []
        for due in second:
            match due.event:
                case JobPosting() as posting:
                    if posting.posted_at is not None:
                        self._posted_at[posting.job_id] = posting.posted_at
                    if self._candidates == "seen" and posting.job_id not in self._seen:
                        self._waiting[posting.job_id] = posting
                    else:
                        self._pass_on(posting)
                case MemberProfile() as profile:
                    self._pass_on(profile)
                case JobEvent() | Connection() as happened:
                    events.append(happened)
                case other:
                    raise TypeError(f"a log does not hold a {type(other).__name__}")
        asked: set[tuple[str, str]] = set()
        for number, event in enumerate(events, self.events):
            if isinstance(event, JobEvent):
                self._stronger.learn(event.occurred_at)
                pair = (event.member_id, event.job_id)
                if pair not in asked and event.job_id not in self._touched.get(event.member_id, ()):
                    asked.add(pair)
                    self._answer(number, event)
        self.events += len(events)
        for event in events:
            self._take(event)

    def _pass_on(self, record: Record) -> None:
        self.world.take(record)
        if self.agreement is not None:
            began = time.perf_counter()
            self.agreement.live.take(record)
            if isinstance(record, Event):
                self._taking_seconds += time.perf_counter() - began

    def _answer(self, number: int, event: JobEvent) -> None:
        member, job_id, now = event.member_id, event.job_id, event.occurred_at
        world = self.world
        if isinstance(event, JobView):
            self._stronger.ask(number, event, world.view_of(member, now), world.table)
        if not is_positive(event):
            return
        began = time.perf_counter()
        listed = self._system.answer(member, now, CUT)
        self.ranking_seconds += time.perf_counter() - began
        self.ranks[SYSTEM].append(_place(job_id, listed))
        if self.agreement is not None:
            self.ranks[OFFLINE].append(_place(job_id, self.agreement.query(listed, member, number, now, CUT)))
        target = world.table.row(job_id)
        self._recall.add(world.candidates, target)
        if self._second is not None:
            self.ranks[SECOND].append(_place(job_id, self._second.answer(member, now, CUT)))
            self._second_recall.add(world.candidates, target)
        self.queries.append(self._query(number, event))
        if self._baselines:
            self._answer_by_baselines(member, job_id, now)

    def _query(self, number: int, event: JobEvent) -> Query:
        member, posted_at = event.member_id, self._posted_at.get(event.job_id)
        return Query(
            event=number, member=self._members.setdefault(member, len(self._members)),
            warm_item=event.job_id in self._seen, earlier=self._earlier.get(member, 0),
            known=known_of(self.world.state_of(member).profile),
            new_job=posted_at is not None and event.occurred_at - posted_at < NEW_MS,
        )  # fmt: skip

    def _answer_by_baselines(self, member: str, job_id: str, now: int) -> None:
        table = self.world.table
        count, target = len(table), table.row(job_id)
        everything: Any = slice(0, count)
        allowed = table.servable(everything, now, self._candidates == "seen")
        allowed[table.rows(self._touched.get(member, ()))] = False
        for row in range(len(self._order), count):
            self._order = np.append(self._order, self._places[table.ids[row]])
        for name, each in self._baselines.items():
            rank = 0
            if target is not None and allowed[target]:
                scores = each.scores(member, now, count)
                better = scores > scores[target]
                better |= (scores == scores[target]) & (self._order[:count] < self._order[target])
                better &= allowed
                rank = 1 + int(np.count_nonzero(better))
            self.ranks[name].append(rank if rank <= CUT else 0)

    def _take(self, event: JobEvent | Connection) -> None:
        self._pass_on(event)
        self._earlier[event.member_id] = self._earlier.get(event.member_id, 0) + 1
        if self.agreement is not None:
            self.agreement.acted(event.member_id)
        if not isinstance(event, JobEvent):
            return
        self._stronger.take(event)
        self._seen.add(event.job_id)
        touched = self._touched.setdefault(event.member_id, {})
        first = event.job_id not in touched
        touched[event.job_id] = None
        posting = self._waiting.pop(event.job_id, None)
        if posting is not None:
            self._pass_on(posting)
        row = self.world.table.row(event.job_id)
        if row is not None and is_positive(event):
            for each in self._baselines.values():
                each.learn(event.member_id, row, event.occurred_at, first)


def _place(job_id: str, listed: Listed) -> int:
    return listed.job_ids.index(job_id) + 1 if job_id in listed.job_ids else 0
