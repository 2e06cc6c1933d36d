"""Tests of streamrec.codecs.origins."""

import pytest

from streamrec.codecs.origins import ATTEMPT, ORIGIN, ORIGIN_TOPIC_ID, Origin, Redriven, redriven

SENT = Redriven(Origin("job-views", 3, 17, "AbC_-9"), 2)


def test_what_was_written_is_read_and_other_headers_stay() -> None:
    headers = SENT.headers([("trace", b"abc"), ("none", None)])
    assert headers[:2] == (("trace", b"abc"), ("none", b""))
    assert redriven("job-views", headers) == SENT


def test_the_next_attempt_replaces_the_one_before() -> None:
    third = Redriven(SENT.origin, 3)
    headers = third.headers(SENT.headers())
    assert redriven("job-views", headers) == third
    assert [name for name, _ in headers] == [ORIGIN, ORIGIN_TOPIC_ID, ATTEMPT]


def test_headers_copied_to_another_topic_say_nothing() -> None:
    assert redriven("job-saves", SENT.headers()) is None


@pytest.mark.parametrize(
    "topic_id", ["AbC_-9xyzAbC_-9xyzAbCd", "6f1c0ec1-9b5c-4d4e-8d3e-3f2f1f6d2a11", "AbC+/9xyzAbC+/9xyzAbCd=="]
)
def test_an_id_of_any_form_that_a_broker_gives_survives(topic_id: str) -> None:
    sent = Redriven(Origin("job-views", 3, 17, topic_id), 2)
    assert redriven("job-views", sent.headers()) == sent


def test_a_topic_created_anew_makes_another_identity() -> None:
    assert Origin("job-views", 3, 17, "a").identity != Origin("job-views", 3, 17, "b").identity


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(ORIGIN, b"job-views/3@17")],
        [(ATTEMPT, b"2")],
        [(ORIGIN, None), (ATTEMPT, b"2")],
        [(ORIGIN, b"job-views/3@17"), (ATTEMPT, b"0")],
        [(ORIGIN, b"job-views/3@17"), (ATTEMPT, b"two")],
        [(ORIGIN, b"job-views/3"), (ATTEMPT, b"2")],
        [(ORIGIN, b"job-views/-3@17"), (ATTEMPT, b"2")],
        [(ORIGIN, b"job-views/3@17\n"), (ATTEMPT, b"2")],
        [(ORIGIN, b"\xff"), (ATTEMPT, b"\xff")],
        [(ORIGIN, b"job-views/3@" + b"9" * 400), (ATTEMPT, b"2")],
    ],
)
def test_anything_else_is_no_identity(headers: list[tuple[str, bytes | None]]) -> None:
    assert redriven("job-views", headers) is None
