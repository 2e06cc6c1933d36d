"""What watches a running system. The probe tells how fresh answers are, and why they are not, and nobody's figures hold anything
of it; traces follow an event from whoever sends it to the answers that show it."""

import itertools
import json
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrec.building.parity import Check
from streamrec.events import Connection, JobPosting, JobSave, JobView, MemberProfile
from streamrec.features.library import PLAN
from streamrec.features.state import MemberState, unpack
from streamrec.local.scrape import Samples, UnreachableError, metrics
from streamrec.partitioner import partition_of
from streamrec.probe.members import member_of
from streamrec.probe.process import once
from tests.brokers import ON_EMBEDDED, StartBroker
from tests.collector import Collector, Span
from tests.e2e.conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers, ON_EMBEDDED]  # nothing in it depends on the broker

JOBS = [f"j{number}" for number in range(40)]
UNTOUCHED = ("job-activity", "member-activity", "training-examples", "impressions", "dead-letters")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Takes the traces of all processes."""
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def probed(
    tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker, collector: Collector
) -> Iterator[System]:
    """A system with some traffic behind it, in which nothing happens any more but the probe."""
    system = System(
        Path(tmp_path_factory.mktemp("probed")), start_broker, probe_interval_s=0.1, probe_timeout_s=2.5, partitions=2,
        label_window_s=1.0, tracing=collector.url,
    )  # fmt: skip
    try:
        for name in ("worker", "lookup"):
            system.start(name, OTEL_BSP_SCHEDULE_DELAY="100", OTEL_TRACES_SAMPLER="parentbased_always_off")
        system.wait(system.ready, "the lookup to be ready", 30)
        now = time.time_ns() // 1_000_000
        system.produce([
            *(("job-postings", JobPosting(job_id=job, title=f"Nurse {job}", posted_at=now)) for job in JOBS),
            ("member-profiles", MemberProfile(member_id="ann", company="c1", updated_at=now)),
            ("connections", Connection(event_id="c", member_id="ann", other_member_id="bob", occurred_at=now)),
            *(("job-views", JobView(event_id=f"v{n}", member_id=f"m{n % 9}", job_id=JOBS[n % 20], occurred_at=now))
              for n in range(60)),
            ("job-saves", JobSave(event_id="s", member_id="ann", job_id=JOBS[3], occurred_at=now)),
        ])  # fmt: skip
        system.settle(trainer=False)
        more = itertools.count()

        def learned() -> bool:  # once the worker has all jobs in its table, which it follows in its own time
            view = JobView(
                event_id=f"w{next(more)}", member_id="m0", job_id=JOBS[20 + next(more) % 10], occurred_at=now
            )
            system.produce([("job-views", view)])
            system.settle(trainer=False)
            return logged(system)["training-examples"] > 0

        system.wait(learned, "an example to be made", 30)
        yield system
    finally:
        system.close()


def told(system: System) -> Samples:
    try:
        return metrics(f"http://127.0.0.1:{system.settings.probe_metrics_port}/metrics")
    except UnreachableError:
        return Samples()


def kept(system: System) -> dict[str, bytes]:
    """All that is stored of jobs and of members, by key."""
    keys = [key.decode() for key in system.client.scan_iter(count=1000)]
    chosen = sorted(key for key in keys if re.search(r":(job|neighbours|network|member|shown|passed):", key))
    return dict(zip(chosen, system.client.mget(chosen), strict=True))


def logged(system: System) -> dict[str, int]:
    """Records of each topic that no probe should lead to."""
    return {topic: sum(high for _, high in system.admin.watermarks(topic).values()) for topic in UNTOUCHED}


def results(system: System) -> list[str]:
    return [outcome.result for outcome in once(system.settings)]


def test_the_probe_tells_of_each_partition_and_nothing_else_changes(probed: System) -> None:
    before, records = kept(probed), logged(probed)
    assert records["job-activity"] > 0 and records["member-activity"] > 0 and records["training-examples"] > 0  # noqa: PT018
    partitions = range(probed.settings.partitions)
    probe = probed.start(
        "probe", OTEL_BSP_SCHEDULE_DELAY="100", OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.2"
    )

    def each_has(count: int) -> bool:
        return all(told(probed).total("streamrec_probe_seconds_count", partition=str(n)) >= count for n in partitions)

    probed.wait(lambda: each_has(5), "five fresh answers of each partition", 30)
    samples = told(probed)
    assert samples.total("streamrec_probes_total", result="fresh") == samples.total("streamrec_probe_seconds_count")
    assert samples.total("streamrec_probes_total", result="fresh") > 0.9 * samples.total("streamrec_probes_total")
    assert 0.001 < (samples.quantile("streamrec_probe_seconds", 0.5) or 0) < 1.0
    probe.signal(signal.SIGTERM)
    assert probe.wait(10) == 0
    probed.settle(trainer=False)

    now = kept(probed)
    mine = {probed.keys.member(member_of(number, len(partitions))) for number in partitions}
    assert now.keys() - before.keys() == mine, "a state of each probe, and nothing else"
    assert {key: value for key, value in now.items() if key not in mine} == before
    assert logged(probed) == records
    assert all(len(now[key]) < 700 for key in mine)
    assert all(len(unpack(MemberState, now[key]).dismissed) == 1 for key in mine)


def test_a_replay_of_the_log_agrees(probed: System) -> None:
    found = Check(
        probed.settings, probed.client, probed.admin, PLAN, report=lambda *_: None, stopped=lambda: False
    ).run(100, 100)  # fmt: skip
    assert found.differences == []
    assert found.members >= 10 + probed.settings.partitions


def parents(spans: list[Span]) -> dict[str, set[str]]:
    """Name of spans -> those of their parents, "" for one that is elsewhere."""
    names, found = {span.id: span.name for span in spans}, defaultdict[str, set[str]](set)
    for span in spans:
        found[span.name].add(names.get(span.parent, ""))
    return dict(found)


def test_a_trace_follows_an_event_from_its_request_through_kafka_into_redis(
    probed: System, collector: Collector
) -> None:
    trace, unsampled, client = "4bf92f3577b34da6a3ce929d0e0e4736", "c" * 32, "00f067aa0ba902b7"
    for header, job_id in ((f"00-{unsampled}-{client}-00", JOBS[31]), (f"00-{trace}-{client}-01", JOBS[30])):
        event = {"type": "JobSave", "member_id": "ann", "job_id": job_id}
        sent = probed.http.post("/v1/events", json=event, headers={"traceparent": header})
        assert sent.status_code == 200
        probed.settle(trainer=False)  # so that each is a batch of its own: one of both would be linked to both
    member, job = (partition_of(key, probed.settings.partitions) for key in ("ann", JOBS[30]))
    derived = "send job-activity, member-activity, training-examples"  # its connection is told; the save is learned
    wanted = {
        "POST /v1/events": {""}, "send job-saves": {"POST /v1/events"}, "process job-saves": {"send job-saves"},
        "decode": {"process job-saves"}, "read": {"process job-saves"}, "fold": {"process job-saves"},
        derived: {"process job-saves"}, "process job-activity": {derived}, "process member-activity": {derived},
    }  # fmt: skip

    def found() -> dict[str, set[str]]:
        return parents(collector.of(trace))

    def complete() -> bool:
        return wanted.keys() | {f"commit m{member}", f"commit j{job}"} <= found().keys()

    try:
        probed.wait(complete, "the trace to be complete", 10)
    except pytest.fail.Exception:
        pytest.fail(f"only {found()}")
    assert {name: parent for name, parent in found().items() if name in wanted} == wanted
    assert "process job-saves" in found()[f"commit m{member}"]
    assert found()[f"commit j{job}"] == {"process job-activity"}
    spans = collector.of(trace)
    [request] = [span for span in spans if span.name == "POST /v1/events"]
    assert (request.parent, request.attributes["http.response.status_code"]) == (client, 200)
    assert {span.service for span in spans} == {"streamrec-lookup", "streamrec-worker"}
    assert collector.of(unsampled) == []


def test_a_list_is_traced_stage_by_stage(probed: System, collector: Collector) -> None:
    trace, name = "5bf92f3577b34da6a3ce929d0e0e4736", "GET /v1/members/{member_id}/recommendations"
    asked = probed.http.get(
        "/v1/members/ann/recommendations", params={"region": "nowhere"},
        headers={"traceparent": f"00-{trace}-{'1' * 16}-01"},
    )  # fmt: skip
    assert asked.status_code == 200
    probed.wait(lambda: name in parents(collector.of(trace)), "the trace", 10)
    found = parents(collector.of(trace))
    assert found.pop(name) == {""}
    assert found.keys() >= {"state", "neighbours", "candidates"}
    assert all(parent == {name} for parent in found.values())
    [request] = [span for span in collector.of(trace) if span.name == name]
    assert request.attributes["streamrec.request_id"] == asked.json()["request_id"]


def test_a_probe_is_one_trace_from_producing_to_the_answer(probed: System, collector: Collector) -> None:
    traces = {span.trace for span in collector.spans if span.name == "probe"}
    assert traces, "one in five is sampled"
    whole = [parents(collector.of(trace)) for trace in traces]
    assert any(found.get("process job-dismissals") == {"probe"} for found in whole)
    assert all("GET /v1/members/{member_id}/recommendations" in found for found in whole)
    assert not any("process job-activity" in found for found in whole)


def test_it_says_why_no_answer_shows_the_event(probed: System) -> None:
    worker, lookup = probed.processes[:2]
    worker.signal(signal.SIGSTOP)
    assert results(probed) == ["late"] * probed.settings.partitions
    worker.signal(signal.SIGCONT)
    probed.settle(trainer=False)
    said = probed.start("probe", "--once", "--json")
    assert said.wait(30) == 0, said.said
    assert [each["result"] for each in json.loads(said.said)] == ["fresh"] * probed.settings.partitions
    lookup.signal(signal.SIGTERM)
    assert lookup.wait(20) == 0
    found = [*once(probed.settings)]
    assert [each.result for each in found] == ["no_answer"] * probed.settings.partitions
    assert "Connection refused" in found[0].why
