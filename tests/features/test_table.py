"""The table of jobs against an oracle that looks at every job for every question."""

import math
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from streamrec.events import Action, ActivityEntry, JobPosting, Tombstone
from streamrec.features import leaders
from streamrec.features.columns import CODED, NEVER
from streamrec.features.fold import fold_entry, fold_posting
from streamrec.features.library import JOB_COUNTS, JOB_TOTALS, POPULARITY
from streamrec.features.plan import Plan
from streamrec.features.state import JobState
from streamrec.features.table import JobTable
from streamrec.features.text import tokens
from streamrec.features.windows import DAY_MS, HOUR_MS

NOW = 1_700_000_000_000 + 40 * DAY_MS
Postings = Callable[[Random, str, int], JobPosting]


class Oracle:
    """The states, and the answers by plain loops over them."""

    def __init__(self) -> None:
        self.states: dict[str, JobState] = {}

    def posting(self, job_id: str) -> JobPosting | None:
        return self.states[job_id].posting

    def is_open(self, job_id: str, now: int | None = None) -> bool:
        state = self.states[job_id]
        if state.removed or (state.posting is not None and state.posting.closed):
            return False
        expires_at = state.posting.expires_at if state.posting is not None else None
        return now is None or expires_at is None or expires_at > now

    def has(self, job_id: str, **texts: str) -> bool:
        posting = self.posting(job_id)
        return all(
            posting is not None and (getattr(posting, name) or "").strip().casefold() == text
            for name, text in texts.items()
        )

    def best(self, score: Callable[[str], float], now: int | None, **texts: str) -> list[tuple[str, float]]:
        scored = [(j, score(j)) for j in self.states if self.is_open(j, now) and self.has(j, **texts)]
        return sorted((pair for pair in scored if pair[1] > -math.inf), key=lambda pair: -pair[1])

    def popularity(self, index: int) -> Callable[[str], float]:
        def score(job_id: str) -> float:
            value, at, _ = self.states[job_id].cells.get(POPULARITY[index].state_key, (0.0, 0, 0))
            return math.log2(value) + at / POPULARITY[index].window.span_ms if value > 0.0 else -math.inf

        return score

    def appeared(self, job_id: str) -> float:
        posting = self.posting(job_id)
        return (posting.posted_at if posting else None) or self.states[job_id].first_at or -math.inf

    def idf(self) -> dict[str, float]:
        titles = [set(tokens(state.posting.title)) for state in self.states.values() if state.posting]
        return {word: math.log1p(len(titles) / n) for word, n in Counter(w for t in titles for w in t).items()}

    def overlap(self, weights: dict[str, float], now: int) -> dict[str, float]:
        idf, result = self.idf(), {}
        for job_id in self.states:
            posting = self.posting(job_id)
            if posting is not None and self.is_open(job_id, now):
                words = tokens(posting.title)
                result[job_id] = sum(weights.get(w, 0.0) * idf[w] ** 2 for w in words) / math.sqrt(max(1, len(words)))
        return {job_id: overlap for job_id, overlap in result.items() if overlap > 0.0}


def same_order(found: list[str], expected: list[tuple[str, float]], limit: int) -> None:
    """The scores agree rank by rank; jobs may only differ where their scores are equal."""
    scores = dict(expected)
    assert len(found) == min(limit, len(expected)) == len(set(found))
    assert [scores[job_id] for job_id in found] == pytest.approx([score for _, score in expected[:limit]], rel=1e-6)


def change(random: Random, oracle: Oracle, table: JobTable, some_posting: Postings) -> None:
    job_id = f"j{random.randrange(70)}"
    state = oracle.states.get(job_id, JobState())
    match random.choices(("post", "act", "close", "remove", "forget"), (6, 20, 1, 1, 1))[0]:
        case "post":
            fold_posting(state, some_posting(random, job_id, NOW))
        case "act":
            action = random.choice((Action.VIEW, Action.VIEW, Action.SAVE, Action.APPLY, Action.DISMISS))
            sign = (
                -1
                if action is Action.SAVE and random.random() < 0.5 and JOB_TOTALS[action].value_in(state.cells, NOW)
                else 1
            )
            at = NOW - random.randrange(20 * 24) * HOUR_MS - random.randrange(HOUR_MS)
            fold_entry(state, ActivityEntry(offset=0, index=0, job_id=job_id, occurred_at=at, action=action, sign=sign))
        case "close":
            fold_posting(state, JobPosting(job_id=job_id, title="closed", closed=True))
        case "remove":
            fold_posting(state, Tombstone(job_id))
        case "forget":
            oracle.states.pop(job_id, None)
            table.remove(job_id)
            return
    oracle.states[job_id] = state
    table.upsert(job_id, state)


