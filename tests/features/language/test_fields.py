"""Fields of postings, profiles, jobs, members and requests: every one is read, whatever its type."""

from collections.abc import Callable
from typing import Any

import pytest

from streamrec.features.language import (
    Expression,
    Type,
    context,
    home,
    is_missing,
    job,
    member,
    minutes_since,
    one_hot,
    posting,
    profile,
    same,
)
from streamrec.features.language.fields import FIELDS, Record

T, DAY, MISSING = 1_750_000_000_000, 86_400_000, -77.0
POSTING = {
    "title": " Night Nurse",
    "company": "Acme",
    "description": "With care",
    "city": "Olney",
    "region": "MD",
    "country": "US",
    "industry": "Health",
    "function": "Care",
    "seniority": "Senior",
    "employment_type": "Full-time",
    "remote": True,
    "skills": ("care",),
    "salary_min": 5.0,
    "salary_max": 7.0,
    "currency": "USD",
    "posted_at": T - DAY,
    "expires_at": T + DAY,
    "closed": False,
}
PROFILE = {
    "headline": "Nurse",
    "company": "Acme",
    "city": "Olney",
    "region": "MD",
    "country": "US",
    "industry": "Health",
    "function": "Care",
    "seniority": "Senior",
    "skills": ("care",),
    "desired_titles": ("nurse",),
    "open_to_remote": False,
    "salary_floor": 6.0,
    "currency": "USD",
    "followed_companies": ("Acme",),
    "blocked_companies": ("Evil",),
}


def _number(field: Expression) -> Expression:
    match field.type:
        case Type.NUMBER | Type.FLAG:
            return field
        case Type.TIME:
            return minutes_since(field)
        case _:
            return 1.0 - is_missing(field)


def test_every_field_is_read_and_missing_where_it_is_not_said(small: Any) -> None:
    entities = {"posting": posting, "profile": profile, "job": job, "member": member}
    fields = {
        f"{origin}_{name}": _number(getattr(record, name))
        for origin, record in entities.items() for name in FIELDS[origin]
    }  # fmt: skip
    site = small(**fields)
    site.post("full", **POSTING)
    site.post("bare", title="")
    site.view("full", T)
    site.profile("m", **PROFILE)
    found = site.read("full", "bare", "unknown", now=T + DAY)
    assert {"posting_" + name for name in POSTING} | {"profile_updated_at"} < set(found)
    numbers = {"posting_salary_min": 5, "posting_salary_max": 7, "posting_remote": 1, "posting_closed": 0,
               "posting_posted_at": 2 * 1440, "posting_expires_at": 0, "profile_salary_floor": 6, "profile_open_to_remote": 0,
               "profile_updated_at": 1440, "job_first_at": 1440, "job_last_at": 1440,
               "member_first_at": 1440, "member_last_at": 1440}  # fmt: skip
    assert {name: values[0] for name, values in found.items()} == dict.fromkeys(found, 1.0) | numbers
    texts = ("title", "company", "description", "city", "region", "country", "industry", "function", "seniority",
             "employment_type", "skills", "currency")  # fmt: skip
    bare = {f"posting_{name}": 0.0 for name in texts} | {"posting_closed": 0.0}
    for name, values in found.items():
        if name.startswith(("posting", "job")):
            assert values[1] == bare.get(name, MISSING), name
            assert values[2] == (MISSING if name == "posting_closed" else bare.get(name, MISSING)), name
    stranger = site.read("full", member_id="stranger")
    for name, [value] in stranger.items():
        if name.startswith(("profile", "member")):
            assert value in (0.0, MISSING), name


def test_the_context_of_the_request(small: Any) -> None:
    site = small(hour=context.hour, weekday=context.weekday, on=one_hot(context.surface, "home", "mail"))
    noon_on_sunday = 1_749_988_800_000  # 2025-06-15T12:00Z
    found = site.read("a", "b", now=noon_on_sunday, surface=" Home")
    assert found == {"hour": [12, 12], "weekday": [6, 6], "on=home": [1, 1], "on=mail": [0, 0]}
    assert site.read("a")["on=home"] == [0]


def test_where_the_member_is_at_home(small: Any) -> None:
    site = small(here=same(posting.city, home(profile.city)), known=1 - is_missing(home(profile.city)))
    site.post("a", city="Bonn")
    site.post("b", city="Olney")
    site.post("c")
    assert site.read("a", "b", "c") == {"here": [MISSING] * 3, "known": [0] * 3}
    site.view("a", T)  # half of the recent jobs are there
    assert site.read("a", "b", "c") == {"here": [1, 0, MISSING], "known": [1] * 3}
    site.profile("m", city="olney ")
    assert site.read("a", "b", "c")["here"] == [0, 1, MISSING]


@pytest.mark.parametrize("name", ["posting", "profile", "context", "member", "job"])
def test_unknown_fields_are_refused(name: str, refused: Callable[..., None]) -> None:
    record, known = Record(name), ", ".join(sorted(FIELDS[name]))
    refused(lambda: record.salery, f"{name} has no field 'salery'", f"use one of {known}")


def test_home_of_other_fields_is_refused(refused: Callable[..., None]) -> None:
    places = "use one of profile.city, profile.region, profile.function"
    refused(lambda: home(profile.company), "home cannot tell profile.company", places)
    refused(lambda: home(posting.city), "home cannot tell posting.city", places)
    refused(
        lambda: home(profile.skills), "home needs a text, and profile.skills is texts", "give it a text"
    )  # fmt: skip
    refused(
        lambda: home(3), "home needs an expression, and 3 is none",  # type: ignore[arg-type]
        "use a field, an aggregate or what is made of them; same(…) instead of ==",
    )  # fmt: skip
