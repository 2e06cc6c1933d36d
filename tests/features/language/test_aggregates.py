"""Aggregates: what is counted, by which key, over which window, down to the values."""

from collections.abc import Callable
from math import log
from typing import Any

import pytest

from streamrec.features.language import (
    actions,
    always,
    applications,
    below,
    company,
    connections,
    context,
    count,
    decay,
    dismissals,
    distinct,
    first,
    job,
    last,
    latest,
    least,
    likes,
    mean,
    member,
    minutes_since,
    most,
    newest,
    one_of,
    overlap,
    pair,
    posting,
    profile,
    rate,
    saves,
    session,
    sliding,
    top,
    total,
    trend,
    variance,
    views,
)

T, HOUR, DAY, MISSING = 1_750_000_000_000, 3_600_000, 86_400_000, -77.0


def test_every_aggregate_of_a_job(small: Any) -> None:
    site = small(
        count=count(views, by=job),
        total=total(views.dwell_ms, by=job),
        mean=mean(views.dwell_ms, by=job),
        variance=variance(views.dwell_ms, by=job),
        least=least(views.dwell_ms, by=job, window=sliding("1h")),
        most=most(views.dwell_ms, by=job, window=sliding("1h")),
        distinct=distinct(views.surface, by=job, window=sliding("30d")),
        first=minutes_since(first(views, by=job)),
        newest=minutes_since(newest(views, by=job)),
        rate=rate(applications, views, by=job, window=always, prior=0.5, weight=2),
        trend=trend(views, by=job, short="1h", long="1d"),
    )
    for minute, dwell, surface in ((0, 2000, "Home"), (1, 4000, " home "), (2, 6000, "search"), (3, None, None)):
        site.view("a", T + minute * 60_000, dwell_ms=dwell, surface=surface)
    site.apply("a", T)
    found = site.read("a", "unknown", now=T + 3 * 60_000)
    short, long = (sum(2 ** (-minute * 60_000 / half) for minute in range(4)) for half in (HOUR, DAY))
    expected = {
        "count": [4, 0], "total": [12000, 0], "mean": [4000, MISSING], "variance": [8e6 / 3, MISSING],
        "least": [2000, MISSING], "most": [6000, MISSING], "distinct": [2, 0], "first": [3, MISSING],
        "newest": [0, MISSING], "rate": [2 / 6, 0.5], "trend": [log((short + 1) / (long / 24 + 1)), 0],
    }  # fmt: skip
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-6, abs=1e-4), name


def test_every_window_of_a_member(small: Any) -> None:
    site = small(
        always=count(views, by=member),
        decay=count(views, by=member, window=decay("1h")),
        panes=count(views, by=member, window=sliding("1h", panes=4)),
        shortest=count(views, by=member, window=sliding("5m")),
        longest=count(views, by=member, window=sliding("30d")),
        last=mean(views.dwell_ms, by=member, window=last(2)),
        session=count(views, by=member, window=session("30m")),
    )
    for hours, dwell in ((0, 1), (30, 2), (30.25, 3), (31, 5)):
        site.view("a", T + int(hours * HOUR), dwell_ms=dwell)
    found = {name: value for name, [value] in site.read("a", now=T + 31 * HOUR).items()}
    assert found == pytest.approx(
        {
            "always": 4,
            "decay": 1 + 2**-0.75 + 0.5 + 2**-31,
            "panes": 3,
            "shortest": 1,
            "longest": 4,
            "last": 4,
            "session": 1,
        }
    )
    later = {name: value for name, [value] in site.read("a", now=T + 60 * DAY).items()}
    assert later == pytest.approx(
        {"always": 4, "decay": 0, "panes": 0, "shortest": 0, "longest": 0, "last": 4, "session": 0}, abs=1e-9
    )


