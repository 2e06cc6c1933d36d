"""How long ago something was."""

from collections.abc import Callable
from typing import Any

from streamrec.features.language import first, job, likes, member, minutes_since, newest, posting, views

T, HOUR, MISSING = 1_750_000_000_000, 3_600_000, -77.0


def test_minutes(small: Any) -> None:
    site = small(
        posted=minutes_since(posting.posted_at), first=minutes_since(first(views, by=job)),
        mine=minutes_since(newest(views, by=member)), liked=minutes_since(newest(likes, by=member)),
    )  # fmt: skip
    site.post("a", posted_at=T + 9 * HOUR)
    site.post("b", posted_at=T)
    site.view("a", T + HOUR)
    site.view("a", T)
    found = site.read("a", "b", now=T + 2 * HOUR)
    assert found == {"posted": [0, 120], "first": [120, MISSING], "mine": [60, 60], "liked": [MISSING] * 2}


def test_numbers_are_no_times(refused: Callable[..., None]) -> None:
    refused(
        lambda: minutes_since(posting.salary_min),
        "minutes_since needs a time, and posting.salary_min is a number",
        "give it a time",
    )
