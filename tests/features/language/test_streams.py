"""Streams: their fields, and filters."""

from collections.abc import Callable
from typing import Any

import pytest

from streamrec.features.language import (
    above,
    actions,
    below,
    connections,
    count,
    decay,
    job,
    member,
    once,
    one_of,
    saves,
    views,
)
from streamrec.features.language.streams import Condition

T = 1_750_000_000_000


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (Condition("surface", "is", ("home", "mail")), ["home", " HOME", "Mail"], ["search", "", None]),
        (Condition("position", "below", (3.0,)), [-1, 0, 2], [3, 4, None]),
        (Condition("position", "above", (3.0,)), [4], [3, 2, None]),
        (Condition("position", "is", (3.0,)), [3], [2, None]),
        (Condition("connected", "is", (True,)), [True], [False, None]),
    ],
)
def test_a_missing_field_meets_no_condition(condition: Condition, yes: list[object], no: list[object]) -> None:
    assert all(map(condition.holds, yes))
    assert not any(map(condition.holds, no))


def test_filters_are_equal_where_they_say_the_same() -> None:
    one = views.where(surface=one_of("b", "A", "a"), position=3).where(position=3.0)
    assert one == views.where(position=3).where(surface=one_of(" a", "B"))
    assert str(one) == "views.where(position=3, surface='a' or 'b')"
    assert str(views.where(dwell_ms=above(12_345_678))) == "views.where(dwell_ms=above(12345678))"


def test_a_stream_of_several_kinds_has_the_fields_of_all() -> None:
    assert set(actions.types()) == {
        "event_id",
        "member_id",
        "occurred_at",
        "job_id",
        "request_id",
        "session_id",
        "surface",
    }


def test_once_counts_no_repeats_neither_of_a_job_nor_of_a_member(small: Any) -> None:
    site = small(
        all=count(views, by=job), once=count(once(views), by=job), lately=count(once(views), by=job, window=decay("1d")),
        jobs=count(once(views), by=member), home=count(once(views).where(surface="home"), by=job),
    )  # fmt: skip
    day = 86_400_000
    for number, (member_id, job_id) in enumerate([("m", "a"), ("m", "a"), ("n", "a"), ("m", "b"), ("m", "a")]):
        site.view(job_id, T + day * (number > 0), member_id=member_id, surface="home" if number else "mail")
    found = site.read("a", "b", member_id="m", now=T + day)
    assert found["all"] == [4, 1]
    assert found["once"] == [2, 1]
    assert found["lately"] == [1.5, 1]  # m's as of its first
    assert found["jobs"] == [2, 2]
    assert found["home"] == [1, 1]  # n's: m's first of a came by mail


def test_once_is_said_and_is_another_stream(refused: Callable[..., None]) -> None:
    assert str(once(views).where(surface="home")) == "once(views).where(surface='home')"
    assert once(views).where(surface="home") == once(views.where(surface="home"))
    assert count(once(views), by=job).state_key != count(views, by=job).state_key
    refused(
        lambda: once(connections),
        "once(connections): these are not of a job",
        "use it of views, likes, saves, …, or actions",
    )


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    known = "use one of dwell_ms, event_id, job_id, member_id, occurred_at, position, request_id, session_id, surface"
    refused(lambda: views.where(surfaces="home"), "views has no field 'surfaces'", known)
    refused(lambda: views.dwell, "views has no field 'dwell'", known)
    refused(
        lambda: count(actions.where(position=below(3)), by=job), "actions has no field 'position'",
        "use one of event_id, job_id, member_id, occurred_at, request_id, session_id, surface",
    )  # fmt: skip
    compare = "compare a text to texts, a flag to True or False, and only numbers by above and below"
    refused(lambda: views.where(surface=3), "views.surface is a text, and is compared to 3", compare)
    refused(lambda: views.where(position="3"), "views.position is a number, and is compared to '3'", compare)
    refused(lambda: views.where(position=True), "views.position is a number, and is compared to True", compare)
    refused(
        lambda: views.where(position=below(float("nan"))), "views.position is a number, and is compared to nan", compare
    )
    refused(lambda: views.where(surface=below("x")), "views.surface is a text, and is compared to 'x'", compare)  # type: ignore[arg-type]
    refused(lambda: views.where(occurred_at=above(5)), "views.occurred_at is a time, and is compared to 5", compare)
    refused(lambda: connections.where(connected=1), "connections.connected is a flag, and is compared to 1", compare)
    refused(
        lambda: saves.where(saved=True),
        "saves.saved is no condition: what was taken back is not counted anyway", "leave saved out",
    )  # fmt: skip
    refused(
        lambda: views.where(member_id="m"),
        "views.member_id is an id, and features are not of single ones", "count by=member or by=job",
    )  # fmt: skip
    refused(lambda: views.where(surface=one_of()), "one_of has no values: no event is any of none", "give one or more")
