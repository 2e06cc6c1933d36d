"""The made-up job site: the same again for the same seed, true to what it says of itself, and telling nothing of its truth."""

from collections import Counter
from statistics import mean
from typing import Any

import numpy as np
import pytest

from streamrec import codecs
from streamrec.events import (
    Connection,
    Event,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobPosting,
    JobView,
    MemberProfile,
)
from streamrec.simulator import World
from streamrec.simulator.examination import chances
from streamrec.simulator.jobs import LIFE_MS

pytestmark = pytest.mark.slow  # long runs, many rows

NOW = 1_736_121_600_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    one, same, other = (World(seed, members=200, jobs=150, now_ms=NOW) for seed in (7, 7, 8))
    assert one.postings() == same.postings()
    assert one.profiles() == same.profiles()
    assert one.connections() == same.connections()
    assert one.advance(NOW + DAY_MS) == same.advance(NOW + DAY_MS)
    assert one.postings() != other.postings()
    assert one.true_probability("member-1", "job-1") == same.true_probability("member-1", "job-1")


def test_looking_at_the_truth_or_at_the_beginning_changes_nothing() -> None:
    looked, left = (World(7, members=200, jobs=150, now_ms=NOW) for _ in range(2))
    looked.connections()
    looked.profiles()
    looked.expected_checks("member-1", ["job-1", "job-2"])
    looked.true_probability("member-1", "job-1", NOW + DAY_MS)
    assert looked.advance(NOW + DAY_MS) == left.advance(NOW + DAY_MS)


def test_every_record_is_one_that_the_system_takes(week: Any) -> None:
    end = NOW + 7 * DAY_MS
    records = [happening.record for happening in week.happenings]
    for record in [*week.postings, *week.profiles, *week.connections, *records]:
        kind = type(record).__name__
        assert codecs.check(record, now_ms=end) is None
        key = getattr(record, codecs.key_field(kind) or "").encode()
        assert codecs.decode_record(kind, key, codecs.encode(record), end, 0, tombstones=True) == record


def test_every_kind_of_record_occurs_and_event_ids_are_unique(week: Any) -> None:
    records = [*week.connections, *(happening.record for happening in week.happenings)]
    assert {type(record).__name__ for record in records} == {
        "JobView", "JobSave", "JobLike", "JobApplication", "JobDismissal", "Connection", "JobPosting", "MemberProfile",
    }  # fmt: skip
    ids = [record.event_id for record in records if isinstance(record, Event)]
    assert len(set(ids)) == len(ids)
    other = World(11, members=800, jobs=500, now_ms=NOW + 1)
    assert not {one.event_id for one in other.connections()} & set(ids)


def test_what_happens_comes_in_order_and_shows_its_time(week: Any) -> None:
    times = [happening.at for happening in week.happenings]
    assert times == sorted(times)
    assert times[0] >= NOW
    assert times[-1] < NOW + 7 * DAY_MS
    for at, record in week.happenings:
        if isinstance(record, Event):
            assert record.occurred_at == at
        elif isinstance(record, MemberProfile):
            assert record.updated_at == at
        elif not record.closed:
            assert record.posted_at == at


def test_nobody_views_a_job_that_is_closed_expired_or_not_posted_yet(week: Any) -> None:
    expires = {posting.job_id: posting.expires_at for posting in week.postings}
    opened = closed = 0
    for at, record in week.happenings:
        if isinstance(record, JobPosting):
            opened, closed = opened + (not record.closed), closed + record.closed
            expires[record.job_id] = at if record.closed else record.expires_at
        elif isinstance(record, JobView | JobApplication | JobDismissal):
            assert at < expires[record.job_id]
    assert opened > 50
    assert closed > 50


def test_nothing_is_done_with_a_closed_job_however_busy_the_site_is() -> None:
    world, closed = World(3, members=4000, jobs=60, now_ms=NOW + 9 * HOUR_MS), set()
    world.window_ms = 60_000  # what is closed soon after it was taken off the shelves would still be acted on
    for _, record in world.advance(NOW + DAY_MS):
        if isinstance(record, JobPosting) and record.closed:
            closed.add(record.job_id)
        elif isinstance(record, JobEvent):
            assert record.job_id not in closed
    assert len(closed) > 10


def test_about_as_many_jobs_stay_open(week: Any) -> None:
    end = NOW + 7 * DAY_MS
    postings = {posting.job_id: posting for posting in week.postings}
    postings |= {record.job_id: record for _, record in week.happenings if isinstance(record, JobPosting)}
    still = [posting for posting in postings.values() if not posting.closed and posting.expires_at > end]
    assert len(still) == pytest.approx(500, rel=0.05)
    standing = [posting for posting in week.world.postings() if not posting.closed and posting.expires_at > end]
    assert {posting.job_id for posting in standing} >= {posting.job_id for posting in still}


