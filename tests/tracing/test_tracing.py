"""What a span says, whose trace it belongs to, and what is recorded at all: sent to a collector that decodes it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from streamrec import tracing
from streamrec.settings import Settings, SettingsError
from tests.collector import Collector, Span

ONE, OTHER = "a" * 32, "b" * 32
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
ROOT = Path(__file__).parent.parent.parent


class Read(msgspec.Struct):
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Sent(msgspec.Struct):
    topic: str


def of(trace: str, offset: int = 0, span: str = "1" * 16, *, sampled: bool = True) -> Read:
    return Read(offset, (("traceparent", f"00-{trace}-{span}-0{int(sampled)}".encode()),))


class Batch(msgspec.Struct):
    topic: str
    partition: int
    records: list[Read]


def processing(topic: str, partition: int, records: list[Read]) -> AbstractContextManager[None]:
    """A turn of the records of one partition."""
    return tracing.turn([Batch(topic, partition, records)])


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def on(collector: Collector) -> Iterator[Collector]:
    """Traces are on; `spans` ends that."""
    tracing.start("worker", Settings(tracing=collector.url))
    yield collector
    tracing.stop()


def spans(collector: Collector) -> list[Span]:
    tracing.stop()
    return sorted(collector.spans, key=lambda span: span.began)


def test_a_turn_of_several_topics_says_which(on: Collector) -> None:
    with tracing.turn([Batch("job-views", 2, [of(ONE, 7)]), Batch("job-saves", 2, [of(OTHER, 3), Read(4)])]):
        pass
    [turn] = spans(on)
    assert turn.name == "process job-saves, job-views"
    assert turn.links == [(ONE, "1" * 16), (OTHER, "1" * 16)]
    assert turn.attributes["messaging.batch.message_count"] == 3
    assert "messaging.destination.name" not in turn.attributes


def test_a_batch_of_one_trace_is_part_of_it_and_says_what_conventions_ask_for(on: Collector) -> None:
    with processing("job-views", 2, [of(ONE, 7), Read(8), of(ONE, 9)]):
        tracing.stage("fold", 0.25)
        with tracing.commit("m2", 3):
            pass
    batch = next(span for span in spans(on) if span.name == "process job-views")
    assert (batch.trace, batch.parent, batch.links) == (ONE, "1" * 16, [(ONE, "1" * 16)])
    assert (batch.service, batch.kind) == ("streamrec-worker", CONSUMER)
    assert batch.attributes == {
        "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
        "messaging.destination.name": "job-views", "messaging.destination.partition.id": "2",
        "messaging.batch.message_count": 3, "messaging.kafka.offset": 7,
    }  # fmt: skip
    stage, commit = (next(span for span in on.spans if span.name == name) for name in ("fold", "commit m2"))
    assert (stage.trace, stage.parent, stage.ended - stage.began) == (ONE, batch.id, 250_000_000)
    assert (commit.trace, commit.parent, commit.kind) == (ONE, batch.id, CLIENT)
    assert commit.attributes["db.system.name"] == "redis"


def test_a_batch_of_several_traces_is_linked_to_each_once(on: Collector) -> None:
    with processing("job-views", 0, [of(ONE, 1), of(OTHER, 2), of(ONE, 3), Read(4), of(ONE, 5, "2" * 16)]):
        pass
    [batch] = spans(on)
    assert batch.parent == ""
    assert batch.trace not in (ONE, OTHER)
    assert batch.links == [(ONE, "1" * 16), (OTHER, "1" * 16), (ONE, "2" * 16)]


def test_whoever_begins_a_trace_decides_whether_it_is_recorded(on: Collector) -> None:
    with processing("a", 0, [of(ONE, sampled=False)]):
        [(_, carried), *_] = tracing.carried()
    with processing("b", 0, [of(ONE, sampled=False), of(OTHER, sampled=False)]):
        tracing.stage("fold", 0.1)
    with processing("c", 0, [of(ONE, sampled=False), of(OTHER)]):
        pass
    with processing("d", 0, [of(ONE, span="2" * 16), of(ONE, sampled=False), of(OTHER)]):
        pass
    assert carried.startswith(f"00-{ONE}-".encode())
    assert carried.endswith(b"-00"), "who reads what is sent knows that it is not"
    assert [(span.name, len(span.links)) for span in spans(on)] == [("process c", 1), ("process d", 2)]
    assert [span.trace == OTHER for span in spans(on)] == [True, False]


def test_the_environment_decides_what_begins_here(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "recommender")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=me")
    tracing.start("worker", Settings(tracing="otlp"))
    with processing("a", 0, [Read(1)]), tracing.commit("m0", 1):
        pass
    with processing("b", 0, [of(ONE)]):
        pass
    assert [(span.name, span.service) for span in spans(collector)] == [("process b", "recommender")]
    assert collector.headers[0]["authorization"] == "me"


def test_what_is_sent_says_where_it_comes_from_and_nothing_begins_by_itself(on: Collector) -> None:
    with tracing.send([Sent("x")]), tracing.commit("m0", 1):
        tracing.stage("fold", 0.1)
        assert tracing.carried() == ()
    with tracing.whole("probe"), tracing.send([Sent("b"), Sent("a"), Sent("b")]):
        [(name, value)] = tracing.carried()
    root, send = spans(on)
    assert (root.name, send.name, send.kind, send.parent) == ("probe", "send a, b", PRODUCER, root.id)
    assert (name, value[:-2]) == ("traceparent", f"00-{send.trace}-{send.id}-".encode())
    assert int(value[-2:], 16) & 1, "sampled"


def test_headers_that_are_none_are_no_context(on: Collector) -> None:
    broken = [
        (("traceparent", b"\xff"),),
        (("traceparent", None),),
        (("Generation", b"1"),),
        (("traceparent", b"00-0-0-01"),),
        (("traceparent", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01"),),
    ]
    with processing("a", 0, [Read(number, headers) for number, headers in enumerate(broken)]):  # type: ignore[arg-type]
        pass
    [batch] = spans(on)
    assert (batch.parent, batch.links) == ("", [])


def test_a_collector_that_is_away_holds_up_nobody_and_no_end() -> None:
    program = (
        "from streamrec import tracing; from streamrec.settings import Settings\n"
        "tracing.start('worker', Settings(tracing='http://127.0.0.1:9'))\n"
        "with tracing.whole('a'):\n"
        "    print('done', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"
    began = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert time.monotonic() - began < 5.0, "the exporter itself would try for ten seconds"


def test_off_it_imports_and_does_nothing() -> None:
    program = (
        "import sys; from streamrec import tracing; from streamrec.settings import Settings\n"
        "tracing.start('worker', Settings())\n"
        "with tracing.turn([]) as turn, tracing.commit('m0', 1), tracing.send([]), tracing.whole('p'):\n"
        "    tracing.stage('fold', 1.0)\n"
        "assert tracing.carried() == () and tracing.current() is None and turn is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=60)


def test_the_missing_extra_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "streamrec.tracing.recorder", raising=False)
    with pytest.raises(
        SettingsError, match=r"not installed .*pip install 'streamrec\[tracing\]', or set tracing to off"
    ):
        tracing.start("worker", Settings(tracing="otlp"))
    tracing.start("worker", Settings())


@pytest.mark.parametrize("value", ["yes", "collector:4318", ""])
def test_a_setting_that_leads_nowhere_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="tracing must be off, otlp, or start with http"):
        Settings(tracing=value)
