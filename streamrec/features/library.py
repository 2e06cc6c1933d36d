"""The shipped features: what is known of a member and a job at the moment of ranking, and what the API tells of them.

Declarations only. To add a feature: declare it here, name it in `JOB_CHECK` if the model is to read it, and restart the
services. What a set is called follows from what its features mean, so a changed one is never taken for the old one.
"""

import math
from typing import Final

from streamrec.features.language import (
    Feature,
    FeatureSet,
    actions,
    applications,
    beside_best,
    bucketise,
    clip,
    company,
    connections_at,
    connections_that,
    contains,
    cooccurrence,
    cosine,
    count,
    coverage,
    decay,
    dismissals,
    first_of,
    home,
    interests,
    job,
    last_cooccurrence,
    last_title,
    level,
    likes,
    log,
    log1p,
    member,
    minutes_since,
    once,
    only_between,
    only_if,
    overlap,
    posting,
    profile,
    rank,
    rate,
    resemblance,
    same,
    saves,
    share,
    signed,
    sliding,
    standing,
    trend,
    views,
)
from streamrec.features.language.calculation import Calculation, absolute, mean_of
from streamrec.features.language.keys import By
from streamrec.features.language.ties import ORDERED
from streamrec.features.plan import Plan

_LONG_AGO: Final = math.log1p(30 * 24 * 60)  # minutes
_USUAL_STRENGTH: Final = 1 / 7  # likes, saves and applications to a view
_FAR_DOWN: Final = math.log1p(100)  # places
_LEAST_LIKE: Final = 0.04  # of whoever resembles the member most
_SENSIBLE_PAY: Final = (0.01, 1e12)  # in any currency and for any time: beyond lies a mistake of whoever wrote it

# How many want a job, rather than how often: of each member the first action of its kind.
_WANTED: Final = once(actions)
# By these jobs are ordered, for what is popular: candidates, leaders, the API.
POPULARITY: Final = tuple(count(_WANTED, by=job, window=decay(half_life)) for half_life in ORDERED)

_POPULAR: Final = tuple(f"positive actions, half-life {half_life}" for half_life in ("1 h", "1 d", "10 d"))
_COUNTED: Final = {"view": views, "like": likes, "save": saves, "application": applications, "dismissal": dismissals}
JOB_COUNTS: Final = tuple(count(stream, by=job, window=decay("7d")) for stream in _COUNTED.values())
JOB_TOTALS: Final = tuple(count(stream, by=job) for stream in _COUNTED.values())
MEMBER_COUNTS: Final = tuple(count(stream, by=member, window=decay("7d")) for stream in _COUNTED.values())
_VIEWS, _LIKES, _SAVES, _APPLICATIONS, _DISMISSALS = MEMBER_COUNTS


def _strength(by: By, weight: float) -> Calculation:
    """Likes, saves and applications to a view, as log odds would have it, drawn towards one in seven by `weight` views."""
    viewed, liked, saved, applied = (
        count(stream, by=by, window=decay("90d")) for stream in (views, likes, saves, applications)
    )
    return log((liked + saved + applied + _USUAL_STRENGTH * weight) / (viewed + weight))


