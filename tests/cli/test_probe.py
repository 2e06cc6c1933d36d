"""``streamrec probe --once`` where nothing answers, and where something else does."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@pytest.fixture
def other() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """Address of a server that answers whatever it is told to."""
    answers: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def test_each_partition_is_told_with_the_reason_and_exit_code_1(run: Any, run_json: Any, away: dict[str, str]) -> None:
    result = run(away, "probe", "--once")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].split() == ["partition", "result", "after", "why"]
    assert len(lines) == 1 + 4
    assert all("no answer" in line and "Connection refused" in line for line in lines[1:])
    assert run_json(away, "probe", "--once")[3] == {
        "partition": 3, "result": "no_answer", "seconds": None, "why": lines[4].split("answer", 1)[1].strip(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "result", "why"),
    [
        (200, b"<html>", "no_answer", "something that is no list: is it a streamrec lookup?"),
        (200, b"[]", "no_answer", "something that is no list"),
        (503, b"busy", "no_answer", "answers with status 503: busy"),
        (200, b'{"items": [], "degraded": null}', "no_jobs", "there is no job in the list of a member who did nothing"),
        (
            200,
            b'{"items": [], "degraded": "store_unavailable"}',
            "no_answer",
            "not by the member's state: store_unavailable",
        ),
        (200, b'{"items": [{"job_id": "a"}], "degraded": null}', "not_produced", "Kafka does not answer"),
    ],
)
def test_what_else_can_come_of_it_is_said(
    run_json: Any, away: dict[str, str], other: Any, status: int, body: bytes, result: str, why: str
) -> None:
    url, answers = other
    answers.append((status, body))
    [outcome] = run_json(away | {"STREAMREC_PROBE_URL": url, "STREAMREC_PARTITIONS": "1"}, "probe", "--once")
    assert outcome["result"] == result
    assert why in outcome["why"]


def test_json_goes_with_once(run: Any, away: dict[str, str]) -> None:
    result = run(away, "probe", "--json")
    assert result.exit_code == 2
    assert "--json goes with --once" in result.output


@pytest.mark.parametrize(
    ("name", "value"), [("PROBE_INTERVAL_S", "0"), ("PROBE_TIMEOUT_S", "-1"), ("PROBE_URL", "lookup:8080")]
)
def test_a_setting_that_cannot_work_is_named(run: Any, away: dict[str, str], name: str, value: str) -> None:
    result = run(away | {f"STREAMREC_{name}": value}, "probe", "--once")
    assert result.exit_code == 2
    assert name.lower() in result.output
