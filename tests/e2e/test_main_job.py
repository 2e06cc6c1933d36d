"""The main job, end to end: events in by Kafka, ranked jobs out by HTTP, on real servers and separate processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from streamrec.events import JobApplication, JobDismissal, JobPosting, JobView
from streamrec.local.scrape import metrics as scrape
from streamrec.simulator import World

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.alone]

EVENTS = 5_000
PAIR = ("pair-a", "pair-b")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def pair(posted_at: int) -> list[JobPosting]:
    return [
        JobPosting(job_id=job, title=f"{job} zeppelin rigger", city="Elsewhere", region="ZZ", posted_at=posted_at)
        for job in PAIR
    ]


def pair_views(members: int, at: int) -> list[JobView]:
    return [
        JobView(event_id=f"pair-{number}-{place}", member_id=f"pairer-{number}", job_id=job, occurred_at=at + place)
        for number in range(members)
        for place, job in enumerate(PAIR)
    ]


def topic_of(event: object) -> str:
    return {
        "JobView": "job-views", "JobSave": "job-saves", "JobLike": "job-likes", "JobApplication": "job-applications",
        "JobDismissal": "job-dismissals", "Connection": "connections", "JobPosting": "job-postings",
        "MemberProfile": "member-profiles",
    }[type(event).__name__]  # fmt: skip


@pytest.fixture(scope="module")
def fed(system: Any) -> Any:
    """The system after 5,000 generated events, and a pair of jobs that ten members viewed together."""
    start = now_ms() - EVENTS * 200
    world = World(seed=7, members=300, jobs=400, now_ms=start)
    system.produce(("job-postings", posting) for posting in world.postings())
    system.produce(("member-profiles", profile) for profile in world.profiles())
    system.produce(("job-postings", posting) for posting in pair(start - 40 * 86_400_000))
    system.settle(trainer=False)
    events = [world.next_event(start + number * 200) for number in range(EVENTS)]
    system.produce((topic_of(event), event) for event in events)
    system.produce(("job-views", view) for view in pair_views(10, now_ms() - 60_000))
    system.settle()
    return system


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["job_id"] for item in answer["items"]]


def test_a_list_changes_within_a_second_after_its_members_event(fed: Any) -> None:
    member = "quick-1"
    before = fed.recommendations(member)
    job = before["items"][0]["job_id"]
    fed.produce([("job-views", JobView(event_id="quick-e1", member_id=member, job_id=job, occurred_at=now_ms()))])
    acknowledged = time.monotonic()
    fed.wait(lambda: job not in ids(fed.recommendations(member)), "the viewed job to leave the list", 5)
    assert time.monotonic() - acknowledged < 1.0


@pytest.mark.parametrize(("kind", "topic"), [(JobApplication, "job-applications"), (JobDismissal, "job-dismissals")])
def test_an_applied_or_dismissed_job_leaves_the_list(fed: Any, kind: type, topic: str) -> None:
    member = f"leaver-{topic}"
    job = fed.recommendations(member)["items"][2]["job_id"]
    fed.produce([(topic, kind(event_id=f"{topic}-e1", member_id=member, job_id=job, occurred_at=now_ms()))])
    fed.wait(lambda: job not in ids(fed.recommendations(member, limit=100)), "the job to leave the list", 5)


def test_closed_and_expired_jobs_are_gone(fed: Any) -> None:
    first = fed.recommendations("reader-1", limit=5)
    closing, expiring = ids(first)[:2]
    fed.produce(
        [
            ("job-postings", JobPosting(job_id=closing, title="closed now", closed=True)),
            ("job-postings", JobPosting(job_id=expiring, title="expires soon", expires_at=now_ms() + 1_500)),
        ]
    )
    fed.wait(lambda: closing not in ids(fed.recommendations("reader-1", limit=100)), "the closed job to be gone", 5)
    fed.wait(lambda: expiring not in ids(fed.recommendations("reader-1", limit=100)), "the expired job to be gone", 8)


def test_a_viewed_jobs_neighbour_rises_and_does_not_without_that_view(make_system: Callable[..., Any]) -> None:
    """Without a trainer: what a model learns of a made-up site is another question than whether a view reaches a list."""
    system = make_system()
    posted = now_ms() - 20 * 86_400_000
    jobs = [JobPosting(job_id=f"job-{number}", title=f"title{number}", posted_at=posted) for number in range(200)]
    system.produce(("job-postings", posting) for posting in [*jobs, *pair(posted - 1)])
    system.start("worker")
    system.start("lookup")
    system.wait(system.ready, "the lookup to be ready", 30)
    system.produce(("job-views", view) for view in pair_views(10, now_ms() - 10 * 86_400_000))
    system.produce(
        (
            "job-views",
            JobView(event_id=f"e{number}", member_id=f"m{number}", job_id=f"job-{number % 40}", occurred_at=now_ms()),
        )
        for number in range(600)  # forty jobs that are more popular than the pair
    )
    system.settle(trainer=False)

    def place(member: str) -> int:
        listed = ids(system.recommendations(member, limit=100))
        return listed.index(PAIR[1]) if PAIR[1] in listed else 1_000

    viewer, control = "viewer-1", "control-1"
    assert place(viewer) > 20
    assert place(control) > 20
    views = [
        {"type": "JobView", "event_id": f"rise-{member}", "member_id": member, "job_id": job, "occurred_at": now_ms()}
        for member, job in ((viewer, PAIR[0]), (control, "job-3"))
    ]
    answer = system.http.post("/v1/events", json={"events": views})
    assert answer.status_code == 200, answer.text
    for result, member in zip(answer.json()["results"], (viewer, control), strict=True):
        assert system.recommendations(member, after=result["token"])["freshness"]["after"] == "reached"
    assert place(viewer) < 5
    assert place(control) > 20


def test_a_bad_record_is_in_dead_letters_and_the_worker_goes_on(fed: Any) -> None:
    fed.produce([("job-views", b"not avro at all")])
    view = JobView(event_id="after-bad", member_id="after-bad", job_id=PAIR[0], occurred_at=now_ms())
    fed.produce([("job-views", view)])
    fed.settle()
    letters = [json.loads(line) for line in run_cli(fed, "dead-letters", "list", "--json").splitlines()]
    assert [letter["topic"] for letter in letters] == ["job-views"]
    assert fed.http.get("/v1/members/after-bad").status_code == 200


def run_cli(system: Any, *arguments: str) -> str:
    command = [sys.executable, "-m", "streamrec", *arguments]
    environ = {**os.environ, **system.environ()}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_duplicate_is_counted_once(fed: Any) -> None:
    view = JobView(event_id="twice", member_id="doubler", job_id=PAIR[0], occurred_at=now_ms())
    fed.produce([("job-views", view)] * 3)
    fed.settle()
    worker = scrape(f"http://127.0.0.1:{fed.settings.worker_metrics_port}/metrics")
    assert worker.total("streamrec_events_duplicate_total", topic="job-views") >= 2


def test_the_model_beats_the_best_constant(fed: Any) -> None:
    trainer = scrape(f"http://127.0.0.1:{fed.settings.trainer_metrics_port}/metrics")
    loss = trainer.total("streamrec_model_log_loss", model="job_check", data="sampled")
    constant = trainer.total("streamrec_model_constant_log_loss", model="job_check", data="sampled")
    assert 0 < loss < 0.9 * constant
    assert trainer.total("streamrec_model_auc", model="job_check", data="sampled") > 0.65


def test_the_batched_transport_is_the_one_in_use(fed: Any) -> None:
    worker = scrape(f"http://127.0.0.1:{fed.settings.worker_metrics_port}/metrics")
    batches = worker.total("streamrec_batch_records_count", topic="job-views")
    records = worker.total("streamrec_batch_records_sum", topic="job-views")
    assert records / batches > 5


def test_a_clock_that_is_ahead_is_reported_and_one_that_is_far_ahead_is_refused(fed: Any) -> None:
    soon, far = now_ms() + 120_000, now_ms() + 10 * 86_400_000
    fed.produce([
        ("job-views", JobView(event_id="ahead-1", member_id="ahead", job_id="pair-a", occurred_at=soon)),
        ("job-views", JobView(event_id="ahead-2", member_id="ahead", job_id="pair-b", occurred_at=far)),
    ])  # fmt: skip
    fed.settle()
    assert fed.http.get("/v1/members/ahead").json()["viewed"] == 1
    worker = scrape(f"http://127.0.0.1:{fed.settings.worker_metrics_port}/metrics")
    assert worker.total("streamrec_event_ahead_seconds_count") >= 1
    doctor = subprocess.run(
        [sys.executable, "-m", "streamrec", "doctor"], env={**os.environ, **fed.environ()}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "clocks of producers are ahead" in doctor.stdout


def test_an_action_on_a_job_that_is_not_posted_yet_counts_and_the_posting_follows(fed: Any) -> None:
    early = [
        JobView(event_id=f"early-{number}", member_id=f"early-{number}", job_id="not-yet", occurred_at=now_ms())
        for number in range(3)
    ]
    fed.produce(("job-views", event) for event in early)
    fed.settle()
    fed.wait(lambda: fed.http.get("/v1/jobs/not-yet").status_code == 200, "the job to be known by its actions")
    assert fed.http.get("/v1/jobs/not-yet").json()["activity"]["view"]["total"] == 3
    posting = JobPosting(job_id="not-yet", title="Late Posting", posted_at=now_ms())
    fed.produce([("job-postings", posting)])
    fed.settle()
    fed.wait(lambda: (fed.http.get("/v1/jobs/not-yet").json()["posting"] or {}).get("title") == "Late Posting", "it")
    assert fed.http.get("/v1/jobs/not-yet").json()["activity"]["view"]["total"] == 3
    fed.produce([("job-postings", JobPosting(job_id="not-yet", title="Renamed", posted_at=now_ms(), closed=True))])
    fed.settle()
    fed.wait(lambda: fed.http.get("/v1/jobs/not-yet").json()["posting"]["title"] == "Renamed", "the update", 1.0)
    assert "not-yet" not in ids(fed.recommendations("quick-1", limit=100))