_JOB: Final = (
    # How much the job is asked for.
    Feature("popularity_hour", log1p(POPULARITY[0]), "positive actions, half-life 1 h", "log1p", tags=("popularity",)),
    Feature("popularity_day", log1p(POPULARITY[1]), "positive actions, half-life 1 d", "log1p", tags=("popularity",)),
    Feature("popularity_days", log1p(POPULARITY[2]), "positive actions, half-life 10 d", "log1p", tags=("popularity",)),
    Feature("job_views", log1p(JOB_COUNTS[0]), "views, half-life 7 d", "log1p"),
    Feature("job_likes", log1p(JOB_COUNTS[1]), "likes, half-life 7 d", "log1p"),
    Feature("job_saves", log1p(JOB_COUNTS[2]), "saves, half-life 7 d", "log1p"),
    Feature("job_applications", log1p(JOB_COUNTS[3]), "applications, half-life 7 d", "log1p"),
    Feature("job_dismissals", log1p(JOB_COUNTS[4]), "dismissals, half-life 7 d", "log1p"),
    Feature(
        "save_rate", rate(saves, views, by=job, window=decay("7d"), prior=0.05, weight=20),
        "saves per view, with a prior", "ratio", default=0.05,
    ),
    Feature(
        "apply_rate", rate(applications, views, by=job, window=decay("7d"), prior=0.02, weight=20),
        "applications per view, with a prior", "ratio", default=0.02,
    ),
    Feature(
        "job_strength", _strength(job, 20), "likes, saves and applications to a view, half-life 90 d", "log ratio",
        default=math.log(_USUAL_STRENGTH),
    ),
    Feature(
        "company_popularity", log1p(count(_WANTED, by=company, window=decay("10d"))),
        "positive actions on jobs of the company, half-life 10 d", "log1p", tags=("popularity",),
    ),
    Feature(
        "region_popularity", beside_best(POPULARITY[2], home(profile.region)),
        "popularity (10 d) beside the most popular job of the member's region", "ratio", tags=("popularity",),
    ),
    Feature(
        "function_popularity", beside_best(POPULARITY[2], home(profile.function)),
        "popularity (10 d) beside the most popular job of the member's function", "ratio", tags=("popularity",),
    ),
    *(
        Feature(
            f"standing_{name}", log1p(standing(counted)), f"open jobs ahead by {what}, at most 100", "log1p(jobs)",
            default=_FAR_DOWN, tags=("popularity",),
        )
        for name, counted, what in zip(("hour", "day", "days"), POPULARITY, _POPULAR, strict=True)
    ),
    Feature(
        "standing_new", log1p(standing()), "open jobs that are newer, at most 100", "log1p(jobs)", default=_FAR_DOWN,
        tags=("age",),
    ),
    Feature(
        "job_trend", trend(_WANTED, by=job, short="1h", long="1d"), "positive actions of the last hour beside those of the day",
        "log ratio", tags=("popularity",),
    ),
    Feature(
        "region_interest", log1p(count(_WANTED, by=(profile.region, job), window=decay("10d"), keep=12)),
        "positive actions by members of the member's region, half-life 10 d", "log1p", tags=("popularity", "place"),
    ),
    Feature(
        "industry_interest",
        log1p(count(_WANTED, by=(profile.industry, posting.function), window=decay("30d"), keep=12)),
        "positive actions by members of the member's industry on jobs of the function, half-life 30 d", "log1p",
        tags=("popularity",),
    ),
    # How old it is.
    Feature(
        "posting_age", log1p(minutes_since(first_of(posting.posted_at, job.first_at))),
        "time since it was posted or, where unknown, first acted on", "log1p(minutes)", default=_LONG_AGO, tags=("age",),
    ),
    Feature(
        "job_idle", log1p(minutes_since(job.last_at)), "time since the last action on the job", "log1p(minutes)",
        default=_LONG_AGO, tags=("age",),
    ),
)  # fmt: skip

_HISTORY: Final = (
    # What ties it to the member's recent jobs.
    Feature("covisit", log1p(cooccurrence()), "touched by who touched the same jobs", "log1p"),
    Feature(
        "covisit_rank",
        log1p(rank(cooccurrence())),
        "jobs that are tied more to the recent ones",
        "log1p(jobs)",
        default=_FAR_DOWN,
    ),
    Feature("last_covisit", log1p(last_cooccurrence()), "touched by who touched the newest job", "log1p"),
    Feature(
        "resemblance",
        log(resemblance() + _LEAST_LIKE),
        "how much those who touched it last resemble the member",
        "log ratio",
        default=math.log(_LEAST_LIKE),
    ),
    Feature("title_overlap", cosine(posting.title, interests), "title and recent titles", "cosine", tags=("content",)),
    Feature(
        "last_title_overlap", cosine(posting.title, last_title), "title and the last title", "cosine", tags=("content",)
    ),
    Feature("company_share", share(posting.company), "recent jobs at the company", "ratio"),
    Feature("city_share", share(posting.city), "recent jobs in the city", "ratio", tags=("place",)),
    Feature("region_share", share(posting.region), "recent jobs in the region", "ratio", tags=("place",)),
    Feature("industry_share", share(posting.industry), "recent jobs of the industry", "ratio"),
    Feature("function_share", share(posting.function), "recent jobs of the function", "ratio"),
)

