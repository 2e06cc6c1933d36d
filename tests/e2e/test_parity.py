"""``streamrec features check-parity`` on real servers: nothing to find in a running system, and a spoiled state is found."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamrec.events import (
    Connection,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.features.library import PLAN
from streamrec.features.state import JobState, MemberState, pack, unpack
from tests.brokers import StartBroker
from tests.e2e.conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

MINUTE = 60_000
SECONDS = 60


def traffic(count: int, start: int, seed: int) -> Iterator[tuple[str, Any]]:
    """Views, likes, saves and what is taken back, applications and dismissals: out of order, and some of them twice."""
    some = random.Random(seed)
    before: list[tuple[str, Any]] = []
    for number in range(count):
        if before and some.random() < 0.05:
            yield some.choice(before[-20:])
            continue
        kind = some.choice([JobView, JobView, JobView, JobLike, JobSave, JobApplication, JobDismissal])
        said: dict[str, Any] = {
            "event_id": f"e{seed}-{number}", "member_id": f"m{some.randrange(20)}", "job_id": f"j{some.randrange(15)}",
            "occurred_at": start + number * 700 - some.randrange(30 * MINUTE),
        }  # fmt: skip
        if kind is JobSave:
            said["saved"] = some.random() < 0.7
        if kind is JobLike:
            said["liked"] = some.random() < 0.7
        topic = {JobView: "job-views", JobLike: "job-likes", JobSave: "job-saves", JobApplication: "job-applications"}
        before.append((topic.get(kind, "job-dismissals"), kind(**said)))
        yield before[-1]


def checked(system: System, code: int, *options: str) -> dict[str, Any]:
    process = system.start("features", "check-parity", "--json", *options)
    assert process.wait(SECONDS) == code, process.said
    found: dict[str, Any] = json.loads(process.said.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[System]:
    """A worker, and traffic that it has taken."""
    system = System(Path(tmp_path_factory.mktemp("parity")), start_broker)
    try:
        system.start("worker")
        start = int(time.time() * 1000) - 60 * MINUTE
        system.produce([
            *(("job-postings", JobPosting(job_id=f"j{n}", title=f"Nurse {n}", company=f"c{n % 4}", function=f"f{n % 3}"))
              for n in range(15)),
            *(("member-profiles", MemberProfile(member_id=f"m{n}", region=f"r{n % 3}", industry="Care", updated_at=start))
              for n in range(20)),
        ])  # fmt: skip
        system.settle(trainer=False)
        system.produce(traffic(1_500, start, 1))
        system.produce([
            ("connections", Connection(event_id="c1", member_id="m1", other_member_id="m2", occurred_at=start))
        ])  # fmt: skip
        system.settle(trainer=False)
        yield system
    finally:
        system.close()


def test_a_running_system_holds_what_its_log_says(living: System) -> None:
    found = checked(living, 0)
    assert found["differences"] == []
    assert (found["members"], found["jobs"]) == (20, 15)
    assert found["records"] > 1_500
    assert found["compared"] > 20 * 15 * 10
    assert set(found["left_out"]) >= {"covisit@1", "network_views@1"}


def test_events_under_way_are_no_difference(living: System) -> None:
    living.produce(traffic(3_000, int(time.time() * 1000) - 50 * MINUTE, 2))
    assert living.pending()
    assert checked(living, 0)["differences"] == []
    living.settle(trainer=False)


@pytest.mark.parametrize(("kind", "entity"), [("member", "m3"), ("job", "j4")])
def test_a_spoiled_state_is_found_and_named(living: System, kind: str, entity: str) -> None:
    key = getattr(living.keys, kind)(entity)
    before = living.client.get(key)
    assert isinstance(before, bytes)
    state: Any = unpack(MemberState, before) if kind == "member" else unpack(JobState, before)
    aggregates = [each.aggregate for each in PLAN.states.values() if each.aggregate.by.place == kind]
    aggregate = next(each for each in aggregates if str(each).startswith("count(views"))
    state.cells[aggregate.state_key][0] *= 1.0 + 1e-6
    living.client.set(key, pack(state))
    try:
        found = checked(living, 1)["differences"]
    finally:
        living.client.set(key, before)
    assert (found[0]["entity"], found[0]["what"]) == (f"{kind} {entity}", str(aggregate))
    assert found[0]["difference"] > 0
    assert "changed by hand" in found[0]["cause"]
    assert all(f"{kind} {entity}" in each["entity"] for each in found)


def test_without_state_it_says_so(living: System) -> None:
    process = living.start("features", "check-parity", STREAMREC_NAMESPACE="nobody")
    assert process.wait(SECONDS) == 2
    assert "there is no state under nobody" in process.said
    assert "Traceback" not in process.said
