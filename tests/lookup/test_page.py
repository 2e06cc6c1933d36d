import random

from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.state import JobState, MemberState, Recent
from streamrec.features.table import JobTable
from streamrec.lookup.cursor import job_hash
from streamrec.lookup.page import Page
from streamrec.ranking import rerank
from streamrec.ranking.filters import Gate
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.rules import DECLARABLE, RULES, Rule

NOW = 1_000_000
JOBS = [f"j{number}" for number in range(40)]


def table_of(seed: int) -> JobTable:
    chance, table = random.Random(seed), JobTable()
    for job_id in JOBS:
        posting = JobPosting(
            job_id=job_id,
            title="t",
            company=chance.choice(["A", "B", "C"]),
            closed=chance.random() < 0.2,
            expires_at=chance.choice([None, NOW - 1, NOW, NOW + 1]),
            salary_max=chance.choice([10.0, 20.0]),
            currency=chance.choice(["EUR", "USD"]),
        )
        table.upsert(job_id, JobState(posting=None if chance.random() < 0.2 else posting))
        if chance.random() < 0.1:
            table.remove(job_id)
    return table


touched = st.dictionaries(st.sampled_from(JOBS), st.integers(1, NOW), max_size=6)
states = st.builds(
    MemberState,
    version=st.just(1),
    profile=st.none()
    | st.builds(
        MemberProfile,
        member_id=st.just("m"),
        updated_at=st.just(1),
        blocked_companies=st.sampled_from([(), ("a",), ("B", "nobody")]),
        salary_floor=st.sampled_from([15.0, 25.0, None]),
        currency=st.sampled_from(["eur", "usd", None]),
    ),
    recent=st.lists(st.builds(Recent, st.sampled_from(JOBS), st.integers(1, NOW), st.just(0)), max_size=4),
    viewed=touched,
    applied=touched,
    dismissed=touched,
    saved=touched,
    liked=touched,
)


@settings(deadline=None, max_examples=200)
@given(
    states, st.integers(0, 5), st.none() | st.integers(1, NOW), st.booleans(), st.integers(1, 50),
    st.sets(st.sampled_from(JOBS)), st.permutations([*JOBS, "unknown"]), st.sampled_from([DECLARABLE, RULES]),
)  # fmt: skip
def test_a_page_is_what_checking_each_job_by_the_ranking_s_own_gate_gives(
    state: MemberState,
    seed: int,
    again: int | None,
    without: bool,
    size: int,
    shown: set[str],
    order: list[str],
    rules: tuple[Rule, ...],
) -> None:
    table = table_of(seed)
    gate = Gate(state, table, NOW, viewed_again_after_ms=again, without_posting=without, rules=rules)
    expected = [
        job_id
        for job_id in order
        if job_id not in shown and (rows := table.rows([job_id]))[0] >= 0 and gate.allows(rows)[0]
    ]
    n = len(order)
    ranked = RankedList(job_ids=order, scores=[0.0] * n, p_check=[None] * n, sources=[0] * n)
    page = Page(
        table, state, NOW, viewed_again_after_ms=again, without_posting=without,
        shown={job_hash(job_id) for job_id in shown}, size=size, depth=100, rules=rules,
    )  # fmt: skip
    picked = page.pick(ranked)
    assert [order[position] for position in picked.positions] == expected[:size]
    assert [table.ids[row] for row in picked.rows] == expected[:size]
    assert picked.full == (len(expected) >= size)
    assert picked.more == (len(expected) > size)
    assert picked.short == (len(expected) <= size)
    assert picked.propensities == [1.0] * len(picked.positions)


def whole_town() -> tuple[JobTable, RankedList]:
    table = JobTable()
    job_ids = [f"j{number}" for number in range(70)]
    for number, job_id in enumerate(job_ids):
        table.upsert(job_id, JobState(posting=JobPosting(job_id=job_id, title="t", closed=number % 7 == 0)))
    n = len(job_ids)
    return table, RankedList(job_ids=job_ids, scores=[0.0] * n, p_check=[None] * n, sources=[0] * n)


@given(st.text(), st.integers(1, 70), st.floats(0, 1))
def test_a_first_page_is_explored_among_the_jobs_that_may_be_served(seed: str, size: int, explore: float) -> None:
    table, ranked = whole_town()
    plain = Page(table, MemberState(), NOW, size=70, depth=100).pick(ranked)
    picked = Page(table, MemberState(), NOW, size=size, depth=100, explore=explore, seed=seed).pick(ranked)
    placed = rerank.place(50, explore, seed)
    expected = [plain.positions[rank] for rank in placed.ranks] + plain.positions[50:]
    assert picked.positions == expected[:size]
    assert [table.ids[row] for row in picked.rows] == [ranked.job_ids[position] for position in picked.positions]
    assert picked.propensities == [*placed.propensities, *[1.0] * 10][:size]
    assert (picked.full, picked.more) == (size <= 60, size < 60)


@given(st.text())
def test_later_pages_are_the_ranking_less_what_was_shown(seed: str) -> None:
    table, ranked = whole_town()
    shown = {job_hash("j1"), job_hash("j40")}
    plain = Page(table, MemberState(), NOW, size=20, depth=100, shown=shown).pick(ranked)
    assert (
        Page(table, MemberState(), NOW, size=20, depth=100, shown=shown, explore=1.0, seed=seed).pick(ranked) == plain
    )


def test_all_pages_together_show_no_more_than_the_depth() -> None:
    table = JobTable()
    for job_id in JOBS:
        table.upsert(job_id, JobState(posting=JobPosting(job_id=job_id, title="t")))
    n = len(JOBS)
    ranked = RankedList(job_ids=JOBS, scores=[0.0] * n, p_check=[None] * n, sources=[0] * n)
    shown: list[bytes] = []
    sizes = []
    while True:
        picked = Page(table, MemberState(), NOW, shown=shown, size=4, depth=10).pick(ranked)
        sizes.append(len(picked.positions))
        shown += [job_hash(JOBS[position]) for position in picked.positions]
        if not picked.more:
            break
    assert sizes == [4, 4, 2]
    assert Page(table, MemberState(), NOW, shown=shown, size=4, depth=10).pick(ranked).positions == []
