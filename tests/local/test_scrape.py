"""Prometheus text is read and summed up; quantiles agree with what was observed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from streamrec.local import scrape
from streamrec.local.ports import free_port

BOUNDS = (0.01, 0.1, 1.0, 10.0)


def reading(registry: CollectorRegistry) -> scrape.Samples:
    return scrape.Samples(generate_latest(registry).decode())


def test_totals_add_up_the_label_sets_that_match() -> None:
    registry = CollectorRegistry()
    seen = Counter("seen_total", "Seen.", ["topic", "kind"], registry=registry)
    seen.labels("views", "good").inc(3)
    seen.labels("views", "bad").inc(4)
    seen.labels("saves", "good").inc(5)
    samples = reading(registry)
    assert samples.total("seen_total") == 12
    assert samples.total("seen_total", topic="views") == 7
    assert samples.total("seen_total", topic="views", kind="bad") == 4
    assert samples.value("seen_total", topic="likes") is None


def test_a_value_that_is_not_a_number_is_none() -> None:
    assert scrape.Samples("auc NaN\n").value("auc") is None


@given(st.lists(st.floats(0.0001, 9.9), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(observed: list[float], q: float) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took", "Time.", ["part"], registry=registry, buckets=BOUNDS)
    for number, value in enumerate(observed):
        histogram.labels(str(number % 2)).observe(value)
    true = sorted(observed)[max(0, -int(-q * len(observed) // 1) - 1)]
    upper = min(bound for bound in BOUNDS if bound >= true)
    lower = max((bound for bound in (0.0, *BOUNDS) if bound < true), default=0.0)
    estimate = reading(registry).quantile("took", q)
    assert estimate is not None
    assert lower <= estimate <= upper * (1 + 1e-9)


def test_a_quantile_since_an_earlier_reading_forgets_what_was_before() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took", "Time.", registry=registry, buckets=BOUNDS)
    for _ in range(1000):
        histogram.observe(9.0)
    before = reading(registry)
    histogram.observe(0.005)
    estimate = reading(registry).quantile("took", 0.99, since=before)
    assert estimate is not None
    assert estimate <= 0.01


def test_nothing_observed_has_no_quantile() -> None:
    assert scrape.Samples().quantile("took", 0.5) is None


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = {"/metrics": (200, b"up 1\n"), "/broken": (500, b"oops"), "/nonsense": (200, b"{{{{ 1 2 3")}[
            self.path
        ]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_metrics_are_read_over_http(address: str) -> None:
    assert scrape.metrics(f"{address}/metrics").value("up") == 1


@pytest.mark.parametrize("path", ["/broken", "/nonsense"])
def test_an_answer_without_metrics_is_unreachable(address: str, path: str) -> None:
    with pytest.raises(scrape.UnreachableError, match=path):
        scrape.metrics(address + path)


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(scrape.UnreachableError, match="refused"):
        scrape.metrics(f"http://127.0.0.1:{free_port()}/metrics", timeout_s=0.5)


def test_a_body_that_is_no_json_is_none_with_its_status(address: str) -> None:
    assert scrape.document(f"{address}/broken") == (500, None)
