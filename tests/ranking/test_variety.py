"""Filling places by what is good and unlike agrees with looking through all that is left, place by place."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.events import JobPosting
from streamrec.features.state import JobState
from streamrec.features.table import JobTable
from streamrec.features.text import tokens
from streamrec.ranking.order import best_first
from streamrec.ranking.rerankers import Standing, vary
from streamrec.ranking.variety import DEPTH, NEAR, POOL, likeness, relevance, varied

WORDS = ("night", "nurse", "senior", "engineer", "data", "driver", "cook")


def posting(number: int, title: str = "", **fields: Any) -> JobPosting:
    return JobPosting(job_id=f"j{number}", title=title, **fields)


def table_of(postings: Sequence[JobPosting | None]) -> JobTable:
    table = JobTable()
    for number, each in enumerate(postings):
        table.upsert(f"j{number}", JobState(version=1, posting=each))
    return table


def texts(*values: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from((None, *values))


postings = st.builds(
    posting,
    st.just(0),
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    company=texts("A", "B", "C"),
    city=texts("Olney", "Paris"),
    region=texts("MD", "TX"),
)
worlds = st.lists(st.none() | postings, max_size=40)
shares = st.sampled_from((0.0, 0.1, 0.3, 0.7, 1.0))


def alike(one: JobPosting | None, other: JobPosting | None, titles: Sequence[tuple[str, ...]]) -> float:
    """The likeness of two jobs, slow and obvious."""
    if one is None or other is None:
        return 0.0

    def idf(word: str) -> float:
        return math.log1p(len(titles) / sum(word in title for title in titles))

    def dot(these: tuple[str, ...], those: tuple[str, ...]) -> float:
        return sum(idf(word) ** 2 for word in these if word in those)

    words, others = tokens(one.title), tokens(other.title)
    cosine = dot(words, others) / math.sqrt(dot(words, words) * dot(others, others)) if words and others else 0.0
    place = 0.0
    if one.region == other.region:
        place = 1.0 if one.city and one.city == other.city else 0.5 if one.region else 0.0
    return (float(one.company is not None and one.company == other.company) + cosine + place) / 3


@given(worlds)
def test_likeness_is_what_company_title_and_place_say(jobs: list[JobPosting | None]) -> None:
    found = likeness(table_of(jobs), np.arange(len(jobs), dtype=np.int32))
    titles = [tokens(job.title) for job in jobs if job is not None]
    assert found.shape == (len(jobs), len(jobs))
    assert (found == found.T).all()
    for one in range(len(jobs)):
        for other in range(one):
            assert found[one, other] == pytest.approx(alike(jobs[one], jobs[other], titles), abs=1e-5)


def test_jobs_alike_in_all_are_one_and_those_alike_in_nothing_are_nought() -> None:
    same = posting(0, "Night Nurse", company="A", city="Olney", region="MD")
    other = posting(0, "Cook", company="B", city="Olney", region="TX")
    near = posting(0, "Data Engineer", company="C", city="Paris", region="MD")
    found = likeness(table_of([same, same, other, near]), np.arange(4, dtype=np.int32))
    assert found[0].tolist()[1:] == [1.0, 0.0, pytest.approx(1 / 6, abs=1e-6)]


def slow(worth: Sequence[float], like: Any, share: float, places: int) -> list[int]:
    """The rule, read out place by place."""
    left, placed = list(range(len(worth))), list[int]()
    while left and len(placed) < places:
        values = {
            job: (1.0 - share) * worth[job]
            - max([share * float(like[before][job]) for before in placed[-NEAR:]], default=0.0)
            for job in left
        }
        best = max(left, key=lambda job: (values[job], -job))
        left.remove(best)
        placed.append(best)
    return placed


@given(st.integers(0, 2**32), st.integers(0, 40), shares, st.integers(0, 45))
def test_filling_agrees_with_the_slow_way(seed: int, jobs: int, share: float, places: int) -> None:
    draw = np.random.default_rng(seed)
    worth = -np.sort(draw.choice([0.0, 0.1, 0.5, 2.0], jobs))
    like = draw.choice(np.array([0.0, 0.25, 1.0], np.float32), (jobs, jobs))
    like = np.maximum(like, like.T)
    assert varied(worth, like, share, places) == slow(worth.tolist(), like, share, places)


def standing_of(seed: int, jobs: int) -> Standing:
    draw = np.random.default_rng(seed)
    made: list[JobPosting | None] = [
        posting(
            0, " ".join(draw.choice(WORDS, 3)), company=f"c{draw.integers(12)}", city=f"t{draw.integers(9)}",
            region=f"r{draw.integers(3)}",
        )
        for _ in range(jobs)
    ]  # fmt: skip
    table, log_odds = table_of(made), draw.normal(size=jobs).round(1)  # some are equal
    best = best_first(log_odds, table.ids)
    return Standing(best.astype(np.int32), log_odds[best], table)


@given(st.integers(0, 2**32), st.integers(1, 300), shares, st.integers(1, 320))
def test_every_job_stays_once_the_best_first_and_the_list_is_as_long(
    seed: int, jobs: int, share: float, size: int
) -> None:
    standing = standing_of(seed, jobs)
    order = vary(share).reorder(standing, size).tolist()
    assert len(order) == len(set(order)) == min(size, jobs)
    assert order[0] == 0
    assert set(order[:DEPTH]) <= set(range(POOL))
    if size >= jobs:
        assert sorted(order) == list(range(jobs))
    rest = order[DEPTH:]
    assert rest == sorted(rest)
    if share == 0.0:
        assert order == list(range(min(size, jobs)))
    if size < jobs:  # a longer list begins in the same way
        assert vary(share).reorder(standing, jobs).tolist()[: min(size, DEPTH)] == order[:DEPTH]


def test_the_more_variety_is_asked_for_the_less_alike_are_neighbours_in_the_list() -> None:
    means = []
    for share in (0.0, 0.1, 0.3, 0.6, 1.0):
        of_lists = []
        for seed in range(8):
            standing = standing_of(seed, 200)
            rows = standing.rows[vary(share).reorder(standing, 50)]
            found = likeness(standing.table, rows)
            of_lists.append(np.mean([found[place, max(0, place - NEAR) : place].max() for place in range(1, 50)]))
        means.append(float(np.mean(of_lists)))
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.8 * means[0]


def test_scores_that_are_all_equal_leave_it_to_variety() -> None:
    assert relevance(np.zeros(9)).tolist() == [0.0] * 9
    assert relevance(np.zeros(0)).tolist() == []
    jobs: list[JobPosting | None] = [posting(0, company="A"), posting(0, company="A"), posting(0, company="B")]
    standing = Standing(np.arange(3, dtype=np.int32), np.ones(3), table_of(jobs))
    assert vary(0.1).reorder(standing, 3).tolist() == [0, 2, 1]
