"""The gate agrees with the rules read out one by one for each job."""

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import Action, JobPosting, MemberProfile
from streamrec.features.state import JobState, MemberState, Recent
from streamrec.features.table import JobTable
from streamrec.ranking.filters import NO_FILTERS, Filters, Gate, barred, seen_by
from streamrec.ranking.rules import ABOVE_FLOOR, DECLARABLE, NOT_BLOCKED, RULES, Rule

Make = Callable[..., Any]  # a world, see conftest.py


def may_be_served(
    job_id: str,
    world: Any,
    filters: Filters,
    again_after_ms: int | None,
    without_posting: bool,
    rules: Collection[Rule],
) -> bool:
    """The rules, slow and obvious."""
    job: JobState = world.jobs[job_id]
    member: MemberState = world.member
    if job.removed or job_id in member.applied or job_id in member.dismissed:
        return False
    last_seen = [touched[job_id] for touched in (member.viewed, member.liked, member.saved) if job_id in touched]
    last_seen += [recent.at for recent in member.recent if recent.job_id == job_id]
    if last_seen and (again_after_ms is None or max(last_seen) > world.now - again_after_ms):
        return False
    posting = job.posting
    if posting is None:
        return without_posting and msgspec.structs.replace(filters, not_company=()) in (
            Filters(),
            Filters(remote=False),
        )
    if posting.closed or (posting.expires_at is not None and posting.expires_at <= world.now):
        return False
    profile = member.profile
    blocked = [name.casefold() for name in (profile.blocked_companies if profile and NOT_BLOCKED in rules else ())]
    blocked += [name.casefold() for name in filters.not_company]
    if posting.company is not None and posting.company.casefold() in blocked:
        return False
    offered = [pay for pay in (posting.salary_min, posting.salary_max) if pay is not None]
    if filters.salary_min is not None and (not offered or max(offered) < filters.salary_min):
        return False
    currency = (posting.currency or "").casefold()
    if filters.currency is not None and currency != filters.currency.casefold():
        return False
    floor = profile.salary_floor if profile and ABOVE_FLOOR in rules else None
    if (
        floor is not None
        and profile
        and currency == (profile.currency or "?").casefold()
        and max(offered, default=floor) < floor
    ):
        return False
    for name in ("city", "region", "country", "industry", "function", "company"):
        wanted, there = getattr(filters, name), getattr(posting, name)
        if wanted is not None and (there is None or there.casefold() != wanted.casefold()):
            return False
    return filters.remote is None or filters.remote == (posting.remote is True)


anything = st.builds(
    Filters,
    region=st.sampled_from((None, None, "MD", "md", "Atlantis", "")),
    function=st.sampled_from((None, None, "F1")),
    company=st.sampled_from((None, None, "c1", "c2")),
    remote=st.sampled_from((None, True, False)),
    salary_min=st.sampled_from((None, None, 0.0, 60_000.0, 60_000.5, 1e9)),
    currency=st.sampled_from((None, None, "USD", "eur", "CHF")),
    not_company=st.sampled_from(((), (), ("C2",), ("c3", "C4", "nobody"))),
)


@given(
    st.integers(0, 2**32),
    anything,
    st.sampled_from((None, 0, 60 * 60_000, 10**12)),
    st.booleans(),
    st.sampled_from((RULES, DECLARABLE, tuple(rule for rule in DECLARABLE if rule is not NOT_BLOCKED))),
)
@settings(max_examples=200)
def test_the_gate_agrees_with_the_rules(
    world: Make,
    seed: int,
    filters: Filters,
    again_after_ms: int | None,
    without_posting: bool,
    rules: Collection[Rule],
) -> None:
    here = world(seed, jobs=60, touched=30)
    gate = Gate(
        here.member, here.table, here.now,
        filters=filters, viewed_again_after_ms=again_after_ms, without_posting=without_posting, rules=rules,
    )  # fmt: skip
    expected = [
        row
        for row, job_id in enumerate(here.table.ids)
        if may_be_served(job_id, here, filters, again_after_ms, without_posting, rules)
    ]
    rows = np.arange(len(here.table), dtype=np.int32)
    assert rows[gate.allows(rows)].tolist() == expected
    assert gate.all_allowed().tolist() == expected


def member_who_did(**sets: dict[str, int]) -> MemberState:
    return MemberState(**sets)  # type: ignore[arg-type]


def test_a_liked_or_saved_job_counts_as_viewed() -> None:
    member = member_who_did(liked={"a": 5}, saved={"b": 5}, viewed={"c": 5})
    assert barred(member, now=6) == {"a", "b", "c"}
    assert barred(member, now=105, viewed_again_after_ms=100) == set()
    assert barred(member, now=104, viewed_again_after_ms=100) == {"a", "b", "c"}


def test_a_save_taken_back_leaves_the_job_seen() -> None:
    member = MemberState(recent=[Recent("a", 5, Action.SAVE)])
    assert barred(member, now=6) == {"a"}


def test_the_last_touch_decides_when_a_job_may_come_back() -> None:
    assert seen_by(member_who_did(viewed={"a": 9, "b": 1}, saved={"a": 2, "b": 4})) == {"a": 9, "b": 4}


def test_applied_and_dismissed_jobs_never_come_back() -> None:
    member = member_who_did(applied={"a": 1}, dismissed={"b": 1})
    assert barred(member, now=10**12, viewed_again_after_ms=0) == {"a", "b"}


def test_an_empty_table_lets_nothing_through(world: Make) -> None:
    here = world(jobs=0)
    gate = Gate(MemberState(viewed={"x": 1}), here.table, here.now)
    assert gate.all_allowed().tolist() == []


def test_a_floor_compares_pay_in_its_own_currency_only() -> None:
    table = JobTable()
    for job_id, low, high, currency in (
        ("less", 40.0, 59.0, "USD"), ("just", None, 60.0, "usd"), ("by the least", 59.0, None, "USD"), ("other", 1.0, 2.0, "EUR"),
        ("unsaid", None, None, "USD"), ("in nothing", 1.0, 2.0, None),
    ):  # fmt: skip
        posting = JobPosting(job_id=job_id, title="x", salary_min=low, salary_max=high, currency=currency)
        table.upsert(job_id, JobState(version=1, posting=posting))
    for currency, served in (
        ("Usd", ["just", "other", "unsaid", "in nothing"]), ("CHF", table.ids), (None, table.ids), (" ", table.ids),
    ):  # fmt: skip
        profile = MemberProfile(member_id="m", updated_at=1, salary_floor=60.0, currency=currency)
        member = MemberState(version=1, profile=profile)
        assert [table.ids[row] for row in Gate(member, table, 1, rules=DECLARABLE).all_allowed()] == served
        assert len(Gate(member, table, 1).all_allowed()) == len(table)  # as long as no workflow declares it


def test_filters_are_active_when_one_is_set() -> None:
    assert not NO_FILTERS.active
    assert Filters(remote=False).active
    assert Filters(region="MD").active