_PROFILE: Final = (
    # What ties it to the member's profile.
    Feature(
        "desired_overlap", cosine(posting.title, profile.desired_titles), "title and desired titles", "cosine",
        tags=("content",),
    ),
    Feature(
        "desired_coverage", coverage(profile.desired_titles, posting.title), "of a desired title, in the title", "ratio",
        tags=("content",),
    ),
    Feature("same_city", same(posting.city, home(profile.city)), "in the member's city", "0, 1", tags=("place",)),
    Feature("same_region", same(posting.region, home(profile.region)), "in the member's region", "0, 1", tags=("place",)),
    Feature("same_company", same(posting.company, profile.company), "at the member's company", "0, 1"),
    Feature("same_function", same(posting.function, home(profile.function)), "of the member's function", "0, 1"),
    Feature("same_industry", same(posting.industry, profile.industry), "in the member's industry", "0, 1"),
    Feature(
        "remote_match", signed(posting.remote, profile.open_to_remote),
        "remote, and the member is open to that (1) or is not (-1)", "-1, 0, 1", tags=("place",),
    ),
    Feature(
        "followed_company", contains(profile.followed_companies, posting.company), "at a company that the member follows",
        "0, 1",
    ),
    Feature("skill_overlap", overlap(posting.skills, profile.skills), "skills asked for that the member has", "ratio"),
    Feature(
        "level_gap", absolute(level(posting.seniority) - level(profile.seniority)),
        "steps between the job's level and the member's", "steps", default=1.0,
    ),
    Feature(
        "pay",
        only_if(
            first_of(same(posting.currency, profile.currency), 1.0),  # else they are taken for the same
            clip(
                log(
                    mean_of(only_between(posting.salary_min, *_SENSIBLE_PAY), only_between(posting.salary_max, *_SENSIBLE_PAY))
                    / only_between(profile.salary_floor, *_SENSIBLE_PAY)
                ),
                -1.0, 1.0,
            ),
        ),
        "pay beside the member's floor, at most e times", "log ratio",
    ),
)  # fmt: skip

_NETWORK: Final = (
    # The member's connections.
    Feature(
        "network_views",
        log1p(connections_that("viewed")),
        "connections that viewed it or did more",
        "log1p",
        tags=("network",),
    ),
    Feature(
        "network_likes",
        log1p(connections_that("liked")),
        "that liked or saved it, or applied",
        "log1p",
        tags=("network",),
    ),
    Feature("network_applications", log1p(connections_that("applied")), "that applied", "log1p", tags=("network",)),
    Feature(
        "network_at_company",
        log1p(connections_at(posting.company)),
        "that work at the company",
        "log1p",
        tags=("network",),
    ),
)

_MEMBER: Final = (
    # The member alone.
    Feature(
        "member_idle", log1p(minutes_since(member.last_at)), "time since the member's last event", "log1p(minutes)",
        default=_LONG_AGO, tags=("age",),
    ),
    Feature(
        "member_phase", bucketise(minutes_since(member.last_at), 30), "in a session, or coming back; neither for a new one",
        "0, 1",
    ),
    Feature("member_views", log1p(_VIEWS), "the member's views, half-life 7 d", "log1p"),
    Feature("member_interest", log1p(_LIKES + _SAVES), "the member's likes and saves, half-life 7 d", "log1p"),
    Feature("member_applications", log1p(_APPLICATIONS), "the member's applications, half-life 7 d", "log1p"),
    Feature(
        "member_burst", log1p(count(views, by=member, window=sliding("1h", panes=4))), "the member's views of the last hour",
        "log1p",
    ),
    Feature(
        "member_save_rate", rate(saves, views, by=member, window=decay("7d"), prior=0.05, weight=20),
        "the member's saves per view, with a prior", "ratio", default=0.05,
    ),
    Feature(
        "member_apply_rate", rate(applications, views, by=member, window=decay("7d"), prior=0.02, weight=20),
        "the member's applications per view, with a prior", "ratio", default=0.02,
    ),
    Feature(
        "member_strength", _strength(member, 5), "the member's likes, saves and applications to a view, half-life 90 d",
        "log ratio", default=math.log(_USUAL_STRENGTH),
    ),
)  # fmt: skip

_TOLD: Final = (
    # What the API tells, and no model reads.
    *(
        Feature(f"job_{name}_total", each, f"{name}s of all time", "events", tags=("api",))
        for name, each in zip(_COUNTED, JOB_TOTALS, strict=True)
    ),
    *(
        Feature(f"member_{name}_count", each, f"the member's {name}s, half-life 7 d", "events", tags=("api",))
        for name, each in zip(_COUNTED, MEMBER_COUNTS, strict=True)
    ),
)

FEATURES: Final = (*_JOB, *_HISTORY, *_PROFILE, *_NETWORK, *_MEMBER, *_TOLD)
JOB_CHECK: Final = FeatureSet(
    "job_check", tuple(each.name for each in (*_JOB, *_HISTORY, *_PROFILE, *_NETWORK, *_MEMBER))
)

PLAN: Final = Plan(FEATURES, [JOB_CHECK])
FEATURE_SET: Final = PLAN.name_of(JOB_CHECK)
# Then a list that was made for one surface, or for none, is not kept for others.
READS_SURFACE: Final = "request.surface" in PLAN.sources(JOB_CHECK)


def feature_names() -> tuple[str, ...]:
    """Names of the columns that the model reads, in their order."""
    return tuple(column for feature in PLAN.members(JOB_CHECK) for column in feature.columns)
