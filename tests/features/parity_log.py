"""Random logs of members' records, and a plan with every aggregate over every window, for the tests of parity."""

from random import Random
from typing import Any

from streamrec.events import (
    Connection,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.features.language import (
    Feature,
    above,
    absolute,
    actions,
    always,
    applications,
    below,
    company,
    connections,
    contains,
    context,
    count,
    decay,
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
    once,
    one_of,
    pair,
    posting,
    profile,
    saves,
    session,
    sliding,
    top,
    total,
    variance,
    views,
)
from streamrec.features.library import FEATURES
from streamrec.features.plan import Plan

START = 1_750_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SURFACES = ("home", " Home ", "search", "mail", "feed")

_NUMBERS = (total, mean, variance, least, most)
_WINDOWS = {
    "always": (always, (total, mean, variance, least, most)),
    "decay": (decay("7d"), (total, mean, variance)),
    "sliding": (sliding("6h", panes=6), _NUMBERS),
    "last": (last(5), _NUMBERS),
    "session": (session("90m"), _NUMBERS),
}


def _features() -> list[Feature]:
    found: list[tuple[str, Any, str | None]] = []
    for place, by in (("member", member), ("job", job)):
        for kind, (window, aggregates) in _WINDOWS.items():
            found += [
                (f"{place}_{kind}_{each.__name__}", each(views.dwell_ms, by, window), None) for each in aggregates
            ]
            found += [
                (f"{place}_{kind}_{stream}".replace("(", "_").replace(")", ""), count(stream, by, window), None)
                for stream in (views, likes, saves, actions, once(likes), once(actions))
            ]
            if kind != "decay":
                found.append((f"{place}_{kind}_distinct", distinct(views.session_id, by, window), None))
        found += [
            (f"{place}_first", minutes_since(first(likes, by)), None),
            (f"{place}_newest", minutes_since(newest(saves, by)), None),
            (f"{place}_filtered", count(views.where(surface="home", position=below(3)), by, decay("1d")), None),
            (f"{place}_long", total(views.where(dwell_ms=above(500)).dwell_ms, by), None),
            (f"{place}_some", count(applications.where(surface=one_of("home", "mail")), by, sliding("1d")), None),
        ]
    found += [
        ("member_latest", contains(latest(views.surface, member, 2), context.surface), None),
        ("member_top", contains(top(views.surface, member, 4), context.surface), None),
        ("member_lived", total(views.dwell_ms, member, decay("1d")), "3h"),
        ("member_alive", count(views.where(position=below(50)), member), "2h"),
        ("member_connections", count(connections, member), None),
        ("both_views", count(views, pair, decay("2d"), keep=50), None),
        ("both_dwell", mean(views.dwell_ms, pair, last(3), keep=50), None),
        ("company_actions", count(actions, company, decay("10d")), None),
        ("company_once", count(once(actions), company, decay("10d")), None),
        ("company_dwell", total(views.dwell_ms, company), None),
        ("company_mean", mean(views.dwell_ms, company, decay("7d")), None),
        ("company_variance", variance(views.dwell_ms, company), None),
        ("region_job", count(views, (profile.region, job), decay("3d"), keep=20), None),
        ("region_most", most(views.dwell_ms, (profile.region, job), sliding("12h"), keep=20), None),
        ("trade", count(actions, (profile.industry, posting.function), decay("10d"), keep=20), None),
        ("trade_dwell", total(views.dwell_ms, (profile.industry, posting.function), keep=20), None),
    ]
    return [
        Feature(
            f"parity_{name}", absolute(each) if name.endswith(("first", "newest")) else each, name, "number", ttl=ttl
        )
        for name, each, ttl in found
    ]


PLAN = Plan((*FEATURES, *_features()))


def some_log(seed: int, size: int, *, moving: bool = False) -> list[Any]:
    """Postings and profiles, then what members do: out of order, some of it twice, saves and likes taken back.

    `moving`: profiles change in between.
    """
    some = Random(seed)
    jobs, members = [f"j{n}" for n in range(5)], [f"m{n}" for n in range(4)]
    log: list[Any] = [
        JobPosting(
            job_id=each, title=f"Job {each}", company=some.choice(["A", "b", "B "]), function=some.choice(["x", "y"])
        )
        for each in jobs[:4]
    ]
    log += [_profile(some, each) for each in members[:3]]
    times = some.sample(range(2 * DAY), size)
    events: list[Any] = []
    for number, at in enumerate(times):
        if events and some.random() < 0.05:
            events.append(events[-some.randrange(1, min(8, len(events)) + 1)])
        if moving and some.random() < 0.05:
            events.append(_profile(some, some.choice(members)))
        events.append(_event(some, number, START + at, some.choice(members), some.choice(jobs)))
    return log + events


def _profile(some: Random, member_id: str) -> MemberProfile:
    return MemberProfile(
        member_id=member_id, region=some.choice(["North", "south", None]), industry=some.choice(["Care", "IT"]), updated_at=START
    )  # fmt: skip


def _event(some: Random, number: int, at: int, member_id: str, job_id: str) -> Any:
    said: dict[str, Any] = {"event_id": f"e{number}", "member_id": member_id, "occurred_at": at}
    kind = some.choice([JobView] * 6 + [JobLike, JobLike, JobSave, JobSave, JobApplication, JobDismissal, Connection])
    if kind is Connection:
        return Connection(**said, other_member_id=some.choice(["m0", "m1", "m2", "m9"]), connected=some.random() < 0.7)
    said |= {"job_id": job_id, "surface": some.choice([None, *SURFACES]), "session_id": f"s{some.randrange(30)}"}
    if kind is JobView:
        said |= {"position": some.choice([None, 0, 2, 3, 70]), "dwell_ms": some.choice([None, 0, 400, 1_000, 65_000])}
    if kind is JobSave:
        said["saved"] = some.random() < 0.6
    if kind is JobLike:
        said["liked"] = some.random() < 0.6
    return kind(**said)