def test_every_entity(small: Any) -> None:
    site = small(
        of_member=count(views, by=member),
        of_job=count(views, by=job),
        of_pair=count(views, by=pair, keep=10),
        of_company=count(views, by=company),
        region_job=count(views, by=(profile.region, job), keep=10),
        industry_function=count(views, by=(profile.industry, posting.function), keep=10),
        surface_member=count(views, by=(member, views.surface), keep=10),
        surface_job=count(views, by=(job, views.surface), keep=10),
        surface_pair=count(views, by=(member, job, views.surface), keep=10),
        three=count(views, by=(posting.company, posting.region, posting.function)),
    )
    site.post("a", company="Acme", function="Care", region="MD")
    site.post("b", company=" ACME", function="IT", region="MD")
    site.post("c", function="care")
    site.profile("m", region="MD", industry="Health")
    site.profile("n", region=" md ", industry="Food")
    for member_id, job_id, surface in (("m", "a", "home"), ("m", "a", "Search"), ("n", "a", "home"), ("m", "b", "home"),
                                       ("n", "c", "home"), ("nobody", "a", None)):  # fmt: skip
        site.view(job_id, T, member_id=member_id, surface=surface)
    assert site.read("a", "b", "c", "unknown", surface="HOME") == {
        "of_member": [3, 3, 3, 3],
        "of_job": [4, 1, 1, 0],
        "of_pair": [2, 1, 0, 0],
        "of_company": [5, 5, MISSING, MISSING],
        "region_job": [3, 1, 1, 0],
        "industry_function": [2, 1, 2, MISSING],
        "surface_member": [2, 2, 2, 2],
        "surface_job": [2, 1, 1, 0],
        "surface_pair": [1, 1, 0, MISSING],
        "three": [4, 1, MISSING, MISSING],
    }
    stranger = site.read("a", member_id="nobody")  # whose region nobody knows, on a surface that nobody named
    unknown = ("region_job", "industry_function", "surface_member", "surface_job", "surface_pair")
    assert {name: stranger[name] for name in unknown} == {name: [MISSING] for name in unknown}


def test_filters_by_action_surface_and_position(small: Any) -> None:
    site = small(
        top=count(views.where(surface="Home", position=below(3)), by=job),
        either=count(actions.where(surface=one_of("home", "search")), by=job),
        liked=count(likes, by=job),
        dismissed=count(dismissals.where(reason="pay"), by=job),
    )
    site.view("a", T, surface="home", position=2)
    site.view("a", T, surface="home", position=3)
    site.view("a", T, surface="home")
    site.like("a", T, surface="SEARCH")
    site.dismiss("a", T, reason="Pay ")
    site.dismiss("a", T)
    assert site.read("a") == {"top": [1], "either": [4], "liked": [1], "dismissed": [1]}


def test_lists_of_the_member(small: Any) -> None:
    favourites, newest_ones = top(views.surface, by=member, k=2), latest(views.surface, by=member, k=2)
    site = small(
        both=overlap(favourites, newest_ones),
        other=overlap(newest_ones, latest(views.surface, by=member, k=1)),
    )
    assert site.read("a") == {"both": [MISSING], "other": [MISSING]}
    for minute, surface in enumerate(("Home", "home", "search", "search ", "mail", " ", None)):
        site.view("a", T + minute, surface=surface)
    assert site.read("a") == {"both": [0.5], "other": [0.5]}  # home and search; mail and search; mail


def test_connections_are_counted_by_the_member(small: Any) -> None:
    site = small(
        made=count(connections.where(connected=True), by=member),
        whom=distinct(connections.other_member_id, by=member, window=last(9)),
    )
    for other, connected in (("x", True), ("y", True), ("x", False)):
        site.connect("m", other, T, connected)
    assert site.read("a") == {"made": [2], "whom": [2]}


def test_a_rate_is_never_above_one(small: Any) -> None:
    site = small(rate=rate(saves, views, by=member, window=decay("7d"), prior=0.0, weight=1))
    for number in range(30):
        site.save(f"j{number}", T)
    [value] = site.read("a")["rate"]
    assert value == pytest.approx(30 / 31)