def check_lists(random: Random, oracle: Oracle, table: JobTable) -> None:
    def ids(rows: Any) -> list[str]:
        assert rows.dtype == np.int32
        return [table.ids[row] for row in rows]

    limit, now = random.choice((1, 3, 10, 100)), random.choice((None, NOW))
    region, function = random.choice(("", "md", "nrw")), random.choice(("", "care", "it"))
    group = {name: text for name, text in (("region", region), ("function", function)) if text}
    codes = {name: table.code(name, text.upper()) for name, text in group.items()}
    if all(codes.values()):
        for index in range(3):
            found = ids(table.top(index, limit, **codes, now=now))
            same_order(found, oracle.best(oracle.popularity(index), now, **group), limit)
    if not region or codes["region"]:
        near = {"region": region} if region else {}
        found = ids(table.newest(limit, region=codes.get("region", 0), now=now))
        same_order(found, oracle.best(oracle.appeared, now, **near), limit)
    if region and codes["region"] and (city := table.code("city", "bonn")):
        in_city = oracle.best(oracle.appeared, now, city="bonn", region=region)
        around = [pair for pair in oracle.best(oracle.appeared, now, region=region) if pair not in in_city]
        found = ids(table.in_place(city, codes["region"], limit, now=now))
        same_order(found[: len(in_city)], in_city, limit)
        same_order(found[len(in_city) :], around, max(0, limit - len(in_city)))


@pytest.mark.parametrize("seed", range(15))
def test_lists_stay_right_through_all_changes(
    seed: int, some_posting: Postings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "_SMALLEST", 4)
    random, oracle, table = Random(seed), Oracle(), JobTable(capacity=2)
    for _ in range(400):
        change(random, oracle, table, some_posting)
        if random.random() < 0.3:
            check_lists(random, oracle, table)


@pytest.mark.parametrize("seed", range(15))
def test_columns_words_and_matches_are_those_of_the_states(seed: int, some_posting: Postings) -> None:
    random, oracle, table = Random(seed), Oracle(), JobTable(capacity=2)
    for _ in range(60):
        for _ in range(8):
            change(random, oracle, table, some_posting)
        check_columns(oracle, table)
        weights = {word: random.random() for word in random.sample(sorted(oracle.idf()), min(5, len(oracle.idf())))}
        by_code = dict(zip(table.titles.codes_of(weights), weights.values(), strict=True))
        expected = oracle.overlap(weights, NOW)
        ordered = sorted(expected.items(), key=lambda pair: -pair[1])
        for limit in (1, 7, 100):
            same_order([table.ids[row] for row in table.matching(by_code, limit, NOW)], ordered, limit)


def check_columns(oracle: Oracle, table: JobTable) -> None:
    idf = oracle.idf()
    assert table.posting_count == sum(state.posting is not None for state in oracle.states.values())
    for job_id in (f"j{number}" for number in range(70)):
        row, state = table.row(job_id), oracle.states.get(job_id)
        if state is None:
            assert row is None
            continue
        assert row is not None
        posting = state.posting
        assert (table.ids[row], table.postings[row], table.versions[row]) == (job_id, posting, state.version)
        assert (table.has_posting[row], table.closed[row]) == (posting is not None, not oracle.is_open(job_id))
        assert table.posted_at[row] == ((posting.posted_at if posting else None) or 0)
        expires_at = posting.expires_at if posting else None
        assert table.expires_at[row] == (NEVER if expires_at is None else expires_at)
        assert (table.first_at[row], table.last_at[row]) == (state.first_at, state.last_at)
        assert table.remote[row] == (-1 if posting is None or posting.remote is None else posting.remote)
        assert table.popularity[row].tolist() == [oracle.popularity(index)(job_id) for index in range(3)]
        for each in (*JOB_COUNTS, *JOB_TOTALS, *POPULARITY):
            expected = each.value_in(state.cells, max(NOW, state.last_at))
            assert table.values(each, np.array([row], np.int32), NOW).tolist() == [expected]
        for name in CODED:
            text = getattr(posting, name) if posting else None
            code = getattr(table, name)[row]
            assert code == table.code(name, text)
            assert (code > 0) == bool(text and text.strip())
        words = tokens(posting.title) if posting else ()
        assert table.tokens(row).tolist() == table.titles.codes_of(words)
        assert table.idf(table.tokens(row)).tolist() == pytest.approx([idf[word] for word in words], rel=1e-6)


def state_of(posting: JobPosting | None, views: int = 0) -> JobState:
    state = JobState()
    if posting is not None:
        fold_posting(state, posting)
    for number in range(views):
        at = NOW - number * HOUR_MS
        fold_entry(state, ActivityEntry(offset=0, index=0, job_id="j", occurred_at=at, action=Action.VIEW))
    return state


def test_what_may_be_served() -> None:
    table = JobTable()
    table.upsert("open", state_of(JobPosting(job_id="open", title="Nurse")))
    table.upsert("closed", state_of(JobPosting(job_id="closed", title="Nurse", closed=True)))
    table.upsert("expires", state_of(JobPosting(job_id="expires", title="Nurse", expires_at=NOW)))
    table.upsert("no posting", state_of(None, views=1))
    table.upsert("removed", JobState(removed=True))
    table.upsert("forgotten", state_of(JobPosting(job_id="forgotten", title="Nurse")))
    table.remove("forgotten")
    names = ["open", "closed", "expires", "no posting", "removed", "forgotten", "unknown"]
    rows = table.rows(names)

    def served(now: int, without_posting: bool) -> list[str]:
        mask = table.servable(rows, now, without_posting)
        return [name for name, may in zip(names, mask, strict=True) if may]

    assert rows.tolist() == [0, 1, 2, 3, 4, -1, -1]
    assert served(NOW, without_posting=False) == ["open"]
    assert served(NOW, without_posting=True) == ["open", "no posting"]
    assert served(NOW - 1, without_posting=False) == ["open", "expires"]


