"""``streamrec replay`` against a broker: what arrives, what is told, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, TopicPartition

from streamrec import codecs, topics
from streamrec.cli import cli
from streamrec.codecs import Message
from streamrec.events import JobView, Rejected
from streamrec.kafka.admin import Admin
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from tests.brokers import StartBroker

pytestmark = pytest.mark.servers


@pytest.fixture
def own_broker(tmp_path: Path, start_broker: StartBroker) -> Iterator[Server]:
    """A broker of the test's own: the command writes to the real topics, whose content is counted here."""
    with start_broker(tmp_path / "broker") as server:
        Admin(Settings(kafka=server.address)).create(topics.load())
        yield server
        server.stop(patience_s=0.2)  # it would wait for clients that are not collected yet


def run(kafka: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)], env={"STREAMREC_KAFKA": kafka})


def content(server: Server, topic: str) -> list[tuple[str, Message]]:
    """Keys and events of a topic, partition by partition."""
    consumer = Consumer({"bootstrap.servers": server.address, "group.id": "test", "enable.partition.eof": True})
    partitions = range(topics.load()[topic].partition_count(Settings().partitions))
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[tuple[str, Message]] = []
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(10)
        assert message is not None, "the broker does not answer"
        if message.error():
            ended += 1
            continue
        event = codecs.decode(topics.load()[topic].schema, message.value())
        assert not isinstance(event, Rejected)
        found.append((message.key().decode(), event))
    consumer.close()
    return found


def log_of(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(("ts,user_id,item_id,event", *rows)) + "\n")
    return path


def test_a_log_with_jobs_and_members_arrives_in_its_topics_and_bad_rows_are_told(
    own_broker: Server, tmp_path: Path
) -> None:
    log = log_of(tmp_path, "100,m1,1,view", "101,m2,1,like", "soon,m1,1,view", "102,m1,2,apply", "103,m1,2,ping")
    (tmp_path / "jobs.csv").write_text("item_id,title,colour\n1,Cook,red\n2,Nurse,\n")
    (tmp_path / "members.csv").write_text("user_id,position_of_interest,created_ts\nm1,Cook,50\n")
    result = run(
        own_broker.address, log, "--catalogue", tmp_path / "jobs.csv", "--members", tmp_path / "members.csv", "--json"
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["produced"] == {
        "job-postings": 2, "member-profiles": 1, "job-views": 1, "job-likes": 1, "job-applications": 1,
    }  # fmt: skip
    assert (summary["rows"], summary["bad_rows"], summary["stopped"]) == (8, 2, None)
    assert summary["bad_by_reason"] == {"bad_value": 1, "unknown_event": 1}
    assert (summary["from"], summary["to"]) == ("1970-01-01T00:01:40+00:00", "1970-01-01T00:01:42+00:00")
    assert "log.csv:4: bad_value: occurred_at cannot be 'soon'" in result.stderr
    assert "log.csv:6: unknown_event: the event 'ping' has no topic" in result.stderr
    assert "jobs.csv: nothing is known of the column colour" in result.stderr
    [(key, view)] = content(own_broker, "job-views")
    assert isinstance(view, JobView)
    assert (key, view.member_id, view.job_id, view.occurred_at) == ("m1", "m1", "1", 100_000)
    assert sorted(key for key, _ in content(own_broker, "job-postings")) == ["1", "2"]


def test_a_log_replayed_again_makes_the_same_events(own_broker: Server, tmp_path: Path) -> None:
    log = log_of(tmp_path, *(f"{100 + number // 3},m{number % 7},j{number % 5},view" for number in range(500)))
    assert run(own_broker.address, log).exit_code == 0
    assert run(own_broker.address, log).exit_code == 0
    events = [event for _, event in content(own_broker, "job-views")]
    assert len(events) == 1000
    assert len({event.event_id for event in events if isinstance(event, JobView)}) == 500


def test_strict_stops_at_the_first_bad_row_with_exit_code_1(own_broker: Server, tmp_path: Path) -> None:
    result = run(own_broker.address, log_of(tmp_path, "100,m,1,view", "soon,m,1,view", "101,m,1,view"), "--strict")
    assert result.exit_code == 1
    assert "log.csv:3: bad_value" in result.stderr
    assert "ended early" in result.stdout
    assert len(content(own_broker, "job-views")) == 1


def test_the_log_keeps_its_time_when_asked_to(own_broker: Server, tmp_path: Path) -> None:
    log = log_of(tmp_path, "100,m,1,view", "110,m,2,view", "120,m,3,view")
    began = time.monotonic()
    assert run(own_broker.address, log, "--speed", "20x").exit_code == 0
    assert time.monotonic() - began >= 1.0
    assert len(content(own_broker, "job-views")) == 3


def test_names_of_events_and_columns_can_be_given(own_broker: Server, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("when,who,item_id,event\n100,m,1,purchase\n101,m,1,ping\n")
    result = run(
        own_broker.address, tmp_path / "log.csv", "--columns", "ts=when,user_id=who", "--map",
        "purchase=job-applications", "--map", "ping=ignore", "--json",
    )  # fmt: skip
    summary = json.loads(result.stdout)
    assert (summary["produced"], summary["ignored"], summary["bad_rows"]) == ({"job-applications": 1}, 1, 0)


def test_ctrl_c_ends_it_with_a_summary_and_what_was_produced_is_in_kafka(own_broker: Server, tmp_path: Path) -> None:
    log = log_of(tmp_path, "100,m,1,view", "100000,m,2,view")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamrec", "replay", str(log), "--speed", "1x", "--json"],
        env=os.environ | {"STREAMREC_KAFKA": own_broker.address}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 15
    while not content(own_broker, "job-views") and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert json.loads(output)["stopped"] == "interrupted"
    assert json.loads(output)["produced"] == {"job-views": 1}
    assert len(content(own_broker, "job-views")) == 1


def test_a_broker_without_topics_or_none_at_all_is_told_with_a_remedy(
    tmp_path: Path, start_broker: StartBroker
) -> None:
    log = log_of(tmp_path, "100,m,1,view")
    with start_broker(tmp_path / "broker") as server:
        result = run(server.address, log)
        assert result.exit_code == 1
        assert "job-views: it does not exist: run `streamrec topics create`" in result.stderr
        server.stop(patience_s=0.2)
    result = run(f"127.0.0.1:{free_port()}", log)
    assert result.exit_code == 1
    assert "is it running?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--speed", "fast"], "neither max nor a number such as 1x"),
        (["--speed", "0x"], "neither max nor a number"),
        (["--map", "view"], "'view' is not NAME=TOPIC"),
        (["--map", "view=job-postings"], "view cannot be mapped to 'job-postings'"),
        (["--columns", "ts=when"], "no column when, which ts was said to be"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run("127.0.0.1:1", log_of(tmp_path, "100,m,1,view"), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
