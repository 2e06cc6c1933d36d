"""Small logs for the tests of the evaluation."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from streamrec.events import JobApplication, JobDismissal, JobEvent, JobLike, JobPosting, JobSave, JobView
from streamrec.training.replay import Due

START = 1_700_000_000_000
TOPICS: dict[type[JobEvent], str] = {
    JobView: "job-views", JobLike: "job-likes", JobSave: "job-saves", JobApplication: "job-applications",
    JobDismissal: "job-dismissals",
}  # fmt: skip


def due(at_s: float, member: str, job: str, kind: type[JobEvent] = JobView) -> Due:
    at = START + round(at_s * 1000)
    event_id = f"{at}-{member}-{job}-{kind.__name__}"
    event: Any = kind(event_id=event_id, member_id=member, job_id=job, occurred_at=at)
    return Due(at, TOPICS[kind], member, event)


def posted(job: str, at_s: float = 0.0, **fields: object) -> Due:
    posting = JobPosting(job_id=job, title=f"Nurse {job}", **fields)  # type: ignore[arg-type]
    return Due(START + round(at_s * 1000), "job-postings", job, posting)


def some_log(seed: int, events: int = 80, members: int = 8, jobs: int = 12) -> list[Due]:
    draw = Random(seed)
    at, log = 0.0, []
    for _ in range(events):
        at += draw.choice((0, 0, 0.4, 1, 60, 1200, 4000))
        kind = draw.choices(list(TOPICS), (8, 1, 2, 1, 1))[0]
        job = f"j{min(draw.randrange(jobs), draw.randrange(jobs))}"
        log.append(due(at, f"m{draw.randrange(members)}", job, kind))
    return log


@pytest.fixture(name="due")
def _due() -> Callable[..., Due]:
    return due


@pytest.fixture(name="posted")
def _posted() -> Callable[..., Due]:
    return posted


@pytest.fixture(name="some_log")
def _some_log() -> Callable[..., list[Due]]:
    return some_log
