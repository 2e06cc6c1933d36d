"""A stand-in for the lookup service, to answer exactly what a test needs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest


class FakeLookup:
    """Answers with `jobs` for every member; `asked` notes for whom. `status` other than 200 is a failure."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.asked: list[str] = []
        self.status = 200
        self.state_age_ms: int | None = 5
        self.degraded: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                member_id = unquote(urlsplit(self.path).path.split("/")[3])
                outer.asked.append(member_id)
                body = json.dumps(outer.answer(member_id)).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.server.server_port

    def answer(self, member_id: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "title": None,
            "company": None,
            "city": None,
            "score": 0.0,
            "p_check": None,
            "sources": [],
        }
        return {
            "member_id": member_id,
            "items": [
                {"rank": rank, "position": rank - 1, "job_id": job_id, **item}
                for rank, job_id in enumerate(self.jobs, 1)
            ],
            "freshness": {"state_age_ms": self.state_age_ms},
            "degraded": self.degraded,
        }

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def lookup() -> Iterator[FakeLookup]:
    fake = FakeLookup()
    yield fake
    fake.close()
