"""The truth against itself written out slowly, from what records show and the few things that they hide."""

import math
from typing import Any

import numpy as np
import pytest

from streamrec.events import JobApplication, JobDismissal, JobLike, JobPosting, JobSave, JobView, MemberProfile
from streamrec.simulator import World
from streamrec.simulator.truth import Weights
from streamrec.simulator.vocabulary import LEVELS, OCCUPATIONS

NOW = 1_736_121_600_000
DAY_MS = 86_400_000
LEVEL = [level.name for level in LEVELS]


def role_of(title: str) -> str:
    """A title without its level and field."""
    plain = title.split(",", maxsplit=1)[0]
    return next(role for occupation in OCCUPATIONS for role in occupation.roles if plain.endswith(role))


class Slowly:
    """What the world did so far, followed by its records alone."""

    def __init__(self, world: World) -> None:
        self.world, self.weights = world, Weights()
        self.postings = {posting.job_id: posting for posting in world.postings()}
        self.profiles = {profile.member_id: profile for profile in world.profiles()}
        self.friends: dict[str, set[str]] = {member: set() for member in self.profiles}
        self.viewed: dict[str, list[str]] = {member: [] for member in self.profiles}
        self.done_with: dict[str, list[str]] = {member: [] for member in self.profiles}
        self.liked: dict[str, list[str]] = {member: [] for member in self.profiles}
        self.viewed_at: dict[str, int] = {}
        self.closed: set[str] = set()
        for tie in world.connections():
            self.connect(tie)

    def connect(self, tie: Any) -> None:
        self.friends[tie.member_id].add(tie.other_member_id)
        self.friends[tie.other_member_id].add(tie.member_id)

    def take(self, record: Any) -> None:
        if isinstance(record, JobPosting):
            self.postings[record.job_id] = record
        elif isinstance(record, MemberProfile):
            self.profiles[record.member_id] = record
        elif isinstance(record, JobView):
            self.viewed[record.member_id].append(record.job_id)
            self.done_with[record.member_id].append(record.job_id)
            self.viewed_at[record.member_id] = record.occurred_at
        elif isinstance(record, JobDismissal):
            self.done_with[record.member_id].append(record.job_id)
        elif isinstance(record, JobSave | JobLike | JobApplication):
            self.liked[record.member_id].append(record.job_id)
        elif hasattr(record, "other_member_id"):
            self.connect(record)

    def probability(self, member_id: str, job_id: str, now: int) -> float:
        w, profile, posting = self.weights, self.profiles[member_id], self.postings[job_id]
        member, job = self.world.members.row(member_id), self.world.jobs.row(job_id)
        if posting.closed or now >= (posting.expires_at or 0):
            return 0.0
        functions = [occupation.function for occupation in OCCUPATIONS]
        company = self.world.companies.names.index(posting.company or "")
        z = w.bias + self.world.members.openness[member] + self.world.jobs.appeal[job]
        z += w.taste * self.world.members.taste[member, functions.index(posting.function or "")]
        z += w.fame * self.world.companies.fame[company]
        if profile.function == posting.function:
            z += w.role * (role_of(posting.title) in map(role_of, profile.desired_titles))
            field = profile.desired_titles[0].split(", ")[-1]
            z += w.field * ("," in posting.title and posting.title.split(", ")[-1] == field)
            z += w.skill * len(set(profile.skills) & set(posting.skills)) / 3
        if profile.region == posting.region:
            z += w.region + w.city * (profile.city == posting.city)
        z += w.remote * bool(posting.remote and profile.open_to_remote)
        z += w.level * abs(LEVEL.index(posting.seniority or "") - LEVEL.index(profile.seniority or ""))
        salary = ((posting.salary_min or 0) + (posting.salary_max or 0)) / 2
        z += w.pay * min(max(math.log(salary / (profile.salary_floor or 1)), -0.5), 0.3)
        z += w.follows * (posting.company in profile.followed_companies)
        z += w.fresh * 0.5 ** ((now - (posting.posted_at or 0)) / (3 * DAY_MS))
        likers = sum(job_id in self.liked[friend][-4:] for friend in self.friends[member_id])
        z += w.friends * math.log(1 + likers)
        viewed = self.viewed[member_id]
        z += w.again * (job_id in self.done_with[member_id][-32:])
        if viewed and now - self.viewed_at[member_id] < 30 * 60_000:
            last = self.postings[viewed[-1]]
            z += w.mind * (role_of(last.title) == role_of(posting.title))
        return float(1 / (1 + math.exp(-z)))


