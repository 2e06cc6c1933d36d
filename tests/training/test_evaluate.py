"""The protocol against a slow reading of it, and its rules one by one."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from streamrec.events import JobApplication, JobDismissal, JobEvent, JobLike, JobPosting, JobSave
from streamrec.settings import Settings
from streamrec.training.evaluate import SYSTEM, Evaluation, Evaluator, Kind
from streamrec.training.offline import Offline
from streamrec.training.replay import Due
from streamrec.training.segments import Query

Log = list[Due]
Make = Callable[..., Any]


def run(
    log: Log, candidates: Kind = "seen", baselines: Sequence[str] = ("popularity",)
) -> tuple[Evaluator, Evaluation]:
    evaluator = Evaluator(candidates, baselines, Settings())
    return evaluator, evaluator.run(log, lambda *_: None, lambda: False)


def ranks_by_event(log: Log, name: str = SYSTEM) -> dict[int, int]:
    evaluator, _ = run(log, baselines=[name] * (name != SYSTEM))
    return {query.event: rank for query, rank in zip(evaluator.queries, evaluator.ranks[name], strict=True)}


def job_event(item: Due) -> JobEvent:
    assert isinstance(item.event, JobEvent)
    return item.event


def slow(log: Log) -> tuple[list[Query], list[int], list[int]]:
    """Every query by itself, from the events of earlier seconds: itself, the system's rank, popularity's rank."""
    queries, ours, popular = [], [], []
    members: dict[str, int] = {}
    for number, item in enumerate(log):
        event = job_event(item)
        pairs = [(other.key, job_event(other).job_id) for other in log]
        if (event.member_id, event.job_id) in pairs[:number] or isinstance(event, JobDismissal):
            continue
        before = [job_event(other) for other in log if other.at // 1000 < item.at // 1000]
        seen = {other.job_id for other in before}
        touched = {other.job_id for other in before if other.member_id == event.member_id}
        world = Offline(Settings(serve_without_posting="yes"))
        fans: dict[str, set[str]] = {job_id: set() for job_id in seen}
        for other in before:
            world.take(other)
            if not isinstance(other, JobDismissal):
                fans[other.job_id].add(other.member_id)
        listed = world.rank(event.member_id, event.occurred_at).job_ids[:50]
        ours.append(listed.index(event.job_id) + 1 if event.job_id in listed else 0)
        order = sorted(seen - touched, key=lambda job_id: (-len(fans[job_id]), job_id))
        popular.append(order.index(event.job_id) + 1 if event.job_id in order else 0)
        member = members.setdefault(event.member_id, len(members))
        queries.append(
            Query(number, member, event.job_id in seen, sum(other.member_id == event.member_id for other in before))
        )
    return queries, ours, popular


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_pass_is_what_the_protocol_says(some_log: Make, seed: int) -> None:
    log = some_log(seed)
    evaluator, result = run(log)
    queries, ours, _ = slow(log)
    assert evaluator.queries == queries
    assert evaluator.ranks[SYSTEM] == ours
    assert len(set(ours)) > 3  # something happened
    assert (result.events, result.queries) == (len(log), len(queries))


@pytest.mark.parametrize("seed", range(5))
def test_a_first_contact_that_is_no_dismissal_counts_as_one_member(some_log: Make, seed: int) -> None:
    # A dismissal makes the job touched, so that a later view is not the member's first with it.
    log = [item for item in some_log(seed) if not isinstance(item.event, JobDismissal)]
    evaluator, _ = run(log)
    assert evaluator.ranks["popularity"] == slow(log)[2]


@pytest.mark.parametrize("name", [SYSTEM, "als", "bm25"])
@pytest.mark.parametrize("seed", range(3))
def test_the_future_does_not_change_past_answers(some_log: Make, seed: int, name: str) -> None:
    log = some_log(seed)
    middle = next(n for n in range(len(log) // 2, len(log)) if log[n].at // 1000 != log[n - 1].at // 1000)
    events = [job_event(item) for item in log[middle:]]
    Random(seed).shuffle(events)
    future = [
        Due(item.at, other.__class__.__name__, other.member_id, _at(other, item.at))
        for item, other in zip(log[middle:], events, strict=True)
    ]
    before, after = ranks_by_event(log, name), ranks_by_event(log[:middle] + future, name)
    assert {n: rank for n, rank in before.items() if n < middle} == {n: rank for n, rank in after.items() if n < middle}
    assert before != after


def _at(event: JobEvent, at: int) -> Any:
    return type(event)(event_id=event.event_id, member_id=event.member_id, job_id=event.job_id, occurred_at=at)


def test_events_of_one_second_are_answered_before_any_is_learned(due: Make) -> None:
    first = [due(0, "ann", "a"), due(0, "bob", "b")]
    together = [*first, due(5.1, "cid", "c"), due(5.3, "dan", "c"), due(5.9, "cid", "a")]
    evaluator, _ = run(together)
    dan, cid = evaluator.queries[3], evaluator.queries[4]
    assert (dan.warm_item, cid.warm_item, cid.earlier) == (False, True, 0)
    assert evaluator.ranks[SYSTEM][3] == evaluator.ranks["popularity"][3] == 0
    apart = [*first, due(5.1, "cid", "c"), due(6.3, "dan", "c"), due(6.9, "cid", "a")]
    evaluator, _ = run(apart)
    dan, cid = evaluator.queries[3], evaluator.queries[4]
    assert (dan.warm_item, cid.earlier) == (True, 1)
    assert evaluator.ranks["popularity"][3] == 3  # three jobs with one member each: by id


def test_only_the_first_contact_asks_and_touched_jobs_are_no_candidates(due: Make) -> None:
    log = [
        due(0, "ann", "a"), due(0, "bob", "b"), due(1, "ann", "a"), due(2, "ann", "a", JobApplication),
        due(3, "cid", "a", JobDismissal), due(4, "cid", "a"), due(5, "ann", "b", JobLike), due(5, "ann", "b", JobSave),
    ]  # fmt: skip
    evaluator, result = run(log)
    assert [query.event for query in evaluator.queries] == [0, 1, 6]
    assert evaluator.ranks[SYSTEM] == evaluator.ranks["popularity"] == [0, 0, 1]  # a is out of the way
    assert result.events == 8


def test_warm_and_cold_are_by_what_was_learned_before(due: Make) -> None:
    log = [
        due(0, "ann", "a"),
        due(1, "bob", "a"),
        due(2, "bob", "b"),
        due(3, "cid", "x", JobDismissal),
        due(4, "cid", "b"),
    ]
    evaluator, _ = run(log)
    assert [(query.warm_item, query.earlier) for query in evaluator.queries] == [
        (False, 0), (True, 0), (False, 1), (True, 1),
    ]  # fmt: skip


def test_with_a_catalogue_every_open_posting_is_a_candidate(due: Make, posted: Make) -> None:
    log = [posted("b"), posted("a"), posted("c", closed=True), due(1, "ann", "b"), due(2, "bob", "a"), due(3, "bob", "c"),
           due(4, "bob", "d"), due(5, "bob", "unposted"), due(6, "cid", "unposted"), posted("d", at_s=10),
           due(11, "cid", "d")]  # fmt: skip
    evaluator, _ = run(log, "catalogue")
    assert evaluator.ranks["popularity"] == [2, 2, 0, 0, 0, 0, 3]
    assert [bool(rank) for rank in evaluator.ranks[SYSTEM]] == [True, True, False, False, False, False, True]


def test_what_is_seen_is_ranked_with_its_posting_but_not_before(due: Make, posted: Make) -> None:
    log = [posted("a"), posted("b"), due(1, "ann", "b"), due(2, "bob", "a"), due(3, "cid", "a"), posted("c", at_s=4),
           due(5, "cid", "c"), due(6, "ann", "unposted"), posted("unposted", at_s=7), due(8, "dan", "unposted")]  # fmt: skip
    evaluator, _ = run(log, "seen")
    assert [bool(rank) for rank in evaluator.ranks[SYSTEM]] == [False, False, True, False, False, True]
    assert evaluator.ranks["popularity"] == [0, 0, 1, 0, 0, 4]
    table = evaluator.world.table
    assert [isinstance(posting, JobPosting) for posting in table.postings] == [True] * len(table) == [True] * 4


def test_an_evaluation_is_the_same_every_time(some_log: Make) -> None:
    def untimed() -> dict[str, Any]:
        _, result = run(some_log(1, events=200), baselines=("popularity", "covisitation", "session_knn"))
        figures = result.to_json()
        for name in ("events_per_second", "queries_per_second", "milliseconds_per_query"):
            del figures[name]
        return figures

    assert untimed() == untimed()


def test_stopping_ends_the_log_there(some_log: Make) -> None:
    evaluator = Evaluator("seen", (), Settings())
    seconds = 0

    def stop() -> bool:
        nonlocal seconds
        seconds += 1
        return seconds == 10

    log = some_log(2)
    result = evaluator.run(log, lambda *_: None, stop)
    times = sorted({item.at // 1000 for item in log})[:10]
    assert result.events == sum(count for at, count in Counter(item.at // 1000 for item in log).items() if at in times)


def test_a_log_of_views_has_no_stronger_action(due: Make) -> None:
    assert run([due(0, "ann", "a"), due(1, "bob", "a")])[1].stronger is None
    found = run([due(0, "ann", "a"), due(1, "bob", "a"), due(2, "bob", "a", JobLike)])[1].stronger
    assert found is not None
    assert found["second_half"]["views"] == 0  # the views are the first and second of three events: 0 and 1
