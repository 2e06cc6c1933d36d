"""Candidate recall by source: against every source asked by itself, query by query."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamrec.events import JobDismissal, JobEvent, MemberProfile
from streamrec.features.view import MemberView
from streamrec.ranking.candidates import SOURCES, Ask
from streamrec.ranking.filters import Gate, barred
from streamrec.ranking.gather import Candidates
from streamrec.settings import Settings
from streamrec.training.evaluate import Evaluator
from streamrec.training.offline import Offline
from streamrec.training.recall import Recall
from streamrec.training.replay import Due
from streamrec.training.segments import Query

Make = Callable[..., Any]
JOBS = 400  # more than a list is long, so that the sources' own candidates are enough


def catalogue_log(posted: Make, due: Make, some_log: Make, seed: int) -> list[Due]:
    """Many postings, some of them in a member's region or with its words, and events on the first few."""
    places, words = ("MD", "CA", None), ("Night nurse", "Cook", "Driver")
    log = [posted(f"j{n}", region=places[n % 3], posted_at=1_690_000_000_000 + n) for n in range(JOBS)]
    start = log[0].at
    profiles = [
        MemberProfile(
            member_id=f"m{n}", desired_titles=(words[n % 3], f"Nurse j{200 + n}"), region=places[n % 3], updated_at=1
        )
        for n in range(4)
    ]
    log += [Due(start, "member-profiles", profile.member_id, profile) for profile in profiles]
    events = some_log(seed, events=70)
    return [
        *log,
        *events,
        due(600_000, "m1", f"j{JOBS - 1}"),
        due(600_001, "m2", "nowhere"),
        due(600_002, "m0", "j200"),
    ]


def slow(log: list[Due]) -> list[tuple[set[str], dict[str, int]]]:
    """For every query: the sources that name its job, and how many each names, each of them asked for by itself."""
    world, answers = Offline(Settings(serve_without_posting="no")), []
    touched: set[tuple[str, str]] = set()
    for place, item in enumerate(log):
        event = item.event
        if isinstance(event, JobEvent):
            pair = (event.member_id, event.job_id)
            if pair not in touched and not isinstance(event, JobDismissal):
                # Everything up to the last second; those of the same second are learned after all of them are answered.
                fresh = Offline(Settings(serve_without_posting="no"))
                for other in log[:place]:
                    if not isinstance(other.event, JobEvent) or other.at // 1000 < item.at // 1000:
                        fresh.take(other.event)  # type: ignore[arg-type]
                answers.append(asked(fresh, event))
            touched.add(pair)
        world.take(event)  # type: ignore[arg-type]
    return answers


def asked(world: Offline, event: JobEvent) -> tuple[set[str], dict[str, int]]:
    state, now = world.state_of(event.member_id), event.occurred_at
    view = MemberView.build(state, world.neighbours_of(state), world.table, now)
    gate = Gate(state, world.table, now)
    given = {}
    for source in world.workflow.sources:
        rows = source.read(Ask(view, world.table, now, source.size + min(len(barred(state, now)), source.size)))
        given[source.name] = rows[gate.allows(rows)][: source.size]
    target = world.table.row(event.job_id)
    return {name for name, rows in given.items() if target in rows}, {
        name: len(set(rows.tolist())) for name, rows in given.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_recall_is_what_the_sources_say_when_asked_one_by_one(
    posted: Make, due: Make, some_log: Make, seed: int
) -> None:
    log = catalogue_log(posted, due, some_log, seed)
    settings = Settings(list_size=10)  # what is wanted is less than the sources give: nothing is filled up
    evaluator = Evaluator("catalogue", (), settings)
    found = evaluator.run(log, lambda *_: None, lambda: False).recall
    expected = slow(log)
    whole = found["all"]["whole"]
    assert whole["queries"] == len(expected) == len(evaluator.queries)
    for name, source in whole["sources"].items():
        assert source["recall"] == pytest.approx(np.mean([name in given for given, _ in expected]), abs=1e-6)
        assert source["unique"] == pytest.approx(np.mean([given == {name} for given, _ in expected]), abs=1e-6)
        assert source["candidates"] == pytest.approx(np.mean([counts[name] for _, counts in expected]), abs=1e-6)
    assert whole["recall"] == pytest.approx(np.mean([bool(given) for given, _ in expected]), abs=1e-6)
    assert 0.0 < max(source["recall"] for source in whole["sources"].values()) < whole["recall"] < 1.0


def test_parts_are_told_apart_and_silent_sources_too() -> None:
    recall = Recall(SOURCES[:2])
    one = Candidates(np.array([2, 5], np.int32), np.array([0b10, 0b11], np.uint16), np.zeros(2))
    for target in (5, 2, 3, None):
        recall.add(one, target)
    queries = [Query(0, 0, True, 0), Query(1, 0, False, 0), Query(2, 0, True, 0), Query(3, 1, True, 0)]
    found = recall.result(queries, events=4)
    assert found["all"]["whole"]["recall"] == 0.5
    assert found["all"]["whole"]["sources"] == {
        "covisited": {"recall": 0.25, "unique": 0.0, "candidates": 1.0},
        "popular_hour": {"recall": 0.5, "unique": 0.25, "candidates": 2.0},
    }
    assert found["new_items"]["whole"]["sources"]["popular_hour"]["unique"] == 1.0
    assert found["new_items"]["second_half"] == {
        "queries": 0, "recall": None, "candidates": None,
        "sources": {name: {"recall": None, "unique": None, "candidates": None} for name in ("covisited", "popular_hour")},
    }  # fmt: skip
    assert found["warm_items"]["second_half"]["recall"] == 0.0
    nothing = Recall(SOURCES[2:3]).result([], events=0)
    assert nothing["all"]["whole"]["sources"] == {"popular_days": {"recall": None, "unique": None, "candidates": None}}


def test_no_hit_is_outside_of_the_candidates(some_log: Make) -> None:
    evaluator = Evaluator("seen", (), Settings())
    result = evaluator.run(some_log(3, events=150), lambda *_: None, lambda: False)
    assert result.recall["all"]["whole"]["recall"] >= result.results["streamrec"]["all"]["whole"]["hr@50"] > 0.1
