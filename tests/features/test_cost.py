"""Costs against plain sums over small worlds; times by a clock that the test moves."""

from collections.abc import Callable, Iterator
from itertools import count as counting
from typing import Any

import msgspec
import pytest

from streamrec.events import JobSave, JobView
from streamrec.features.catalogue import Catalogue
from streamrec.features.cost import Costs, measure, steps
from streamrec.features.language import Feature, count, decay, job, log1p, member, saves, share, views
from streamrec.features.language.fields import posting
from streamrec.features.plan import Plan
from streamrec.features.sample import Done, Sample
from streamrec.features.state import JobState, MemberState, pack
from streamrec.ranking.catalogue import catalogue

START = 1_700_000_000_000


def events(number: int) -> list[Done]:
    kinds = (JobView, JobSave)
    return [
        Done(
            kinds[place % 2](
                event_id=f"e{place}", member_id=f"m{place % 3}", job_id=f"j{place % 5}", occurred_at=START + place
            ),
            None,
        )
        for place in range(number)
    ]


@pytest.fixture
def sample(make_world: Callable[..., Any]) -> Sample:
    world = make_world(3)
    return Sample(world.members, world.jobs, world.neighbours, world.networks, events(40), world.now)


def clock(step_ns: int = 1000) -> Callable[[], int]:
    """Moves on by a step whenever it is looked at."""
    ticks: Iterator[int] = counting(0, step_ns)
    return lambda: next(ticks)


@pytest.fixture
def costs(sample: Sample) -> Costs:
    return measure(catalogue(), sample, clock())


def test_bytes_of_a_cell_are_what_packing_is_longer_by(sample: Sample, costs: Costs) -> None:
    for found in costs.states:
        if not found.cell:
            continue
        owners: list[MemberState | JobState]
        owners = list(sample.members.values() if found.owner == "member" else sample.jobs.values())
        before = sum(len(pack(each)) for each in owners)
        kept = [each.cells.pop(found.key, None) for each in owners]
        after = sum(len(pack(each)) for each in owners)
        assert found.bytes_a_key == pytest.approx((before - after) / len(owners)), found.keeps
        assert (found.keys, found.keys_with_it) == (len(owners), sum(each is not None for each in kept))
        for each, cell in zip(owners, kept, strict=True):
            if cell is not None:
                each.cells[found.key] = cell
    assert all(found.bytes_a_key for found in costs.states), "the world has everything"


def test_what_is_held_anyway_is_weighed_and_its_fold_is_not_measured(sample: Sample, costs: Costs) -> None:
    anyway = {found.key: found for found in costs.states if not found.cell}
    assert list(anyway) == [
        "MemberState.recent", "Neighbours.weights", "MemberState.viewed", "JobState.touchers", "Network.acts",
        "Network.companies",
    ]  # fmt: skip
    assert all(found.fold_us is None for found in anyway.values())
    rows = [sample.neighbours[name] for name in sample.jobs if name in sample.neighbours]
    assert anyway["Neighbours.weights"].bytes_a_key == sum(len(pack(row)) for row in rows) / len(sample.jobs)
    jobs = sample.jobs.values()
    assert anyway["JobState.touchers"].bytes_a_key == pytest.approx(
        sum(len(pack(job)) - len(pack(msgspec.structs.replace(job, touchers=b""))) for job in jobs) / len(jobs)
    )
    covisit = next(each for each in costs.features if each.id == "covisit@1")
    assert covisit.fold_us is None


def test_shared_state_is_shared_out_so_that_the_parts_are_the_whole(costs: Costs) -> None:
    for owner, parts in (
        ("member", [each.member_bytes for each in costs.features]), ("job", [each.job_bytes for each in costs.features])
    ):  # fmt: skip
        whole = sum(found.bytes_a_key or 0 for found in costs.states if found.owner == owner)
        assert sum(part or 0 for part in parts) == pytest.approx(whole)
        assert whole > 0
    views_of = next(each for each in costs.features if each.id == "job_views@1")
    assert views_of.shared_with == 2  # both rates


def test_folds_are_timed_an_event_that_counts() -> None:
    seen = count(views, by=job, window=decay("1d"))
    of = Catalogue(Plan([Feature("seen", seen, "views", "events"), Feature("log_seen", log1p(seen), "views", "log1p"),
                         Feature("mine", count(saves, by=member), "saves", "events")]), {})  # fmt: skip
    found = measure(of, Sample({}, {}, {}, {}, events(40), START), clock(8000))
    assert {each.keeps.split(",")[0]: each.fold_us for each in found.states} == {
        "count(views": pytest.approx(8.0 / 20), "count(saves": pytest.approx(8.0 / 20),
    }  # fmt: skip
    assert [each.fold_us for each in found.features] == [pytest.approx(0.2), pytest.approx(0.2), pytest.approx(0.4)]
    assert [each.shared_with for each in found.features] == [1, 1, 0]


def test_reading_is_timed_a_list(costs: Costs) -> None:
    assert {each.read_us for each in costs.features} == {1.0}
    assert costs.listed > 40


def test_without_keys_and_events_nothing_is_made_up() -> None:
    found = measure(catalogue(), Sample({}, {}, {}, {}, [], START), clock())
    assert (found.members, found.jobs, found.events, found.listed) == (0, 0, 0, 0)
    assert all(each.fold_us is None for each in found.states)
    assert all(each.bytes_a_key is None for each in found.states)
    assert all(each.read_us is None for each in found.features)
    assert next(each for each in found.features if each.id == "pay@1").job_bytes == 0


def test_what_a_feature_without_state_costs_is_its_reading(costs: Costs) -> None:
    pay = next(each for each in costs.features if each.id == "pay@1")
    assert (pay.member_bytes, pay.job_bytes, pay.fold_us, pay.shared_with) == (0, 0, 0, 0)


def test_progress_is_told_as_often_as_said(sample: Sample) -> None:
    told: list[None] = []
    of = Catalogue(Plan([Feature("places", share(posting.city), "of recent jobs", "ratio")]), {})
    measure(of, sample, clock(), lambda: told.append(None))
    assert len(told) == steps(of) == 2
