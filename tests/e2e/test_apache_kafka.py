"""What Apache Kafka does and the embedded broker does not: compaction, deletion, more partitions, transactions, failover."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from streamrec import codecs
from streamrec.events import JobPosting
from streamrec.features.state import JobState, unpack
from streamrec.kafka.producer import Record
from streamrec.kafka.reader import read
from streamrec.local.kafka import Cluster, Installation, start_kafka
from streamrec.local.scrape import metrics as scrape
from tests.brokers import CHANGES, StartBroker
from tests.faults.report import Report

from .conftest import System
from .judging import POSTINGS, START, Log, differences

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.kafka]

CLEANING = CHANGES | {
    "log.cleaner.backoff.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.initial.task.delay.ms": "0",
}


@pytest.fixture(scope="session")
def start_broker(kafka_installed: Installation) -> StartBroker:
    """Apache Kafka, in a hurry to compact and to delete."""
    return lambda directory: start_kafka(directory, kafka_installed, changes=CLEANING)


def alter(system: Any, topic: str, **config: str) -> None:
    entries = [ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
               for name, value in config.items()]  # fmt: skip
    client = AdminClient({"bootstrap.servers": system.settings.kafka})
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    [done] = client.incremental_alter_configs([resource]).values()
    done.result(10)


def delete_before(system: Any, topic: str, keep: int) -> dict[int, int]:
    """Delete all but the last `keep` records of each partition; the offsets at which the logs begin now."""
    starts = {number: max(low, high - keep) for number, (low, high) in system.admin.watermarks(topic).items()}
    client = AdminClient({"bootstrap.servers": system.settings.kafka})
    for done in client.delete_records([TopicPartition(topic, *place) for place in starts.items()]).values():
        done.result(10)
    return starts


def run(system: Any, *arguments: str, **environ: str) -> Any:
    """A command that has ended."""
    process = system.start(*arguments, **environ)
    process.wait(60)
    return process


def test_a_worker_that_starts_on_a_compacted_log_has_the_newest_of_each_key(make_system: Callable[..., Any]) -> None:
    system = make_system(session_timeout_s=3.0)
    alter(system, "job-postings", segment_ms="100", min_cleanable_dirty_ratio="0.01", delete_retention_ms="100")
    jobs = [f"job-{number}" for number in range(20)]
    for version in range(5):
        system.produce(
            ("job-postings", JobPosting(job_id=job, title=f"title {version}", posted_at=START)) for job in jobs
        )

    def left() -> int:
        # A segment is rolled when something is written after its time, and only what is rolled is compacted.
        others = [Record("job-postings", b"another", None, partition=number) for number in range(4)]
        system.produce(("job-postings", record) for record in others)
        return sum(record.key != b"another" for record in read(system.settings, "job-postings"))

    system.wait(lambda: left() == len(jobs), "the log to be compacted", 60)
    assert all(low == 0 for low, _ in system.admin.watermarks("job-postings").values()), (
        "what is missing is in the middle"
    )
    system.start("worker")
    system.settle(trainer=False)
    states = [unpack(JobState, system.client.get(system.keys.job(job))) for job in jobs]
    assert {state.posting.title for state in states if state.posting} == {"title 4"}
    assert all(state.posting for state in states)


def test_a_log_whose_beginning_is_gone(make_system: Callable[..., Any]) -> None:
    """The worker has been away for too long: it says so and stops, as does the doctor; a rebuild makes a state that fits."""
    system, log = make_system(session_timeout_s=3.0), Log(21)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    worker, trainer = system.start("worker"), system.start("trainer")
    system.produce(log.more(400))
    system.settle()
    worker.stop()
    trainer.stop()
    system.produce(log.more(400))
    starts = delete_before(system, "job-views", 10)

    stopped = run(system, "worker")
    assert stopped.code == 3, stopped.said
    assert "job-views/" in stopped.said
    assert "streamrec rebuild" in stopped.said
    doctor = run(system, "doctor", "--json")
    findings = json.loads(doctor.said.splitlines()[-1])["findings"]
    assert doctor.code == 1
    broken = [found for found in findings if found["level"] == "broken" and "job-views" in found["what"]]
    assert broken
    assert all("streamrec rebuild" in found["remedy"] for found in broken)

    refused = run(system, "rebuild")
    assert refused.code == 3
    assert "the log of job-views does not begin at offset 0" in refused.said
    assert run(system, "rebuild", "--accept-gap").code == 0
    system.start("worker")
    system.start("trainer")
    system.settle()
    assert {record.offset for record in read(system.settings, "job-views", {0: 0})} == set(
        range(starts[0], system.admin.watermarks("job-views")[0][1])
    )
    assert kept_of(system, log, starts) == []


def kept_of(system: Any, log: Log, starts: dict[int, int]) -> list[str]:
    """Differences from a fold of what the log still holds."""
    kept = {codecs.decode("JobView", record.value or b"").event_id for record in read(system.settings, "job-views")}  # type: ignore[union-attr]
    rest = Log(0)
    rest.events = [(topic, event) for topic, event in log.events if topic != "job-views" or event.event_id in kept]
    assert len(rest.events) < len(log.events)
    return differences(system, rest)


def test_a_worker_that_begins_takes_what_is_left_of_the_log(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(22)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(300))
    starts = delete_before(system, "job-views", 5)
    system.start("worker")
    system.produce(log.more(50))
    system.settle(trainer=False)
    assert kept_of(system, log, starts) == []


def test_a_trainer_goes_on_where_the_log_of_examples_begins(make_system: Callable[..., Any]) -> None:
    """What it had not learned when it was deleted is explained, never skipped."""
    system, log = make_system(session_timeout_s=3.0), Log(23)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.start("worker")
    trainer = system.start("trainer")
    system.produce(log.more(200))
    system.settle()
    trainer.stop()
    delete_before(system, "training-examples", 0)  # all of it is learned
    system.produce(log.more(100))
    trainer = system.start("trainer")
    system.settle()
    trainer.stop()
    system.produce(log.more(100))
    system.settle(trainer=False)
    delete_before(system, "training-examples", 3)
    stopped = run(system, "trainer")
    assert stopped.code == 3, stopped.said
    assert "training-examples/0" in stopped.said


def test_partitions_are_added_to_a_running_installation(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(24)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    worker, trainer = system.start("worker"), system.start("trainer")
    system.produce(log.more(500))
    system.settle()
    early = run(system, "rebuild", "--partitions", "7")
    assert early.code == 3
    assert "1 worker(s) of the group streamrec-worker run" in early.said
    worker.stop()
    trainer.stop()
    built = run(system, "rebuild", "--partitions", "7", "--settle", "0", "--json")
    assert built.code == 0, built.said
    summary = json.loads(built.said.splitlines()[-1])
    assert (summary["partitions"], summary["unusable"]) == (7, {})
    assert len(system.admin.watermarks("job-views")) == len(system.admin.watermarks("job-activity")) == 7
    mistaken = run(system, "worker")
    assert mistaken.code == 2
    assert "set partitions = 7" in mistaken.said
    system.grow(7)
    system.start("worker")
    system.start("trainer")
    system.produce(log.more(300))
    system.settle()
    assert differences(system, log) == []


def test_what_a_transaction_has_aborted_never_happened(make_system: Callable[..., Any]) -> None:
    """Neither for the worker nor for a rebuild; and the marks that transactions leave in the log hold up nothing."""
    system, log = make_system(session_timeout_s=3.0), Log(25)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    worker = system.start("worker")
    system.settle(trainer=False)
    client = Client(
        {
            "bootstrap.servers": system.settings.kafka,
            "transactional.id": "t",
            "log_level": 0,
            "partitioner": "murmur2_random",
        }
    )
    client.init_transactions(10)
    for kept in (True, False, True, False):
        client.begin_transaction()
        chunk = log.more(40)
        for topic, event in chunk:
            client.produce(topic, key=event.member_id, value=codecs.encode(event))
        if kept:
            client.commit_transaction(10)
        else:
            client.flush(10)
            client.abort_transaction(10)
            del log.events[-len(chunk) :]

    def behind() -> list[float]:
        found = scrape(f"http://127.0.0.1:{system.settings.worker_metrics_port}/metrics")
        return [found.total("streamrec_watermark_lag_seconds", partition=str(number)) for number in range(4)]

    system.wait(lambda: differences(system, log) == [], "what was committed to be in the state, and nothing else", 30)
    # The logs end with marks, which are no records: the inputs have been read to their ends all the same.
    before = behind()
    system.wait(lambda: all(now != then for now, then in zip(behind(), before, strict=True)), "the watermarks to move")
    assert all(0 < lag < 10 for lag in behind()), behind()
    system.produce(log.more(200))
    system.settle(trainer=False)
    assert differences(system, log) == []
    worker.stop()
    assert run(system, "rebuild").code == 0
    assert differences(system, log) == []


def test_topics_are_as_described_and_what_was_changed_is_told(make_system: Callable[..., Any]) -> None:
    system = make_system()
    client = AdminClient({"bootstrap.servers": system.settings.kafka})
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in system.specs]
    for resource, answer in client.describe_configs(resources).items():
        found = {name: entry.value for name, entry in answer.result(10).items()}
        wanted = system.specs[resource.name].config
        assert {name: found[name] for name in wanted} == wanted, resource.name
    assert run(system, "topics", "check").code == 0
    alter(system, "job-views", retention_ms="1000")
    alter(system, "member-profiles", cleanup_policy="delete")
    checked = run(system, "topics", "check", "--json")
    assert checked.code == 1
    told = {(found["topic"], found["what"]) for found in json.loads(checked.said.splitlines()[-1])["problems"]}
    assert told == {
        ("job-views", f"its retention.ms is 1000, not {365 * 86_400_000}"),
        ("member-profiles", "its cleanup.policy is delete, not compact"),
    }
    assert run(system, "worker").code == 2, "compaction is what its state lives by, retention is the operator's affair"


def test_a_worker_that_the_group_does_not_take_says_why_and_ends(make_system: Callable[..., Any]) -> None:
    for role in ("worker", "trainer"):
        refused = run(make_system(session_timeout_s=0.3), role)  # below CHANGES
        assert refused.code == 2
        assert f"streamrec {role}: Kafka does not have it in the consumer group streamrec-{role}" in refused.said
        assert "set session_timeout_s to what the brokers allow" in refused.said


@pytest.fixture
def cluster(tmp_path: Path, kafka_installed: Installation) -> Iterator[System]:
    """A system on three nodes of Kafka."""
    nodes: list[Cluster] = []

    def start(directory: Path) -> Any:
        nodes.append(Cluster(directory, kafka_installed, changes=CHANGES))
        return nodes[0]

    system = System(tmp_path, start, session_timeout_s=3.0)
    yield system
    system.close()


@pytest.mark.alone  # three nodes and a system: two cores are full
def test_any_one_of_three_nodes_may_die(cluster: Any, report: Report) -> None:
    """Nothing is lost and nothing counts twice, neither of producers nor of the worker, while each dies and comes back."""
    log, nodes = Log(26), cluster.broker
    cluster.produce(("job-postings", posting) for posting in POSTINGS)
    cluster.start("worker")
    cluster.start("trainer")
    cluster.settle(90)
    for number in (1, 2, 3):
        cluster.produce(log.more(100))
        nodes.kill(number)
        for _ in range(10):
            cluster.produce(log.more(20))
        nodes.restart(number)
        cluster.settle(90)
    assert differences(cluster, log) == []
    stored = [record for topic in ("job-views", "job-saves") for record in read(cluster.settings, topic)]
    assert len(stored) == len(log.events), "an idempotent producer writes each once, whatever it has to send again"
    report.add_effects(cluster, log, runs=3)
