"""Arithmetic and what makes features of numbers."""

from collections.abc import Callable
from math import log
from typing import Any

import pytest

from streamrec.features.language import (
    absolute,
    bucketise,
    clip,
    cross,
    feature,
    first_of,
    inverse_rank,
    is_missing,
    log1p,
    mean_of,
    minutes_since,
    only_between,
    only_if,
    posting,
    profile,
    ratio,
    same,
    signed,
    views,
)
from streamrec.features.language import log as log_of

MISSING = -77.0
low, high, mine = posting.salary_min, posting.salary_max, profile.salary_floor
# Jobs with salaries (4, 10), (0, -3) and (2, unknown), beside a floor of 2.
EXPECTED = {
    "add": (low + high, [14, -3, MISSING]),
    "add_number": (1 + low, [5, 1, 3]),
    "subtract": (low - mine, [2, -2, 0]),
    "subtract_from": (10 - low, [6, 10, 8]),
    "multiply": (2 * low * high, [80, 0, MISSING]),
    "divide": (high / low, [2.5, MISSING, MISSING]),
    "divide_number": (8 / low, [2, MISSING, 4]),
    "ratio": (ratio(low, mine), [2, 0, 1]),
    "log1p": (log1p(high), [log(11), 0, MISSING]),
    "log1p_inside": (1.0 * log1p(high), [log(11), 0, MISSING]),
    "log": (log_of(low), [log(4), MISSING, log(2)]),
    "absolute": (absolute(high), [10, 3, MISSING]),
    "clip": (clip(high, -1, 5), [5, -1, MISSING]),
    "only_between": (only_between(low, 0, 3), [MISSING, 0, 2]),
    "above": (low > mine, [1, 0, 0]),
    "below": (high < 5, [0, 1, MISSING]),
    "only_if": (only_if(low > mine, high), [10, MISSING, MISSING]),
    "is_missing": (is_missing(high), [0, 0, 1]),
    "is_missing_time": (is_missing(posting.posted_at), [1, 1, 1]),
    "is_missing_text": (is_missing(posting.company), [0, 0, 1]),
    "is_missing_set": (is_missing(posting.skills), [0, 1, 1]),
    "first_of": (first_of(high, low, 9.0), [10, -3, 2]),
    "first_time": (minutes_since(first_of(posting.posted_at, posting.expires_at)), [MISSING] * 3),
    "mean_of": (mean_of(low, high, mine), [16 / 3, -1 / 3, 2]),
    "mean_of_none": (mean_of(only_between(low, 50, 51)), [MISSING] * 3),
    "inverse_rank": (inverse_rank(low - 3), [0.5, 0, 0]),
    "signed": (signed(posting.remote, profile.open_to_remote), [-1, 0, MISSING]),
}


@pytest.fixture(name="filled")
def _filled(small: Any) -> Callable[..., Any]:
    def make(**features: Any) -> Any:
        site = small(**features)
        site.post("a", salary_min=4.0, salary_max=10.0, remote=True, company="x", skills=("y",))
        site.post("b", salary_min=0.0, salary_max=-3.0, remote=False, company="x")
        site.post("c", salary_min=2.0)
        site.profile("m", salary_floor=2.0, open_to_remote=False)
        return site

    return make


def test_values(filled: Any) -> None:
    found = filled(**{name: expression for name, (expression, _) in EXPECTED.items()}).read("a", "b", "c")
    for name, (_, values) in EXPECTED.items():
        assert found[name] == pytest.approx(values, rel=1e-6), name


def test_a_bucket_is_a_column(filled: Any) -> None:
    found = filled(range=bucketise(low, 0, 4), mine=bucketise(mine, 1)).read("a", "b", "c", "unknown")
    assert found == {
        "range#0": [0, 0, 0, 0], "range#1": [0, 1, 1, 0], "range#2": [1, 0, 0, 0],
        "mine#0": [0, 0, 0, 0], "mine#1": [1, 1, 1, 1],
    }  # fmt: skip


