"""Which cells of two parts of a log may be put together, and how: for engines that fold a key in several places.

Parts are split by member, since a member's state is folded in order (co-visitation, and what is taken back, look at what came
before). What the parts give for one job, or for one company, is merged cell by cell. Rows of neighbours are sums, and merge by
themselves: see `neighbours`.
"""

from collections.abc import Mapping

from streamrec.features.cells.keyed import Keyed
from streamrec.features.feeds import Cells, State
from streamrec.features.fold import NEIGHBOUR_HALF_LIFE_MS
from streamrec.features.plan import Plan
from streamrec.features.state import Neighbours
from streamrec.features.windows import fade


def why_not(state: State) -> str | None:
    """Why what two parts keep cannot be merged exactly; None where it can.

    Examples
    --------
    >>> from streamrec.features.language import job, last, mean, sliding, top, member, views
    >>> tried = mean(views.dwell_ms, by=job, window=sliding("1h")), top(views.surface, by=member, k=5)
    >>> [why_not(State(each, ())) for each in tried]
    [None, 'a text that was cut in one part begins anew: exact while no more texts came than are kept']
    """
    if state.ttl_ms is not None:
        return "whether it had outlived its time to live shows only in one log: fold the key in one place"
    if not state.cell.mergeable:
        return "a text that was cut in one part begins anew: exact while no more texts came than are kept"
    if isinstance(state.keeps, Keyed):
        return f"a text that was dropped in one part begins anew: exact while no more than {state.aggregate.keep} came"
    return None


def merged(plan: Plan, one: Cells, other: Cells) -> Cells:
    """What both parts give for one owner, as far as the windows allow: see `why_not`.

    Raises
    ------
    ValueError
        Both parts hold a cell that has a time to live, or one that the plan does not know.
    """
    found = {**one, **other}
    for key in one.keys() & other.keys():
        state = plan.states.get(key)
        if state is None or state.ttl_ms is not None:
            raise ValueError(f"the cell {key} of two parts cannot be merged: {why_not(state) if state else 'unknown'}")
        found[key] = state.keeps.merge(one[key], other[key])
    return found


def neighbours(one: Neighbours, other: Neighbours) -> Neighbours:
    """The ties of both parts: exact while neither row was cut back.

    Examples
    --------
    >>> neighbours(Neighbours(5, {"a": 1.0}), Neighbours(5, {"a": 0.5, "b": 0.25}))
    Neighbours(at=5, weights={'a': 1.5, 'b': 0.25})
    """
    older, newer = (one, other) if one.at <= other.at else (other, one)
    weights = _as_of(older, newer.at)
    for job_id, weight in newer.weights.items():
        weights[job_id] = weights.get(job_id, 0.0) + weight
    return Neighbours(newer.at, weights)


def _as_of(row: Neighbours, at: int) -> dict[str, float]:
    scale = fade(at - row.at, NEIGHBOUR_HALF_LIFE_MS) if row.weights else 1.0
    return {job_id: weight * scale for job_id, weight in row.weights.items()}


def reasons(plan: Plan) -> Mapping[str, str]:
    """By state key, why a cell is not mergeable; cells that are have no entry."""
    return {key: reason for key, state in plan.states.items() if (reason := why_not(state)) is not None}
