"""Sketches are a function of the set of values, small, and as good as they say."""

import math
import statistics
from functools import reduce
from hashlib import blake2b
from random import Random

import pytest
from datasketches import cpc_sketch, cpc_union
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.cells.sketch import EMPTY, EXACT, LG_K, RELATIVE_ERROR, add, estimate, merge


def marks_of(values: list[int]) -> list[bytes]:
    return [blake2b(str(value).encode(), digest_size=8).digest() for value in values]


def added(marks: list[bytes], sketch: bytes = EMPTY) -> bytes:
    return reduce(add, marks, sketch)


def of_the_set(values: set[int]) -> bytes:
    """By the library alone: the union of one sketch a value."""
    union = cpc_union(LG_K)
    for mark in marks_of(sorted(values)):
        one = cpc_sketch(LG_K)
        one.update(int.from_bytes(mark, "little", signed=True))
        union.update(one)
    return bytes(union.get_result().serialize())


sets = st.builds(
    lambda first, size: list(range(first, first + size)), st.integers(0, 50), st.integers(0, 60) | st.integers(0, 900)
)
randoms = st.randoms(use_true_random=False)


@settings(max_examples=25)
@given(sets, sets, randoms)
def test_bytes_do_not_depend_on_order_repeats_or_parts(one: list[int], other: list[int], random: Random) -> None:
    values = one + other
    shuffled = random.sample(values, len(values))
    whole = added(marks_of(shuffled + shuffled[:20]))
    assert whole == added(marks_of(sorted(set(values))))
    assert (
        whole
        == merge(added(marks_of(one)), added(marks_of(other)))
        == merge(added(marks_of(other)), added(marks_of(one)))
    )
    if len(set(values)) > EXACT:
        assert whole == b"\x01" + of_the_set(set(values))
    else:
        assert estimate(whole) == len(set(values))


@settings(max_examples=40)
@given(st.integers(0, EXACT + 1), randoms)
def test_few_values_are_counted_exactly(count: int, random: Random) -> None:
    marks = marks_of(list(range(count)))
    sketch = added(random.choices(marks, k=3 * count) + marks) if marks else EMPTY
    assert estimate(sketch) == pytest.approx(count, abs=0.0 if count <= EXACT else 1.5)
    assert merge(sketch, EMPTY) == merge(EMPTY, sketch) == sketch


@pytest.mark.parametrize("count", [30, 300, 3000])
def test_the_error_is_as_stated(count: int) -> None:
    ratios = []
    for seed in range(60):
        union = cpc_sketch(LG_K)
        marks = marks_of(list(range(seed * 10_000, seed * 10_000 + count)))
        ratios.append(estimate(merge(added(marks[:15]), _many(marks[15:], union))) / count - 1.0)
    spread = math.sqrt(statistics.fmean(ratio * ratio for ratio in ratios))
    assert spread < 1.25 * RELATIVE_ERROR  # 60 draws: the root mean square is within a fifth or so of the truth
    assert abs(statistics.fmean(ratios)) < 4 * RELATIVE_ERROR / math.sqrt(60)
    if count == 3000:
        assert spread > 0.6 * RELATIVE_ERROR  # and not better by accident of a wrong figure


def _many(marks: list[bytes], sketch: cpc_sketch) -> bytes:
    """A sketch of many values at once, which is faster than one by one."""
    for mark in marks:
        sketch.update(int.from_bytes(mark, "little", signed=True))
    return b"\x01" + bytes(sketch.serialize())


def test_a_sketch_stays_small() -> None:
    sketch, largest, sizes = EMPTY, 0, {}
    for count, mark in enumerate(marks_of(list(range(20_000))), start=1):
        sketch = add(sketch, mark)
        largest = max(largest, len(sketch))
        sizes[count] = len(sketch)
    assert sizes[1] == 9
    assert sizes[EXACT] == 1 + 8 * EXACT
    assert largest < 200


def test_sketches_stored_by_earlier_versions_are_read() -> None:
    """Bytes as they were written first: a library that writes others would make stored sketches and new ones differ."""
    few, many = added(marks_of([1, 2, 3])), added(marks_of(list(range(40))))
    assert few.hex() == "001bf41ef6fd6f6f6c9e251905a6d98e01f6fc42039fba3776"
    assert many.hex() == (
        "0104011008000acc932700000008000000630cab8782afc403be2025962a25f146700f1d44e7cd38bb46d286b03e0a0000"
    )
    assert round(estimate(many), 6) == 39.994155
