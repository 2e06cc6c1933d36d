"""A map of cells, against one cell a key."""

import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.cells.always import Always
from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.summary import Count, Total
from tests.features.cells.oracle import CELLS, START, event_lists, value_of

names = st.sampled_from(["r1|j1", "r1|j2", "r2|j1"])


@settings(max_examples=40)
@given(
    st.lists(event_lists, max_size=3),
    st.lists(names, min_size=3, max_size=3, unique=True),
    st.randoms(use_true_random=False),
)
def test_each_key_is_as_a_cell_of_its_own(keys, order, random):  # type: ignore[no-untyped-def]
    events = [(name, event) for name, known in zip(order, keys, strict=False) for event in known]
    shuffled = random.sample(events, len(events))
    for cell in CELLS[:: 1 + len(CELLS) // 12]:
        keyed = Keyed(cell, 3)
        kept, parts = keyed.fresh(), [keyed.fresh(), keyed.fresh()]
        for place, (name, event) in enumerate(shuffled):
            keyed.fold(kept, event.at, name, value_of(cell, event))
            keyed.fold(parts[place % 2], event.at, name, value_of(cell, event))
        for name in ("r1|j1", "r1|j2", "r2|j1"):
            own = cell.fresh()
            for other, event in shuffled:
                if other == name:
                    cell.fold(own, event.at, value_of(cell, event))
            assert keyed.columns_of(kept, name) == pytest.approx(cell.columns(own), rel=0.0, abs=0.0, nan_ok=True)
            merged = keyed.columns_of(keyed.merge(*parts), name)
            assert merged == pytest.approx(cell.columns(own), rel=1e-9, abs=1e-3, nan_ok=True)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept)) == kept
        assert keyed.last_at(kept) == max((event.at for _, event in events), default=None)


def counted(keep: int, events: list[tuple[int, str]]) -> list[Any]:
    keyed = Keyed(Always(Count()), keep)
    kept = keyed.fresh()
    for at, name in events:
        keyed.fold(kept, START + at, name)
    return kept


def test_the_key_whose_newest_event_is_the_oldest_is_dropped() -> None:
    keyed = Keyed(Always(Count()), 2)
    assert keyed.keys(counted(2, [(1, "a"), (2, "b"), (3, "a"), (4, "c")])) == ["a", "c"]
    assert keyed.keys(counted(2, [(1, "b"), (1, "c"), (1, "a")])) == ["a", "b"]
    assert keyed.keys(counted(2, [(5, "a"), (6, "b"), (1, "c")])) == ["a", "b"]
    merged = keyed.merge(counted(2, [(1, "a"), (4, "b")]), counted(2, [(3, "a"), (2, "c")]))
    assert keyed.keys(merged) == ["a", "b"]
    assert keyed.columns_of(merged, "a") == (2.0,)


def test_ten_thousand_keys_leave_as_many_as_are_kept() -> None:
    kept = counted(50, [(late, f"key-{late}") for late in range(10_000)])
    assert Keyed(Always(Count()), 50).keys(kept) == sorted(f"key-{late}" for late in range(9950, 10_000))


def test_what_was_dropped_or_never_there_cannot_be_taken_back() -> None:
    keyed = Keyed(Always(Total()), 2)
    kept = keyed.fresh()
    keyed.fold(kept, START, "a", 5.0)
    keyed.fold(kept, START, "a", 2.0)
    keyed.fold(kept, START, "a", 5.0, sign=-1)
    keyed.fold(kept, START, "b", 5.0, sign=-1)
    assert (keyed.keys(kept), keyed.columns_of(kept, "a"), keyed.columns_of(kept, "b")) == (["a"], (2.0,), (0.0,))


def test_a_value_or_key_that_is_passed_over_takes_no_room() -> None:
    keyed = Keyed(Always(Total()), 1)
    kept = keyed.fresh()
    keyed.fold(kept, START, "a", 5.0)
    keyed.fold(kept, START + 1, "b", float("nan"))
    keyed.fold(kept, START + 1, "\ud800", 1.0)
    assert keyed.keys(kept) == ["a"]


def test_it_is_its_parameters() -> None:
    keyed = Keyed(Always(Count()), 50)
    assert pickle.loads(pickle.dumps(keyed)) == keyed != Keyed(Always(Count()), 51)
    assert str(keyed) == "count over always for each of 50 keys"
    with pytest.raises(ValueError, match="choose from 1 to 10000"):
        Keyed(Always(Count()), 0)


def test_merging_leaves_its_parts_alone() -> None:
    keyed = Keyed(Always(Count()), 2)
    one, other = counted(2, [(1, "a")]), counted(2, [(2, "a"), (3, "b")])
    merged = keyed.merge(one, other)
    keyed.fold(merged, START + 9, "a")
    keyed.fold(merged, START + 9, "b")
    assert one == counted(2, [(1, "a")])
    assert other == counted(2, [(2, "a"), (3, "b")])