def test_a_job_that_is_closed_and_opened_again_keeps_its_row_and_its_place() -> None:
    table = JobTable()
    posting = JobPosting(job_id="a", title="Night Nurse", city="Bonn", region="NRW", posted_at=NOW)
    rows = [table.upsert("a", state_of(posting, views=2)), table.upsert("b", state_of(None, views=1))]
    word = {table.titles.codes_of(["nurse"])[0]: 1.0}

    def lists() -> list[list[int]]:
        place = table.in_place(table.code("city", "bonn"), table.code("region", "nrw"), 5)
        return [
            table.top(0, 5).tolist(),
            table.newest(5).tolist(),
            place.tolist(),
            table.matching(word, 5, NOW).tolist(),
        ]

    opened = lists()
    assert opened == [[0, 1], [0, 1], [0], [0]]
    closed = JobPosting(job_id="a", title="Night Nurse", city="Bonn", region="NRW", posted_at=NOW, closed=True)
    for state in (state_of(closed, views=2), JobState(removed=True)):
        assert table.upsert("a", state) == rows[0]
        assert lists() == [[1], [1], [], []]
        assert table.upsert("a", state_of(posting, views=2)) == rows[0]
        assert lists() == opened
    table.remove("a")
    assert (table.row("a"), len(table), table.posting_count) == (None, 2, 0)
    assert lists() == [[1], [1], [], []]
    assert table.upsert("a", state_of(posting, views=2)) == rows[0]
    assert lists() == opened


def test_counts_alone_do_not_read_the_title_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = JobTable()
    posting = JobPosting(job_id="a", title="Night Nurse")
    table.upsert("a", state_of(posting))
    monkeypatch.setattr("streamrec.features.table.tokens", lambda _: pytest.fail("the title has not changed"))
    table.upsert("a", state_of(JobPosting(job_id="a", title="Night Nurse"), views=1))
    assert table.values(JOB_TOTALS[Action.VIEW], np.array([0], np.int32), NOW).tolist() == [1.0]


def test_of_equal_matches_the_newest_comes_first() -> None:
    table = JobTable()
    for day in (1, 3, 2, 3):
        job_id = f"j{len(table)}"
        table.upsert(job_id, state_of(JobPosting(job_id=job_id, title="Nurse", posted_at=NOW - day * DAY_MS)))
    word = {table.titles.codes_of(["nurse"])[0]: 1.0}
    assert table.matching(word, 3, NOW).tolist() == [0, 2, 1]
    assert table.matching({}, 3, NOW).tolist() == []


def test_a_title_is_cut_after_sixteen_words() -> None:
    table = JobTable()
    words = [f"word{number}" for number in range(20)]
    table.upsert("a", state_of(JobPosting(job_id="a", title=" ".join(words))))
    assert table.tokens(0).tolist() == table.titles.codes_of(words[:16])
    assert table.titles.codes_of(words[16:]) == []


def test_the_row_of_an_unknown_job_stays_blank_while_the_table_grows() -> None:
    table = JobTable(capacity=2)
    for number in range(100):
        job_id = f"j{number}"
        table.upsert(job_id, state_of(JobPosting(job_id=job_id, title="Nurse", city="Bonn", remote=True), views=1))
        columns = table.columns
        assert len(table.closed) == len(table.popularity) == len(table) < columns.capacity
        assert columns.codes[-1].tolist() == [0] * len(CODED)
        assert columns.times[-1].tolist() == [0, 0, 0, NEVER]
        assert np.isneginf(columns.scores[-1]).all()
        assert (
            table.values(JOB_TOTALS[0], np.array([-1]), NOW)[0],
            columns.has_posting[-1],
            columns.closed[-1],
            columns.remote[-1],
        ) == (
            0,
            0,
            1,
            -1,
        )
        assert table.titles.words[-1].tolist() == [0] * 16


def test_an_empty_table_answers() -> None:
    table = JobTable()
    for rows in (table.top(0, 5), table.newest(5), table.in_place(0, 0, 5), table.matching({}, 5, NOW), table.rows([])):
        assert rows.tolist() == []
    assert (len(table), table.code("city", None), table.code("city", " "), table.code("city", "Bonn")) == (0, 0, 0, 0)
    table.remove("nobody")


def test_a_plan_that_does_not_count_what_jobs_are_ordered_by_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"the plan does not count count\(once\(actions\), by=job, window=decay\(1h\)\), .*: declare"
    ):
        JobTable(plan=Plan([]))
