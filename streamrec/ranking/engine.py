"""Runs workflows: from one member to a ranked list, stage by stage, or to the reason why a fallback must answer."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Floats, Rows
from streamrec.features.library import FEATURE_SET
from streamrec.features.matrix import matrix
from streamrec.features.state import MemberState, Neighbours, Network
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.features.view import sources as recent_ids
from streamrec.models.base import Scorer
from streamrec.models.passed import Passed, times
from streamrec.ranking.filters import Filters, Gate
from streamrec.ranking.gather import Candidates, blend_of, gather
from streamrec.ranking.order import highest
from streamrec.ranking.ranked import RankedList
from streamrec.ranking.registry import Workflows
from streamrec.ranking.rerankers import Mover, Standing
from streamrec.ranking.watch import Timed, Watch
from streamrec.ranking.workflow import BUDGET, NO_MODEL, Workflow
from streamrec.ranking.workflows import WORKFLOWS

__all__ = ["BUDGET", "NO_MODEL", "rank", "recent_ids", "score_jobs"]

# Equal rows of features can differ in the last bits of their sums; so much is rounded off before scores are compared.
_DECIMALS: Final = 12


class _Asked(NamedTuple):
    """What every stage reads: see `rank`."""

    view: MemberView
    table: JobTable
    scorer: Scorer | None
    now: int
    size: int
    gate: Callable[[Workflow], Gate]
    passed: Passed
    observe: Callable[[Candidates], None] | None


class _Instead(NamedTuple):
    """Another workflow must answer, for a reason that `degraded` will tell."""

    reason: str
    workflow: Workflow


def rank(
    workflow: Workflow,
    state: MemberState,
    neighbours: Mapping[str, Neighbours],
    table: JobTable,
    scorer: Scorer | None,
    now: int,
    *,
    size: int,
    filters: Filters | None = None,
    viewed_again_after_ms: int | None = None,
    without_posting: bool = False,
    network: Network | None = None,
    passed: Passed | None = None,
    view: MemberView | None = None,
    context: Mapping[str, str | None] | None = None,
    elapsed_ms: Callable[[], float] | None = None,
    timed: Timed | None = None,
    among: Workflows = WORKFLOWS,
    observe: Callable[[Candidates], None] | None = None,
) -> RankedList:
    """Rank jobs for one member.

    Parameters
    ----------
    workflow
        How.
    state
        The member; a fresh one for an unknown member, who gets what is popular and new.
    neighbours
        Co-visitation rows of the jobs that `recent_ids` names, as far as there are any.
    table
        All jobs.
    scorer
        The model. Without the one that the workflow wants (None, another, or one for other features) its fallback answers,
        and the list says how it is degraded.
    now
        The moment (ms).
    size
        Jobs in the list; fewer only if fewer may be served, or by the workflow's limits.
    filters
        What the caller wants to see; default everything.
    viewed_again_after_ms
        How long a job that the member has viewed stays out of the list; default None, for ever.
    without_posting
        Whether jobs without a posting are served; default False.
    network
        The member's connections; default none.
    passed
        What the member was shown and did not check; default nothing.
    view
        What `MemberView.build` makes of the above, where the caller has it already.
    context
        What is known of the request, for features that read it: its ``surface``; default nothing.
    elapsed_ms
        Any clock that never goes back. Without one (default) no budget is ever spent, and the list is the same every time.
    timed
        Called with each stage that is over (candidates, features, order) and the ms that it took. Default nobody.
    among
        Where fallbacks are looked up.
    observe
        Called with the candidates once they are found, before they are put in order: the list keeps the best of them only.
        Default nobody. Where a fallback answers that looks for its own, it is called again.

    Returns
    -------
    RankedList
        Best first by the model's score, in which stronger actions weigh more than in `p_check`; equal scores by job id; then
        in the order of the workflow's re-rankers, but for exploration, which is of the moment of showing it (see `rerank`).
        With the features of its jobs, whether there is a model or not: they are what is learned from later. `workflow` is
        the one that answered in the end, `degraded` the first reason to fall back.
    """
    watch = Watch(workflow.budget, elapsed_ms, timed)
    network = network or Network()
    view = view or MemberView.build(state, neighbours, table, now, network, context)

    def gate(of: Workflow) -> Gate:
        return Gate(
            state, table, now, filters=filters, viewed_again_after_ms=viewed_again_after_ms,
            without_posting=without_posting, rules=of.filters,
        )  # fmt: skip

    passed = passed or Passed()
    asked, degraded = _Asked(view, table, scorer, now, size, gate, passed, observe), None
    while isinstance(listed := _run(workflow, asked, watch, among), _Instead):  # ends: fallbacks never lead in a circle
        degraded = degraded or listed.reason
        workflow = listed.workflow
        watch = Watch(workflow.budget, elapsed_ms, timed)
    listed.member_version, listed.network_version, listed.passed_version = (
        state.version,
        network.version,
        passed.version,
    )
    listed.ranked_at = now
    listed.degraded = degraded or listed.degraded
    return listed


def _run(workflow: Workflow, asked: _Asked, watch: Watch, among: Workflows) -> RankedList | _Instead:
    """The list by one workflow, or which other must answer, and why."""
    view, table, now = asked.view, asked.table, asked.now
    scorer, degraded = _usable(workflow, asked.scorer), None
    if workflow.model is not None and scorer is None:
        degraded = NO_MODEL
        if (other := among.fallback(workflow, NO_MODEL)) is not None:
            return _Instead(NO_MODEL, other)
    size = min(asked.size, workflow.limits.length or asked.size)
    found = gather(view, table, asked.gate(workflow), now, size, workflow.sources)
    found = found.most(max(size, workflow.limits.candidates), table)
    if asked.observe is not None:
        asked.observe(found)
    values: npt.NDArray[np.float32] | None = None
    scores, p_check = found.blend, None
    late = watch.over("candidates")
    if scorer is not None:
        if not late:
            values = matrix(view, table, found.rows, now)
            late = watch.over("features")
        if late and (other := among.fallback(workflow, BUDGET)) is not None:
            return _Instead(BUDGET, other)
        if late:
            degraded = BUDGET
        elif values is not None:
            scores, p_check = _scored(scorer, values)
    scores = _discounted(workflow, asked, found.rows, scores, odds=p_check is not None)
    best = _ordered(workflow, table, found.rows, scores, size, odds=p_check is not None)
    listed = RankedList(
        workflow=workflow.label,
        job_ids=[table.ids[row] for row in found.rows[best].tolist()],
        scores=scores[best].tolist(),
        p_check=[None] * len(best) if p_check is None else p_check[best].tolist(),
        sources=found.sources[best].tolist(),
        degraded=degraded,
        feature_set=FEATURE_SET,
        features=(matrix(view, table, found.rows[best], now) if values is None else values[best])
        .astype("<f4", copy=False).tobytes(),
        cut=len(best) >= size,
    )  # fmt: skip
    watch.over("order")
    if scorer is not None and p_check is not None:
        listed.model_name, listed.model_version, listed.model_at = scorer.name, scorer.version, scorer.learned_at
    return listed


def _discounted(workflow: Workflow, asked: _Asked, rows: Rows, scores: Floats, *, odds: bool) -> Floats:
    """The scores of ascending `rows`, lower for what the member passed over. `odds` as in `_ordered`."""
    jobs = asked.passed.jobs
    if workflow.discount is None or not jobs or not len(rows):
        return scores
    passed = asked.table.rows(jobs)
    where = np.minimum(np.searchsorted(rows, passed), len(rows) - 1)
    here = rows[where] == passed
    counts = np.zeros(len(rows))
    counts[where[here]] = np.array(times(asked.passed, jobs, asked.now))[here]
    return np.round(workflow.discount.lower(scores, counts, odds=odds), _DECIMALS)


def _ordered(
    workflow: Workflow, table: JobTable, rows: Rows, scores: Floats, size: int, *, odds: bool
) -> npt.NDArray[np.intp]:
    """Positions in `rows` of the jobs of the list, in its order. `odds`: the scores are chances, and not those of a blend."""
    moving = [reranker for reranker in workflow.rerankers if isinstance(reranker, Mover)]
    # What a re-ranker brings into the list may come from below its end.
    best = highest(scores, len(rows) if moving else size, rows, table.ids, table.columns.ties)
    if not moving:
        return best
    standing = Standing(rows[best], _log_odds(scores[best], odds), table)
    for number, reranker in enumerate(moving, 1):
        positions = reranker.reorder(standing, size if number == len(moving) else len(best))
        best, standing = best[positions], standing.take(positions)
    return best


def _log_odds(scores: Floats, odds: bool) -> Floats:
    """Of chances their log odds; of a blend, which may be above 1, the log: there, too, a step means a factor."""
    least = 10.0**-_DECIMALS
    logs: Floats = np.log(np.maximum(scores, least))
    return logs - np.log(np.maximum(1.0 - scores, least)) if odds else logs


def score_jobs(
    workflow: Workflow,
    state: MemberState,
    neighbours: Mapping[str, Neighbours],
    table: JobTable,
    scorer: Scorer | None,
    rows: Rows,
    now: int,
    network: Network | None = None,
) -> tuple[Floats, Floats | None]:
    """Score given jobs for one member, whether they may be served or not; as `rank` does, which see for the parameters.

    Parameters
    ----------
    workflow
        Whose model, or whose sources.
    rows
        int32 ``(n,)``, in any order; -1 stands for an unknown job.

    Returns
    -------
    scores
        float64 ``(n,)``, in the order of `rows`; NaN for an unknown job. Without a model, the blend of the ranks in
        the workflow's sources, 0 for a job that none of them names.
    p_check
        The same for P(job checked if shown); None without a model.
    """
    view = MemberView.build(state, neighbours, table, now, network)
    scores, p_check = None, None
    if (usable := _usable(workflow, scorer)) is not None:
        scores, p_check = _scored(usable, matrix(view, table, rows, now))
        p_check[rows < 0] = np.nan
    else:
        scores = blend_of(view, table, rows, now, workflow.sources)
    scores[rows < 0] = np.nan
    return scores, p_check


def _usable(workflow: Workflow, scorer: Scorer | None) -> Scorer | None:
    """The scorer, if it is the model that the workflow wants, for the features that are computed."""
    if scorer is None or scorer.name != workflow.model or scorer.feature_set != workflow.feature_set:
        return None
    return scorer


def _scored(scorer: Scorer, values: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Scores and P(job checked) of each row."""
    return np.round(scorer.scores(values), _DECIMALS), np.round(scorer.probabilities(values), _DECIMALS)