def test_jobs_are_filled_by_applications() -> None:
    def closed(world: World) -> int:
        happenings = world.advance(NOW + 5 * DAY_MS)
        return sum(isinstance(record, JobPosting) and record.closed for _, record in happenings)

    busy = closed(World(3, members=3000, jobs=400, now_ms=NOW))
    quiet = closed(World(3, members=20, jobs=400, now_ms=NOW))
    assert busy > 1.2 * quiet


def test_checks_are_as_frequent_as_their_true_probability(week: Any) -> None:
    truth = np.array([one.probability for one in week.examinations])
    label = np.array([one.checked for one in week.examinations])
    assert len(truth) > 50_000
    assert abs(label.sum() - truth.sum()) < 4 * np.sqrt((truth * (1 - truth)).sum())
    for low, high in ((0, 0.01), (0.01, 0.03), (0.03, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.7), (0.7, 1)):
        inside = (truth >= low) & (truth < high)
        deviation = np.sqrt((truth[inside] * (1 - truth[inside])).sum())
        assert inside.sum() > 300
        assert abs(label[inside].sum() - truth[inside].sum()) < 4 * deviation


def test_every_check_is_a_view_and_every_view_a_check(week: Any) -> None:
    seen = Counter((one.member_id, one.job_id) for one in week.examinations if one.checked)
    views = Counter((record.member_id, record.job_id) for _, record in week.happenings if isinstance(record, JobView))
    assert views.total() >= 0.99 * seen.total()  # the last ones come after the end
    assert not views - seen


def test_places_further_down_are_examined_less_by_their_chance_alone(week: Any) -> None:
    counts = np.bincount([one.position for one in week.examinations], minlength=20)
    upper, lower = counts[:5].sum(), counts[10:].sum()
    assert lower / upper == pytest.approx(chances(20)[10:].sum() / chances(20)[:5].sum(), rel=0.025)
    assert counts / counts[0] == pytest.approx(chances(20), rel=0.1)


def test_what_members_check_shows_their_taste_and_home(week: Any) -> None:
    profiles = {profile.member_id: profile for profile in week.profiles}
    postings = {posting.job_id: posting for posting in week.world.postings()}
    pairs = [(profiles[one.member_id], postings[one.job_id], one.checked) for one in week.examinations]

    def share(field: str, checked: bool) -> float:
        chosen = [pair for pair in pairs if pair[2] == checked]
        return mean(bool(getattr(profile, field) == getattr(posting, field)) for profile, posting, _ in chosen)

    assert share("function", True) > 1.5 * share("function", False)
    assert share("region", True) > 1.5 * share("region", False)


def test_a_follow_up_comes_after_the_view_of_the_same_job_in_the_same_session(week: Any) -> None:
    viewed: dict[tuple[str, str], int] = {}
    for at, record in week.happenings:
        if isinstance(record, JobView):
            viewed[record.session_id or "", record.job_id] = at
        elif isinstance(record, JobEvent) and not isinstance(record, JobDismissal):
            assert 0 < at - viewed[record.session_id or "", record.job_id] <= 40 * 60_000


def test_records_tell_nothing_of_the_truth() -> None:
    world = World(5, members=100, jobs=80, now_ms=NOW)
    postings, profiles, connections = world.postings(), world.profiles(), world.connections()
    world.jobs.appeal[:] = 5.0
    world.members.taste[:] = world.members.taste[:, ::-1]
    world.members.openness[:] = -3.0
    world.members.activity[:] = 1.0
    world.companies.fame[:] = 9.0
    assert (world.postings(), world.profiles(), world.connections()) == (postings, profiles, connections)


def test_events_have_no_field_whose_value_is_a_probability(week: Any) -> None:
    hidden = {round(one.probability, 6) for one in week.examinations}
    for _, record in week.happenings[:5000]:
        for value in codecs.to_json(record).values():
            assert not isinstance(value, float) or round(value, 6) not in hidden


