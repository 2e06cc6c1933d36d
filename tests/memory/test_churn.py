"""Members come and never return, jobs are posted and closed, for generations: neither Redis nor any process only grows.

What is kept is counted after each generation has gone; sizes of the later half are held against those of the earlier one. The
long form (``make soak``) goes on for an hour, or for STREAMREC_SOAK_MINUTES, at half of what a worker can take.
"""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import psutil
import pytest

from streamrec.events import JobApplication, JobPosting, JobSave, JobView, MemberProfile, Tombstone
from streamrec.local import kafka, servers
from streamrec.models.passed import LIFETIME_S
from tests.brokers import CHANGES, DIRECTORY, LACK
from tests.e2e.conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.soak, pytest.mark.slow]

PROCESSES: Final = ("worker", "trainer", "lookup")
_ABSENT: Final = -2  # what Redis says of the time to live of a key that is not there
SETTLED: Final = 3  # generations until everything has its size: in the long form three times as many
_DAY_S: Final = 86_400


class Size(NamedTuple):
    """Of one churn."""

    generations: int
    seconds: float  # it goes on for so long, whatever the number of generations
    members: int
    jobs: int
    events: int  # of each member
    rate: float | None  # events a second; None: as they come
    kept_s: float


SHORT: Final = Size(7, 0.0, 100, 400, 4, None, 1.0)
HALF_LOAD: Final = 700.0


class Sample(NamedTuple):
    """What is there once a generation has gone."""

    keys: int
    redis_mb: float
    resident_mb: dict[str, float]
    events: int


class Churn:
    """One site whose members and jobs are all others after a while."""

    def __init__(self, system: System, size: Size) -> None:
        self.system, self.size = system, size
        self.events = 0
        self.samples: list[Sample] = []
        self.pids = {process.name: process._popen.pid for process in system.processes}

    def live(self, number: int) -> None:
        """A generation comes, acts, is asked for; the jobs of the one before are closed."""
        size = self.size
        jobs = [f"g{number}-j{job}" for job in range(size.jobs)]
        members = [f"g{number}-m{member}" for member in range(size.members)]
        now = time.time_ns() // 1_000_000
        self._send(
            ("job-postings", JobPosting(job_id=job, title=f"Nurse {job}", company=f"company of {job}", city=f"city {place % 9}",
                                        skills=(f"skill {job}",), posted_at=now))
            for place, job in enumerate(jobs)
        )  # fmt: skip
        # Every third one has a profile. That stays until the site removes it, as it does with those of the generation before.
        self._send(
            ("member-profiles", MemberProfile(member_id=name, city="Olney", updated_at=now)) for name in members[::3]
        )
        self._send(self._deeds(number, members, jobs))
        for member in members[:20]:
            self.system.recommendations(member, limit=10)
        if number:
            closed = (
                JobPosting(job_id=f"g{number - 1}-j{job}", title="Nurse", closed=True) for job in range(size.jobs)
            )
            self._send(("job-postings", posting) for posting in closed)
            self._send(
                ("member-profiles", Tombstone(f"g{number - 1}-m{member}")) for member in range(0, size.members, 3)
            )
        self.system.settle(120)

    def _deeds(self, number: int, members: list[str], jobs: list[str]) -> Iterator[tuple[str, Any]]:
        for place in range(self.size.members * self.size.events):
            member, job = members[place % len(members)], jobs[place * 7 % len(jobs)]
            common: dict[str, Any] = {
                "event_id": f"e{number}-{place}",
                "member_id": member,
                "occurred_at": time.time_ns() // 1_000_000,
            }
            match place % 16:
                case 3:
                    yield "job-saves", JobSave(job_id=job, surface=f"surface {member}", **common)
                case 7:
                    yield "job-applications", JobApplication(job_id=job, **common)
                case _:
                    yield "job-views", JobView(job_id=job, dwell_ms=place, session_id=f"s{place}", **common)

    def _send(self, events: Iterator[tuple[str, Any]]) -> None:
        began, sent = time.monotonic(), 0
        while chunk := [event for _, event in zip(range(100), events, strict=False)]:
            self.system.produce(chunk)
            sent += len(chunk)
            self.events += len(chunk)
            if self.size.rate is not None:
                time.sleep(max(0.0, began + sent / self.size.rate - time.monotonic()))

    def is_gone(self, number: int) -> bool:
        """Whether nothing is left of a generation but what goes by itself; then that goes at once, as if its time had come."""
        client = self.system.client
        left = list(client.scan_iter(f"*g{number}-*", count=5000))
        with client.pipeline(transaction=False) as pipe:
            for key in left:
                pipe.ttl(key)
            lifetimes = pipe.execute()
        if not all(0 < seconds <= LIFETIME_S for seconds in lifetimes if seconds != _ABSENT):
            return False
        if left:
            client.delete(*left)
        return True

    def sample(self) -> Sample:
        client = self.system.client
        resident = {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in self.pids.items()}
        info: Any = client.info("memory")
        made = Sample(client.dbsize(), info["used_memory"] / 1e6, resident, self.events)
        self.samples.append(made)
        return made


def run(system: System, size: Size) -> Churn:
    """Live generation after generation."""
    churn, number, until = Churn(system, size), 0, time.monotonic() + size.seconds
    while number < size.generations or time.monotonic() < until:
        churn.live(number)
        if number:
            system.wait(partial(churn.is_gone, number - 1), "a generation to be forgotten", 60 + 4 * size.kept_s)
        told = churn.sample()
        print(
            f"generation {number}: {told.events:,} events, {told.keys:,} keys, Redis {told.redis_mb:.1f} MB, resident "
            + ", ".join(f"{name} {mb:.0f} MB" for name, mb in told.resident_mb.items()),
            flush=True,
        )
        number += 1
    return churn


def start_broker(directory: Path, long: bool) -> servers.Server:
    """The embedded broker holds its log in memory: for an hour of it there is Apache Kafka, where it can be."""
    if not long or LACK is not None:
        return servers.start_broker(directory)
    return kafka.start_kafka(directory, kafka.install(DIRECTORY, print), changes=CHANGES)


def test_nothing_only_grows(long: bool, tmp_path: Path) -> None:
    minutes = float(os.environ.get("STREAMREC_SOAK_MINUTES", "60"))
    size = Size(14, 60 * minutes, 1500, 1000, 8, HALF_LOAD, 5.0) if long else SHORT
    system = System(
        tmp_path, lambda directory: start_broker(directory, long), member_kept_days=size.kept_s / _DAY_S,
        job_kept_days=size.kept_s / _DAY_S, sweep_every_s=0.5, asked_within_s=10, label_window_s=1.0, idle_watermark_s=0.5,
    )  # fmt: skip
    try:
        system.start_all()
        samples = run(system, size).samples[3 * SETTLED if long else SETTLED :]
        earlier, later = samples[: len(samples) // 2], samples[len(samples) // 2 :]
        assert max(each.keys for each in later) < 1.2 * max(each.keys for each in earlier)
        assert max(each.redis_mb for each in later) < 1.15 * max(each.redis_mb for each in earlier) + 1
        for name in PROCESSES:
            before, after = (max(each.resident_mb[name] for each in part) for part in (earlier, later))
            assert after < 1.05 * before + 6, f"{name} grew from {before:.0f} to {after:.0f} MB"
        answer = httpx.get(f"{system.http.base_url}/v1/popular", params={"limit": 5}).json()
        assert answer["items"]
    finally:
        system.close()
