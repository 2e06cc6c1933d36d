"""Keys: which are refused, and whose state holds them."""

from collections.abc import Callable

from streamrec.features.language import (
    company,
    connections,
    count,
    feature,
    job,
    likes,
    member,
    posting,
    profile,
    views,
)
from streamrec.features.language.keys import joined, key


def test_who_keeps_what() -> None:
    found = [key(by, views, keep) for by, keep in (
        (member, None), (job, None), ((member, job), 5), (company, None), ((profile.region, job), 5),
        ((profile.industry, posting.function), 5), ((member, views.surface), 5),
    )]  # fmt: skip
    assert [(each.place, each.keyed, each.rolled, each.everywhere) for each in found] == [
        ("member", (), (), False),
        ("job", (), (), False),
        ("member", ("job",), (), False),
        ("job", (), ("posting.company",), True),
        ("job", ("profile.region",), (), False),
        ("job", ("profile.industry",), ("posting.function",), True),
        ("member", ("event.surface",), (), False),
    ]
    assert [sorted(each.about) for each in found] == [
        ["member"], ["job"], ["job", "member"], ["job"], ["job", "member"], ["job", "member"], ["member", "request"],
    ]  # fmt: skip


def test_no_two_combinations_are_one_key() -> None:
    assert joined(["profile.city", "profile.region"], ["a\x1fb", "c"]) != joined(
        ["profile.city", "profile.region"], ["a", "b\x1fc"]
    )
    assert joined(["job", "event.surface"], ["J", " Home "]) == "J\x1fhome"
    for missing in (None, "", "  "):
        assert joined(["job", "event.surface"], ["J", missing]) is None
        assert joined(["event.surface"], [missing]) is None


def test_what_cannot_be_is_refused(refused: Callable[..., None]) -> None:
    text = "use member, job, or a text of posting, of profile or of the events"
    refused(lambda: count(views, by=views), "views cannot be part of a key", text)  # type: ignore[arg-type]
    refused(lambda: count(views, by="job"), "'job' cannot be part of a key", text)  # type: ignore[arg-type]
    refused(lambda: count(views, by=posting.salary_min), "posting.salary_min cannot be part of a key", text)
    refused(lambda: count(views, by=posting.skills), "posting.skills cannot be part of a key", text)
    refused(lambda: count(views, by=views.position), "views.position cannot be part of a key", text)
    refused(lambda: count(views, by=feature("x")), "feature('x') cannot be part of a key", text)  # type: ignore[arg-type]
    refused(lambda: count(views, by=()), "a key of 0 parts", "use one to 3 parts")
    refused(
        lambda: count(views, by=(profile.city, profile.region, profile.function, job), keep=5),
        "a key of 4 parts", "use one to 3 parts",
    )  # fmt: skip
    refused(
        lambda: count(views, by=(member, company)), "the key member, posting.company adds posting.company to a member",
        "leave out the member to count by the combination, or use share(…) for the fields of a member's recent jobs",
    )  # fmt: skip
    refused(
        lambda: count(views, by=(job, company)),
        "the key job, posting.company says twice which job", "leave out the posting's fields",
    )  # fmt: skip
    coded = "use posting.company, posting.city, posting.region, posting.country, posting.industry, posting.function"
    refused(lambda: count(views, by=posting.title), "jobs are not added up by posting.title", coded)
    refused(
        lambda: count(views, by=(job, likes.surface), keep=5),
        "the key has likes.surface, and views is counted", "use views.surface",
    )  # fmt: skip
    refused(
        lambda: count(views, by=(job, views.session_id), keep=5),
        "nobody can read by event.session_id: a request does not say it", "use a filter: views.where(…), or another key",
    )  # fmt: skip
    no_job = "connections have no job, and are counted by"
    refused(lambda: count(connections, by=job), f"{no_job} job", "count them by=member")
    refused(lambda: count(connections, by=(member, job), keep=5), f"{no_job} member, job", "count them by=member")


def test_unbounded_state_is_refused(refused: Callable[..., None]) -> None:
    remedy = "say how many: keep=50 keeps those of the newest events"
    refused(
        lambda: count(views, by=(member, job)),
        "unbounded state: by member, job, a member keeps one count for each job", remedy,
    )  # fmt: skip
    refused(
        lambda: count(views, by=(profile.region, views.surface, job)),
        "unbounded state: by profile.region, event.surface, job, a job keeps one count for each profile.region and event.surface",
        remedy,
    )
    refused(lambda: count(views, by=(member, job), keep=1001), "keep=1001 by member, job", "keep 1 to 1000")
    refused(lambda: count(views, by=(member, job), keep=0), "keep=0 by member, job", "keep 1 to 1000")
    refused(lambda: count(views, by=job, keep=5), "keep=5 by job", "leave keep out: there is one count for each key")
