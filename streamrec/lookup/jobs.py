"""``GET /v1/jobs/{job_id}`` and what lies near it."""

import math
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from streamrec.events import Action, JobPosting
from streamrec.features.fold import NEIGHBOUR_HALF_LIFE_MS
from streamrec.features.language import Aggregate
from streamrec.features.library import JOB_COUNTS, JOB_TOTALS, POPULARITY
from streamrec.features.state import Neighbours
from streamrec.features.table import JobTable
from streamrec.features.windows import fade
from streamrec.lookup import problems
from streamrec.lookup.operation import Call
from streamrec.lookup.problems import Problem
from streamrec.lookup.service import STORE_UNAVAILABLE, Service
from streamrec.metrics import DEGRADED

HALF_LIVES: Final = ("1h", "1d", "10d")  # of POPULARITY

ACTIONS: Final = tuple(action.name.lower() for action in Action)


class Activity(msgspec.Struct, frozen=True):
    """How often something was done: in all, and as a sum in which every part has halved after seven days."""

    total: int
    recent: float


class Job(msgspec.Struct, frozen=True):
    """A job as the service knows it."""

    request_id: str
    job_id: str
    open: Annotated[bool, Meta(description="Whether it may be recommended now: not closed, not expired, not removed.")]
    posting: Annotated[JobPosting | None, Meta(description="null where only actions are known of the job.")]
    activity: Annotated[dict[str, Activity], Meta(description="By action: view, like, save, apply, dismiss.")]
    popularity: Annotated[
        dict[str, float],
        Meta(description="Positive actions, decayed, by half-life: 1h, 1d, 10d.", examples=[{"1h": 2.5}]),
    ]
    first_at: Annotated[int | None, Meta(description="Time of the first action, ms since the epoch.")]
    last_at: Annotated[int | None, Meta(description="Time of the newest action, ms since the epoch.")]


class SimilarQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the query."""

    limit: Annotated[int, Meta(ge=1, description="Jobs, at most.")] = 20


class JobItem(msgspec.Struct, frozen=True):
    """One job of a list that is not personal."""

    rank: int
    job_id: str
    score: Annotated[float, Meta(description="Comparable within one answer and one of its sources only.")]
    title: str | None
    company: str | None
    city: str | None
    sources: tuple[str, ...]


class JobList(msgspec.Struct, frozen=True):
    """Jobs, best first."""

    request_id: str
    items: tuple[JobItem, ...]
    degraded: Annotated[str | None, Meta(description="null, or why the answer falls short of what it should be.")]


def job_item(table: JobTable, row: int, place: int, score: float, source: str) -> JobItem:
    """What a list says of the job in a row."""
    posting = table.postings[row]
    title, company, city = (None, None, None) if posting is None else (posting.title, posting.company, posting.city)
    return JobItem(place, table.ids[row], score, title, company, city, (source,))


def find(service: Service, job_id: str) -> int:
    """The job's row in the table.

    Raises
    ------
    Problem
        There is no such job; or it cannot be said yet, since the table is being loaded.
    """
    row = service.serving.table.row(job_id)
    if row is not None:
        return row
    if not service.serving.loaded:
        detail = "the service has just started and does not know all jobs yet; try again in a moment"
        raise Problem(problems.TABLE_LOADING, detail, headers={"Retry-After": "2"})
    raise Problem(problems.UNKNOWN_JOB, f"there is no job {job_id!r}: no posting and no action of it has arrived")


async def job(service: Service, call: Call) -> Job:
    """Answer with what is known of one job."""
    row = find(service, call.path["job_id"])
    table, now = service.serving.table, service.clock_ms()
    rows = np.array([row], np.int32)

    def values(aggregates: tuple[Aggregate, ...]) -> list[float]:
        return [float(table.values(each, rows, now)[0]) for each in aggregates]

    return Job(
        request_id=call.request_id,
        job_id=call.path["job_id"],
        open=bool(table.servable(rows, now, True)[0]),
        posting=table.postings[row],
        activity={
            name: Activity(round(total), recent)
            for name, total, recent in zip(ACTIONS, values(JOB_TOTALS), values(JOB_COUNTS), strict=True)
        },
        popularity=dict(zip(HALF_LIVES, values(POPULARITY), strict=True)),
        first_at=int(table.first_at[row]) or None,
        last_at=int(table.last_at[row]) or None,
    )


async def similar(service: Service, call: Call) -> JobList:
    """Answer with the jobs that members touched along with this one, then with those whose titles are alike."""
    job_id, limit = call.path["job_id"], call.query.limit
    row = find(service, job_id)
    degraded = service.table_degraded()
    rows = await service.neighbours([job_id])
    if rows is None:
        rows, degraded = {}, STORE_UNAVAILABLE
    neighbours = rows.get(job_id, Neighbours())
    if degraded is not None:
        DEGRADED.labels(degraded).inc()
    table, now = service.serving.table, service.clock_ms()
    faded = fade(max(0, now - neighbours.at), NEIGHBOUR_HALF_LIFE_MS)
    weights = sorted(neighbours.weights.items(), key=lambda pair: (-pair[1], pair[0]))
    touched = table.rows(name for name, _ in weights)
    found: dict[int, tuple[float, str]] = {}
    allowed = table.servable(touched, now, service.serving.without_posting)
    for other, weight, open_now in zip(touched.tolist(), weights, allowed.tolist(), strict=True):
        if open_now and other != row:
            found[other] = (weight[1] * faded, "covisited")
    for other, overlap in _alike(table, row, limit + len(found) + 1, now):
        if other != row:
            found.setdefault(other, (overlap, "title"))
    best = list(found.items())[:limit]
    items = tuple(job_item(table, other, place, *why) for place, (other, why) in enumerate(best, 1))
    return JobList(call.request_id, items, degraded)


def _alike(table: JobTable, row: int, limit: int, now: int) -> list[tuple[int, float]]:
    """Rows of open postings with like titles, and the cosine of their words weighted by how much each says."""
    codes = table.tokens(row)
    if not len(codes):
        return []
    idf = table.idf(codes)
    weights = dict(zip(codes.tolist(), idf.tolist(), strict=True))
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    found = []
    for other in table.matching(weights, limit, now).tolist():
        others = table.tokens(other)
        values = table.idf(others).tolist()
        shared = sum(
            weights[code] * value for code, value in zip(others.tolist(), values, strict=True) if code in weights
        )
        found.append((other, shared / (length * math.sqrt(sum(value * value for value in values)) or 1.0)))
    return found
