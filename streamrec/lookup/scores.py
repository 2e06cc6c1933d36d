"""``POST /v1/rank``: scores for jobs that the caller has chosen."""

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from streamrec.lookup.choosing import WORKFLOW_DESCRIPTION, chosen
from streamrec.lookup.operation import Call, Id
from streamrec.lookup.recommendations import Model
from streamrec.lookup.service import Service
from streamrec.metrics import DEGRADED
from streamrec.ranking.engine import NO_MODEL, score_jobs


class RankRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member and the jobs to score."""

    member_id: Annotated[Id, Meta(description="An unknown member is fine.")]
    job_ids: Annotated[tuple[Id, ...], Meta(min_length=1, description="In any order; the answer has the same one.")]
    track: Annotated[
        bool,
        Meta(
            description="Whether a person will see these jobs. Nothing is recorded either way: which of them are shown, and "
            "where, is for the application to say, in the events that it sends."
        ),
    ] = False
    workflow: Annotated[
        Annotated[str, Meta(min_length=1, max_length=80)] | None,
        Meta(description=f"{WORKFLOW_DESCRIPTION} Its model scores or, where it has none, its sources."),
    ] = None


class Score(msgspec.Struct, frozen=True):
    """Of one job. Both are null for a job of which nothing is known; `p_check` also while there is no model."""

    job_id: str
    score: float | None
    p_check: float | None


class Scores(msgspec.Struct, frozen=True):
    """One entry for each of `job_ids`, in the order given. Closed and applied-to jobs are scored like others."""

    request_id: str
    member_id: str
    items: tuple[Score, ...]
    model: Model | None
    workflow: Annotated[str, Meta(description="Name and version of the workflow that scored.", examples=["jobs@1"])]
    degraded: Annotated[str | None, Meta(description="null, or why the answer falls short of what it should be.")]


async def rank(service: Service, call: Call) -> Scores:
    """Score the given jobs for the given member."""
    body: RankRequest = call.body
    workflow = chosen(service, body.workflow)
    inputs = await service.inputs(body.member_id)
    serving = service.serving
    table, scorer = serving.table, serving.scorer
    scores, p_check = score_jobs(
        workflow,
        inputs.state,
        inputs.neighbours,
        table,
        scorer,
        table.rows(body.job_ids),
        service.clock_ms(),
        inputs.network,
    )
    chances = [None] * len(scores) if p_check is None else p_check.tolist()
    items = tuple(
        Score(job_id, None, None) if math.isnan(score) else Score(job_id, score, chance)
        for job_id, score, chance in zip(body.job_ids, scores.tolist(), chances, strict=True)
    )
    degraded = inputs.degraded or service.table_degraded() or (NO_MODEL if p_check is None and workflow.model else None)
    if degraded is not None:
        DEGRADED.labels(degraded).inc()
    model = None if scorer is None or p_check is None else Model(scorer.name, scorer.version)
    return Scores(call.request_id, body.member_id, items, model, workflow.label, degraded)