def test_more_people_come_by_day_and_on_workdays(week: Any) -> None:
    views = np.array([at for at, record in week.happenings if isinstance(record, JobView)])
    hours = (views - NOW) % DAY_MS // HOUR_MS
    by_day, by_night = np.sum((hours >= 11) & (hours < 17)), np.sum((hours < 5) | (hours == 23))
    assert by_day > 4 * by_night
    days = np.bincount((views - NOW) // DAY_MS, minlength=7)
    assert days[5:].mean() < 0.8 * days[:5].mean()


def test_tastes_drift_and_with_them_what_is_checked() -> None:
    world = World(4, members=300, jobs=200, now_ms=NOW)
    before, postings = world.members.taste.copy(), [f"job-{number}" for number in range(200)]
    everybody = [f"member-{number}" for number in range(300)]
    members, jobs = everybody[::10] * 20, [job for job in postings[::10] for _ in range(30)]
    first = world.true_probabilities(members, jobs, now=NOW)
    happenings = world.advance(NOW + 40 * DAY_MS)
    moved = (world.members.taste != before).any(axis=1).mean()
    assert 0.1 < moved < 0.6  # 40 days, with one turn of life in 45 of which one in four is of taste
    assert any(isinstance(record, MemberProfile) for _, record in happenings)
    world.jobs.closes_at[:] = np.iinfo(np.int64).max  # only to ask for the same jobs again
    later = world.true_probabilities(members, jobs, now=NOW)
    assert np.abs(later - first).max() > 0.05


def test_fashions_drift_and_stay_as_strong() -> None:
    world = World(4, members=50, jobs=20_000, now_ms=NOW)
    before = world.companies.fame.copy()
    world.companies.drift(20)
    assert 0.3 < np.corrcoef(before, world.companies.fame)[0, 1] < 0.8
    assert world.companies.fame.std() == pytest.approx(1, abs=0.15)


def test_expected_checks_are_what_comes_out_on_average() -> None:
    world = World(9, members=50, jobs=300, now_ms=NOW)
    jobs = sorted((f"job-{number}" for number in range(300)), key=lambda job: -world.true_probability("member-3", job))[
        :10
    ]
    shown = [jobs[0], "no-such-job", *jobs[1:]]
    truth = [world.true_probability("member-3", job) if job in jobs else 0.0 for job in shown]
    by_hand = sum(chance * p for chance, p in zip(chances(11), truth, strict=True))
    assert world.expected_checks("member-3", shown) == pytest.approx(by_hand)
    assert world.expected_checks("member-3", shown[::-1]) < world.expected_checks("member-3", shown)
    assert world.expected_checks("member-3", []) == 0


def test_a_compressed_world_shows_its_days_in_minutes() -> None:
    world = World(2, members=300, jobs=200, now_ms=NOW, compression=1440)
    happenings = world.advance(NOW + 3 * DAY_MS)
    assert all(NOW <= at < NOW + 3 * 60_000 for at, _ in happenings)
    assert all((NOW - (posting.posted_at or 0)) <= LIFE_MS / 1440 for posting in world.postings()[:200])
    later = NOW + 3 * 60_000
    open_job = next(posting.job_id for posting in world.postings() if not posting.closed)
    assert world.true_probability("member-1", open_job, later) == world.true_probability("member-1", open_job)


def test_events_one_by_one_happen_when_the_caller_says() -> None:
    world = World(3, members=300, jobs=200, now_ms=NOW)
    records = [world.next_event(NOW + number) for number in range(6000)]
    assert sum(isinstance(record, JobView) for record in records) > 3000
    for number, record in enumerate(records):
        if isinstance(record, Event):
            assert record.occurred_at == NOW + number
        elif isinstance(record, JobPosting) and not record.closed:
            assert (record.posted_at, record.expires_at) == (NOW + number, NOW + number + LIFE_MS)
        assert codecs.check(record, now_ms=NOW + number) is None  # nothing of it lies in the caller's future
    connections = [record for record in records if isinstance(record, Connection)]
    assert all(one.member_id != one.other_member_id for one in connections)


def test_a_world_without_people_or_jobs_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two members and one job"):
        World(1, members=1, jobs=1)


@pytest.mark.parametrize(("members", "jobs"), [(2, 1), (2, 50), (50, 1), (3, 3)])
def test_the_smallest_worlds_go_on(members: int, jobs: int) -> None:
    world = World(1, members=members, jobs=jobs, now_ms=NOW)
    for _, record in world.advance(NOW + 90 * DAY_MS):
        assert codecs.check(record) is None


def test_unknown_members_and_jobs_have_no_truth() -> None:
    world = World(1, members=5, jobs=5, now_ms=NOW)
    for member, job in (("member-5", "job-1"), ("member-1", "job-9"), ("member-01", "job-1"), ("m", "job-1")):
        with pytest.raises(KeyError):
            world.true_probability(member, job)
