"""The index of words (its answers are tested with the table)."""

import math

import numpy as np
import pytest

from streamrec.features.titles import Titles


def test_a_word_says_less_the_more_titles_have_it() -> None:
    titles = Titles(2)
    for row, words in enumerate((("night", "nurse"), ("nurse",), ("clerk",))):
        titles.hold(row + 1)
        titles.put(row, words)
    codes = np.array([0, *titles.codes_of(["nurse", "clerk"])], np.int32)
    assert titles.idf(codes).tolist() == pytest.approx([0.0, math.log1p(3 / 2), math.log1p(3)])


def test_a_title_that_goes_takes_its_words_along() -> None:
    titles = Titles(2)
    titles.put(0, ("night", "nurse"))
    code = titles.codes_of(["nurse"])[0]
    titles.put(0, ("night",))
    assert titles.overlap({code: 1.0}, 1).tolist() == [0.0]
    assert titles.idf(np.array([code], np.int32)).tolist() == [0.0]
    titles.put(0, None)
    assert (titles.count, titles.words[0].sum()) == (0, 0)
    titles.put(0, ("nurse",))
    assert (titles.count, titles.codes_of(["nurse"])) == (1, [code])
    assert titles.overlap({code: 1.0}, 1).tolist() == pytest.approx([math.log1p(1) ** 2])


def test_what_a_word_says_follows_every_title() -> None:
    titles = Titles(2)
    titles.put(0, ("nurse",))
    code = titles.codes_of(["nurse"])[0]
    for row, words, says in (
        (1, ("clerk",), 2.0),
        (2, ("nurse", "aide"), 1.5),
        (1, None, 1.0),
        (2, ("aide",), 2.0),
        (3, (), 3.0),
    ):
        titles.hold(row + 1)
        titles.put(row, words)
        assert titles.idf(np.array([code, 0], np.int32)).tolist() == pytest.approx([math.log1p(says), 0.0])
        assert titles.says.tolist() == (titles.idf(np.arange(len(titles), dtype=np.int32)) ** 2).tolist()


def test_a_title_without_words_is_a_title() -> None:
    titles = Titles(2)
    titles.put(0, ())
    assert titles.count == 1
    titles.put(0, ())
    assert titles.count == 1


def test_more_words_than_room_are_held() -> None:
    titles = Titles(2)
    words = [f"word{number}" for number in range(5000)]
    for row in range(500):
        titles.hold(row + 1)
        titles.put(row, tuple(words[10 * row : 10 * row + 10]))
    codes = titles.codes_of(words)
    assert codes == list(range(1, 5001))
    assert titles.idf(np.array(codes, np.int32)).tolist() == pytest.approx([math.log1p(500)] * 5000)
    assert np.flatnonzero(titles.overlap({codes[-1]: 1.0}, 500)).tolist() == [499]
