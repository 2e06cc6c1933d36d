"""A span around each request, where traces are on."""

from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamrec import tracing
from streamrec.lookup.request_ids import HEADER

if TYPE_CHECKING:
    from streamrec.tracing.recorder import Recorder

_START: Final = "http.response.start"


def traced(app: ASGIApp, method: str, route: str) -> ASGIApp:
    """`app`, which answers one operation, with a span around each of its requests; `app` itself while traces are off."""
    recorder = tracing.current()
    return app if recorder is None else _Traced(app, method, route, recorder)


class _Traced:
    def __init__(self, app: ASGIApp, method: str, route: str, recorder: "Recorder") -> None:
        self._app, self._method, self._route, self._recorder = app, method, route, recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._recorder.serve(self._method, self._route, scope["path"], headers) as span:

            async def noting(message: Message) -> None:
                if message["type"] == _START:
                    request_id = next((value for name, value in message["headers"] if name == HEADER), b"")
                    span.answered(message["status"], request_id.decode("latin-1"))
                await send(message)

            await self._app(scope, receive, noting)
