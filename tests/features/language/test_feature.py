"""Features and sets of them."""

from collections.abc import Callable
from typing import Any

import pytest

from streamrec.features.language import (
    Expression,
    Feature,
    FeatureSet,
    beside_best,
    bucketise,
    company,
    context,
    count,
    cross,
    feature,
    home,
    interests,
    job,
    log1p,
    member,
    one_hot,
    posting,
    profile,
    same,
    views,
)
from streamrec.features.language.feature import entity_of, walk
from streamrec.features.library import POPULARITY


def make(expression: Expression = posting.salary_min, name: str = "pay", **more: Any) -> Feature:
    return Feature(name, expression, **{"description": "what is paid", "unit": "money", **more})


@pytest.mark.parametrize(
    ("expression", "entity"),
    [
        (count(views, by=job), "job"),
        (count(views, by=member), "member"),
        (count(views, by=(member, job), keep=5), "pair"),
        (count(views, by=(profile.region, job), keep=5), "pair"),
        (count(views, by=company), "job"),
        (count(views, by=(member, views.surface), keep=5), "member"),
        (same(posting.city, profile.city), "pair"),
        (context.hour, "request"),
        (1 - log1p(posting.salary_min), "job"),
        (feature("other"), "request"),
    ],
)
def test_what_it_is_about(expression: Expression, entity: str) -> None:
    assert entity_of(expression) == entity


def test_columns_of_categories() -> None:
    assert make().columns == ("pay",)
    assert make(version=2).columns == ("pay@2",)  # what a model has learned of the first says nothing of it
    assert make(one_hot(posting.city, "Bonn", " X ")).columns == ("pay=bonn", "pay=x")
    assert make(cross(posting.city, profile.city, 2)).columns == ("pay#0", "pay#1")
    assert make(bucketise(posting.salary_min, 1, 2)).columns == ("pay#0", "pay#1", "pay#2")


def test_the_name_of_a_set_changes_with_any_meaning() -> None:
    wanted = FeatureSet("m", ("pay",))
    one = make(log1p(count(views, by=job)))
    same_meaning = make(log1p(count(views, by=job)), description="in other words", tags=("x",), owner="me")
    assert wanted.name((one,)) == wanted.name((same_meaning,))
    others = [
        make(log1p(count(views, by=job)), version=2), make(log1p(count(views, by=job)), default=1.0),
        make(log1p(count(views, by=job)), ttl="1d"), make(count(views, by=job)), make(posting.salary_min * 1.0000001),
        make(posting.salary_min * 1.0000002),
    ]  # fmt: skip
    assert len({wanted.name((each,)) for each in (one, *others)}) == len(others) + 1


def test_walk_gives_parts_before_what_is_made_of_them() -> None:
    seen = count(views, by=job)
    assert [str(each) for each in walk(log1p(seen) + seen)] == [
        str(seen),
        f"log1p({seen})",
        f"add(log1p({seen}), {seen})",
    ]


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    name = "use lower-case words joined by _"
    refused(lambda: Feature("Pay", posting.salary_min, "x", "1"), "'Pay' is no name", name)
    refused(lambda: Feature("pay@2", posting.salary_min, "x", "1"), "'pay@2' is no name", name)
    refused(lambda: Feature("pay", 3, "x", "1"), "pay is 3", "give it an expression")  # type: ignore[arg-type]
    refused(lambda: Feature("pay", views, "x", "1"), "pay is views", "give it an expression")  # type: ignore[arg-type]
    numbers = "and models read numbers"
    refused(lambda: Feature("pay", posting.posted_at, "x", "1"), f"pay is a time, {numbers}", "use minutes_since(…)")
    refused(
        lambda: Feature("pay", posting.title, "x", "1"), f"pay is a text, {numbers}",
        "use same(…), one_hot(…) or cross(…)",
    )  # fmt: skip
    refused(
        lambda: Feature("pay", posting.skills, "x", "1"), f"pay is texts, {numbers}", "use contains(…) or overlap(…)"
    )  # fmt: skip
    refused(
        lambda: Feature("pay", interests, "x", "1"), f"pay is a profile of words, {numbers}", "use cosine(posting.title, …)"
    )  # fmt: skip
    said = "say both: others will look for it"
    refused(lambda: Feature("pay", posting.salary_min, " ", "1"), "pay has no description or no unit", said)
    refused(lambda: Feature("pay", posting.salary_min, "x", ""), "pay has no description or no unit", said)
    refused(
        lambda: Feature("pay", posting.salary_min, "x", "1", float("nan")), "pay has the default nan", "give a number"
    )
    refused(
        lambda: Feature("pay", posting.salary_min, "x", "1", version=0),
        "pay has the version 0",
        "versions count from 1",
    )
    refused(
        lambda: Feature("pay", one_hot(posting.city, "x"), "x", "1", 1.0), "pay is a category with the default 1.0",
        "leave the default out: all columns are 0 where the value is missing",
    )  # fmt: skip
    refused(
        lambda: Feature("pay", posting.salary_min, "x", "1", entity="member"),
        "pay says that it is about member, and its expression is about job", 'say entity="job" or leave it out',
    )  # fmt: skip


def test_a_time_to_live_that_means_nothing_is_refused(refused: Callable[..., None]) -> None:
    seen = count(views, by=job)
    refused(
        lambda: Feature("pay", seen, "x", "1", ttl="soon"), "pay has the time to live 'soon'",
        'write a whole number and one of s, m, h, d, such as "30s", "5m", "1h", "7d"',
    )  # fmt: skip
    own = "leave ttl out, or say it where it is counted"
    refused(
        lambda: Feature("pay", posting.salary_min, "x", "1", ttl="1d"),
        "pay has the time to live 1d, and counts nothing itself", own,
    )  # fmt: skip
    refused(
        lambda: Feature("pay", feature("x"), "x", "1", ttl="1d"), "pay has the time to live 1d, and counts nothing itself", own
    )  # fmt: skip
    many = "leave ttl out: use a decay"
    refused(
        lambda: Feature("pay", count(views, by=company), "x", "1", ttl="1d"),
        "pay has the time to live 1d, and is read of many jobs at once", many,
    )  # fmt: skip
    refused(
        lambda: Feature("pay", beside_best(POPULARITY[0], home(profile.region)), "x", "1", ttl="1d"),
        "pay has the time to live 1d, and is read of many jobs at once", many,
    )  # fmt: skip
