"""``GET /v1/popular``: what is looked at most, everywhere or in one region or function."""

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from streamrec.features.library import POPULARITY
from streamrec.features.table import JobTable
from streamrec.lookup.jobs import HALF_LIVES, JobList, job_item
from streamrec.lookup.operation import Call
from streamrec.lookup.recommendations import Region
from streamrec.lookup.service import Service
from streamrec.metrics import DEGRADED


class PopularQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the query."""

    region: Annotated[Region | None, Meta(description="Only jobs of this region.", examples=["Bavaria"])] = None
    function: Annotated[Region | None, Meta(description="Only jobs of this function.", examples=["nursing"])] = None
    half_life: Annotated[
        Literal["1h", "1d", "10d"], Meta(description="How fast an action loses its weight: it halves in this time.")
    ] = "1d"
    limit: Annotated[int, Meta(ge=1, description="Jobs, at most.")] = 20


async def popular(service: Service, call: Call) -> JobList:
    """Answer with the most popular open jobs; where too few were acted on, with fewer."""
    query: PopularQuery = call.query
    table, now = service.serving.table, service.clock_ms()
    half_life = HALF_LIVES.index(query.half_life)
    groups = {
        name: table.code(name, text) for name, text in (("region", query.region), ("function", query.function)) if text
    }
    degraded = service.table_degraded()
    if degraded is not None:
        DEGRADED.labels(degraded).inc()
    # A region that no job has must not become "everywhere", which is what code 0 means to the table.
    rows = (
        _top(table, half_life, groups, query.limit, now, service.serving.without_posting)
        if all(groups.values())
        else []
    )
    scores = table.values(POPULARITY[half_life], np.array(rows, np.int32), now).tolist()
    items = tuple(
        job_item(table, row, place, score, "popular")
        for place, (row, score) in enumerate(zip(rows, scores, strict=True), 1)
    )
    return JobList(call.request_id, items, degraded)


def _top(
    table: JobTable, half_life: int, groups: dict[str, int], limit: int, now: int, without_posting: bool
) -> list[int]:
    """The first `limit` rows that may be shown; looks further down the more of them may not."""
    ask = limit
    while True:
        rows = table.top(half_life, ask, **groups, now=now)
        allowed = rows[table.servable(rows, now, without_posting) & np.isfinite(table.popularity[rows, half_life])]
        if len(allowed) >= limit or len(rows) < ask:
            return [int(row) for row in allowed[:limit]]
        ask *= 4
