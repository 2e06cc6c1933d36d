"""The probe on real servers: it tells how fresh answers are, and why they are not; and nobody's figures hold anything of it."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrec.building.parity import Check
from streamrec.events import Connection, JobPosting, JobSave, JobView, MemberProfile
from streamrec.features.library import PLAN
from streamrec.features.state import MemberState, unpack
from streamrec.local.scrape import Samples, UnreachableError, metrics
from streamrec.probe.members import member_of
from streamrec.probe.process import once
from tests.brokers import ON_EMBEDDED, StartBroker
from tests.e2e.conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers, ON_EMBEDDED]  # nothing in it depends on the broker

JOBS = [f"j{number}" for number in range(40)]
UNTOUCHED = ("job-activity", "member-activity", "training-examples", "impressions", "dead-letters")


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[System]:
    """A system with some traffic behind it, in which nothing happens any more but the probe."""
    system = System(
        Path(tmp_path_factory.mktemp("probed")), start_broker, probe_interval_s=0.1, probe_timeout_s=1.0, partitions=2,
        label_window_s=1.0,
    )  # fmt: skip
    try:
        for name in ("worker", "lookup"):
            system.start(name)
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
    probe = probed.start("probe")

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


def test_it_says_why_no_answer_shows_the_event(probed: System) -> None:
    said = probed.start("probe", "--once", "--json")
    assert said.wait(30) == 0, said.said
    assert [each["result"] for each in json.loads(said.said)] == ["fresh"] * probed.settings.partitions
    worker, lookup = probed.processes[:2]
    worker.signal(signal.SIGSTOP)
    assert results(probed) == ["late"] * probed.settings.partitions
    worker.signal(signal.SIGCONT)
    probed.settle(trainer=False)
    assert results(probed) == ["fresh"] * probed.settings.partitions
    lookup.signal(signal.SIGTERM)
    assert lookup.wait(20) == 0
    said = probed.start("probe", "--once")
    assert said.wait(30) == 1
    assert "no answer" in said.said
    assert "Connection refused" in said.said
