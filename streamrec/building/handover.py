"""What was built becomes a generation of keys, with the positions at which the live agents go on.

* Members, jobs and neighbours hold exactly the records before the positions. What the agents derive of later ones carries
  the new generation, so that nothing that the old one's agents have put into `job-activity` is counted beside it.
* The model's marks lie at the positions, so that examples which the old generation has made of earlier records are not
  learned twice, and those of later ones once, whichever generation made them.
* What members were shown goes along, and so do impressions whose window is open. Those that another slot owns now (after a
  change of the number of partitions) make no negatives any more: closings are numbered by the log of their slot.
"""

import importlib.metadata
from collections.abc import Iterator, Mapping

from streamrec.agents.due import DueQueue
from streamrec.building.builder import Builder
from streamrec.building.checkpoint import Work
from streamrec.features.state import pack
from streamrec.kafka.ends import Place
from streamrec.local.lag import slot_of
from streamrec.models import passed as passed_over
from streamrec.models import shown as shown_lists
from streamrec.models import snapshot as snapshots
from streamrec.models.job_check import JobCheck
from streamrec.models.snapshot import LearnedPosition
from streamrec.stores import positions
from streamrec.stores.base import Put, PutFields, Write
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Position
from streamrec.topics import TRAINING_EXAMPLES


def writes(builder: Builder, work: Work, keys: Keys, derived: Mapping[Place, int], now: int) -> Iterator[Write]:
    """All that makes up the generation of `keys`.

    Parameters
    ----------
    derived
        Where the internal topics are read on, by topic and partition: nothing before that is of this generation.
    now
        ms.
    """
    for member_id, member in builder.members.items():
        yield Put(keys.member(member_id), pack(member))
    for member_id, network in builder.networks.items():
        if network.edges or network.more or network.parted:
            yield Put(keys.network(member_id), pack(network))
    if builder.erased:  # by digest, which does not tell the slot
        ledger = {digest: str(at).encode() for digest, at in builder.erased.items()}
        for number in range(keys.partitions):
            yield PutFields(keys.erased(f"m{number}"), ledger)
    for job_id, job in builder.jobs.items():
        yield Put(keys.job(job_id), pack(job))
    for job_id, row in builder.neighbours.items():
        yield Put(keys.neighbours(job_id), pack(row))
    for member_id, kept in builder.shown.items():
        shown, seconds = kept.shown, (kept.until - now) // 1000
        if seconds > 0 and (shown.lists or shown.acted or shown.early):
            yield Put(keys.shown(member_id), shown_lists.pack(shown), seconds)
    for member_id, passed in builder.passed.items():
        seconds = passed_over.LIFETIME_S + (max(each.at for each in passed.jobs.values()) - now) // 1000
        if seconds > 0:
            yield Put(keys.passed(member_id), passed_over.pack(passed), seconds)
    yield from _due(builder, keys)
    yield from _positions(work, keys, derived)
    yield from _model(builder, work, keys, now)


def orphans(builder: Builder, keys: Keys) -> int:
    """Impressions with an open window that another slot owns now than the one of their log."""
    return sum(
        keys.member_slot(due.member_id) != f"m{partition}"
        for partition, waiting in builder.due.items()
        for due in waiting
    )


def _due(builder: Builder, keys: Keys) -> Iterator[Write]:
    for partition, waiting in builder.due.items():
        slot, queue = f"m{partition}", DueQueue({})
        for due in waiting:
            if keys.member_slot(due.member_id) == slot:
                queue.add(due)
        yield from queue.writes(keys.due(slot))


def _positions(work: Work, keys: Keys, derived: Mapping[Place, int]) -> Iterator[Write]:
    ends = {(span.topic, span.partition): span.end for span in work.spans} | dict(derived)
    ends[TRAINING_EXAMPLES, 0] = work.trained_to
    for (topic, partition), end in ends.items():
        slot = slot_of(topic, partition)
        if slot is not None:
            yield PutFields(keys.positions(slot), {topic: positions.pack(Position(work.topic_ids[topic], end))})


def _model(builder: Builder, work: Work, keys: Keys, now: int) -> Iterator[Write]:
    marks = builder.marks(
        {(span.topic, span.partition): span.end for span in work.spans if span.topic in work.topic_ids}
    )
    position = LearnedPosition(TRAINING_EXAMPLES, work.topic_ids[TRAINING_EXAMPLES], 0, work.trained_to)
    taken = snapshots.take(
        builder.model, version=work.version + 1, now=now, code_version=importlib.metadata.version("streamrec"),
        positions=(position,),
        marks={f"{source}@{mark.topic_id}": (mark.offset, mark.index) for source, mark in marks.items()},
    )  # fmt: skip
    yield Put(keys.model(JobCheck.name), snapshots.pack(taken))
    yield Put(keys.model_version(JobCheck.name), str(taken.version).encode())
