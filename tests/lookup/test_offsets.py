import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.lookup.cursor import InvalidCursorError
from streamrec.lookup.offsets import decode, encode


@given(st.integers(0, 2**32 - 1))
def test_an_offset_comes_back(offset: int) -> None:
    assert decode(encode(("a", None), offset), ("a", None)) == offset


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode(text, ("a", None))


def test_a_cursor_of_another_question_is_told_apart() -> None:
    with pytest.raises(InvalidCursorError, match="other filters"):
        decode(encode(("a", None), 3), ("a", "b"))


@pytest.mark.parametrize("at", range(9))  # version and fingerprint; the rest is the offset, of which any is one
def test_a_damaged_cursor_is_refused(at: int) -> None:
    text = encode(("a", None), 3)
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(InvalidCursorError):
        decode(changed, ("a", None))
