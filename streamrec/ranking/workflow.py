"""From one member to a ranked list: view, gate, candidates, features, scores, order."""

from collections.abc import Mapping
from typing import Final

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
from streamrec.ranking.filters import Filters, Gate
from streamrec.ranking.gather import blend_of, gather
from streamrec.ranking.order import highest
from streamrec.ranking.ranked import RankedList

__all__ = ["NO_MODEL", "rank", "recent_ids", "score_jobs"]

NO_MODEL: Final = "no_model"  # in `degraded`: there is none yet, or none for the features of this version

# Equal rows of features can differ in the last bits of their sums; so much is rounded off before scores are compared.
_DECIMALS: Final = 12


def rank(
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
    view: MemberView | None = None,
) -> RankedList:
    """Rank jobs for one member.

    Parameters
    ----------
    state
        The member; a fresh one for an unknown member, who gets what is popular and new.
    neighbours
        Co-visitation rows of the jobs that `recent_ids` names, as far as there are any.
    table
        All jobs.
    scorer
        The model. Without one (None, or one for other features) the sources' own ranks are blended, `p_check` is None
        and the list says how it is degraded.
    now
        The moment (ms).
    size
        Jobs in the list; fewer only if fewer may be served.
    filters
        What the caller wants to see; default everything.
    viewed_again_after_ms
        How long a job that the member has viewed stays out of the list; default None, for ever.
    without_posting
        Whether jobs without a posting are served; default False.
    network
        The member's connections; default none.
    view
        What `MemberView.build` makes of the above, where the caller has it already.

    Returns
    -------
    RankedList
        Best first by the model's score, in which stronger actions weigh more than in `p_check`; equal scores by job id.
        With the features of its jobs, whether there is a model or not: they are what is learned from later.
    """
    network = network or Network()
    view = view or MemberView.build(state, neighbours, table, now, network)
    gate = Gate(
        state, table, now,
        filters=filters, viewed_again_after_ms=viewed_again_after_ms, without_posting=without_posting,
    )  # fmt: skip
    found = gather(view, table, gate, now, size)
    values = matrix(view, table, found.rows, now)
    scores, p_check = _scored(scorer, values)
    if scores is None:
        scores = found.blend
    best = highest(scores, size, found.rows, table.ids, table.columns.ties)
    listed = RankedList(
        member_version=state.version,
        network_version=network.version,
        ranked_at=now,
        job_ids=[table.ids[row] for row in found.rows[best].tolist()],
        scores=scores[best].tolist(),
        p_check=[None] * len(best) if p_check is None else p_check[best].tolist(),
        sources=found.sources[best].tolist(),
        degraded=NO_MODEL if p_check is None else None,
        feature_set=FEATURE_SET,
        features=values[best].astype("<f4", copy=False).tobytes(),
        cut=len(best) >= size,
    )
    if scorer is not None and p_check is not None:
        listed.model_name, listed.model_version, listed.model_at = scorer.name, scorer.version, scorer.learned_at
    return listed


def score_jobs(
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
    rows
        int32 ``(n,)``, in any order; -1 stands for an unknown job.

    Returns
    -------
    scores
        float64 ``(n,)``, in the order of `rows`; NaN for an unknown job. Without a model, the blend of the ranks in
        the sources, 0 for a job that none of them names.
    p_check
        The same for P(job checked if shown); None without a model.
    """
    view = MemberView.build(state, neighbours, table, now, network)
    scores, p_check = (None, None) if scorer is None else _scored(scorer, matrix(view, table, rows, now))
    if scores is None:
        scores = blend_of(view, table, rows, now)
    if p_check is not None:
        p_check[rows < 0] = np.nan
    scores[rows < 0] = np.nan
    return scores, p_check


def _scored(scorer: Scorer | None, values: npt.NDArray[np.float32]) -> tuple[Floats | None, Floats | None]:
    """Scores and P(job checked) of each row; None without a model."""
    if scorer is None or scorer.feature_set != FEATURE_SET:
        return None, None
    return np.round(scorer.scores(values), _DECIMALS), np.round(scorer.probabilities(values), _DECIMALS)
