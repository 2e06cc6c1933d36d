"""The baselines of `lookup`: servers on the lookup's own HTTP stack that do next to nothing.

``/value/KEY`` reads one Redis value and returns it; ``/product/KEY`` also multiplies a matrix of 500 jobs by the number of
features. Settings come from the environment, as for every process of streamrec.
"""

import contextlib
import sys
from collections.abc import AsyncIterator

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from streamrec.features.library import feature_names
from streamrec.settings import Settings, load
from streamrec.stores.keys import Keys
from streamrec.stores.redis import RedisStore

JOBS = 500


class _Bare:
    """One kind of request, as an ASGI application of its own, like those of the lookup."""

    def __init__(self, store: RedisStore, product: bool) -> None:
        self._store = store
        width = len(feature_names())
        draw = np.random.default_rng(1)
        self._matrix = draw.random((JOBS, width), np.float32) if product else None
        self._weights = draw.random(width, np.float32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        [value] = await self._store.get([scope["path_params"]["key"]])
        body = value or b""
        if self._matrix is not None:
            scores = self._matrix @ self._weights
            if not np.isfinite(scores[0]):
                body = b""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if body else 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def create() -> Starlette:
    """The application; uvicorn calls it."""
    settings: Settings = load()
    store = RedisStore(settings.redis, Keys(settings.namespace, settings.partitions))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await store.close()

    routes = [
        Route("/value/{key}", _Bare(store, product=False), methods=["GET"]),
        Route("/product/{key}", _Bare(store, product=True), methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Serve at the port of the command line until SIGTERM, configured as `lookup.server` is."""
    uvicorn.run(
        "streamrec.bench.bare:create", factory=True, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        ws="none", lifespan="on", interface="asgi3", access_log=False, server_header=False, log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
