"""The machinery that makes a matrix of features."""

import numpy as np
import pytest

from streamrec.events import Action, ActivityEntry, JobPosting
from streamrec.features.feature import Feature, Reading, assemble
from streamrec.features.fold import fold_entry
from streamrec.features.state import JobState, MemberState, Recent
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.features.windows import DAY_MS, HOUR_MS

NOW = 1_700_000_000_000


def reading(at: int = NOW) -> Reading:
    table, state = JobTable(), JobState()
    fold_entry(state, ActivityEntry(offset=0, index=0, job_id="a", occurred_at=at, action=Action.VIEW))
    table.upsert("a", state)
    table.upsert("b", JobState())
    return Reading(MemberView.build(MemberState(), {}, table, NOW), table, np.array([0, 1, -1], np.int32), NOW)


def test_what_is_missing_gets_the_default_of_its_feature() -> None:
    features = (
        Feature("known", "", "", 9.0, lambda of: of.constant(1.0)),
        Feature("gone", "", "", 7.0, lambda of: of.constant(np.nan)),
        Feature("some", "", "", -1.0, lambda of: np.where(of.rows == 0, 3.0, np.nan)),
    )
    assert assemble(features, reading()).tolist() == [[1.0, 7.0, 3.0], [1.0, 7.0, -1.0], [1.0, 7.0, -1.0]]


def test_an_action_fades_from_now_on_and_not_before_it_happened() -> None:
    assert reading(NOW - HOUR_MS).decayed[:, 0].tolist() == pytest.approx([0.5, 0.0, 0.0])
    assert reading(NOW + DAY_MS).decayed[:, 0].tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_job_that_nobody_touched_has_no_last_action() -> None:
    assert np.isnan(reading().log_minutes_since(reading().times[:, 2])).tolist() == [False, True, True]


def test_what_is_unknown_on_either_side_is_missing_and_not_different() -> None:
    table = JobTable()
    for job_id, region in (("a", "MD"), ("b", "IL"), ("c", None)):
        table.upsert(job_id, JobState(posting=JobPosting(job_id=job_id, title="Nurse", region=region)))
    of = Reading(MemberView.build(MemberState(), {}, table, NOW), table, np.arange(3, dtype=np.int32), NOW)
    assert of.same("region", table.code("region", "md")).tolist() == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)
    assert np.isnan(of.same("region", 0)).all()


def test_jobs_known_from_years_before_have_no_share_rather_than_a_broken_one() -> None:
    table = JobTable()
    table.upsert("old", JobState(posting=JobPosting(job_id="old", title="Nurse", region="MD")))
    member = MemberState(recent=[Recent("unknown", NOW, 0), Recent("old", NOW - 9000 * DAY_MS, 0)])
    of = Reading(MemberView.build(member, {}, table, NOW), table, np.array([0], np.int32), NOW)
    assert of.share("region").tolist() == [0.0]
