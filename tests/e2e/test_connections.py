"""What connections do: it brings jobs up, only for connections, only while they are, and exactly once through kills."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamrec.events import Connection, JobPosting, JobSave, JobView, MemberProfile, Tombstone
from streamrec.features.state import Network, unpack
from streamrec.settings import Settings
from streamrec.training.offline import Offline
from tests.brokers import StartBroker
from tests.e2e.conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

START = 1_700_000_000_000
JOBS = 60


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def connection(number: str, a: str, b: str, connected: bool = True) -> tuple[str, Connection]:
    return "connections", Connection(
        event_id=f"{number}-{a}-{b}", member_id=a, other_member_id=b, occurred_at=now_ms(), connected=connected
    )


def save(member: str, job: str) -> tuple[str, JobSave]:
    event = JobSave(event_id=f"save-{member}-{job}", member_id=member, job_id=job, occurred_at=now_ms())
    return "job-saves", event


def works(member: str, company: str | None) -> tuple[str, MemberProfile]:
    return "member-profiles", MemberProfile(member_id=member, company=company, updated_at=now_ms())


def network_of(system: System, member: str) -> Network:
    value = system.client.get(system.keys.network(member))
    assert value is None or isinstance(value, bytes)
    return unpack(Network, value)


def ranks(system: System, member: str) -> dict[str, tuple[int, list[str]]]:
    items = system.recommendations(member, limit=JOBS)["items"]
    return {item["job_id"]: (item["rank"], item["sources"]) for item in items}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[System]:
    """A system without a trainer, so that lists are in the order of the sources; many members saved most of the jobs."""
    system = System(Path(tmp_path_factory.mktemp("site")), start_broker)
    try:
        for name in ("worker", "lookup"):
            system.start(name)
        system.produce(
            ("job-postings", JobPosting(job_id=f"j{number}", title=f"title {number}", posted_at=START + number))
            for number in range(JOBS)
        )
        system.produce(save(f"other{number}", f"j{10 + number % 50}") for number in range(500))
        viewed = ("j59", "j58", "j57")
        system.produce(
            ("job-views", JobView(event_id=f"v-{member}-{job}", member_id=member, job_id=job, occurred_at=now_ms()))
            for member in ("ann", "eve")
            for job in viewed
        )
        system.settle(trainer=False)
        system.wait(lambda: len(ranks(system, "ann")) == JOBS - len(viewed), "the lookup to know all jobs", 30)
        yield system
    finally:
        system.close()


def test_a_connections_save_brings_the_job_up_and_a_strangers_does_not(site: System) -> None:
    site.produce([connection("1", "bob", "ann")])
    site.settle(trainer=False)
    before = {member: ranks(site, member)["j1"][0] for member in ("ann", "eve")}
    site.produce([save("bob", "j1")])
    site.settle(trainer=False)
    site.wait(lambda: "network" in ranks(site, "ann")["j1"][1], "the job to come by the network")
    rank, _ = ranks(site, "ann")["j1"]
    control, sources = ranks(site, "eve")["j1"]  # to her, bob is a stranger
    assert "network" not in sources
    assert rank <= 3
    assert 15 < control <= before["eve"]  # one save more in some five hundred
    assert before["ann"] > 15
    assert site.http.get("/v1/members/ann").json()["connections"] == 1


def test_a_removed_connection_stops_counting(site: System) -> None:
    site.produce([connection("2", "cat", "ann")])
    site.settle(trainer=False)
    site.produce([save("cat", "j2")])
    site.settle(trainer=False)
    assert any(act.member_id == "cat" for act in network_of(site, "ann").acts)
    site.wait(lambda: "network" in ranks(site, "ann")["j2"][1], "the job to come by the network")
    site.produce([connection("3", "ann", "cat", connected=False)])
    site.settle(trainer=False)
    assert "cat" not in network_of(site, "ann").edges
    assert "ann" not in network_of(site, "cat").edges
    assert not any(act.member_id == "cat" for act in network_of(site, "ann").acts)
    site.wait(lambda: "network" not in ranks(site, "ann")["j2"][1], "the job to lose its source")


def test_connections_know_where_each_other_works_and_forget_who_is_erased(site: System) -> None:
    site.produce([works("dan", "Acme"), works("fay", "Initech")])
    site.settle(trainer=False)
    site.produce([connection("4", "dan", "fay")])
    site.settle(trainer=False)
    site.produce([save("dan", "j3")])
    site.settle(trainer=False)
    assert network_of(site, "fay").companies == {"dan": "Acme"}
    assert network_of(site, "dan").companies == {"fay": "Initech"}
    site.produce([works("dan", "Globex")])
    site.settle(trainer=False)
    assert network_of(site, "fay").companies == {"dan": "Globex"}
    site.produce([("member-profiles", Tombstone("dan"))])
    site.settle(trainer=False)
    assert network_of(site, "fay").edges == {}
    assert network_of(site, "fay").companies == {}
    assert network_of(site, "fay").acts == []
    assert site.client.get(site.keys.network("dan")) is None


FAULTS = [
    f"{point}@{topic}:{count}"
    for topic, count in (("connections", 1), ("member-activity", 2))
    for point in ("before-produce", "before-commit", "after-commit", "before-ack")
]


def test_a_worker_killed_at_every_point_leaves_the_networks_of_a_plain_fold(make_system: Callable[..., Any]) -> None:
    system, draw, world = make_system(session_timeout_s=3.0), random.Random(7), Offline(Settings(negatives=0))
    members = [f"m{number}" for number in range(12)]
    system.produce(works(member, f"company {member}") for member in members)
    log: list[tuple[str, Any]] = [works(member, f"company {member}") for member in members]

    def more(count: int) -> list[tuple[str, Any]]:
        """Pairs that connect once, and then saves: whatever is read first, the same is known in the end."""
        made: list[tuple[str, Any]] = []
        for _ in range(count):
            number = len(log) + len(made)
            a, b = draw.sample(members, 2)
            made.append(connection(str(number), a, b))
        log.extend(made)
        return made

    for fault in FAULTS:
        worker = system.start("worker", fault=fault)
        deadline = time.monotonic() + 90
        while worker.alive and time.monotonic() < deadline:
            system.produce(more(3))
            time.sleep(0.1)
        assert worker.code == -signal.SIGKILL, f"{fault} was never reached; the worker ended with {worker.code}"
    system.start("worker")
    system.settle(trainer=False)
    saves = [save(member, f"j{number}") for member in members for number in range(3)]
    system.produce(saves)
    system.settle(trainer=False)
    for _, event in [*log, *saves]:  # in whatever order the worker read them
        world.take(event)
    for member in members:
        have, want = network_of(system, member), world.networks[member]
        assert (have.edges, have.more, have.companies) == (want.edges, want.more, want.companies), member
        assert {(act.member_id, act.job_id, act.action, act.at) for act in have.acts} == {
            (act.member_id, act.job_id, act.action, act.at) for act in want.acts
        }, member
