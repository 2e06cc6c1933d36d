"""The reader: columns, defaults, and that what is shared is computed once."""

from typing import Any

import numpy as np
import pytest

from streamrec.features.language import (
    Aggregate,
    Feature,
    bucketise,
    company,
    count,
    decay,
    job,
    log1p,
    member,
    one_hot,
    posting,
    profile,
    same,
    views,
)
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading

T, MISSING = 1_750_000_000_000, -77.0


def test_columns_stand_in_the_order_of_the_features(small: Any) -> None:
    site = small(
        city=one_hot(posting.city, "Bonn", "Olney"),
        views=log1p(count(views, by=job)),
        pay=posting.salary_min,
        size=bucketise(posting.salary_min, 1, 2),
        again=log1p(count(views, by=job)),
    )
    site.post("a", city="olney", salary_min=1.5)
    site.view("a", T)
    found = site.read("a", "b")
    assert list(found) == ["city=bonn", "city=olney", "views", "pay", "size#0", "size#1", "size#2", "again"]
    assert list(found.values()) == [
        [0, 0], [1, 0], pytest.approx([np.log(2), 0]), [1.5, MISSING], [0, 0], [1, 0], [0, 0], pytest.approx([np.log(2), 0]),
    ]  # fmt: skip


def test_defaults_are_those_of_each_feature(small: Any) -> None:
    site = small(
        a=Feature("a", posting.salary_min, "x", "1", 3.0), b=Feature("b", log1p(posting.salary_min), "x", "1", -2.5),
        c=Feature("c", same(posting.city, profile.city), "x", "1", 0.5),
    )  # fmt: skip
    site.post("a", salary_min=1.0, city="Bonn")
    assert site.read("a", "b") == {"a": [1, 3], "b": pytest.approx([np.log(2), -2.5]), "c": [0.5, 0.5]}


def test_every_expression_is_computed_once(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, ours = count(views, by=job), count(views, by=company)
    site = small(a=seen + ours, b=seen * ours, c=log1p(seen + ours), d=log1p(seen), e=1 - (seen + ours))
    asked: list[Aggregate] = []
    of = Reading.aggregate

    def counted(self: Reading, node: Aggregate) -> Any:
        asked.append(node)
        return of(self, node)

    monkeypatch.setattr(Reading, "aggregate", counted)
    site.post("a", company="Acme")
    site.view("a", T)
    reading = site.reading([0])
    found = Reader([site.plan.find(each.id) for each in site.features]).matrix(reading)
    assert asked == [seen, ours]
    assert found.tolist() == [pytest.approx([2, 1, np.log(3), np.log(2), -1])]


def test_the_order_of_declaration_changes_no_value(small: Any) -> None:
    features = {
        "a": log1p(count(views, by=job, window=decay("1d"))), "b": count(views, by=member, window=decay("1h")),
        "c": bucketise(posting.salary_min, 1), "d": log1p(posting.salary_min) * 2, "e": count(views, by=company),
    }  # fmt: skip
    found = []
    for names in ("abcde", "edcba", "cbade"):
        site = small(**{name: features[name] for name in names})
        site.post("x", salary_min=3.0, company="Acme")
        site.view("x", T)
        found.append(site.read("x", "y", now=T + 3_600_000))
    assert found[0] == found[1] == found[2]


def test_a_set_of_one_category_or_one_member_value(small: Any) -> None:
    for features in (
        {"a": bucketise(profile.salary_floor, 1)},
        {"a": profile.salary_floor},
        {"a": count(views, by=member)},
    ):
        site = small(**features)
        site.profile("m", salary_floor=2.0)
        assert all(len(values) == 3 for values in site.read("a", "b", "c").values())