def test_equal_aggregates_have_one_state_key_and_changed_ones_another() -> None:
    one = count(views.where(surface="home", position=below(3)), by=job, window=decay("24h"))
    other = count(views.where(position=below(3.0)).where(surface=" HOME"), by=(job,), window=decay("1d"))
    assert one == other
    assert one.state_key == other.state_key
    others = [
        count(views.where(surface="home", position=below(4)), by=job, window=decay("1d")),
        count(views.where(surface="home"), by=job, window=decay("1d")),
        count(views, by=job, window=decay("2d")), count(views, by=member, window=decay("1d")), count(likes, by=job),
        count(views.where(dwell_ms=below(10_000_001)), by=job), count(views.where(dwell_ms=below(10_000_002)), by=job),
        count(views, by=(member, job), keep=5), count(views, by=(member, job), keep=6), mean(views.dwell_ms, by=job),
    ]  # fmt: skip
    assert len({each.state_key for each in [one, *others]}) == len(others) + 1


def test_what_is_added_up_over_jobs_is_the_state_of_the_job() -> None:
    by_job, by_company = (count(views, by=by, window=decay("7d")) for by in (job, company))
    assert by_job.state_key == by_company.state_key
    assert by_job != by_company


def test_sources_are_the_fields_that_are_read() -> None:
    found = count(views.where(surface="home"), by=(profile.region, job), keep=3).sources
    assert found == {"job-views.surface", "job-views.job_id", "job-views.occurred_at", "member-profiles.region"}


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    refused(
        lambda: mean(views, by=job),  # type: ignore[arg-type]
        "mean of views, which is a stream", "name a field that is a number: mean(views.dwell_ms, …)",
    )  # fmt: skip
    refused(
        lambda: total(views.surface, by=job),
        "total of views.surface, which is a text", "name a field that is a number: total(views.dwell_ms, …)",
    )  # fmt: skip
    refused(
        lambda: distinct(views.position, by=job),
        "distinct of views.position, which is no text", "name a text of the event: distinct(views.surface, …)",
    )  # fmt: skip
    field: Any = views.dwell_ms
    refused(lambda: count(field, by=job), "count of views.dwell_ms", "count counts events: use count(views, …)")
    stream = "name a stream, such as views, or a field of its events: count(views.dwell_ms, …)"
    refused(lambda: count(posting.title, by=job), "count of posting.title, which is no stream of events", stream)  # type: ignore[arg-type]
    refused(lambda: count("views", by=job), "count of 'views', which is no stream of events", stream)  # type: ignore[arg-type]
    windows = "use always, decay(…), sliding(…), last(…) or session(…)"
    refused(lambda: count(views, by=job, window="7d"), "'7d' is no window", windows)  # type: ignore[arg-type]
    refused(
        lambda: least(views.dwell_ms, member, decay("7d")), "there is no least over decay(7d)", "use sliding or last"
    )
    refused(
        lambda: count(views, member, sliding("1m")),
        "a sliding window of 1m is out of range", "choose one from 5m to 30d, or decay, or always, for more",
    )  # fmt: skip
    refused(lambda: count(views, member, last(0)), "the last 0 events cannot be kept", "choose from 1 to 1000")
    refused(lambda: top(views.surface, by=member, k=0), "the top 0 texts cannot be kept", "choose from 1 to 1000")
    refused(lambda: top(views.surface, by=member, k=2000), "the top 2000 texts cannot be kept", "choose from 1 to 1000")
    refused(
        lambda: latest(views.surface, by=job, k=3),
        "texts by job is a list for each of many", "use by=member, or count by=(…, job) with keep",
    )  # fmt: skip
    refused(
        lambda: count(views, by=company, window=sliding("1d")),
        "count over sliding(1d, panes=12) by posting.company would have to be added up over jobs, and cannot be",
        "use count, total or mean over always or over a decay of a week or more",
    )  # fmt: skip
    refused(
        lambda: rate(saves, views, by=job, window=always, prior=2, weight=1),
        "rate with prior=2 and weight=1", "give a prior from 0 to 1, and a weight above 0",
    )  # fmt: skip
    refused(lambda: trend(views, job, "7d", "1d"), "trend of 7d over 1d", "give the shorter half-life first")
    refused(
        lambda: count(views, by=context.surface), "context.surface cannot be part of a key",
        "use member, job, or a text of posting, of profile or of the events",
    )  # fmt: skip
