"""Who is shown the same jobs again and again and checks none sees others, through every server; nobody else does."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from streamrec.events import JobPosting, JobView
from streamrec.models import passed

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

JOBS = [f"j{number}" for number in range(60)]


def ids(answer: Any) -> list[str]:
    return [item["job_id"] for item in answer["items"]]


def kept(system: Any, member: str) -> passed.Passed:
    return passed.unpack(system.client.get(system.keys.passed(member)))


def test_jobs_that_are_shown_and_not_checked_sink_for_that_member_alone(make_system: Callable[..., Any]) -> None:
    system = make_system(explore=0.0, label_window_s=0.5, idle_watermark_s=0.3)
    system.start_all()
    start = time.time_ns() // 1_000_000 - 3_600_000
    system.produce(
        ("job-postings", JobPosting(job_id=job, title="Clerk", posted_at=start - number * 60_000))
        for number, job in enumerate(JOBS)
    )
    system.settle(trainer=False)
    system.wait(lambda: len(system.recommendations("tired", track="false", limit=60)["items"]) == 60, "the jobs")
    for member in ("tired", "other"):
        system.produce(
            [("job-views", JobView(event_id=f"v-{member}", member_id=member, job_id="j0", occurred_at=start))]
        )
    system.settle(trainer=False)
    before, others = (system.recommendations(member, track="false", limit=60) for member in ("tired", "other"))
    assert set(ids(before)) == set(ids(others)) == set(JOBS[1:])
    first = set(ids(before)[:5])
    rounds = 0
    while first & set(ids(system.recommendations("tired", track="false", limit=10))):
        rounds += 1
        assert rounds < 25, ids(system.recommendations("tired", track="false", limit=10))
        version = kept(system, "tired").version
        shown = system.recommendations("tired", limit=10)
        assert len(ids(shown)) == 10
        system.wait(lambda seen=version: kept(system, "tired").version > seen, "the list to be closed", 20)
    assert rounds
    after = system.recommendations("tired", track="false", limit=60)
    assert set(ids(after)) == set(ids(before))  # further down, not gone
    told = {item["job_id"]: item["passed_over"] for item in after["items"]}
    assert all(told[job] > 0.9 for job in first)
    assert kept(system, "other") == passed.Passed()
    now = system.recommendations("other", track="false", limit=60)
    assert {item["passed_over"] for item in now["items"]} == {0.0}
    assert first <= set(ids(now)[:10])
    # A check, wherever the member found the job, clears it.
    checked = min(first)
    view = JobView(event_id="v-again", member_id="tired", job_id=checked, occurred_at=time.time_ns() // 1_000_000)
    system.produce([("job-views", view)])
    system.wait(lambda: checked not in kept(system, "tired").jobs, "the check")
