"""Makes spans by OpenTelemetry's SDK, and sends them by OTLP over HTTP. Imported only where traces are on."""

import atexit
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import Any, Final

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from streamrec.tracing import Batch, Headers, Read, Sent

BY_ENVIRONMENT: Final = "otlp"  # of the setting: where to is what OTEL_EXPORTER_OTLP_... say
_TRACES: Final = "/v1/traces"
_FAILED: Final = 500
_PATIENCE_S: Final = 1.0
_MOST_LINKS: Final = 128  # of a span, as OpenTelemetry has it
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class LinkedSampler(Sampler):
    """Records what is linked to others and has no parent: only to recorded ones is anything linked.

    All else is up to `inner`: what begins a trace, and what has a parent.
    """

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, kind: SpanKind | None = None,
        attributes: Any = None, links: Sequence[Link] | None = None, trace_state: Any = None,
    ) -> SamplingResult:  # fmt: skip
        """See `Sampler`."""
        if links and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """See `Sampler`."""
        return f"LinkedSampler({self._inner.get_description()})"


class Recorder:
    """One a process.

    Parameters
    ----------
    role
        What the process is: ``worker``, ``lookup``, …
    where
        The setting `tracing`: ``otlp``, or where a collector takes OTLP over HTTP. All else is up to the environment
        (``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_SERVICE_NAME``, ``OTEL_PROPAGATORS``, …).
    """

    def __init__(self, role: str, where: str) -> None:
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        attributes = {"service.version": version("streamrec"), "service.instance.id": str(os.getpid())}
        if not named:
            attributes |= {"service.namespace": "streamrec", "service.name": f"streamrec-{role}"}
        self._provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
        self._provider.sampler = LinkedSampler(self._provider.sampler)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=_endpoint(where))))
        self._tracer = self._provider.get_tracer("streamrec", version("streamrec"))
        self._closing, self._closed = threading.Event(), threading.Event()
        threading.Thread(target=self._end, name="traces-end", daemon=True).start()  # at the exit none can be started
        atexit.register(self.close)

    def _end(self) -> None:
        self._closing.wait()
        self._provider.shutdown()
        self._closed.set()

    def close(self) -> None:
        """Send what waits, for at most a second: a collector that is away must not hold up the end of a process."""
        atexit.unregister(self.close)
        self._closing.set()
        self._closed.wait(_PATIENCE_S)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: Mapping[str, Any], **more: Any) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, kind=kind, attributes=attributes, **more):
            yield

    def turn(self, batches: Sequence[Batch]) -> AbstractContextManager[None]:
        """What carries one recorded context is part of that trace; what carries several is linked to each."""
        links, other = _contexts([record for batch in batches for record in batch.records])
        topics = sorted({batch.topic for batch in batches})
        attributes: dict[str, Any] = {
            "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
            "messaging.batch.message_count": sum(len(batch.records) for batch in batches),
        }  # fmt: skip
        if len(batches) == 1:
            [batch] = batches
            attributes |= {
                "messaging.destination.name": batch.topic, "messaging.destination.partition.id": str(batch.partition),
                "messaging.kafka.offset": batch.records[0].offset,
            }  # fmt: skip
        parent = Context()
        if (one := links[0].context if len(links) == 1 else other if not links else None) is not None:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(one), parent)
        return self._span(f"process {', '.join(topics)}", SpanKind.CONSUMER, attributes, links=links, context=parent)

    def commit(self, slot: str, writes: int) -> AbstractContextManager[None]:
        """Part of what is under way; nothing by itself."""
        attributes = {"db.system.name": "redis", "db.operation.name": "EXEC", "db.operation.batch.size": writes,
                      "streamrec.slot": slot}  # fmt: skip
        return self._span(f"commit {slot}", SpanKind.CLIENT, attributes) if _under_way() else nullcontext()

    def send(self, records: Sequence[Sent]) -> AbstractContextManager[None]:
        """Part of what is under way; nothing by itself."""
        if not _under_way():
            return nullcontext()
        names = sorted({record.topic for record in records})
        attributes: dict[str, Any] = {
            "messaging.system": "kafka", "messaging.operation.type": "send", "messaging.operation.name": "send",
            "messaging.batch.message_count": len(records),
        }  # fmt: skip
        if len(names) == 1:
            attributes["messaging.destination.name"] = names[0]
        return self._span(f"send {', '.join(names)}", SpanKind.PRODUCER, attributes)

    def whole(self, name: str) -> AbstractContextManager[None]:
        """A trace that begins here, if the sampler says so."""
        return self._span(name, SpanKind.INTERNAL, {}, context=Context())

    def stage(self, name: str, seconds: float) -> None:
        """Part of what is under way; nothing by itself."""
        if not _under_way():
            return
        ended = time.time_ns()
        span = self._tracer.start_span(name, start_time=ended - int(seconds * 1e9))
        span.end(end_time=ended)

    def carried(self) -> Headers:
        """What `propagate` makes of what is under way, sampled or not: who is asked next decides alike."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return tuple((name, value.encode()) for name, value in carrier.items())

    @contextmanager
    def serve(self, method: str, route: str, path: str, headers: Mapping[str, str]) -> Iterator["Served"]:
        """Within it, a request is answered."""
        attributes = {"http.request.method": method, "http.route": route, "url.path": path, "url.scheme": "http"}
        token = context.attach(propagate.extract(headers, Context()))
        try:
            with self._tracer.start_as_current_span(
                f"{method} {route}", kind=SpanKind.SERVER, attributes=attributes
            ) as span:
                yield Served(span)
        finally:
            context.detach(token)


class Served:
    """The span of a request."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def answered(self, status: int, request_id: str) -> None:
        """The answer has begun."""
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("streamrec.request_id", request_id)
        if status >= _FAILED:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))


def _endpoint(where: str) -> str | None:
    if where == BY_ENVIRONMENT:
        return None
    return where if where.endswith(_TRACES) else where.rstrip("/") + _TRACES


def _under_way() -> bool:
    return trace.get_current_span().is_recording()


def _contexts(records: Sequence[Read]) -> tuple[list[Link], SpanContext | None]:
    """Links to the contexts that records carry and that are recorded; and one that is not, if any.

    Read here, by W3C's rules, since a propagator takes twenty times as long, and most of what it would read is not recorded.
    """
    recorded: dict[bytes, Link] = {}
    other: SpanContext | None = None
    for record in records:
        for name, value in record.headers:
            found = _TRACEPARENT.fullmatch(value or b"") if name == "traceparent" else None
            if found is None or found[0] in recorded:
                continue
            sampled = int(found[3], 16) & 1
            if (sampled and len(recorded) < _MOST_LINKS) or (not sampled and other is None):
                made = SpanContext(
                    int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(sampled)
                )
                if not made.is_valid:
                    continue
                if sampled:
                    recorded[found[0]] = Link(made, {"messaging.kafka.offset": record.offset})
                else:
                    other = made
    return list(recorded.values()), other
