"""What ties a job to a member's past."""

from collections.abc import Callable
from math import log, sqrt
from typing import Any

import pytest

from streamrec.events import Action
from streamrec.features.language import (
    DeclarationError,
    actions,
    beside_best,
    connections_at,
    connections_that,
    cooccurrence,
    cosine,
    count,
    coverage,
    decay,
    home,
    interests,
    inverse_rank,
    job,
    last_cooccurrence,
    last_title,
    once,
    posting,
    profile,
    rank,
    resemblance,
    share,
    standing,
    views,
)

T, DAY, MISSING = 1_750_000_000_000, 86_400_000, -77.0


def test_co_occurrence_and_rank(small: Any) -> None:
    site = small(tie=cooccurrence(), rank=rank(cooccurrence()), inverse=inverse_rank(rank(cooccurrence())))
    for number in range(3):
        site.view("a", T, member_id=f"x{number}")
        site.view("b" if number else "c", T, member_id=f"x{number}")
    site.view("a", T, member_id="m")
    found = site.read("a", "b", "c", "d", "unknown")
    assert found["tie"] == [0, 2, 1, 0, 0]
    assert found["rank"] == [MISSING, 0, 1, MISSING, MISSING]
    assert found["inverse"] == [0, 1, 0.5, 0, 0]


def test_ties_to_the_newest_job_alone(small: Any) -> None:
    site = small(tie=cooccurrence(), last=last_cooccurrence())
    for job_id, other in (("a", "c"), ("b", "d")):
        site.view(job_id, T, member_id=f"x{job_id}")
        site.view(other, T, member_id=f"x{job_id}")
    site.view("a", T, member_id="m")
    site.view("b", T + 1, member_id="m")
    assert site.read("c", "d")["tie"] == pytest.approx([0.95, 1.0], rel=1e-6)
    assert site.read("c", "d")["last"] == pytest.approx([0.0, 1.0], rel=1e-6)


def test_resemblance_of_those_who_touched_a_job(small: Any) -> None:
    site = small(alike=resemblance())
    for number, job_id in enumerate("abcdef"):  # "x" shares two jobs with the member, "y" one, "z" none
        for viewer in {"a": "xy", "b": "x", "c": "z", "d": "x", "e": "y", "f": "z"}[job_id]:
            site.view(job_id, T + number, member_id=viewer)
    assert site.read("d", "e", "f")["alike"] == [0, 0, 0]
    site.view("a", T, member_id="m")
    site.view("b", T + 1, member_id="m")
    close, far, none, unknown = site.read("d", "e", "f", "unknown")["alike"]
    assert 0.25 > close > far > none == unknown == 0


def test_standing_among_open_jobs(small: Any) -> None:
    by_day = count(once(actions), by=job, window=decay("1d"))
    site = small(popular=standing(by_day), new=standing())
    for number, job_id in enumerate("abc"):
        site.post(job_id, posted_at=T - (1 + number) * DAY, closed=job_id == "b")
        for viewer in range(1 + number):
            site.view(job_id, T, member_id=f"x{viewer}")
    site.view("d", T, member_id="x9")
    found = site.read("a", "b", "c", "d", "unknown")
    assert found["new"] == [1, 100, 2, 0, 100]  # "d" has no posting, and appeared with its first view
    assert sorted(found["popular"][:1] + found["popular"][3:4]) == [1, 2]  # equal ones have some order
    assert (found["popular"][1], found["popular"][2], found["popular"][4]) == (100, 0, 100)


def test_jobs_are_ordered_by_few_counts() -> None:
    with pytest.raises(DeclarationError, match="standing of count"):
        standing(count(views, by=job))
    with pytest.raises(DeclarationError, match=r"use rank\(cooccurrence\(\)\)"):
        rank(last_cooccurrence())


def test_share_of_recent_jobs(small: Any) -> None:
    site = small(company=share(posting.company), region=share(posting.region))
    assert site.read("a") == {"company": [MISSING], "region": [MISSING]}
    for job_id, company in (("a", "Acme"), ("b", "ACME"), ("c", "Other"), ("d", None)):
        site.post(job_id, company=company)
        site.view(job_id, T)
    weights = {job_id: 0.9**place for place, job_id in enumerate("abcd")}
    whole = sum(weights.values())
    acme = (weights["a"] + weights["b"]) / whole
    found = site.read("a", "b", "c", "d", "unknown")
    assert found["company"] == pytest.approx([acme, acme, weights["c"] / whole, MISSING, MISSING])
    assert found["region"] == [MISSING] * 5


