from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.near import edits, near

WORDS = st.text("abcdef_", max_size=14)


@given(WORDS, WORDS)
def test_edits_are_the_same_both_ways_and_none_between_equal_words(one: str, other: str) -> None:
    assert edits(one, other) == edits(other, one)
    assert edits(one, one) == 0


@given(st.text("abcdef", min_size=6, max_size=14), st.data())
def test_two_neighbours_swapped_are_one_edit(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 2))
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    assert edits(word, swapped) == (0 if word == swapped else 1)


def test_longer_words_bear_more() -> None:
    assert [edits("ab", "ax"), edits("abc", "abx"), edits("abc", "axx")] == [None, 1, None]
    assert [edits("abcdef", "abcdxx"), edits("abcdef", "abcxxx")] == [2, None]
    assert edits("abcdefghijk", "abcdefghxxx") == 3


def test_the_likest_come_first_and_few() -> None:
    assert near("job_view", ["job_views", "job_likes", "job_view_total"]) == ("job_views", "job_view_total")
    assert len(near("job", [f"job_{number}" for number in range(9)])) == 3
    assert near("j", ["job", "k"]) == ()
