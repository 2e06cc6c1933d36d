"""Texts and sets of texts, beside each other: every combination of postings, profiles, requests and lists."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from streamrec.features.language import (
    contains,
    context,
    cross,
    home,
    interests,
    latest,
    level,
    member,
    one_hot,
    overlap,
    posting,
    profile,
    same,
    top,
    views,
)
from streamrec.features.texts import One, Plain, hashed

T, MISSING = 1_750_000_000_000, -77.0

TEXTS = {
    "coded": posting.company, "label": posting.seniority, "plain": posting.description, "profile": profile.company,
    "context": context.surface, "home": home(profile.city),
}  # fmt: skip
SETS = {
    "asked": posting.skills, "mine": profile.skills, "top": top(views.surface, by=member, k=3),
    "latest": latest(views.surface, by=member, k=3), "followed": profile.followed_companies,
}  # fmt: skip
# What each is for the jobs a, b, c and an unknown one.
IS: dict[str, list[Any]] = {
    "coded": ["acme", "senior", None, None], "label": ["senior", "senior", None, None],
    "plain": ["acme", None, "olney", None], "profile": ["acme"] * 4, "context": ["senior"] * 4, "home": ["olney"] * 4,
    "asked": [{"acme", "senior"}, {"care"}, set(), set()], "mine": [{"care", "acme", "nowhere"}] * 4,
    "top": [{"acme", "olney"}] * 4, "latest": [{"acme", "olney"}] * 4, "followed": [set()] * 4,
}  # fmt: skip


@pytest.fixture(name="filled")
def _filled(small: Any) -> Callable[..., Any]:
    def make(**features: Any) -> Any:
        site = small(**features)
        site.post(
            "a", company="Acme", seniority=" SENIOR", description="acme ", city="Olney", skills=("Acme", "", "Senior ")
        )
        site.post("b", company="senior", seniority="Senior", skills=("care", "Care"))
        site.post("c", description="Olney")
        site.profile("m", company=" ACME", city="olney", skills=("Care", "acme", "nowhere", " "))
        for minute, surface in enumerate(("Acme", "olney", "ACME ")):
            site.view("a", T + minute, surface=surface)
        return site

    return make


def _either(of: Callable[[Any, Any], float], left: str, right: str) -> list[float]:
    return [of(a, b) if a and b else MISSING for a, b in zip(IS[left], IS[right], strict=True)]


def test_same_of_every_two_texts(filled: Any) -> None:
    site = filled(**{f"{a}_{b}": same(TEXTS[a], TEXTS[b]) for a, b in product(TEXTS, TEXTS)})
    found = site.read("a", "b", "c", "unknown", surface="Senior ")
    for a, b in product(TEXTS, TEXTS):
        assert found[f"{a}_{b}"] == _either(lambda one, two: float(one == two), a, b), (a, b)


def test_contains_of_every_set_and_text(filled: Any) -> None:
    site = filled(**{f"{a}_{b}": contains(SETS[a], TEXTS[b]) for a, b in product(SETS, TEXTS)})
    found = site.read("a", "b", "c", "unknown", surface="Senior ")
    for a, b in product(SETS, TEXTS):
        assert found[f"{a}_{b}"] == _either(lambda some, one: float(one in some), a, b), (a, b)


def test_overlap_of_every_two_sets(filled: Any) -> None:
    site = filled(**{f"{a}_{b}": overlap(SETS[a], SETS[b]) for a, b in product(SETS, SETS)})
    found = site.read("a", "b", "c", "unknown")
    for a, b in product(SETS, SETS):
        expected = _either(lambda one, two: len(one & two) / len(one), a, b)
        assert found[f"{a}_{b}"] == pytest.approx(expected), (a, b)


def test_one_hot_and_level_of_every_text(filled: Any) -> None:
    values = ("Senior", "acme")
    site = filled(
        **{f"hot_{name}": one_hot(text, *values) for name, text in TEXTS.items()},
        **{f"level_{name}": level(text) for name, text in TEXTS.items()},
    )
    found = site.read("a", "b", "c", "unknown", surface="Senior ")
    for name, value in product(TEXTS, ("senior", "acme")):
        assert found[f"hot_{name}={value}"] == [float(text == value) for text in IS[name]], (name, value)
    for name in TEXTS:
        assert found[f"level_{name}"] == [3.0 if text == "senior" else MISSING for text in IS[name]], name


def test_cross_of_every_two_texts(filled: Any) -> None:
    site = filled(**{f"{a}_{b}": cross(TEXTS[a], TEXTS[b], buckets=8) for a, b in product(TEXTS, TEXTS)})
    found = site.read("a", "b", "c", "unknown", surface="Senior ")
    for a, b in product(TEXTS, TEXTS):
        for place, (one, two) in enumerate(zip(IS[a], IS[b], strict=True)):
            columns = [found[f"{a}_{b}#{bucket}"][place] for bucket in range(8)]
            where = hashed(One(one), One(two), 8)
            assert columns == [float(bucket == where) for bucket in range(8)], (a, b, one, two)


def test_buckets_do_not_change() -> None:
    found = hashed(One("md"), Plain(["care", None, "é"]), 16)
    assert np.array_equal(found, [13.0, np.nan, 9.0], equal_nan=True)
    assert hashed(One("a"), One("b"), 64) != hashed(One("b"), One("a"), 64)


def test_without_profile_context_or_history_all_is_missing(small: Any) -> None:
    site = small(
        here=same(posting.company, profile.company),
        on=same(context.surface, posting.company),
        both=same(profile.city, profile.company),
        has=contains(profile.skills, posting.company),
        asks=contains(posting.skills, profile.city),
        share=overlap(posting.skills, profile.skills),
        recent=contains(SETS["latest"], posting.company),
        level=level(profile.seniority),
        kind=one_hot(profile.city, "x"),
        mixed=cross(profile.city, context.surface, 2),
    )
    site.post("a", company="Acme", skills=("x",))
    found = site.read("a", "b")
    assert found.pop("kind=x") == found.pop("mixed#0") == found.pop("mixed#1") == [0, 0]
    assert found == {name: [MISSING, MISSING] for name in found}


def test_a_long_set_and_many_texts(small: Any) -> None:
    site = small(
        has=contains(profile.skills, posting.company),
        share=overlap(posting.skills, profile.skills),
        level=level(posting.company),
    )
    for number in range(100):
        site.post(f"j{number}", company=f"c{number}", skills=(f"c{number}", f"c{number + 1}"))
    site.post("senior", company="Senior")
    site.profile("m", skills=tuple(f"c{number}" for number in range(0, 100, 2)))
    found = site.read(*(f"j{number}" for number in range(100)), "senior")
    assert found["has"] == [1, 0] * 50 + [0]
    assert found["share"] == [0.5] * 99 + [0.0, MISSING]  # c99 and c100 are no skills of the member
    assert found["level"] == [MISSING] * 100 + [3]


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    none = "use a field, an aggregate or what is made of them; same(…) instead of =="
    refused(lambda: same(posting.title, "nurse"), "same needs an expression, and 'nurse' is none", none)  # type: ignore[arg-type]
    refused(lambda: same(views.surface, posting.title), "same needs an expression, and views.surface is none", none)  # type: ignore[arg-type]
    refused(
        lambda: same(posting.skills, posting.title), "same needs a text, and posting.skills is texts", "give it a text"
    )
    refused(
        lambda: same(posting.title, posting.remote), "same needs a text, and posting.remote is a flag", "give it a text"
    )
    refused(
        lambda: contains(posting.title, posting.city),
        "contains needs texts, and posting.title is a text",
        "give it texts",
    )
    words = "use cosine(posting.title, …) for weighted words"
    refused(
        lambda: contains(interests, posting.city), "contains needs texts, and interests is a profile of words", words
    )
    refused(
        lambda: overlap(interests, posting.skills), "overlap needs texts, and interests is a profile of words", words
    )
    refused(lambda: level(posting.skills), "level needs a text, and posting.skills is texts", "give it a text")
    refused(lambda: one_hot(posting.city), "one_hot of posting.city has 0 values", "give 1 to 64, each once")
    refused(lambda: one_hot(posting.city, "a", "A "), "one_hot of posting.city has 2 values", "give 1 to 64, each once")
    refused(lambda: cross(posting.city, profile.city, 65), "cross into 65 buckets", "use 2 to 64")
    refused(lambda: cross(posting.city, profile.city, 1), "cross into 1 buckets", "use 2 to 64")
