"""Orders by value, beside sorting by everything."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.order import descending

values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.25, np.inf])


@given(st.lists(st.tuples(values | st.floats(allow_nan=False), st.integers(0, 3), st.integers(0, 9)), max_size=60))
def test_it_is_the_order_by_value_and_then_by_the_rest(rows: list[tuple[float, int, int]]) -> None:
    found = np.array([value for value, _, _ in rows]), *(np.array([row[at] for row in rows], np.int64) for at in (1, 2))
    order = descending(*found).tolist()
    assert sorted(order) == list(range(len(rows)))
    slow = sorted(rows, key=lambda row: (-row[0], row[1], row[2]))
    assert [rows[place] for place in order] == slow