def test_words_of_titles(small: Any) -> None:
    site = small(
        recent=cosine(posting.title, interests),
        last=cosine(posting.title, last_title),
        desired=cosine(posting.title, profile.desired_titles),
        covered=coverage(profile.desired_titles, posting.title),
    )
    site.post("a", title="night nurse")
    site.post("b", title="day nurse")
    site.post("c", title="truck driver")
    site.post("d", title="!")
    assert site.read("a", "d", "unknown") == {name: [MISSING] * 3 for name in ("recent", "last", "desired", "covered")}
    site.view("a", T)
    site.profile("m", desired_titles=("Nurse", "long haul truck driver", "unheard of"))
    found = site.read("a", "b", "c", "d")
    nurse, other = log(1 + 4 / 2), log(1 + 4 / 1)  # idf: of words in two titles and in one
    beside = nurse**2 / (nurse**2 + other**2)
    assert found["last"] == pytest.approx([1, beside, 0, MISSING], abs=1e-6)
    assert found["covered"] == pytest.approx([1, 1, 1, 0], abs=1e-6)
    desired = sqrt(nurse**2 + 2 * other**2)
    length = sqrt(nurse**2 + other**2)
    assert found["desired"] == pytest.approx(
        [nurse**2 / length / desired] * 2 + [2 * other**2 / (sqrt(2) * other) / desired, MISSING], abs=1e-6
    )
    assert found["recent"][0] > found["recent"][1]


def test_coverage_of_more_words_than_bits(small: Any) -> None:
    site = small(covered=coverage(profile.desired_titles, posting.title))
    titles = tuple(" ".join(f"w{title}x{word}" for word in range(12)) for title in range(8))  # 96 words
    for number, title in enumerate(titles):
        site.post(f"whole{number}", title=title)
        site.post(f"half{number}", title=" ".join(title.split()[:6]))
    site.profile("m", desired_titles=titles)
    assert site.read(*(f"whole{number}" for number in range(8)))["covered"] == pytest.approx([1] * 8)
    assert all(0 < value < 0.5 for value in site.read(*(f"half{number}" for number in range(8)))["covered"])


def test_connections(small: Any) -> None:
    site = small(
        viewed=connections_that("viewed"), liked=connections_that("liked"), applied=connections_that("applied"),
        at=connections_at(posting.company),
    )  # fmt: skip
    site.post("a", company="Acme")
    site.post("b")
    assert site.read("a", "b", "unknown") == {
        "viewed": [0] * 3, "liked": [0] * 3, "applied": [0] * 3, "at": [MISSING] * 3,
    }  # fmt: skip
    site.friend("x", "ACME", a=Action.VIEW)
    site.friend("y", "acme ", a=Action.SAVE, b=Action.APPLY)
    site.friend("z", "other", a=Action.APPLY)
    assert site.read("a", "b", "unknown") == {
        "viewed": [3, 1, 0], "liked": [2, 1, 0], "applied": [1, 1, 0], "at": [2, MISSING, MISSING],
    }  # fmt: skip
    assert site.read("a", now=T + 31 * DAY)["viewed"] == [0]


def test_beside_the_best_at_home(small: Any) -> None:
    counted = count(once(actions), by=job, window=decay("1d"))
    site = small(
        region=beside_best(counted, home(profile.region)), function=beside_best(counted, home(profile.function))
    )
    for job_id, region, function, times in (
        ("a", "MD", "Care", 4),
        ("b", "MD", "IT", 1),
        ("c", "VA", "Care", 9),
        ("d", None, None, 2),
    ):
        site.post(job_id, region=region, function=function)
        for number in range(times):
            site.view(job_id, T, member_id=f"x{number}")
    assert site.read("a", "b") == {"region": [MISSING] * 2, "function": [MISSING] * 2}
    site.profile("m", region=" md", function="nobody's")
    assert site.read("a", "b", "c", "d", "unknown")["region"] == pytest.approx([1, 0.25, MISSING, MISSING, MISSING])


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    shared = ", ".join(f"posting.{name}" for name in ("company", "city", "region", "country", "industry", "function"))
    refused(lambda: share(posting.title), "share of posting.title", f"use one of {shared}")
    words = "use posting.title and interests, last_title or profile.desired_titles"
    refused(lambda: cosine(posting.company, interests), "cosine of posting.company and interests", words)
    refused(lambda: cosine(posting.title, profile.skills), "cosine of posting.title and profile.skills", words)
    refused(
        lambda: coverage(profile.skills, posting.title),
        "coverage of profile.skills by posting.title", "use coverage(profile.desired_titles, posting.title)",
    )  # fmt: skip
    refused(lambda: connections_that("saved"), "connections_that('saved')", "use one of 'viewed', 'liked', 'applied'")
    refused(
        lambda: connections_at(profile.company),
        "connections_at(profile.company)",
        "use connections_at(posting.company)",
    )
    counted = count(once(actions), by=job, window=decay("1d"))
    homes = "use home(profile.region) or home(profile.function)"
    refused(lambda: beside_best(counted, home(profile.city)), "beside_best within home(profile.city)", homes)
    refused(lambda: beside_best(counted, profile.region), "beside_best within profile.region", homes)  # type: ignore[arg-type]
    known = " or ".join(f"count(once(actions), by=job, window=decay({half_life}))" for half_life in ("1h", "1d", "10d"))
    refused(
        lambda: beside_best(count(views, by=job), home(profile.region)),
        "beside_best of count(views, by=job, window=always), by which jobs are not ordered", f"use {known}",
    )  # fmt: skip
