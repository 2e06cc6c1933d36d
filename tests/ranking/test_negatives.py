"""Negatives: candidates, each as likely as another, the same for the same event in every process."""

from collections import Counter

import numpy as np
import pytest

from streamrec.features.columns import Rows
from streamrec.features.state import JobState
from streamrec.features.table import JobTable
from streamrec.ranking.negatives import sample


def table_of(job_ids: list[str]) -> JobTable:
    table = JobTable()
    for job_id in job_ids:
        table.upsert(job_id, JobState(version=1))
    return table


def all_rows(table: JobTable) -> Rows:
    return np.arange(len(table), dtype=np.int32)


def test_all_candidates_but_the_positive_are_equally_likely() -> None:
    table = table_of([f"j{number}" for number in range(20)])
    counts: Counter[int] = Counter()
    for number in range(2000):
        drawn = sample(all_rows(table)[:11], table, 3, 4, f"e{number}").tolist()
        assert len(set(drawn)) == 4
        counts.update(drawn)
    assert sorted(counts) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert list(counts.values()) == pytest.approx([800] * 10, rel=0.15)


def test_the_event_decides_not_the_order_in_which_jobs_became_known() -> None:
    names = [f"j{number}" for number in range(30)]
    one, other = table_of(names), table_of(names[::-1])
    for number in range(20):
        drawn = sample(all_rows(one), one, one.rows(["j1"])[0], 8, f"e{number}")
        again = sample(all_rows(other), other, other.rows(["j1"])[0], 8, f"e{number}")
        assert [one.ids[row] for row in drawn] == [other.ids[row] for row in again]
    assert len({tuple(sample(all_rows(one), one, 1, 8, f"e{number}").tolist()) for number in range(20)}) > 15


def test_fewer_candidates_than_wanted_are_all_taken() -> None:
    table = table_of(["a", "b", "c"])
    assert sorted(sample(all_rows(table), table, 1, 8, "e1").tolist()) == [0, 2]
    assert sample(all_rows(table)[1:2], table, 1, 8, "e1").tolist() == []
