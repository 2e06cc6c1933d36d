"""What counts as a value."""

import math
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.cells.values import MOST, mark, number, text

NO_NUMBERS: list[Any] = [None, True, False, "1", b"1", [1.0], 1j, math.nan, math.inf, -math.inf, 1.1e18, -(10**400)]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_would_poison_a_sum_is_no_number(value: Any) -> None:
    assert number(value) is None


@given(st.floats(-MOST, MOST) | st.integers(-int(MOST), int(MOST)))
def test_every_other_number_is_a_float(value: float) -> None:
    known = number(value)
    assert type(known) is float
    assert known == float(value)


def test_numbers_of_numpy_are_stored_as_plain_ones() -> None:
    assert type(number(np.float64(1.5))) is float


def test_minus_zero_is_zero() -> None:
    assert math.copysign(1.0, number(-0.0) or 0.0) == 1.0


@pytest.mark.parametrize("value", [None, 1.0, b"a", "\udfff", "a\ud800b"], ids=repr)
def test_what_cannot_be_written_is_no_text(value: Any) -> None:
    assert text(value) is None
    if value != 1.0:
        assert mark(value) is None


@given(st.text())
def test_the_hash_of_a_text_is_that_of_its_bytes(value: str) -> None:
    assert text(value) == value
    assert mark(value) == blake2b(value.encode(), digest_size=8).digest()


@given(st.floats(-MOST, MOST), st.floats(-MOST, MOST))
def test_equal_numbers_have_one_hash_and_no_others(one: float, other: float) -> None:
    assert (mark(one) == mark(other)) == (one == other)
    assert mark(one) != mark(repr(one))


def test_hashes_are_the_same_on_every_machine() -> None:
    marks = [mark(value) for value in ("", "job-1", "Pflegekraft für Köln", 1.0, 2.5)]
    assert [known.hex() for known in marks if known] == [
        "e4a6a0577479b2b4", "01e636a65307b56b", "c81288940b2f3a85", "2d82965bfcdf3ca6", "c83ec4a32edf080e",
    ]  # fmt: skip
