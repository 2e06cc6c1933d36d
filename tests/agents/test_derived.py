"""Tests of streamrec.agents.derived."""

from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.agents.derived import MAX_RECORD_BYTES, ActivityBuffer, is_applied
from streamrec.events import ActivityEntry, JobActivity
from streamrec.features.fold import Effect
from streamrec.partitioner import partition_of
from streamrec.stores.positions import Mark

PARTITIONS = 4


def effect(job: str, neighbours: int = 0) -> Effect:
    return Effect(job, 0, 1, True, tuple((f"neighbour-{number}", 0.5) for number in range(neighbours)), 1_000)


def packed(effects_by_offset: list[list[Effect]]) -> list[tuple[int, JobActivity]]:
    buffer = ActivityBuffer("job-views", "id", 3, PARTITIONS)
    for offset, effects in enumerate(effects_by_offset):
        buffer.add(offset, effects)
    records = list(buffer.records())
    decoded = [codecs.decode("JobActivity", record.value) for record in records if record.value]
    assert all(isinstance(activity, JobActivity) for activity in decoded)
    return [(record.partition or 0, activity) for record, activity in zip(records, decoded, strict=True)]  # type: ignore[misc]


jobs = st.sampled_from([f"j{number}" for number in range(9)])
logs = st.lists(st.lists(jobs.map(effect), max_size=4), max_size=12)


@given(logs)
def test_every_effect_arrives_once_at_the_owner_of_its_job_in_order(log: list[list[Effect]]) -> None:
    arrived: list[ActivityEntry] = []
    for partition, activity in packed(log):
        assert (activity.source_topic, activity.source_topic_id, activity.source_partition) == ("job-views", "id", 3)
        places = [(entry.offset, entry.index) for entry in activity.entries]
        assert places == sorted(places)
        assert {partition_of(entry.job_id, PARTITIONS) for entry in activity.entries} == {partition}
        arrived += activity.entries
    wanted = [
        (offset, index, effect.job_id) for offset, effects in enumerate(log) for index, effect in enumerate(effects)
    ]
    assert sorted((entry.offset, entry.index, entry.job_id) for entry in arrived) == wanted


@given(logs, st.data())
def test_other_batch_boundaries_after_a_restart_give_the_same_entries(
    log: list[list[Effect]], data: st.DataObject
) -> None:
    """The consumer's marks are by entry: it may see a prefix, and then everything again in one batch."""
    cut = data.draw(st.integers(0, len(log)))
    marks: dict[int, Mark] = {}
    applied: list[tuple[int, int]] = []
    for part in (log[:cut], log):
        for partition, activity in packed(part):
            for entry in activity.entries:
                if not is_applied(marks.get(partition), "id", entry.offset, entry.index):
                    applied.append((entry.offset, entry.index))
                    marks[partition] = Mark("id", entry.offset, entry.index)
    assert sorted(applied) == [(offset, index) for offset, effects in enumerate(log) for index in range(len(effects))]


def test_a_large_batch_is_split_below_the_brokers_limit() -> None:
    records = packed([[effect("same-job", neighbours=100)] for _ in range(1_000)])
    assert len(records) > 1
    assert all(len(codecs.encode(activity)) < 1.2 * MAX_RECORD_BYTES for _, activity in records)
