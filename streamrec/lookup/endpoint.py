"""What every operation shares: reading the request, timing, naming it, and turning whatever happens into an answer."""

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from streamrec.lookup import problems, request_ids
from streamrec.lookup.operation import JSON, Call, Operation, Reply
from streamrec.lookup.problems import Problem
from streamrec.lookup.requests import ClientGoneError, decode_body, read_body, read_path, read_query
from streamrec.metrics import REQUEST_SECONDS, REQUESTS

if TYPE_CHECKING:
    from streamrec.lookup.service import Service

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()
_JSON_HEADER: Final = (b"content-type", JSON.encode())
_PRIVATE_HEADER: Final = (b"cache-control", b"no-store")
_GOOD: Final = 200
_QUERIES, _SHORT_QUERY = 1000, 100  # query strings kept by an operation, and bytes of each at most
_CLIENT_GONE: Final = 499  # as proxies log it; nobody receives it


class Endpoint:
    """The ASGI application of one operation.

    An ASGI application of its own, instead of a Starlette function endpoint, since `Request` and `Response` objects and
    a second layer of exception handling would cost more than the rest of a cached answer.
    """

    def __init__(self, operation: Operation, service: "Service") -> None:
        self._operation, self._service = operation, service
        self._most = service.settings.max_body_bytes
        bounds = operation.bounds(service.settings)
        self._query_bounds = bounds if operation.body is None else {}
        self._body_bounds = bounds if operation.body is not None and operation.body_schema is None else {}
        self._decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)
        self._unasked = None if operation.query is None else operation.query()
        self._queries: dict[bytes, Any] = {}  # read before: an application asks by few of them
        self._good = REQUESTS.labels(operation.name, str(_GOOD))
        self._seconds = REQUEST_SECONDS.labels(operation.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        request_id = request_ids.identify(scope["headers"])
        try:
            reply = await self._reply(request_id, scope, receive)
        except Problem as problem:
            reply = problem_reply(problem, request_id)
        except ClientGoneError:
            REQUESTS.labels(self._operation.name, str(_CLIENT_GONE)).inc()
            return
        except Exception:  # noqa: BLE001 - whatever failed, the client gets an answer
            _log.exception("%s failed, request %s", self._operation.name, request_id)
            reply = problem_reply(unexpected(), request_id)
        await send_reply(send, reply, request_id)
        (self._good if reply.status == _GOOD else REQUESTS.labels(self._operation.name, str(reply.status))).inc()
        self._seconds.observe(time.perf_counter() - began)

    async def _reply(self, request_id: str, scope: Scope, receive: Receive) -> Reply:
        operation = self._operation
        path = read_path(scope["path_params"])
        raw = scope["query_string"]
        query: Any = self._unasked
        if raw and operation.query is not None and (query := self._queries.get(raw)) is None:
            query = read_query(raw, operation.query, self._query_bounds)
            self._remember(raw, query)
        body: Any = None
        if self._decoder is not None:
            body = decode_body(await read_body(scope["headers"], receive, self._most), self._decoder, self._body_bounds)
        answer = await operation.handler(self._service, Call(request_id, path, query, body))
        return answer if isinstance(answer, Reply) else Reply(_encoder.encode(answer))

    def _remember(self, raw: bytes, query: Any) -> None:
        """Keep what a query string says; not long ones, which hardly come twice (cursors, tokens)."""
        if len(raw) <= _SHORT_QUERY:
            if len(self._queries) >= _QUERIES:
                self._queries.clear()
            self._queries[raw] = query


def unexpected() -> Problem:
    """The problem that stands for an exception: its text stays in the log."""
    return Problem(problems.INTERNAL_ERROR, "the request could not be answered; the log has more under its request_id")


def problem_reply(problem: Problem, request_id: str) -> Reply:
    """The answer that a problem makes."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in problem.headers.items())
    return Reply(problem.document(request_id), problem.kind.status, problems.MEDIA_TYPE, headers)


async def send_reply(send: Send, reply: Reply, request_id: str) -> None:
    """Send an answer with the headers that all have."""
    headers = [
        _JSON_HEADER if reply.media_type == JSON else (b"content-type", reply.media_type.encode()),
        (b"content-length", b"%d" % len(reply.body)),
        (request_ids.HEADER, request_id.encode()),
        _PRIVATE_HEADER,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
