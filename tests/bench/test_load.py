"""Requests over HTTP: every answer is counted, bad ones too, at the rate that was asked for."""

import http.server
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from streamrec.bench import load
from streamrec.bench.load import Generator


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        self.send_response(200 if self.path == "/good" else 500)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        Handler.asked.clear()
        yield server.server_port
        server.shutdown()
        thread.join()


GENERATORS = [
    "own",
    pytest.param("wrk", marks=pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")),
]


def wait(done: Callable[[], bool]) -> None:
    while not done():
        threading.Event().wait(0.01)


@pytest.mark.parametrize("by", GENERATORS)
def test_answers_and_failures_are_counted(port: int, tmp_path: Path, by: Generator) -> None:
    said = load.run(
        "127.0.0.1", port, ["/good", "/bad"], tmp_path, connections=2, seconds=1 if by == "wrk" else 0.2, on=(0,), wait=wait,
        by=by,
    )  # fmt: skip
    asked = Handler.asked
    assert said.requests >= 4
    assert (
        sum(asked.values()) - 2 <= said.requests <= sum(asked.values())
    )  # wrk leaves alone what is under way at the end
    assert asked["/bad"] - 2 <= said.failed <= asked["/bad"]
    assert said.failed
    assert 0 < said.p50_ms <= said.p99_ms <= said.p999_ms


@pytest.mark.parametrize("by", GENERATORS)
def test_a_rate_is_not_exceeded(port: int, tmp_path: Path, by: Generator) -> None:
    said = load.run(
        "127.0.0.1", port, ["/good"], tmp_path, connections=4, seconds=1, rate=50.0, on=(0,), wait=wait, by=by
    )  # fmt: skip
    assert 5 <= said.requests <= 120  # at random moments: 50 on average, 7 more or less one time in three
    assert not said.failed
