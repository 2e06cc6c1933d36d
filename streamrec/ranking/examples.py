"""Training examples: what a member did, beside jobs that it could have chosen, with the feature values of that moment."""

from collections.abc import Callable, Mapping

import numpy as np

from streamrec.events import JobApplication, JobEvent, JobLike, JobSave, JobView, TrainingExample, is_probe
from streamrec.features.library import FEATURE_SET
from streamrec.features.matrix import matrix
from streamrec.features.state import MemberState, Neighbours, Network
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.ranking.candidates import SOURCES, Source
from streamrec.ranking.filters import Gate
from streamrec.ranking.gather import gather
from streamrec.ranking.negatives import sample


def is_positive(event: object) -> bool:
    """Whether the event says that a member liked what it saw; a probe (`events.is_probe`) likes nothing."""
    match event:
        case JobEvent(member_id=member_id) if is_probe(member_id):
            return False
        case JobView() | JobApplication():
            return True
        case JobSave(saved=saved):
            return saved
        case JobLike(liked=liked):
            return liked
        case _:
            return False


def is_old(state: MemberState, job_id: str, viewed_again_after_ms: int | None = None) -> bool:
    """Whether the job is certainly not served to the member any more, for what it did with it before: see `filters.barred`.

    Examples
    --------
    >>> is_old(MemberState(viewed={"a": 1}), "a"), is_old(MemberState(viewed={"a": 1}), "a", 1_000), is_old(MemberState(), "a")
    (True, False, False)
    """
    if job_id in state.applied or job_id in state.dismissed:
        return True
    return viewed_again_after_ms is None and (job_id in state.viewed or job_id in state.liked or job_id in state.saved)


def example(
    event: JobEvent,
    source: tuple[str, str, int, int],
    state: MemberState,
    neighbours: Mapping[str, Neighbours],
    table: JobTable,
    count: int,
    *,
    viewed_again_after_ms: int | None = None,
    without_posting: bool = False,
    network: Network | None = None,
    view: MemberView | None = None,
    sources: tuple[Source, ...] = SOURCES,
    observe: Callable[[int], None] | None = None,
) -> TrainingExample | None:
    """The example that `event` makes: the job first, then up to `count` negatives sampled from the member's candidates.

    Only a job that was a candidate itself makes one: the model orders candidates, and one that learned from others, too,
    would take what the sources cannot find for what members want. In particular, what a member does with a job that is
    not served to it any more (it has viewed it before) makes no example.

    Parameters
    ----------
    event
        A positive action. Its `event_id` seeds the sampling.
    source
        Topic, topic id, partition and offset of the event.
    state, neighbours
        The member before this event, and the co-visitation rows of its recent jobs.
    table
        All jobs. It belongs to other owners and may lag: for examples, the first one produced counts.
    count
        Negatives at most.
    network
        The member's connections; default none.
    viewed_again_after_ms, without_posting
        What may be served, as in `engine.rank`.
    view
        What `MemberView.build` makes of the above, where the caller has it already.
    sources
        Where candidates come from: those of the workflow that makes lists; default all.
    observe
        Told which sources gave the job, as a bit mask, where it could have been served; default nobody.

    Returns
    -------
    TrainingExample or None
        None where the job was no candidate, or there is nothing to compare it with.
    """
    now, positive = event.occurred_at, table.row(event.job_id)
    if positive is None or is_old(state, event.job_id, viewed_again_after_ms):  # before all else: most end here
        return None
    first = np.array([positive], np.int32)
    gate = Gate(state, table, now, viewed_again_after_ms=viewed_again_after_ms, without_posting=without_posting)
    if not gate.allows(first)[0]:
        return None
    view = view or MemberView.build(state, neighbours, table, now, network, {"surface": event.surface})
    gathered = gather(view, table, gate, now, sources=sources)
    candidates = gathered.rows
    found = gathered.sources[candidates == positive]
    if observe is not None:
        observe(int(found.sum()))
    if not len(found):
        return None
    others = sample(candidates, table, positive, count, event.event_id)
    if not len(others):
        return None
    rows = np.concatenate([first, others])
    job_ids = tuple([table.ids[row] for row in rows.tolist()])
    values = matrix(view, table, rows, now)
    topic, topic_id, partition, offset = source
    return TrainingExample(
        event_id=event.event_id, member_id=event.member_id, occurred_at=now,
        source_topic=topic, source_topic_id=topic_id, source_partition=partition, source_offset=offset, source_index=0,
        surface=event.surface, feature_set=FEATURE_SET, job_ids=job_ids,
        labels=(1.0, *([0.0] * len(others))), weights=(1.0,) * len(job_ids),
        features=np.ascontiguousarray(values, dtype="<f4").tobytes(),
    )  # fmt: skip
