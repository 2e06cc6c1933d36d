"""From bytes to validated values: path, query and body of one request, with a limit on every size."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.types import Receive

from streamrec.lookup import problems
from streamrec.lookup.operation import ID_LENGTH
from streamrec.lookup.problems import FieldError, Problem, bad_parameter

QUERY_BYTES: Final = 16_384
_FIELDS: Final = 32
_BODY_PATIENCE_S: Final = 10.0
_JSON_TYPES: Final = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE).fullmatch
_at = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


class ClientGoneError(Exception):
    """The client hung up before its request was complete: there is nobody to answer."""


def read_path(raw: Mapping[str, str]) -> dict[str, str]:
    """Path parameters, decoded.

    Raises
    ------
    Problem
        A parameter is longer than `ID_LENGTH` or not UTF-8.

    Examples
    --------
    >>> read_path({"member_id": "a%2Fb"})
    {'member_id': 'a/b'}
    """
    values = {}
    for name, text in raw.items():
        try:
            value = unquote(text, errors="strict") if "%" in text else text
        except UnicodeDecodeError:
            raise bad_parameter("path", name, "not UTF-8") from None
        if not 0 < len(value) <= ID_LENGTH:
            raise bad_parameter("path", name, f"must have 1 to {ID_LENGTH} characters")
        values[name] = value
    return values


def read_query(raw: bytes, kind: type[msgspec.Struct], bounds: Mapping[str, int]) -> Any:
    """The query string as a value of `kind`.

    Raises
    ------
    Problem
        It is too long, not UTF-8, names an unknown parameter, or one twice that is not a list, or a value does not fit.
    """
    if len(raw) > QUERY_BYTES:
        raise Problem(problems.INVALID_REQUEST, f"the query has more than {QUERY_BYTES} bytes")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except UnicodeDecodeError:
        raise Problem(problems.INVALID_REQUEST, "the query is not percent-encoded UTF-8") from None
    except ValueError:
        raise Problem(problems.INVALID_REQUEST, f"the query has more than {_FIELDS} parameters") from None
    values: dict[str, str | list[str]] = {}
    lists = _lists(kind)
    for name, text in pairs:
        if name in lists:
            values.setdefault(name, []).append(text)  # type: ignore[union-attr]
            continue
        if name in values:
            raise bad_parameter("query", name, "given twice")
        if name not in kind.__struct_encode_fields__:
            known = ", ".join(kind.__struct_encode_fields__)
            raise bad_parameter("query", name[:80], f"no such parameter; this operation takes {known}")
        values[name] = text
    try:
        value = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        detail, where = explain(error)
        raise bad_parameter("query", where.partition("[")[0] or "query", detail) from None
    for name, most in bounds.items():
        if getattr(value, name) > most:
            raise bad_parameter("query", name, f"Expected `int` <= {most}")
    return value


@lru_cache
def _lists(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Parameters that may be given several times, once for each of their values."""
    kinds = {field.encode_name: field.type for field in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]
    plain = {name: of.type if isinstance(of, msgspec.inspect.Metadata) else of for name, of in kinds.items()}
    return frozenset(name for name, of in plain.items() if isinstance(of, msgspec.inspect.VarTupleType))


def explain(error: msgspec.ValidationError) -> tuple[str, str]:
    """What is wrong, and where.

    Examples
    --------
    >>> explain(msgspec.ValidationError("Expected `int` <= 100 - at `$.limit`"))
    ('Expected `int` <= 100', 'limit')
    """
    match = _at.match(str(error))
    assert match is not None  # noqa: S101 - the pattern matches every text
    return match["detail"], (match["path"] or "$").removeprefix("$").removeprefix(".")


def header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """A header's value, None when absent; `wanted` in lower case."""
    for name, value in headers:
        if name == wanted:
            return value.decode("latin-1")
    return None


async def read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, most: int) -> bytes:
    """The whole JSON body, at most `most` bytes.

    Raises
    ------
    Problem
        It is not declared as JSON, larger than `most`, or took more than ten seconds to arrive.
    ClientGoneError
        The client hung up.
    """
    headers = list(headers)
    declared = header(headers, b"content-type")
    if declared is None or not _JSON_TYPES(declared):
        raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "send the header Content-Type: application/json")
    too_large = Problem(problems.BODY_TOO_LARGE, f"a body has at most {most} bytes", headers={"Connection": "close"})
    length = header(headers, b"content-length")
    if length is not None and length.isdecimal() and int(length) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_PATIENCE_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        detail = f"the body did not arrive within {_BODY_PATIENCE_S:.0f} s"
        raise Problem(problems.BODY_TIMEOUT, detail, headers={"Connection": "close"}) from None


def decode_body(raw: bytes, decoder: "msgspec.json.Decoder[Any]", bounds: Mapping[str, int]) -> Any:
    """The body as a value of the decoder's type.

    Raises
    ------
    Problem
        It is not JSON, or does not fit.
    """
    try:
        value = decoder.decode(raw)
    except msgspec.ValidationError as error:
        detail, where = explain(error)
        raise invalid_body(where, detail) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(problems.INVALID_JSON, str(error)) from None
    for name, most in bounds.items():
        if len(getattr(value, name)) > most:
            raise invalid_body(name, f"Expected `array` of length <= {most}")
    return value


def invalid_body(where: str, detail: str) -> Problem:
    """The body, or the part of it at `where`, does not fit."""
    said = f"{where}: {detail}" if where else detail
    return Problem(problems.INVALID_BODY, said, errors=[FieldError("body", where, detail)])
