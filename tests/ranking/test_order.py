"""Orders agree with Python's own sort by (score, job id)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.ranking import order
from streamrec.ranking.order import best_first, highest

scores = st.lists(st.sampled_from((-np.inf, -1.0, 0.0, 0.25, 0.5, 3.0)), max_size=40)


@given(scores, st.randoms())
def test_best_first_is_a_sort_by_score_then_id(values: list[float], draw: object) -> None:
    ids = [f"j{number}" for number in range(len(values))]
    draw.shuffle(ids)  # type: ignore[attr-defined]
    expected = sorted(range(len(values)), key=lambda i: (-values[i], ids[i]))
    assert best_first(np.array(values), ids).tolist() == expected


@given(scores, st.randoms(), st.integers(-1, 45))
def test_highest_is_the_head_of_the_whole_sort(values: list[float], draw: object, limit: int) -> None:
    ids = [f"j{number}" for number in range(len(values))]
    draw.shuffle(ids)  # type: ignore[attr-defined]
    rows = np.array(sorted(range(len(values)), key=lambda i: ids[i][::-1]), np.int32)
    expected = sorted(range(len(values)), key=lambda i: (-values[i], ids[rows[i]]))[: max(0, limit)]
    assert highest(np.array(values), limit, rows, ids, rows.astype(np.int64)).tolist() == expected


def test_a_crowd_of_equal_scores_is_cut_by_tie_without_comparing_all_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_COMPARED", 3)
    ids, ties = ["d", "c", "b", "a"], np.array([4, 1, 3, 2])
    assert highest(np.zeros(4), 2, np.arange(4, dtype=np.int32), ids, ties).tolist() == [3, 1]
