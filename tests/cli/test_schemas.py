"""``streamrec schemas`` and what other commands do with a registry: all of it over HTTP, in the registry of the tests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamrec import codecs, topics
from streamrec.cli import doctor
from streamrec.kafka.admin import Admin
from streamrec.kafka.reader import read
from streamrec.kafka.subjects import schema_text
from streamrec.local.ports import free_port
from streamrec.settings import Settings


@pytest.fixture
def registered(away: dict[str, str], registry_server: Any) -> dict[str, str]:
    return away | {"STREAMREC_SCHEMA_REGISTRY": registry_server.url}


def spoil(registry_server: Any) -> None:
    """Have a schema under the subject of job-views that ours cannot follow."""
    other = json.loads(schema_text("JobView"))
    other["fields"] = other["fields"][:1]
    registry_server.add("job-views-value", other)


def test_check_register_check(run: Any, run_json: Any, registered: dict[str, str]) -> None:
    before = run(registered, "schemas", "check")
    assert before.exit_code == 1
    assert before.stdout.count("missing") == len(codecs.PUBLIC_RECORDS)
    done = run(registered, "schemas", "register")
    assert done.exit_code == 0
    assert "job-views-value" in done.stdout
    after = run(registered, "schemas", "check", "--json")
    assert after.exit_code == 0
    assert [subject["state"] for subject in json.loads(after.stdout)["subjects"]] == ["registered"] * 9
    assert {subject["state"] for subject in run_json(registered, "schemas", "register")["subjects"]} == {"registered"}


def test_a_schema_that_does_not_fit_is_refused_and_told(
    run: Any, registered: dict[str, str], registry_server: Any
) -> None:
    spoil(registry_server)
    for command, says in (("check", "not compatible"), ("register", "incompatible with an earlier schema")):
        answer = run(registered, "schemas", command, "--json")
        assert answer.exit_code == 1
        [subject] = [found for found in json.loads(answer.stdout)["subjects"] if found["problem"]]
        assert says in subject["problem"]


@pytest.mark.parametrize("command", ["register", "check"])
def test_without_a_registry_there_is_a_message(run: Any, away: dict[str, str], command: str) -> None:
    unset = run(away, "schemas", command)
    assert unset.exit_code == 2
    assert "STREAMREC_SCHEMA_REGISTRY" in unset.output
    address = f"http://127.0.0.1:{free_port()}"
    down = run(away | {"STREAMREC_SCHEMA_REGISTRY": address}, "schemas", command)
    assert down.exit_code == 1
    assert f"the schema registry at {address} does not answer" in down.output


@pytest.mark.parametrize("command", [(), ("register",), ("check",)])
def test_help_has_examples(run: Any, command: tuple[str, ...]) -> None:
    answer = run({}, "schemas", *command, "--help")
    assert answer.exit_code == 0
    assert "Examples:\n  " in answer.stdout


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SCHEMA_REGISTRY": "mock://nothing"}, "STREAMREC_SCHEMA_REGISTRY: schema_registry must start with http"),
        ({"REGISTRY_USER_INFO": "user"}, "STREAMREC_REGISTRY_USER_INFO: registry_user_info must be user:password"),
        ({"FRAMING": "confluent"}, "STREAMREC_FRAMING: the Confluent wire format needs schema_registry"),
        ({"REGISTRY_TIMEOUT_S": "0"}, "STREAMREC_REGISTRY_TIMEOUT_S: registry_timeout_s must be above 0"),
    ],
)
def test_settings_that_cannot_work_are_named(run: Any, environ: dict[str, str], says: str) -> None:
    answer = run({f"STREAMREC_{name}": value for name, value in environ.items()}, "schemas", "check")
    assert answer.exit_code == 2
    assert says in answer.output


@pytest.mark.slow
def test_doctor_looks_at_the_registry(run_json: Any, registered: dict[str, str], registry_server: Any) -> None:
    [found] = [finding for finding in run_json(registered, "doctor")["findings"] if finding["area"] == "registry"]
    assert found["level"] == "ok"
    assert "0 of our 9 schemas are registered" in found["what"]
    settings = Settings(schema_registry=registry_server.url)
    writing = Settings(schema_registry=registry_server.url, framing="confluent")
    [missing] = doctor._registry(writing)
    assert (missing.level, missing.remedy) == ("broken", "streamrec schemas register")
    spoil(registry_server)
    assert [(finding.area, finding.level) for finding in doctor._registry(settings)] == [
        ("schema job-views-value", "warning"), ("registry", "ok"),
    ]  # fmt: skip
    assert [finding.level for finding in doctor._registry(writing)] == ["broken", "broken"]
    registry_server.stop()
    [away] = doctor._registry(settings)
    assert away.level == "broken"
    assert "does not answer" in away.what


@pytest.mark.servers
def test_replay_and_simulate_write_by_the_registrys_ids_or_say_what_to_do(
    run: Any, environ: dict[str, str], registered: dict[str, str], registry_server: Any, tmp_path: Path
) -> None:
    environ = environ | {"STREAMREC_SCHEMA_REGISTRY": registry_server.url, "STREAMREC_FRAMING": "confluent"}
    settings = Settings(kafka=environ["STREAMREC_KAFKA"])
    Admin(settings).create(topics.load())
    log = tmp_path / "views.csv"
    log.write_text("ts,user_id,item_id,event\n1415272551,replayed,42,view\n")
    before = run(environ, "replay", str(log))
    assert before.exit_code == 1
    assert "run `streamrec schemas register`" in before.output
    assert run(environ, "schemas", "register").exit_code == 0
    assert run(environ, "replay", str(log)).exit_code == 0
    assert run(environ, "simulate", "--kafka", "--events", "20", "--members", "20", "--jobs", "20").exit_code == 0
    framings = {(stored.value or b"")[:1] for name in ("job-postings", "job-views") for stored in read(settings, name)}
    assert framings == {b"\0"}
    [stored] = [stored for stored in read(settings, "job-views") if stored.key == b"replayed"]
    number = registry_server.mock.get_latest_version("job-views-value").schema_id
    assert stored.value is not None
    assert stored.value[:5] == b"\0" + number.to_bytes(4, "big")


@pytest.mark.servers
@pytest.mark.parametrize("command", ["worker", "lookup"])
def test_without_the_extra_a_process_says_what_to_install(
    environ: dict[str, str], registered: dict[str, str], command: str
) -> None:
    """As with an installation that lacks it: the client's module cannot be imported."""
    Admin(Settings(kafka=environ["STREAMREC_KAFKA"])).create(topics.load())
    program = (
        "import sys; sys.modules['confluent_kafka.schema_registry'] = None; "
        f"sys.argv = ['streamrec', '{command}']; from streamrec.cli import main; main()"
    )
    settings = environ | {
        "STREAMREC_SCHEMA_REGISTRY": registered["STREAMREC_SCHEMA_REGISTRY"],
        "STREAMREC_FRAMING": "confluent",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].endswith("pip install 'streamrec[registry]'")
    assert "Traceback" not in done.stderr
