from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.lookup.problems import Problem
from streamrec.lookup.recommendations import RecommendationsQuery
from streamrec.lookup.requests import QUERY_BYTES, ClientGoneError, decode_body, read_body, read_path, read_query
from streamrec.lookup.scores import RankRequest

JSON = [(b"content-type", b"application/json")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def receiver(*parts: bytes | None) -> Any:
    """A body in parts; None for a client that hangs up."""
    messages = [
        {"type": "http.disconnect"} if part is None else
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]  # fmt: skip

    async def receive() -> Any:
        return messages.pop(0)

    return receive


@given(st.binary(max_size=200))
def test_any_query_gives_a_value_or_a_problem(raw: bytes) -> None:
    try:
        assert isinstance(read_query(raw, RecommendationsQuery, {"limit": 100}), RecommendationsQuery)
    except Problem as problem:
        assert problem.kind.status in {400, 422}  # noqa: PT017


@given(st.binary(max_size=200))
def test_any_body_gives_a_value_or_a_problem(raw: bytes) -> None:
    decoder = msgspec.json.Decoder(RankRequest)
    try:
        assert isinstance(decode_body(raw, decoder, {"job_ids": 10}), RankRequest)
    except Problem as problem:
        assert problem.kind.status in {400, 422}  # noqa: PT017


def test_a_query_is_bounded_in_bytes_and_parameters() -> None:
    with pytest.raises(Problem, match="bytes"):
        read_query(b"region=" + b"x" * QUERY_BYTES, RecommendationsQuery, {})
    with pytest.raises(Problem, match="parameters"):
        read_query(b"&".join(b"a=1" for _ in range(40)), RecommendationsQuery, {})


def test_a_path_that_is_not_utf_8_is_refused() -> None:
    assert read_path({"a": "x%20%C3%BC"}) == {"a": "x ü"}
    with pytest.raises(Problem, match="UTF-8"):
        read_path({"a": "%C3"})


def test_a_body_nested_without_end_is_not_json_to_us() -> None:
    with pytest.raises(Problem, match="invalid-json"):
        decode_body(b"[" * 100_000, msgspec.json.Decoder(), {})


@pytest.mark.anyio
async def test_a_body_comes_in_parts() -> None:
    assert await read_body(JSON, receiver(b"{", b"}", b""), 2) == b"{}"


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")], [(b"content-length", b"x")]])
async def test_a_body_is_refused_as_soon_as_it_is_too_large(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Problem, match="body-too-large"):
        await read_body([*JSON, *headers], receiver(b"{", b" }"), 2)


@pytest.mark.anyio
@pytest.mark.parametrize("declared", [None, b"text/plain", b"application/x-www-form-urlencoded", b"application/jsonx"])
async def test_a_body_that_is_not_declared_as_json_is_refused(declared: bytes | None) -> None:
    headers = [] if declared is None else [(b"content-type", declared)]
    with pytest.raises(Problem, match="unsupported-media-type"):
        await read_body(headers, receiver(b"{}"), 2)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "declared", [b"application/json; charset=utf-8", b"Application/JSON", b"application/cloudevents+json"]
)
async def test_json_may_be_declared_in_several_ways(declared: bytes) -> None:
    assert await read_body([(b"content-type", declared)], receiver(b"{}"), 2) == b"{}"


@pytest.mark.anyio
async def test_a_client_that_hangs_up_is_not_answered() -> None:
    with pytest.raises(ClientGoneError):
        await read_body(JSON, receiver(b"{", None), 2)


@pytest.mark.anyio
async def test_a_body_that_does_not_come_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio  # noqa: PLC0415

    from streamrec.lookup import requests  # noqa: PLC0415

    monkeypatch.setattr(requests, "_BODY_PATIENCE_S", 0.01)
    with pytest.raises(Problem, match="body-timeout"):
        await read_body(JSON, asyncio.Event().wait, 2)  # type: ignore[arg-type]
