"""Examples: which actions make one, and of what."""

from collections.abc import Callable
from typing import Any

import numpy as np

from streamrec.events import JobDismissal, JobEvent, JobLike, JobSave, JobView, TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.matrix import matrix
from streamrec.features.state import JobState
from streamrec.features.view import MemberView
from streamrec.ranking.examples import example, is_positive
from streamrec.ranking.filters import Gate
from streamrec.ranking.gather import gather

Make = Callable[..., Any]  # a world, see conftest.py


def event_on(here: Any, job_id: str, kind: type[JobEvent] = JobView) -> JobEvent:
    return kind(event_id="e1", member_id="m", job_id=job_id, occurred_at=here.now)


def made(here: Any, job_id: str, **rules: Any) -> TrainingExample | None:
    return example(
        event_on(here, job_id), ("job-views", "id", 0, 7), here.member, here.neighbours, here.table, 8, **rules
    )  # fmt: skip


def candidates(here: Any) -> list[str]:
    view = MemberView.build(here.member, here.neighbours, here.table, here.now)
    rows = gather(view, here.table, Gate(here.member, here.table, here.now), here.now).rows
    return [here.table.ids[row] for row in rows]


def test_a_candidate_makes_an_example_with_other_candidates_beside_it(world: Make) -> None:
    here = world()
    found = candidates(here)
    for job_id in found[:20]:
        one = made(here, job_id)
        assert one is not None
        assert one.job_ids[0] == job_id
        assert len(set(one.job_ids)) == 9
        assert set(one.job_ids) <= set(found)
        assert one.labels == (1.0, *[0.0] * 8)
        view = MemberView.build(here.member, here.neighbours, here.table, here.now)
        values = matrix(view, here.table, here.table.rows(one.job_ids), here.now)
        assert one.feature_set == FEATURE_SET
        assert np.frombuffer(one.features, "<f4").reshape(9, len(feature_names())).tolist() == values.tolist()


def test_what_could_not_be_served_makes_none(world: Make) -> None:
    here = world()
    assert made(here, "unknown") is None
    for touch in here.member.recent:
        assert made(here, touch.job_id) is None
    here.put("bare", JobState(version=1, first_at=here.now))
    assert made(here, "bare") is None
    assert made(here, "bare", without_posting=True) is not None


def test_a_job_alone_makes_none(world: Make) -> None:
    here = world(jobs=0, touched=0)
    here.put("bare", JobState(version=1, first_at=here.now))
    assert made(here, "bare", without_posting=True) is None


def test_taking_back_and_dismissing_is_not_positive(world: Make) -> None:
    here = world()
    assert is_positive(event_on(here, "j1"))
    assert not is_positive(event_on(here, "j1", JobDismissal))
    assert is_positive(event_on(here, "j1", JobSave))
    assert is_positive(event_on(here, "j1", JobLike))
    assert not is_positive(JobSave(event_id="e", member_id="m", job_id="j1", occurred_at=1, saved=False))
    assert not is_positive(JobLike(event_id="e", member_id="m", job_id="j1", occurred_at=1, liked=False))


def test_which_sources_gave_the_job_is_told(world: Make) -> None:
    here = world()
    view = MemberView.build(here.member, here.neighbours, here.table, here.now)
    gathered = gather(view, here.table, Gate(here.member, here.table, here.now), here.now)
    told: list[int] = []
    given = dict(zip(gathered.rows.tolist(), gathered.sources.tolist(), strict=True))
    for row, job_id in enumerate(here.table.ids):
        could = Gate(here.member, here.table, here.now).allows(np.array([row], np.int32))[0]
        made(here, job_id, observe=told.append)
        assert told == ([given.get(row, 0)] if could else [])
        told.clear()
    assert 0 < len(given) < len(here.table)
