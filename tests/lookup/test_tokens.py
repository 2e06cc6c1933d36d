import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.lookup.tokens import MAX_LENGTH, InvalidTokenError, Token, decode, encode

tokens = st.builds(Token, st.text(max_size=40), st.text(max_size=40), st.integers(0, 2**31), st.integers(0, 2**63 - 1))


@given(tokens)
def test_a_token_comes_back(token: Token) -> None:
    assert decode(encode(token)) == token


@given(tokens)
def test_a_token_can_stand_in_a_url_as_it_is(token: Token) -> None:
    assert set(encode(token)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_tokens_of_earlier_versions_stay_readable() -> None:
    assert decode("kgGUo3QtMalqb2Itdmlld3MCEQ") == Token("t-1", "job-views", 2, 17)


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        token = decode(text)
    except InvalidTokenError:
        return
    assert encode(token) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A" * (MAX_LENGTH + 1), "at most"),
        ("kgKUo3QtMalqb2Itdmlld3MCEQ", "version 2"),
        ("kgGUo3QtMalqb2Itdmlld3MCEQ==", "not a token"),
        ("kgGUo3QtMalqb2Itdmlld3P_EQ", "not a token"),  # partition -1
        ("", "not a token"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidTokenError, match=why):
        decode(text)
