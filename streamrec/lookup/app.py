"""The ASGI application: the operations behind Starlette's router, and problem documents for whatever misses them."""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamrec.lookup import docs, problems, request_ids
from streamrec.lookup.endpoint import Endpoint, unexpected
from streamrec.lookup.openapi import document
from streamrec.lookup.operation import Operation
from streamrec.lookup.problems import MEDIA_TYPE, Problem
from streamrec.lookup.routes import OPERATIONS
from streamrec.lookup.service import Service
from streamrec.lookup.traced import traced
from streamrec.metrics import REQUESTS, started

_TRACED: Final = "/v1/"  # what applications ask, not what machines ask all the time: health, metrics
_log = logging.getLogger(__name__)


def create_app(service: Service) -> ASGIApp:
    """The application. Its lifespan runs the service's background work, and closes what the service holds."""
    described = document(OPERATIONS, service.settings)
    service.openapi, service.docs = msgspec.json.encode(described), docs.render(described)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        started("lookup")
        async with service.running():
            yield

    app = Starlette(
        routes=[
            Route(operation.path, _endpoint(operation, service), methods=[operation.method], name=operation.name)
            for operation in OPERATIONS
        ],
        exception_handlers={HTTPException: _missed, Exception: _failed},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    hot = next(operation for operation in OPERATIONS if operation.path == _Hot.PATH)
    return _Last(_RawPath(_Hot(app, _endpoint(hot, service))), service)


def _endpoint(operation: Operation, service: Service) -> ASGIApp:
    endpoint = Endpoint(operation, service)
    return traced(endpoint, operation.method, operation.path) if operation.path.startswith(_TRACED) else endpoint


class _RawPath:
    """Routes by the path as it was sent, so that an id may hold a slash (``%2F``); `read_path` decodes it afterwards."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in scope.get("raw_path", b""):
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


class _Hot:
    """Leads the requests that nearly all are past the router: its layers cost as much as reading the answer from Redis."""

    PATH: Final = "/v1/members/{member_id}/recommendations"
    _BEFORE, _AFTER = PATH.split("{member_id}")

    def __init__(self, app: ASGIApp, endpoint: ASGIApp) -> None:
        self._app, self._endpoint = app, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path: str = scope["path"]
            member = path[len(self._BEFORE) : -len(self._AFTER)]
            if path == f"{self._BEFORE}{member}{self._AFTER}" and member and "/" not in member:
                scope["path_params"] = {"member_id": member}
                await self._endpoint(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Last:
    """Once the service is stopping, has each answer end its connection, so that the next request goes elsewhere."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, _closing(send) if self._service.stopping else send)


def _closing(send: Send) -> Send:
    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_last


async def _missed(request: Request, error: Exception) -> Response:
    """No operation has this path, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code == problems.METHOD_NOT_ALLOWED.status:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        detail = f"{request.method} is not allowed here; allowed: {allowed}"
        return _respond(request, Problem(problems.METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed}))
    return _respond(request, Problem(problems.NOT_FOUND, "no operation has this path; /docs lists all"))


async def _failed(request: Request, error: Exception) -> Response:
    """Something failed outside of the operations, which catch their own failures."""
    _log.error("a request failed", exc_info=error)
    return _respond(request, unexpected())


def _respond(request: Request, problem: Problem) -> Response:
    request_id = request_ids.identify(request.scope["headers"])
    REQUESTS.labels("none", str(problem.kind.status)).inc()
    headers = {"X-Request-Id": request_id, "Cache-Control": "no-store", **problem.headers}
    return Response(problem.document(request_id), problem.kind.status, headers, MEDIA_TYPE)
