"""The command against a broker of its own that holds a few letters."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamrec import codecs
from streamrec.cli import cli
from streamrec.events import DeadLetter, JobView
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Producer, Record
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from streamrec.topics import load
from tests.brokers import StartBroker

Run = Callable[..., Result]
AT = 1_700_000_000_000
VIEW = codecs.encode(JobView(event_id="e1", member_id="m1", job_id="j1", occurred_at=AT * 2))
LETTERS = [
    DeadLetter(
        topic="job-views", partition=1, offset=7, key=b"m1", value=VIEW, headers=(("trace", b"abc"), ("raw", b"\xff")),
        reason="bad_time", detail="occurred_at is 5 s in the [future]", failed_at=AT,
    ),
    DeadLetter(
        topic="job-views", partition=1, offset=7, key=b"m1", value=VIEW, headers=(), reason="bad_time",
        detail="the same once more, after a crash", failed_at=AT + 1,
    ),
    DeadLetter(
        topic="job-saves", partition=0, offset=3, key=b"\xff\x01", value=bytes(range(40)), headers=(),
        reason="unknown_schema", detail="starts with 0001", failed_at=AT + 2000,
    ),
    DeadLetter(
        topic="job-likes", partition=0, offset=4, key=None, value=None, headers=(), reason="missing_value",
        detail="null", failed_at=AT + 3000,
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def letters_broker(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Server]:
    with start_broker(Path(tmp_path_factory.mktemp("broker"))) as server:
        settings = Settings(kafka=server.address)
        Admin(settings).create(load())
        producer = Producer(settings)
        for letter in LETTERS:
            producer.send_now(Record("dead-letters", letter.key, codecs.encode(letter)))
        producer.send_now(Record("dead-letters", b"k", b"not a letter"))
        producer.flush(10)
        producer.close()
        yield server


@pytest.fixture
def run(letters_broker: Server) -> Run:
    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(
            cli, ["dead-letters", *arguments], env={"STREAMREC_KAFKA": letters_broker.address, **environ}
        )

    return run


def listed(answer: Result) -> list[dict[str, object]]:
    assert answer.exit_code == 0, answer.output
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.mark.servers
def test_each_record_is_listed_once_oldest_first(run: Run) -> None:
    letters = listed(run("list", "--json"))
    assert [(letter["id"], letter["reason"]) for letter in letters] == [
        ("0:0", "bad_time"), ("0:2", "unknown_schema"), ("0:3", "missing_value"), ("0:4", "not_a_letter"),
    ]  # fmt: skip
    assert letters[0]["value"] == base64.b64encode(VIEW).decode()
    assert letters[0]["headers"] == [["trace", "YWJj"], ["raw", "/w=="]]


@pytest.mark.servers
def test_the_list_is_narrowed_by_reason_topic_and_limit(run: Run) -> None:
    assert [letter["id"] for letter in listed(run("list", "--json", "--reason", "bad_time"))] == ["0:0"]
    assert [letter["id"] for letter in listed(run("list", "--json", "--topic", "job-saves"))] == ["0:2"]
    assert [letter["id"] for letter in listed(run("list", "--json", "--limit", "2"))] == ["0:3", "0:4"]
    assert listed(run("list", "--json", "--reason", "bad_time", "--topic", "job-saves")) == []
    assert run("list", "--reason", "nothing").stdout == "no such dead letters\n"


@pytest.mark.servers
def test_the_table_has_a_line_a_letter_and_a_sum(run: Run) -> None:
    lines = run("list", "--limit", "3").stdout.splitlines()
    assert len(lines) == 5
    assert lines[1].split()[:8] == [
        "0:2", "2023-11-14", "22:13:22", "unknown_schema", "job-saves/0@3", "1", "open", "ff01",
    ]  # fmt: skip
    assert lines[-1].startswith("4 in all (1 bad_time, 1 ")
    assert lines[-1].endswith("the newest 3 shown")
    assert "[future]" in run("list").stdout


@pytest.mark.servers
def test_a_value_that_can_be_read_is_shown_decoded(run: Run) -> None:
    answer = run("show", "0:0")
    assert answer.exit_code == 0
    lines = {line.split("  ")[0]: line for line in answer.stdout.splitlines()}
    assert lines["reason"].endswith("bad_time")
    assert lines["detail"].endswith("[future]")
    assert lines["from"].endswith("job-views/1@7")
    assert lines["failed at"].endswith("2023-11-14 22:13:20 UTC")
    assert lines["key"].endswith("m1")
    assert lines["header trace"].endswith("abc")
    assert lines["header raw"].endswith("ff")
    assert '"job_id": "j1"' in answer.stdout


@pytest.mark.servers
def test_a_value_that_cannot_be_read_is_shown_in_hexadecimal(run: Run) -> None:
    answer = run("show", "0:2").stdout
    assert "40 bytes" in answer
    assert bytes(range(32)).hex(" ") in answer
    assert bytes(range(32, 40)).hex(" ") in answer
    assert "null" in run("show", "0:3").stdout
    assert b"not a letter".hex(" ") in run("show", "0:4").stdout


@pytest.mark.servers
def test_a_letter_as_json_has_the_bytes_and_the_decoded_value(run: Run) -> None:
    shown = json.loads(run("show", "0:0", "--json").stdout)
    assert shown["decoded"] == {"event_id": "e1", "member_id": "m1", "job_id": "j1", "occurred_at": AT * 2}
    assert base64.b64decode(shown["value"]) == VIEW
    assert json.loads(run("show", "0:2", "--json").stdout)["decoded"] is None


@pytest.mark.servers
@pytest.mark.parametrize("place", ["0:5", "0:99", "3:0"])
def test_a_letter_that_is_not_there_is_exit_code_1(run: Run, place: str) -> None:
    answer = run("show", place)
    assert answer.exit_code == 1
    assert answer.stderr == f"Error: there is no dead letter {place}: see `streamrec dead-letters list`\n"


def plain(*arguments: str, **environ: str) -> Result:
    """Without a broker."""
    return CliRunner().invoke(cli, ["dead-letters", *arguments], env=environ)


@pytest.mark.parametrize("place", ["17", "a:b", "0:-1", ":"])
def test_a_place_that_is_none_is_a_usage_error(place: str) -> None:
    answer = plain("show", place)
    assert answer.exit_code == 2
    assert "is not PARTITION:OFFSET" in answer.stderr


@pytest.mark.parametrize("arguments", [("list",), ("show", "0:0")])
def test_without_a_broker_there_is_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr("streamrec.kafka.admin.PATIENCE_S", 0.3)
    answer = plain(*arguments, STREAMREC_KAFKA=f"127.0.0.1:{free_port()}")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: Kafka does not answer at 127.0.0.1:")


@pytest.mark.parametrize("command", [(), ("list",), ("show",)])
def test_help_has_examples_and_every_reason(command: tuple[str, ...]) -> None:
    answer = plain(*command, "--help")
    assert answer.exit_code == 0
    assert "Examples:\n  " in answer.stdout
    if not command:
        of_json_only = {"unknown_field", "missing_field"}
        assert all(reason in answer.stdout for reason in codecs.REASONS if reason not in of_json_only)
