"""The command against a broker of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient

from streamrec.cli import cli
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.topics import load
from tests.brokers import StartBroker, make_topic

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def empty_broker(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Server]:
    with start_broker(Path(tmp_path_factory.mktemp("broker"))) as server:
        yield server


@pytest.fixture
def run(empty_broker: Server) -> Run:
    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(cli, arguments, env={"STREAMREC_KAFKA": empty_broker.address, **environ})

    return run


@pytest.mark.servers
def test_check_create_list(run: Run) -> None:
    before = run("topics", "check")
    assert before.exit_code == 1
    assert before.stderr.count("run `streamrec topics create`") == len(load())
    assert json.loads(run("topics", "list", "--json").stdout)["topics"][0]["exists"] is False
    assert "missing" in run("topics", "list").stdout

    created = run("topics", "create")
    assert created.exit_code == 0
    assert created.stdout.splitlines() == [f"created {name}" for name in load()]
    assert run("topics", "create").stdout == "nothing to create: all topics exist\n"

    after = run("topics", "check")
    assert (after.exit_code, after.stdout) == (0, f"all {len(load())} topics are as they must be\n")
    assert json.loads(run("topics", "check", "--json").stdout) == {"problems": []}
    rows = {row["name"]: row for row in json.loads(run("topics", "list", "--json").stdout)["topics"]}
    assert set(rows) == set(load())
    views = rows["job-views"]
    assert (views["partitions"], views["records"], views["exists"], views["key"]) == (4, 0, True, "member_id")
    assert views["id"]
    lines = run("topics", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["topic", *load()]


@pytest.mark.servers
def test_another_partition_count_is_said_with_the_remedy(run: Run) -> None:
    run("topics", "create")
    answer = run("topics", "check", "--json", STREAMREC_PARTITIONS="7")
    assert answer.exit_code == 1
    problems = json.loads(answer.stdout)["problems"]
    assert {problem["what"] for problem in problems} == {"it has 4 partitions, the setting partitions is 7"}
    table = run("topics", "create", STREAMREC_PARTITIONS="7")
    assert table.exit_code == 1
    assert "set partitions = 4" in table.stderr


@pytest.mark.servers
def test_create_says_what_it_could_not_mend(run: Run, empty_broker: Server) -> None:
    run("topics", "create")
    client = AdminClient({"bootstrap.servers": empty_broker.address})
    client.delete_topics(["connections"])["connections"].result(10)
    make_topic(empty_broker.address, "connections", 2)
    answer = run("topics", "create", "--json")
    assert answer.exit_code == 1
    assert json.loads(answer.stdout) == {
        "created": [],
        "problems": [
            {
                "topic": "connections",
                "what": "it has 2 partitions, not 4 as the other member- and job-keyed topics",
                "remedy": "delete connections and run `streamrec topics create`; what is in it must be produced again",
            }
        ],
    }


@pytest.mark.parametrize("command", ["create", "check", "list"])
def test_without_a_broker_there_is_a_message_and_no_traceback(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("streamrec.kafka.admin.PATIENCE_S", 0.3)
    address = f"127.0.0.1:{free_port()}"
    answer = CliRunner().invoke(cli, ["topics", command], env={"STREAMREC_KAFKA": address})
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"Error: Kafka does not answer at {address} (")
    assert "Traceback" not in answer.output


@pytest.mark.parametrize("command", [(), ("create",), ("check",), ("list",)])
def test_help_has_examples(command: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(cli, ["topics", *command, "--help"])
    assert answer.exit_code == 0
    assert "Examples:\n  " in answer.stdout


def test_a_wrong_setting_is_exit_code_2() -> None:
    assert CliRunner().invoke(cli, ["topics", "check"], env={"STREAMREC_PARTITIONS": "0"}).exit_code == 2
