from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.stores.positions import Mark, Position, UnreadablePositionError, pack, unpack

GOLDEN = Path(__file__).parent.parent / "golden" / "positions"
offsets = st.integers(0, 2**63 - 1)


@given(st.text(), offsets, st.integers(0, 2**31))
def test_what_is_packed_comes_back(topic_id: str, offset: int, index: int) -> None:
    assert unpack(Position, pack(Position(topic_id, offset))) == Position(topic_id, offset)
    assert unpack(Mark, pack(Mark(topic_id, offset, index))) == Mark(topic_id, offset, index)


def test_every_version_stays_readable() -> None:
    assert unpack(Position, (GOLDEN / "position-v1.bin").read_bytes()) == Position("Ab3-x_9", 300_000)
    assert unpack(Mark, (GOLDEN / "mark-v1.bin").read_bytes()) == Mark("Ab3-x_9", 299_999, 3)


def test_this_version_writes_the_golden_bytes() -> None:
    assert pack(Position("Ab3-x_9", 300_000)) == (GOLDEN / "position-v1.bin").read_bytes()
    assert pack(Mark("Ab3-x_9", 299_999, 3)) == (GOLDEN / "mark-v1.bin").read_bytes()


def test_a_later_version_with_one_more_field_is_readable() -> None:
    later = b"\x01" + b"\x93" + b"\xa3abc" + b"\x07" + b"\xc3"
    assert unpack(Position, later) == Position("abc", 7)


@pytest.mark.parametrize("value", [b"", b"\x02\x92\xa1a\x01", b"\x01", b"\x01\x92\xa1a\xa1b", b"\x01\x91\xa1a"])
def test_anything_else_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadablePositionError):
        unpack(Position, value)
