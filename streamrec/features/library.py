"""The shipped features: what is known of a member and a job at the moment of ranking.

Declarations only; `feature` reads them. The order is part of what the feature set's name stands for: to add, remove or
change a feature is to make a new set.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.events import Action
from streamrec.features.columns import LAST_AT, Floats, Rows
from streamrec.features.feature import MINUTE_MS, Feature, Reading, assemble
from streamrec.features.table import JobTable
from streamrec.features.view import APPLIED, CHECKED, DESIRED, LAST, LIKED, RECENT, MemberView, Singles
from streamrec.features.windows import DAY_MS

FEATURE_SET: Final = "job_check/2"

_LONG_AGO: Final = math.log1p(30 * DAY_MS / MINUTE_MS)
_PRIOR_VIEWS: Final = 20.0  # a job's own rate outweighs the prior from this many views on
_SAVE_PRIOR, _APPLY_PRIOR = 0.05, 0.02


def _rate(reading: Reading, action: Action, prior: float) -> Floats:
    """Actions per view, drawn towards the prior; an action without a view counts as one view."""
    actions = reading.count(action)
    views = np.maximum(reading.count(Action.VIEW), actions)
    return (actions + prior * _PRIOR_VIEWS) / (views + _PRIOR_VIEWS)


def _member_count(reading: Reading, *actions: Action) -> Singles:
    return reading.constant(math.log1p(max(0.0, sum(reading.view.counts[action] for action in actions))))


def _member_idle(reading: Reading) -> Singles:
    last_at = reading.view.state.last_at
    return reading.constant(math.log1p(max(0, reading.now - last_at) / MINUTE_MS) if last_at else math.nan)


def _remote(reading: Reading) -> Singles:
    if reading.view.open_to_remote is None:
        return reading.constant(math.nan)
    remote = reading.table.columns.remote[reading.rows]
    wish = 1.0 if reading.view.open_to_remote else -1.0
    return np.where(remote < 0, np.nan, remote * wish).astype(np.float32)


def _followed(reading: Reading) -> Singles:
    return reading.of_companies(dict.fromkeys(reading.view.followed, 1.0))


def _at_company(reading: Reading) -> Singles:
    return reading.of_companies({code: math.log1p(count) for code, count in reading.view.colleagues.items()})


def _closeness(reading: Reading) -> Floats:
    ranks = reading.covisit_ranks
    return np.where(ranks >= 0, 1.0 / (1.0 + np.maximum(ranks, 0)), 0.0)


FEATURES: Final[tuple[Feature, ...]] = (
    # How much the job is asked for.
    Feature("popularity_hour", "positive actions, half-life 1 h", "log1p", 0.0, lambda of: of.popularity(0)),
    Feature("popularity_day", "positive actions, half-life 1 d", "log1p", 0.0, lambda of: of.popularity(1)),
    Feature("popularity_days", "positive actions, half-life 10 d", "log1p", 0.0, lambda of: of.popularity(2)),
    Feature("job_views", "views, half-life 7 d", "log1p", 0.0, lambda of: of.log_count(Action.VIEW)),
    Feature("job_likes", "likes, half-life 7 d", "log1p", 0.0, lambda of: of.log_count(Action.LIKE)),
    Feature("job_saves", "saves, half-life 7 d", "log1p", 0.0, lambda of: of.log_count(Action.SAVE)),
    Feature("job_applications", "applications, half-life 7 d", "log1p", 0.0, lambda of: of.log_count(Action.APPLY)),
    Feature("job_dismissals", "dismissals, half-life 7 d", "log1p", 0.0, lambda of: of.log_count(Action.DISMISS)),
    Feature(
        "save_rate", "saves per view, with a prior", "ratio", _SAVE_PRIOR,
        lambda of: _rate(of, Action.SAVE, _SAVE_PRIOR),
    ),
    Feature(
        "apply_rate", "applications per view, with a prior", "ratio", _APPLY_PRIOR,
        lambda of: _rate(of, Action.APPLY, _APPLY_PRIOR),
    ),
    Feature(
        "company_popularity", "positive actions on jobs of the company, half-life 10 d", "log1p", 0.0,
        lambda of: of.company_popularity(),
    ),
    Feature(
        "region_popularity", "popularity (10 d) beside the most popular job of the member's region", "ratio", 0.0,
        lambda of: of.beside_leader("region", of.view.region),
    ),
    Feature(
        "function_popularity", "popularity (10 d) beside the most popular job of the member's function", "ratio", 0.0,
        lambda of: of.beside_leader("function", of.view.function),
    ),
    # How old it is.
    Feature(
        "posting_age", "time since it was posted or, where unknown, first acted on", "log1p(minutes)", _LONG_AGO,
        lambda of: of.log_minutes_since(of.posted_at()),
    ),
    Feature(
        "job_idle", "time since the last action on the job", "log1p(minutes)", _LONG_AGO,
        lambda of: of.log_minutes_since(of.times[:, LAST_AT]),
    ),
    # What ties it to the member's recent jobs.
    Feature("covisit", "touched by who touched the same jobs", "log1p", 0.0, lambda of: np.log1p(of.covisit_scores)),
    Feature("covisit_rank", "1 for the job tied most, 1/2 for the next, …", "1/rank", 0.0, _closeness),
    Feature("title_overlap", "title and recent titles", "cosine", 0.0, lambda of: of.overlaps[:, RECENT]),
    Feature("last_title_overlap", "title and the last title", "cosine", 0.0, lambda of: of.overlaps[:, LAST]),
    Feature("company_share", "recent jobs at the company", "ratio", 0.0, lambda of: of.share("company")),
    Feature("region_share", "recent jobs in the region", "ratio", 0.0, lambda of: of.share("region")),
    Feature("function_share", "recent jobs of the function", "ratio", 0.0, lambda of: of.share("function")),
    # What ties it to the member's profile.
    Feature("desired_overlap", "title and desired titles", "cosine", 0.0, lambda of: of.overlaps[:, DESIRED]),
    Feature("desired_coverage", "of a desired title, in the title", "ratio", 0.0, lambda of: of.desired_coverage()),
    Feature("same_city", "in the member's city", "0, 1", 0.0, lambda of: of.same("city", of.view.city)),
    Feature("same_region", "in the member's region", "0, 1", 0.0, lambda of: of.same("region", of.view.region)),
    Feature("same_company", "at the member's company", "0, 1", 0.0, lambda of: of.same("company", of.view.company)),
    Feature("same_function", "of the member's function", "0, 1", 0.0, lambda of: of.same("function", of.view.function)),
    Feature("same_industry", "in the member's industry", "0, 1", 0.0, lambda of: of.same("industry", of.view.industry)),
    Feature("remote_match", "remote, and the member is open to that (1) or is not (-1)", "-1, 0, 1", 0.0, _remote),
    Feature("followed_company", "at a company that the member follows", "0, 1", 0.0, _followed),
    Feature("skill_overlap", "skills asked for that the member has", "ratio", 0.0, lambda of: of.skill_overlap()),
    Feature("level_gap", "steps between the job's level and the member's", "steps", 1.0, lambda of: of.level_gap()),
    Feature("pay", "pay beside the member's floor, at most e times", "log ratio", 0.0, lambda of: of.log_pay()),
    # The member's connections.
    Feature("network_views", "connections that viewed it or did more", "log1p", 0.0, lambda of: of.network[:, CHECKED]),
    Feature("network_likes", "that liked or saved it, or applied", "log1p", 0.0, lambda of: of.network[:, LIKED]),
    Feature("network_applications", "that applied", "log1p", 0.0, lambda of: of.network[:, APPLIED]),
    Feature("network_at_company", "that work at the company", "log1p", 0.0, _at_company),
    # The member alone.
    Feature("member_idle", "time since the member's last event", "log1p(minutes)", _LONG_AGO, _member_idle),
    Feature(
        "member_views", "the member's views, half-life 7 d", "log1p", 0.0,
        lambda of: _member_count(of, Action.VIEW),
    ),
    Feature(
        "member_interest", "the member's likes and saves, half-life 7 d", "log1p", 0.0,
        lambda of: _member_count(of, Action.LIKE, Action.SAVE),
    ),
    Feature(
        "member_applications", "the member's applications, half-life 7 d", "log1p", 0.0,
        lambda of: _member_count(of, Action.APPLY),
    ),
)  # fmt: skip


def feature_names() -> tuple[str, ...]:
    """Names of the columns of `matrix`."""
    return tuple(feature.name for feature in FEATURES)


def matrix(view: MemberView, table: JobTable, rows: Rows, now: int) -> npt.NDArray[np.float32]:
    """Features of the jobs in `rows` for one member.

    Parameters
    ----------
    view
        The member (see `MemberView.build`).
    table
        The jobs.
    rows
        int32 ``(n,)``; -1 reads as a job of which nothing is known.
    now
        The moment (ms).

    Returns
    -------
    ndarray
        float32 ``(n, len(FEATURES))``, C-contiguous, always finite.
    """
    return assemble(FEATURES, Reading(view, table, rows, now))
