"""Small worlds for the tests of ranking: jobs, a member and the neighbours of its jobs, all from one seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.library import FEATURE_SET, JOB_COUNTS, POPULARITY, feature_names
from streamrec.features.state import JobState, MemberState, Neighbours, Recent
from streamrec.features.table import JobTable
from streamrec.models.base import Scorer

NOW: Final = 1_700_000_000_000
MINUTE: Final = 60_000
WORDS: Final = ("senior", "junior", "night", "nurse", "engineer", "data", "sales", "teacher", "driver", "cook", "java")
REGIONS: Final = ("MD", "NY", "TX", "CA")


@dataclass
class World:
    """A table with jobs "j0", "j1", …, one member, and the neighbours of its recent jobs."""

    table: JobTable
    jobs: dict[str, JobState]
    member: MemberState
    neighbours: dict[str, Neighbours]
    scorer: Scorer
    now: int = NOW

    def put(self, job_id: str, state: JobState) -> None:
        """Add a job, or replace it."""
        self.jobs[job_id] = state
        self.table.upsert(job_id, state)


PAYS: Final = (None, 40_000.0, 60_000.0, 80_000.0)
CURRENCIES: Final = (None, "EUR", "usd")


def posting_of(draw: random.Random, job_id: str) -> JobPosting:
    pay = random.Random(job_id)  # of its own, so that nothing else is drawn otherwise for it
    return JobPosting(
        salary_min=pay.choice(PAYS),
        salary_max=pay.choice(PAYS),
        currency=pay.choice(CURRENCIES),
        job_id=job_id,
        title=" ".join(draw.sample(WORDS, 3)),
        company=f"c{draw.randrange(9)}",
        city=f"town{draw.randrange(12)}",
        region=draw.choice((*REGIONS, None)),
        function=f"f{draw.randrange(5)}",
        remote=draw.choice((True, False, None)),
        posted_at=NOW - draw.randrange(1, 60) * 24 * 60 * MINUTE,
        expires_at=draw.choice((None, None, NOW - 1, NOW, NOW + 1, NOW + 9 * MINUTE)),
        closed=draw.random() < 0.1,
    )


def job_of(draw: random.Random, job_id: str) -> JobState:
    state = JobState(version=1, removed=draw.random() < 0.05)
    if draw.random() < 0.9:
        state.posting = posting_of(draw, job_id)
    if draw.random() < 0.5:
        at = NOW - draw.randrange(1, 20_000) * MINUTE
        state.cells = {each.state_key: [draw.random() * 9, at, 1] for each in (*POPULARITY, JOB_COUNTS[0])}
        state.first_at = state.last_at = at
    return state


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """Makes a world: `world(seed=…, jobs=…, touched=…)`; everything in it depends on these alone."""

    def make(seed: int = 0, jobs: int = 300, touched: int = 30) -> World:
        draw = random.Random(seed)
        table = JobTable()
        states = {f"j{number}": job_of(draw, f"j{number}") for number in range(jobs)}
        for job_id, state in states.items():
            table.upsert(job_id, state)
        member = MemberState(version=3, last_at=NOW - MINUTE)
        member.profile = draw.choice(
            (
                None,
                MemberProfile(
                    member_id="m", region="MD", city="town1", desired_titles=("Night Nurse",), updated_at=1,
                    blocked_companies=("C1", "nobody"), salary_floor=60_000.0, currency="USD",
                ),
            )
        )  # fmt: skip
        sets = (member.viewed, member.liked, member.saved, member.applied, member.dismissed)
        numbers = draw.sample(range(jobs + 5), min(touched, jobs))  # some jobs are not in the table
        for place, number in enumerate(numbers):
            action, at = draw.randrange(5), NOW - place * 7 * MINUTE
            sets[action][f"j{number}"] = at
            if place < 50:
                member.recent.append(Recent(f"j{number}", at, (0, 1, 2, 3, 4)[action]))
        neighbours = {
            touch.job_id: Neighbours(
                at=touch.at, weights={f"j{draw.randrange(jobs)}": draw.random() for _ in range(min(jobs, 12))}
            )
            for touch in member.recent[:20]
        }
        weights = np.array([draw.uniform(-1, 1) for _ in feature_names()])
        scorer = Scorer("job_check", 7, FEATURE_SET, weights, -1.0, learned_at=NOW - 1000, examples=5)
        return World(table, states, member, neighbours, scorer)

    return make
