"""What a system is fed, and how what it then holds is judged: beside a plain fold of the same log."""

import math
import random
from typing import Any

from streamrec import codecs
from streamrec.agents.derived import entry_of
from streamrec.events import JobPosting, JobSave, JobView, TrainingExample
from streamrec.features.fold import (
    NEIGHBOUR_HALF_LIFE_MS,
    fold_entry,
    fold_member,
    fold_neighbours,
    fold_posting,
    remember,
)
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.state import JobState, MemberState, Neighbours, pack, unpack
from streamrec.kafka.reader import read
from streamrec.models import snapshot as snapshots
from streamrec.models.job_check import JobCheck

START = 1_700_000_000_000
JOBS = [f"job-{number}" for number in range(50)]
POSTINGS = [
    JobPosting(job_id=job, title=f"title {job}", region=f"r{number % 5}", posted_at=START)
    for number, job in enumerate(JOBS)
]


class Log:
    """Views and saves by members that do only one of the two, so that each member's key has one input."""

    def __init__(self, seed: int, members: int = 40) -> None:
        self._random, self._members = random.Random(seed), members
        self.events: list[tuple[str, Any]] = []

    def more(self, count: int) -> list[tuple[str, Any]]:
        """The next `count` events."""
        chunk: list[tuple[str, Any]] = []
        for _ in range(count):
            number = len(self.events) + len(chunk)
            saves = self._random.random() < 0.3
            who, job = self._random.randrange(self._members), self._random.choice(JOBS)
            at = START + number * 1_000 + self._random.randrange(-5_000, 5_000)
            if saves:
                event: Any = JobSave(event_id=f"e{number}", member_id=f"saver-{who}", job_id=job, occurred_at=at)
            else:
                event = JobView(event_id=f"e{number}", member_id=f"viewer-{who}", job_id=job, occurred_at=at)
            chunk.append(("job-saves" if saves else "job-views", event))
        self.events += chunk
        return chunk


def expected(log: Log) -> tuple[dict[str, MemberState], dict[str, JobState], dict[str, Neighbours]]:
    """The state that an uninterrupted run holds: a plain fold of the log."""
    members: dict[str, MemberState] = {}
    jobs = {job: JobState() for job in JOBS}
    rows: dict[str, Neighbours] = {}
    for posting in POSTINGS:
        fold_posting(jobs[posting.job_id], posting)
    for _, event in log.events:
        state = members.setdefault(event.member_id, MemberState())
        remember(state, event)
        for effect in fold_member(state, event):
            entry = entry_of(effect)
            fold_entry(jobs[effect.job_id], entry)
            if effect.neighbours:
                fold_neighbours(rows.setdefault(effect.job_id, Neighbours()), entry)
    return members, jobs, rows


def near(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def alike(ours: Any, theirs: Any) -> bool:
    """Counts and times exact, sums to 1e-9."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[key], value) for key, value in theirs.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    return near(ours, theirs) if isinstance(theirs, float) else ours == theirs


def differences(system: Any, log: Log) -> list[str]:
    """What in the store is not as promised."""
    members, jobs, rows = expected(log)
    found = []
    for member, state in members.items():
        if system.client.get(system.keys.member(member)) != pack(state):
            found.append(f"member {member} is not byte for byte the same")
    for job, want in jobs.items():
        have = unpack(JobState, system.client.get(system.keys.job(job)))
        if (have.version, have.posting, have.first_at, have.last_at) != (
            want.version, want.posting, want.first_at, want.last_at,
        ):  # fmt: skip
            found.append(f"job {job}: version {have.version}, want {want.version}")
        if not alike(have.cells, want.cells):
            found.append(f"job {job}: {have.cells}, want {want.cells}")
    for job, row in rows.items():
        stored = unpack(Neighbours, system.client.get(system.keys.neighbours(job)))
        scale = 2.0 ** ((stored.at - row.at) / NEIGHBOUR_HALF_LIFE_MS)
        if stored.weights.keys() != row.weights.keys():
            found.append(f"row {job} has other neighbours")
        elif not all(near(stored.weights[other] * scale, weight) for other, weight in row.weights.items()):
            found.append(f"row {job} has other weights")
    return found


def replayed_model(system: Any) -> JobCheck:
    """The model that a replay of ``training-examples`` gives, where of what was derived twice the first time counts.

    Each derivation goes out in the order of its source. So what comes after a later place of the same source is of another
    time, also where the first time made no example of it: the table of jobs, say, was not as far.
    """
    model, learned = JobCheck(FEATURE_SET, feature_names()), dict[tuple[str, int], tuple[int, int]]()
    for record in read(system.settings, "training-examples"):
        example = codecs.decode("TrainingExample", record.value or b"")
        assert isinstance(example, TrainingExample)
        source, place = (example.source_topic, example.source_partition), (example.source_offset, example.source_index)
        if place > learned.get(source, (-1, -1)):
            learned[source] = place
            model.learn(example)
    return model


def stored_model(system: Any) -> snapshots.Snapshot:
    return snapshots.unpack(system.client.get(system.keys.model("job_check")))
