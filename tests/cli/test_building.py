"""``streamrec bootstrap`` and ``streamrec rebuild`` as people meet them: what is refused, what is said, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from streamrec import codecs, topics
from streamrec.events import JobView
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Producer, Record
from streamrec.local.servers import Server
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores.generations import Generation
from streamrec.stores.keys import Keys, building_key
from streamrec.stores.positions import Position, pack
from tests.brokers import ON_EMBEDDED

pytestmark = pytest.mark.servers

HEADER = "ts,user_id,item_id,event"


@pytest.fixture(scope="module")
def filled(own_broker: Server) -> None:
    """Topics with a few views in them."""
    settings = Settings(kafka=own_broker.address)
    Admin(settings).create(topics.load())
    producer = Producer(settings)
    for number in range(20):
        view = JobView(
            event_id=f"e{number}", member_id=f"m{number % 5}", job_id=f"j{number % 3}", occurred_at=1_000 + number
        )
        producer.send_now(Record("job-views", view.member_id.encode(), codecs.encode(view)))
    producer.send_now(Record("job-views", b"m1", b"not avro at all"))
    producer.flush(10)
    producer.close()


@pytest.fixture
def installation(filled: None, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return environ | {"STREAMREC_DATA_DIR": str(tmp_path / "data")}


def log_of(tmp_path: Path, count: int = 3) -> Path:
    path = tmp_path / "log.csv"
    rows = (f"{100 + number},m{number % 50},{number % 20},view" for number in range(count))
    path.write_text("\n".join((HEADER, *rows, "soon,m1,1,view")) + "\n")
    return path


def test_what_was_built_is_told_for_people_and_for_programs(run: Any, installation: dict[str, str]) -> None:
    told = run(installation, "bootstrap", "--topics")
    assert told.exit_code == 0, told.output
    assert "job-views/" in told.stderr, "the record that means nothing is named with its place"
    assert "live from job-views" in told.stdout
    assert "go on with it by themselves" in told.stdout
    summary = json.loads(run(installation, "rebuild", "--json").stdout)
    assert (summary["records"], summary["members"], summary["jobs"]) == (21, 5, 3)
    assert sum(summary["unusable"].values()) == 1
    assert summary["handed_over"]["job-views"] == 21
    assert summary["generation"].startswith("2-")


def test_files_alone_hand_over_at_the_beginning_of_the_topics(
    run: Any, installation: dict[str, str], tmp_path: Path, client: "redis.Redis"
) -> None:
    done = run(installation, "bootstrap", str(log_of(tmp_path)), "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert (summary["records"], summary["unusable"], summary["handed_over"]["job-views"]) == (4, {"bad_value": 1}, 0)
    assert "log.csv:5: bad_value" in done.stderr
    both = json.loads(run(installation, "bootstrap", str(log_of(tmp_path)), "--topics", "--replace", "--json").stdout)
    assert (both["records"], both["handed_over"]["job-views"]) == (25, 21)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bootstrap"], 2, "nothing to build from"),
        (["bootstrap", "--topics", "--catalogue", __file__], 2, "come with a LOG"),
        (["bootstrap", __file__], 1, "no column"),
        (["rebuild", "--partitions", "2"], 3, "Kafka cannot take any away"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Any, installation: dict[str, str], arguments: list[str], code: int, words: str
) -> None:
    done = run(installation, *arguments)
    assert (done.exit_code, words in done.output) == (code, True), done.output


@ON_EMBEDDED
def test_a_broker_that_cannot_add_partitions_is_named(run: Any, installation: dict[str, str]) -> None:
    done = run(installation, "rebuild", "--partitions", "8")
    assert (done.exit_code, "cannot add partitions" in done.output) == (3, True), done.output


def test_a_log_that_lacks_what_the_state_was_made_of_is_refused(
    run: Any, installation: dict[str, str], client: "redis.Redis"
) -> None:
    client.hset(Keys("sr", 4).positions("m2"), "job-views", pack(Position("another", 7)))
    refused = run(installation, "rebuild")
    assert refused.exit_code == 3
    assert "job-views was created anew" in refused.output
    assert "--accept-gap" in refused.output
    assert run(installation, "rebuild", "--accept-gap").exit_code == 0


def test_state_is_not_replaced_by_mistake(run: Any, installation: dict[str, str]) -> None:
    assert run(installation, "bootstrap", "--topics").exit_code == 0
    refused = run(installation, "bootstrap", "--topics")
    assert (refused.exit_code, "streamrec rebuild" in refused.output) == (3, True)
    assert run(installation, "bootstrap", "--topics", "--replace").exit_code == 0


def test_two_do_not_build_at_the_same_time(run: Any, installation: dict[str, str], client: "redis.Redis") -> None:
    client.set(building_key("sr"), "streamrec rebuild, process 7 on elsewhere")
    refused = run(installation, "rebuild")
    assert (refused.exit_code, "process 7 on elsewhere" in refused.output) == (3, True)


def test_a_state_of_a_newer_version_is_left_alone(
    run: Any, installation: dict[str, str], client: "redis.Redis"
) -> None:
    client.set("sr:generation", b"\x09future")
    refused = run(installation, "rebuild")
    assert (refused.exit_code, "upgrade streamrec" in refused.output) == (3, True)


def test_nothing_there_is_said_without_a_traceback(run: Any, away: dict[str, str]) -> None:
    done = run(away, "rebuild")
    assert (done.exit_code, "Traceback" in done.output) == (1, False)


def test_ctrl_c_keeps_the_work_and_the_same_command_goes_on(
    run: Any, installation: dict[str, str], tmp_path: Path, client: "redis.Redis"
) -> None:
    log = log_of(tmp_path, 60_000)
    command = [
        sys.executable,
        "-m",
        "streamrec",
        "bootstrap",
        str(log),
        "--learn",
        "0.3",
        "--checkpoint",
        "0.2",
        "--json",
    ]
    process = subprocess.Popen(command, env={**os.environ, **installation}, stderr=subprocess.PIPE, text=True)
    kept = tmp_path / "data" / "building" / "sr.checkpoint"
    deadline = time.monotonic() + 60
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "The same command goes on" in said
    assert client.get("sr:generation") is None
    other = run(installation, "bootstrap", str(log), "--no-learn")
    assert (other.exit_code, "other work" in other.output, "--restart" in other.output) == (3, True, True)
    again = run(installation, "bootstrap", str(log), "--learn", "0.3", "--json")
    assert again.exit_code == 0, again.output
    assert "going on after" in again.stderr
    assert json.loads(again.stdout)["records"] == 60_001
    assert not kept.exists()


def test_the_old_generation_is_gone_after_a_while(
    run: Any, installation: dict[str, str], client: "redis.Redis"
) -> None:
    old = Generation(1, "c0ffee", 4, (4,), 0)
    client.set(old.keys("sr").member("ann"), b"x")
    generations.switch(client, "sr", old)
    assert run(installation, "rebuild", "--keep-old", "1").exit_code == 0
    deadline = time.monotonic() + 10
    while client.exists(old.keys("sr").member("ann")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not client.exists(old.keys("sr").member("ann"))