def test_what_is_too_large_is_cut_and_what_is_no_number_is_missing(small: Any) -> None:
    site = small(square=low * low, none=low * low - low * low, less=-1 * low * low, root=log1p(low * low))
    site.post("a", salary_min=1e300)
    site.post("b", salary_min=float("nan"))
    assert site.read("a", "b") == {
        "square": [pytest.approx(3.4028235e38), MISSING], "none": [MISSING] * 2,
        "less": [pytest.approx(-3.4028235e38), MISSING], "root": [pytest.approx(3.4028235e38), MISSING],
    }  # fmt: skip


def test_different_numbers_are_different_meanings() -> None:
    assert str(clip(low, 0, 12_345_678)) == "clip(posting.salary_min, 0, 12345678)"
    assert str(low * 0.1234567) != str(low * 0.1234568)


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    value = "use an expression or a number; count events by count(…)"
    refused(lambda: log1p("5"), "'5' is no value", value)  # type: ignore[arg-type]
    refused(lambda: low + None, "None is no value", value)  # type: ignore[operator]
    refused(lambda: log1p(views), "views is no value", value)  # type: ignore[arg-type]
    refused(lambda: log1p(views.dwell_ms), "views.dwell_ms is no value", value)  # type: ignore[arg-type]
    refused(lambda: low * float("inf"), "inf is no value", value)
    refused(
        lambda: log1p(posting.posted_at), "log1p needs a number or a flag, and posting.posted_at is a time",
        "use minutes_since(…) to make a number of a time",
    )  # fmt: skip
    refused(
        lambda: low + posting.title, "add needs a number or a flag, and posting.title is a text",
        "compare a text by same(…), or make columns of it by one_hot(…) or cross(…)",
    )  # fmt: skip
    refused(
        lambda: clip(posting.skills, 0, 1), "clip needs a number or a flag, and posting.skills is texts",
        "use contains(…) or overlap(…) for texts",
    )  # fmt: skip
    refused(
        lambda: log1p(bucketise(low, 1)),
        "log1p needs a number or a flag, and bucketise(posting.salary_min, 1) is a category",
        "a category is a feature by itself: it has one column for each value",
    )
    refused(
        lambda: is_missing(cross(posting.city, posting.region)),
        "is_missing needs a number or a flag or a time or a text or texts, "
        "and cross(posting.city, posting.region, buckets=16) is a category",
        "a category is a feature by itself: it has one column for each value",
    )
    refused(lambda: clip(low, 1, 1), "clip has the range 1 to 1", "give the smaller end first")
    refused(lambda: only_between(low, 2, 1), "only_between has the range 2 to 1", "give the smaller end first")
    refused(lambda: bucketise(low), "bucketise has the edges ()", "give one or more, ascending")
    refused(lambda: bucketise(low, 2, 1), "bucketise has the edges (2, 1)", "give one or more, ascending")
    refused(lambda: mean_of(*()), "mean_of has no values", "give one or more")
    none = "use a field, an aggregate or what is made of them; same(…) instead of =="
    refused(lambda: only_if(posting.city == profile.city, low), "only_if needs an expression, and False is none", none)  # type: ignore[arg-type]
    refused(lambda: first_of(3.0, low), "first_of needs an expression, and 3.0 is none", none)  # type: ignore[arg-type]
    refused(
        lambda: first_of(posting.posted_at, low), "first_time_of needs a time, and posting.salary_min is a number",
        "give it a time",
    )  # fmt: skip
    refused(
        lambda: signed(low, same(posting.city, profile.city)),
        "signed needs a flag, and posting.salary_min is a number",
        "give it a flag",
    )
    flags = "use only_if(flag, value) instead of `if`, and multiply flags instead of `and`"
    refused(
        lambda: low if low > 3 else high, "above(posting.salary_min, 3) has no value while features are declared", flags
    )  # fmt: skip
    refused(lambda: feature("x") and low, "feature('x') has no value while features are declared", flags)
