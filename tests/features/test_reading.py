"""Readings: shapes, strangers, and rows that do not depend on each other; for every kind of expression at once."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.events import Action, JobPosting, MemberProfile
from streamrec.features.language import (
    actions,
    applications,
    beside_best,
    bucketise,
    clip,
    company,
    connections_at,
    connections_that,
    contains,
    context,
    cooccurrence,
    cosine,
    count,
    coverage,
    cross,
    decay,
    distinct,
    feature,
    first,
    first_of,
    home,
    interests,
    inverse_rank,
    is_missing,
    job,
    last,
    last_title,
    latest,
    least,
    level,
    log,
    log1p,
    mean,
    mean_of,
    member,
    minutes_since,
    most,
    newest,
    one_hot,
    overlap,
    pair,
    posting,
    profile,
    rank,
    rate,
    ratio,
    same,
    saves,
    session,
    share,
    sliding,
    top,
    total,
    trend,
    variance,
    views,
)
from streamrec.features.language.feature import Feature
from streamrec.features.library import POPULARITY
from streamrec.features.reader import Reader
from tests.features.small_site import MISSING, Small

T = 1_750_000_000_000

EVERYTHING: dict[str, Any] = {
    "job_count": count(views, by=job),
    "job_decay": log1p(count(views, by=job, window=decay("1d"))),
    "job_total": total(views.dwell_ms, by=job, window=decay("7d")),
    "job_mean": mean(views.dwell_ms, by=job, window=decay("1d")),
    "job_variance": variance(views.dwell_ms, by=job),
    "job_least": least(views.dwell_ms, by=job, window=sliding("1h")),
    "job_most": most(views.dwell_ms, by=job, window=last(3)),
    "job_session": count(actions, by=job, window=session("30m")),
    "job_people": distinct(views.member_id, by=job),
    "job_first": minutes_since(first(views, by=job)),
    "job_rate": rate(saves, views, by=job, window=decay("7d"), prior=0.1, weight=5),
    "job_trend": trend(views, by=job, short="1h", long="7d"),
    "job_ttl": Feature("job_ttl", count(views, by=job), "x", "1", MISSING, ttl="1d"),
    "company_count": log1p(count(actions, by=company, window=decay("10d"))),
    "company_mean": mean(views.dwell_ms, by=company),
    "two": variance(views.dwell_ms, by=(posting.company, posting.region), window=decay("7d")),
    "everywhere": count(views, by=(profile.region,), keep=5),
    "surfaces": count(views, by=(views.surface, posting.company), keep=5),
    "region_job": log1p(count(views, by=(profile.region, job), keep=3)),
    "member_count": log1p(count(views, by=member, window=decay("1d"))),
    "member_mean": mean(views.dwell_ms, by=member, window=last(5)),
    "member_panes": count(views, by=member, window=sliding("7d", 7)),
    "member_newest": minutes_since(newest(views, by=member)),
    "member_surface": count(views, by=(member, views.surface), keep=3),
    "pair": count(views, by=pair, keep=3),
    "pair_surface": count(views, by=(member, views.surface, job), keep=3),
    "pay": clip(log(ratio(mean_of(posting.salary_min, posting.salary_max), profile.salary_floor)), -1, 1),
    "pay_raw": posting.salary_min * posting.salary_max - profile.salary_floor,
    "age": minutes_since(first_of(posting.posted_at, job.first_at)),
    "expires": minutes_since(posting.expires_at),
    "remote": posting.remote,
    "closed": posting.closed,
    "no_company": is_missing(posting.company),
    "here": same(posting.city, home(profile.city)),
    "described": same(posting.description, profile.headline),
    "surface_city": same(context.surface, posting.city),
    "hour": bucketise(context.hour, 6, 18),
    "pay_range": bucketise(posting.salary_min, 0, 1000),
    "skills": overlap(posting.skills, profile.skills),
    "skills_back": overlap(profile.skills, posting.skills),
    "asks": contains(posting.skills, posting.city),
    "recent": contains(latest(views.surface, by=member, k=3), posting.city),
    "favourite": contains(top(views.surface, by=member, k=3), profile.city),
    "level": level(posting.seniority) - level(profile.seniority),
    "kind": one_hot(posting.employment_type, "x", "Bonn"),
    "where": one_hot(profile.city, "x", "Bonn"),
    "mixed": cross(posting.city, profile.city, 3),
    "mixed_profile": cross(context.surface, profile.region, 3),
    "tie": cooccurrence(),
    "tie_rank": inverse_rank(rank(cooccurrence())),
    "share": share(posting.company),
    "words": cosine(posting.title, interests),
    "last_words": cosine(posting.title, last_title),
    "desired": cosine(posting.title, profile.desired_titles),
    "covered": coverage(profile.desired_titles, posting.title),
    "friends": connections_that("viewed"),
    "colleagues": connections_at(posting.company),
    "beside": beside_best(POPULARITY[1], home(profile.region)),
    "applied": rate(applications, views, by=member, window=decay("7d"), prior=0.0, weight=1),
    "of_others": feature("pay") * feature("job_count") - 1,
}

names = st.sampled_from([None, "", " ", "Bonn", "bonn", "x", "Senior", "\x1f", "ß"])
numbers = st.none() | st.floats()
times = st.one_of(st.just(0), st.just(T), st.integers(0, 4_000_000_000_000))
words = st.lists(st.sampled_from(["", "a", "A", "Bonn", "nurse"]), max_size=15).map(tuple)
postings = st.builds(
    JobPosting, job_id=st.just("?"), title=st.sampled_from(["", "!", "Night Nurse", "nurse"]), company=names, description=names,
    city=names, region=names, function=names, seniority=names, employment_type=names, currency=names, skills=words,
    remote=st.sampled_from([None, True, False]), salary_min=numbers, salary_max=numbers, posted_at=st.none() | times,
    expires_at=st.none() | times, closed=st.booleans(),
)  # fmt: skip
profiles = st.builds(
    MemberProfile, member_id=st.just("m"), headline=names, company=names, city=names, region=names, function=names,
    seniority=names, skills=words, desired_titles=st.sampled_from([(), ("nurse",), ("!", "night nurse")]), salary_floor=numbers,
    updated_at=times,
)  # fmt: skip
deeds = st.tuples(
    st.sampled_from(["view", "view", "like", "save", "apply", "dismiss"]), st.sampled_from(["j0", "j1", "j2", "gone"]),
    st.sampled_from(["m", "n"]), times, names, st.none() | st.sampled_from([0, 1, -5, 10**18, 10**30]),
)  # fmt: skip


@given(st.lists(postings, max_size=3), st.none() | profiles, st.lists(deeds, max_size=8), times, names)
def test_everything_is_finite_and_rows_are_what_they_are_alone(
    posted: list[JobPosting], profile: MemberProfile | None, done: list[Any], now: int, surface: str | None
) -> None:
    site = Small(**EVERYTHING)
    for number, each in enumerate(posted):
        site.post(**{**{name: getattr(each, name) for name in each.__struct_fields__}, "job_id": f"j{number}"})
    if profile is not None:
        site._fold("m", profile)
    for kind, job_id, member_id, at, where, dwell in done:
        more = {"dwell_ms": dwell} if kind == "view" else {}
        getattr(site, kind)(job_id, at, member_id=member_id, surface=where, **more)
    site.friend("f", "Bonn", j0=Action.APPLY)
    table = site.table()
    reader = Reader([site.plan.find(each.id) for each in site.features])
    rows = [-1, *range(len(table))]
    said = {} if surface is None else {"surface": surface}
    whole = reader.matrix(site.reading(rows, now, table=table, **said))
    assert whole.shape == (len(rows), len(reader.columns))
    assert whole.dtype == np.float32
    assert whole.flags.c_contiguous
    assert np.isfinite(whole).all()
    for place, row in enumerate(rows):
        assert np.array_equal(reader.matrix(site.reading([row], now, table=table, **said)), whole[place : place + 1])
    assert np.array_equal(
        reader.matrix(site.reading(rows[::-1] * 2, now, table=table, **said)), np.tile(whole[::-1], (2, 1))
    )


def test_many_rows_are_to_the_last_bit_what_each_is_alone(make_world: Any) -> None:
    world = make_world(1)
    site = Small(**EVERYTHING)
    site.members, site.jobs, site.neighbours = {"m": world.members["m0"]}, world.jobs, world.neighbours
    for number in range(400):  # what the world did not count
        site.view(f"j{number % 60}", world.now - number * 10_000, surface=f"s{number % 5}", dwell_ms=number * 17)
    table, reader = site.table(), Reader([site.plan.find(each.id) for each in site.features])
    rows = np.arange(-1, len(table))
    whole = reader.matrix(site.reading(rows.tolist(), world.now, table=table, surface="s1"))
    assert len(np.unique(whole, axis=0)) > len(rows) / 2
    draw = np.random.default_rng(1)
    for size in (1, 1, 2, 3, 5, 7, 8, 9, 16, 17, 33, len(rows)):
        some = draw.permutation(len(rows))[:size]
        found = reader.matrix(site.reading(rows[some].tolist(), world.now, table=table, surface="s1"))
        assert np.array_equal(found, whole[some]), size


def test_nobody_nothing_nowhere() -> None:
    site = Small(**EVERYTHING)
    found = site.read("unknown", member_id="nobody")
    assert all(math.isfinite(value) for [value] in found.values())
    counts = ("job_count", "job_decay", "member_count", "pair", "tie", "friends")
    assert {name: found[name] for name in counts} == {name: [0] for name in counts}


def test_the_future_has_happened(small: Any) -> None:
    site = small(job=count(views, by=job, window=decay("1h")), member=count(views, by=member, window=decay("1h")))
    site.view("a", T + 3_600_000)
    assert site.read("a", now=T) == {"job": [1], "member": [1]}


def test_a_count_by_many_kinds_of_decay_is_what_its_cell_reads(small: Any) -> None:
    halves = ("5m", "1h", "1d", "30d", "3650d")
    site = small(
        **{f"job_{half}": count(views, by=job, window=decay(half)) for half in halves},
        **{f"member_{half}": count(views, by=member, window=decay(half)) for half in halves},
    )
    for hours in (0, 1, 5):
        site.view("a", T + hours * 3_600_000)
    found = site.read("a", "b", now=T + 7 * 3_600_000)
    for each in site.features:
        assert each.expression.by.place in ("job", "member")
        cells = (site.jobs["a"] if each.name.startswith("job") else site.members["m"]).cells
        expected = each.expression.value_in(cells, T + 7 * 3_600_000)
        assert found[each.name][0] == pytest.approx(expected, rel=1e-6)
    assert [found[f"job_{half}"][1] for half in halves] == [0] * 5
