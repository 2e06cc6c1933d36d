"""Words of titles."""

import pytest

from streamrec.features.text import tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("  !! ", ()),
        ("Nurse nurse NURSE", ("nurse",)),
        ("C++/C# developer", ("c++", "c#", "developer")),
        ("Sales & Marketing - Manager III", ("sales", "marketing", "manager", "iii")),
        ("a b C", ()),
        ("Straßenbauer/in", ("strassenbauer",)),
        ("Zoë Soigneur-animalier", ("zoë", "soigneur", "animalier")),
        ("\uff26ull width", ("full", "width")),
        ("data_engineer 2.0", ("data", "engineer")),
    ],
)
def test_words_are_casefolded_distinct_and_in_order(text: str, words: tuple[str, ...]) -> None:
    assert tokens(text) == words


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    assert tokens("caf\u00e9") == tokens("cafe\u0301")
