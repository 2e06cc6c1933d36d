"""Small worlds of jobs and members, made from a seed by folding events: what a store would hold after them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from streamrec.agents.derived import entry_of
from streamrec.events import (
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Tombstone,
)
from streamrec.features.fold import fold_entry, fold_member, fold_neighbours, fold_posting
from streamrec.features.state import JobState, MemberState, Neighbours, Network, NetworkAct
from streamrec.features.table import JobTable
from streamrec.features.windows import DAY_MS, HOUR_MS
from tests.features.small_site import Small, refused

START = 1_700_000_000_000
WORDS = (
    "nurse",
    "night",
    "senior",
    "clerk",
    "driver",
    "truck",
    "data",
    "engineer",
    "c++",
    "lead",
    "chef",
    "sous",
    "care",
)
PLACES = ((None, None), ("Olney", "MD"), ("olney ", "IL"), ("Bonn", "NRW"), ("BONN", "NRW"), (None, "MD"))
FUNCTIONS = (None, "Care", "IT", "Kitchen")
SKILLS = ("care", "sql", "SQL ", "Python")
COMPANIES = (None, "Acme", "ACME", "Umbrella", "Initech")


@dataclass
class World:
    """Everything as of `now`."""

    jobs: dict[str, JobState]
    members: dict[str, MemberState]
    neighbours: dict[str, Neighbours]
    networks: dict[str, Network]
    now: int

    def table(self) -> JobTable:
        """The jobs, in a table that has to grow."""
        table = JobTable(capacity=2)
        for job_id, job in self.jobs.items():
            table.upsert(job_id, job)
        return table


def some_posting(random: Random, job_id: str, now: int) -> JobPosting:
    """A posting with any of its fields missing."""
    city, region = random.choice(PLACES)
    return JobPosting(
        job_id=job_id,
        title=" ".join(random.choices(WORDS, k=random.randrange(6))),
        company=random.choice(COMPANIES),
        city=city,
        region=region,
        industry=random.choice((None, "Health", "Food")),
        function=random.choice(FUNCTIONS),
        remote=random.choice((None, True, False)),
        posted_at=random.choice((None, now - random.randrange(60) * DAY_MS)),
        expires_at=random.choice((None, None, now - HOUR_MS, now + DAY_MS)),
        closed=random.random() < 0.1,
        seniority=random.choice((None, "Senior", "entry level", "wizard")),
        skills=tuple(random.choices(SKILLS, k=random.randrange(4))),
        salary_min=random.choice((None, 0.0, 40_000.0)),
        salary_max=random.choice((None, 60_000.0, 900_000.0)),
        currency=random.choice((None, "EUR", "usd")),
    )


def _profile(random: Random, member_id: str) -> MemberProfile:
    city, region = random.choice(PLACES)
    return MemberProfile(
        member_id=member_id,
        headline=random.choice((None, "Senior nurse", "unheard of")),
        company=random.choice(COMPANIES),
        city=city,
        region=region,
        industry=random.choice((None, "health")),
        function=random.choice(FUNCTIONS),
        desired_titles=random.choice(((), ("Truck Driver",), ("Data engineer", "unheard of", "lead engineer"))),
        open_to_remote=random.choice((None, True, False)),
        followed_companies=random.choice(((), ("acme",))),
        blocked_companies=random.choice(((), ("Initech", "nobody"))),
        seniority=random.choice((None, "lead", "junior")),
        skills=random.choice(((), ("care", "SQL"), ("care", "python", "unheard of"))),
        salary_floor=random.choice((None, 50_000.0)),
        currency=random.choice((None, "EUR", "USD")),
        updated_at=START,
    )


def make_world(seed: int, jobs: int = 60, members: int = 8, events: int = 600) -> World:
    """Fold a log: some jobs have a posting only, some activity only, some are removed."""
    random = Random(seed)
    now = START + 40 * DAY_MS
    world = World({}, {f"m{number}": MemberState() for number in range(members)}, {}, {}, now)
    for number in range(jobs):
        if random.random() < 0.85:
            job_id = f"j{number}"
            fold_posting(world.jobs.setdefault(job_id, JobState()), some_posting(random, job_id, now))
    for member_id, member in world.members.items():
        if random.random() < 0.5:  # others say who they are only after all that they did
            fold_member(member, _profile(random, member_id))
    for number in range(events):
        member_id = f"m{random.randrange(members - 1)}"  # the last one does nothing
        kind: type[JobEvent] = random.choices(
            (JobView, JobLike, JobSave, JobApplication, JobDismissal), (9, 2, 2, 1, 1)
        )[0]
        at = START + random.randrange(40 * 24 * 60) * 60_000
        event = kind(event_id=f"e{number}", member_id=member_id, job_id=f"j{random.randrange(jobs)}", occurred_at=at)
        for effect in fold_member(world.members[member_id], event):
            entry = entry_of(effect, number)
            fold_entry(world.jobs.setdefault(entry.job_id, JobState()), entry)
            fold_neighbours(world.neighbours.setdefault(entry.job_id, Neighbours()), entry)
    for member_id, member in world.members.items():
        if random.random() < 0.7:
            fold_member(member, _profile(random, member_id))
    for job_id in random.sample(sorted(world.jobs), jobs // 20):
        fold_posting(world.jobs[job_id], Tombstone(job_id))
    for member_id in world.members:
        world.networks[member_id] = _network(random, list(world.jobs), now)
    return world


def _network(random: Random, jobs: list[str], now: int) -> Network:
    """Five connections, the first of which does nothing."""
    others = [f"friend{number}" for number in range(5)]
    pairs = random.sample([(other, job) for other in others[1:] for job in [*jobs, "gone"]], 30)
    acts = [
        NetworkAct(other, job, random.randrange(4), now - random.randrange(50 * 24 * 60) * 60_000)
        for other, job in pairs
    ]
    return Network(
        version=1, edges=dict.fromkeys(others, START), acts=sorted(acts, key=lambda act: -act.at),
        companies={other: company for other in others if (company := random.choice(COMPANIES)) is not None},
    )  # fmt: skip


@pytest.fixture(name="make_world")
def _make_world() -> Callable[..., World]:
    return make_world


@pytest.fixture(name="some_posting")
def _some_posting() -> Callable[[Random, str, int], JobPosting]:
    return some_posting


@pytest.fixture(name="small")
def _small() -> type[Small]:
    return Small


@pytest.fixture(name="refused")
def _refused() -> Callable[..., None]:
    """Checks that a declaration, a lambda of one line, is refused with its line (or another), the problem and the remedy."""
    return refused
