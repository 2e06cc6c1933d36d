"""A collector of a test's own: it takes OTLP over HTTP, as protobuf, and keeps the spans."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(msgspec.Struct, frozen=True):
    """What a test looks at; ids are hexadecimal, times in ns, `links` (trace, span)."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    failed: bool


class Collector:
    """Listens on a free port of the loopback interface; used in ``with``."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                fits = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if fits:
                    collector.spans += _spans(body)
                self.send_response(200 if fits else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """For the setting `tracing`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def of(self, trace: str) -> list[Span]:
        """The spans of a trace, by their beginnings."""
        return sorted((span for span in [*self.spans] if span.trace == trace), key=lambda span: span.began)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Span(
            _attributes(resource.resource)["service.name"], span.name, span.kind, span.trace_id.hex(), span.span_id.hex(),
            span.parent_span_id.hex(), span.start_time_unix_nano, span.end_time_unix_nano, _attributes(span),
            [(link.trace_id.hex(), link.span_id.hex()) for link in span.links], span.status.code == span.status.STATUS_CODE_ERROR,
        )
        for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]  # fmt: skip


def _attributes(told: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in told.attributes}
