"""Each example producer, run as its README says: all its events are accepted, each in the partition of its key."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

import streamrec
from streamrec import codecs, topics
from streamrec.codecs.framing import header
from streamrec.events import (
    Connection,
    ImpressionSeen,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Rejected,
    Tombstone,
)
from streamrec.kafka.admin import Admin
from streamrec.settings import Settings
from tests.brokers import StartBroker

pytestmark = pytest.mark.servers

ROOT = Path(streamrec.__file__).parent.parent
SENT = {
    "job-postings": JobPosting(
        job_id="job-1", title="Zeppelin rigger", city="Köln", skills=("knots",), salary_min=40_000.5, posted_at=0
    ),
    "member-profiles": MemberProfile(
        member_id="member-1", headline="Rigger", desired_titles=("Zeppelin rigger",), open_to_remote=False, updated_at=0
    ),
    "job-views": JobView(event_id="", member_id="member-2", occurred_at=0, job_id="job-1", position=0, surface="home"),
    "job-saves": JobSave(event_id="", member_id="member-3", occurred_at=0, job_id="job-1"),
    "job-likes": JobLike(event_id="", member_id="member-4", occurred_at=0, job_id="job-1"),
    "job-applications": JobApplication(event_id="", member_id="member-5", occurred_at=0, job_id="job-1"),
    "job-dismissals": JobDismissal(event_id="", member_id="mémbér-6", occurred_at=0, job_id="job-1", reason="too high"),
    "connections": Connection(event_id="", member_id="member-7", occurred_at=0, other_member_id="member-1"),
    "impressions-seen": ImpressionSeen(
        event_id="", member_id="member-8", occurred_at=0, request_id="request-1", positions=(0, 1, 2)
    ),
}


@pytest.fixture
def settings(tmp_path: Path, start_broker: StartBroker) -> Iterator[Settings]:
    """A broker of the test's own, with the topics."""
    with start_broker(tmp_path / "broker") as server:
        settings = Settings(kafka=server.address)
        Admin(settings).create(topics.load())
        yield settings


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the schemas beside it, as in the checkout, so that nothing is installed or built there."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("node_modules", "target")
    shutil.copytree(ROOT / "ops" / "examples", root / "ops" / "examples", ignore=ignored)
    shutil.copytree(ROOT / "avro", root / "avro")
    return root / "ops" / "examples"


@pytest.fixture(scope="module")
def node(examples: Path) -> Path:
    """The example for Node with its packages."""
    need("node", "npm")
    run(examples / "node", "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
    return examples / "node"


def need(*programs: str) -> None:
    """Skip where a program is missing; the build machine has them all, so there it is a failure."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"{', '.join(missing)} must be on the PATH in CI")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not on the PATH")


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def stored(settings: Settings) -> list[Message]:
    """All records of the topics that producers write."""
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "examples", "enable.partition.eof": True})
    places = [TopicPartition(name, number, 0) for name in topics.PUBLIC_TOPICS for number in range(settings.partitions)]
    consumer.assign(places)
    found, ended = [], 0
    while ended < len(places):
        message = consumer.poll(10)
        assert message is not None, "the broker does not answer"
        if message.error() is None:
            found.append(message)
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF
            ended += 1
    consumer.close()
    return found


def accepted(settings: Settings) -> dict[str, Any]:
    """What a worker makes of all that is in the topics, one event each; ids and times are taken out once they are checked."""
    found: dict[str, Any] = {}
    ids: list[str] = []
    now = time.time_ns() // 1_000_000
    for message in stored(settings):
        name, spec = message.topic(), topics.load()[message.topic()]
        event = codecs.decode_record(
            spec.schema, message.key(), message.value(), now, 1_000, spec.tombstones, message.partition(),
            settings.partitions,
        )  # fmt: skip
        assert not isinstance(event, Rejected | Tombstone), (name, event)
        assert message.value()[:2] == b"\xc3\x01"
        assert name not in found, f"more than one event in {name}"
        time_field = next(field for field in ("occurred_at", "updated_at", "posted_at") if hasattr(event, field))
        assert 0 <= now - getattr(event, time_field) < 300_000
        changes: dict[str, Any] = {time_field: 0}
        if hasattr(event, "event_id"):
            ids.append(event.event_id)
            changes["event_id"] = ""
        found[name] = msgspec.structs.replace(event, **changes)
    assert len(set(ids)) == len(ids) == 7
    return found


def check(settings: Settings, directory: Path, *command: str) -> None:
    said = run(directory, *command)
    assert f"sent 9 events to {settings.kafka}" in said
    assert accepted(settings) == SENT


def test_every_public_record_is_in_the_examples() -> None:
    assert {type(event).__name__ for event in SENT.values()} == set(codecs.PUBLIC_RECORDS)


def test_python(settings: Settings, examples: Path) -> None:
    check(settings, examples / "python", sys.executable, "producer.py", settings.kafka)


def test_node(settings: Settings, node: Path) -> None:
    check(settings, node, "node", "producer.js", settings.kafka)


def test_java(settings: Settings, examples: Path) -> None:
    need("java", "mvn")
    command = ("mvn", "--quiet", "--batch-mode", "compile", "exec:java", f"-Dexec.args={settings.kafka}")
    check(settings, examples / "java", *command)


def test_the_fingerprints_that_node_computes_are_ours(node: Path) -> None:
    """Of every schema: those that Avro's library in Java computes are in the values that it wrote above."""
    program = """
        import { readFileSync } from "node:fs";
        import avro from "avsc";
        import { fingerprint } from "./singleObject.js";
        for (const record of process.argv.slice(1)) {
          const text = readFileSync(new URL(`../../../avro/${record}.avsc`, `file://${process.cwd()}/`), "utf8");
          console.log(fingerprint(avro.Type.forSchema(JSON.parse(text))).toString("hex"));
        }
    """
    said = run(node, "node", "--input-type=module", "-e", program, *codecs.RECORDS).split()
    schemas = [json.loads((ROOT / "avro" / f"{record}.avsc").read_text()) for record in codecs.RECORDS]
    assert said == [header(schema)[2:].hex() for schema in schemas]


def test_the_lock_file_names_no_registry() -> None:
    """So that `npm ci` asks the one that the user has configured."""
    assert "resolved" not in (ROOT / "ops" / "examples" / "node" / "package-lock.json").read_text()