def test_the_truth_is_what_its_equation_says() -> None:
    world = World(21, members=60, jobs=50, now_ms=NOW)
    world.members.followed[world.members.followed[:, 0] == world.members.followed[:, 1], 1] = -1  # one row of each
    slow, draw = Slowly(world), np.random.default_rng(1)
    compared = 0
    for day in range(12):
        # Some hours after the last session nothing is under way, and records have told all there is.
        for _, record in world.advance(NOW + day * DAY_MS + DAY_MS // 2):
            slow.take(record)
        for now in (world.now, world.now + 2 * DAY_MS):
            members = [f"member-{number}" for number in draw.integers(60, size=150)]
            jobs = [f"job-{number}" for number in draw.integers(len(world.jobs), size=150)]
            pairs = [pair for pair in zip(members, jobs, strict=True) if told(world, slow, *pair)]
            compared += len(pairs)
            fast = world.true_probabilities([one for one, _ in pairs], [job for _, job in pairs], now)
            for (member, job), found in zip(pairs, fast, strict=True):
                assert found == pytest.approx(slow.probability(member, job, now), abs=1e-9), (member, job)
    assert compared > 1000


def told(world: World, slow: Slowly, member_id: str, job_id: str) -> bool:
    """Whether records have come of all that matters: what is under way comes in a while, closings after their notice."""
    pending = [record for _, record in world._pending]
    busy = {getattr(record, "member_id", None) for record in pending}
    concerned = {member_id, *slow.friends[member_id]}
    # Of one page's likes, saves and applications the world remembers the last four as decided, records tell them as done.
    if any(len(slow.liked[one]) > 4 and job_id in slow.liked[one][-12:] for one in slow.friends[member_id]):
        return False
    waiting = any(getattr(record, "other_member_id", None) in concerned for record in pending)
    return not (concerned & busy or waiting or any(getattr(record, "job_id", None) == job_id for record in pending))


def test_a_job_in_the_members_place_trade_and_level_is_likelier() -> None:
    world = World(3, members=200, jobs=400, now_ms=NOW)
    profile = world.profiles()[0]

    def mean_of(chosen: list[str]) -> float:
        return float(np.mean([world.true_probability(profile.member_id, job) for job in chosen]))

    postings = world.postings()
    own = [one.job_id for one in postings if one.function == profile.function]
    near = [one.job_id for one in postings if one.function == profile.function and one.region == profile.region]
    others = [one.job_id for one in postings if one.function != profile.function]
    assert mean_of(near) > mean_of(own) > 3 * mean_of(others)


def test_a_view_brings_jobs_of_its_role_to_mind_for_half_an_hour() -> None:
    world = World(3, members=10, jobs=400, now_ms=NOW)
    alike = [f"job-{row}" for row in range(400) if world.jobs.function[row] == 0 and world.jobs.role[row] == 0]
    row, member = np.array([world.jobs.row(alike[0])]), np.array([3])
    before = world.true_probability("member-3", alike[1])
    world.memory.view(member, world.jobs.function[row], world.jobs.role[row], np.array([NOW]))
    world.memory.put_away(member, row)
    assert world.true_probability("member-3", alike[1], NOW + 60_000) > before
    assert world.true_probability("member-3", alike[1], NOW + 31 * 60_000) == pytest.approx(before, abs=1e-3)
    assert world.true_probability("member-3", alike[0], NOW + 60_000) < before * 2


def test_a_connections_like_makes_a_job_likelier() -> None:
    world = World(3, members=100, jobs=50, now_ms=NOW)
    one, other = world.graph.initial[0]
    stranger = next(row for row in range(100) if one not in world.graph.others[row] and row != one)
    before = [world.true_probability(f"member-{member}", "job-7") for member in (other, stranger)]
    world.memory.like(np.array([one]), np.array([7]))
    after = [world.true_probability(f"member-{member}", "job-7") for member in (other, stranger)]
    assert after[0] > before[0]
    assert after[1] == before[1]
