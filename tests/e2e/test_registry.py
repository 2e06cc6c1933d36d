"""A worker and a lookup with a registry: both framings in one topic, schemas of any age, a registry that comes and goes."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import schemaless_writer

from streamrec import codecs
from streamrec.codecs.writers import wire_header, without_logical_types
from streamrec.events import DeadLetter, JobView
from streamrec.features.state import MemberState, unpack
from streamrec.kafka.producer import Record
from streamrec.kafka.reader import read
from streamrec.kafka.subjects import schema_text
from streamrec.local.scrape import metrics as scrape
from streamrec.partitioner import partition_of
from tests.brokers import StartBroker

from ..registry_server import RegistryServer
from .conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

PATIENCE_S = 2.0
CURRENT: dict[str, Any] = json.loads(schema_text("JobView"))
OLDER = CURRENT | {"fields": [f for f in CURRENT["fields"] if f["name"] not in ("dwell_ms", "surface", "position")]}
NEVER = 9_999


def newer(name: str) -> dict[str, Any]:
    """The current schema with one more field."""
    return CURRENT | {"fields": [*CURRENT["fields"], {"name": name, "type": ["null", "string"], "default": None}]}


def view(member: str, job: str) -> JobView:
    return JobView(event_id=f"{member}-{job}", member_id=member, job_id=job, occurred_at=time.time_ns() // 1_000_000)


def written(schema: Any, schema_id: int, event: JobView, **more: Any) -> tuple[str, Record]:
    """As a producer with that schema writes the event, in the Confluent wire format."""
    body = io.BytesIO()
    schemaless_writer(body, without_logical_types(schema), msgspec.structs.asdict(event) | more)
    return "job-views", Record("job-views", event.member_id.encode(), wire_header(schema_id) + body.getvalue())


def members(count: int) -> list[str]:
    """Names of which the first and the second are in different partitions, and the rest anywhere."""
    names = [f"registry-{number}" for number in range(100)]
    other = next(name for name in names[1:] if partition_of(name, 4) != partition_of(names[0], 4))
    return [names[0], other, *(name for name in names[1:] if name != other)][:count]


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    server = RegistryServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker, registry: RegistryServer
) -> Iterator[System]:
    built = System(
        Path(tmp_path_factory.mktemp("system")), start_broker, schema_registry=registry.url, registry_patience_s=PATIENCE_S,
        registry_timeout_s=1.0, framing="confluent",
    )  # fmt: skip
    try:
        command = [sys.executable, "-m", "streamrec", "schemas", "register", "--json"]
        done = subprocess.run(command, env=built.environ(), capture_output=True, text=True, check=True, timeout=60)
        assert {subject["state"] for subject in json.loads(done.stdout)["subjects"]} == {"new"}
        built.start("worker")
        built.start("lookup")
        built.wait(built.ready, "the lookup to be ready", 30)
        yield built
    finally:
        built.close()


def viewed(system: System, member: str) -> set[str]:
    return set(unpack(MemberState, system.client.get(system.keys.member(member))).viewed)  # type: ignore[arg-type]


def letters(system: System) -> list[DeadLetter]:
    found = [codecs.decode("DeadLetter", stored.value or b"") for stored in read(system.settings, "dead-letters")]
    return [letter for letter in found if isinstance(letter, DeadLetter)]


def lookups(system: System, result: str) -> float:
    address = f"http://127.0.0.1:{system.settings.worker_metrics_port}/metrics"
    return scrape(address, 5).total("streamrec_registry_lookups_total", result=result)


def test_both_framings_and_writers_of_any_age_count_in_one_topic(system: System, registry: RegistryServer) -> None:
    member = "mixed"
    system.produce([
        ("job-views", view(member, "single-object")),
        written(CURRENT, registry.add("job-views-value", CURRENT), view(member, "current")),
        written(OLDER, registry.add("other-subject", OLDER), view(member, "older")),
        written(newer("a"), registry.add("job-views-value", newer("a")), view(member, "newer"), a="x"),
    ])  # fmt: skip
    wanted = {"single-object", "current", "older", "newer"}
    system.wait(lambda: viewed(system, member) == wanted, "all four to be in the state")
    assert letters(system) == []


def test_what_is_posted_over_http_is_written_by_the_registrys_id_and_counts(
    system: System, registry: RegistryServer
) -> None:
    answer = system.http.post("/v1/events", json={"type": "JobView", "member_id": "poster", "job_id": "j"}).json()
    assert answer["results"][0]["status"] == "accepted", answer
    system.wait(lambda: viewed(system, "poster") == {"j"}, "the posted event to be in the state")
    [stored] = [stored for stored in read(system.settings, "job-views") if stored.key == b"poster"]
    number = registry.mock.lookup_schema("job-views-value", registry.mock.get_version("job-views-value", 1).schema)
    assert stored.value is not None
    assert stored.value[:5] == wire_header(number.schema_id)


def test_an_unknown_id_is_waited_for_while_another_partition_goes_on(system: System, registry: RegistryServer) -> None:
    first, second = members(2)
    number, asked = registry.next_id, len(registry.asked)
    system.produce([written(newer("b"), number, view(first, "early"), b="x"), ("job-views", view(first, "next"))])
    system.wait(lambda: len(registry.asked) > asked, "the worker to ask for the schema")
    system.produce([("job-views", view(second, "meanwhile"))])
    system.wait(lambda: viewed(system, second) == {"meanwhile"}, "the other partition to go on", PATIENCE_S)
    assert viewed(system, first) == set()
    assert registry.add("job-views-value", newer("b")) == number
    system.wait(lambda: viewed(system, first) == {"early", "next"}, "the schema to be found")
    assert letters(system) == []


def test_an_outage_holds_up_only_what_needs_a_new_schema_however_long(system: System, registry: RegistryServer) -> None:
    first, second = members(2)
    number = registry.mock.get_latest_version("job-views-value").schema_id
    registry.stop()
    started, before = time.monotonic(), lookups(system, "unavailable")
    unseen = registry.add("job-views-value", newer("c"))
    system.produce([
        written(newer("c"), unseen, view(first, "held"), c="x"),
        written(newer("b"), number, view(second, "known schema"), b="x"),
    ])  # fmt: skip
    system.wait(lambda: "known schema" in viewed(system, second), "a known schema to need no registry")

    def patience_is_over() -> bool:
        return time.monotonic() - started > 2 * PATIENCE_S and lookups(system, "unavailable") > before + 3

    system.wait(patience_is_over, "the worker to have asked for longer than for an unknown id")
    assert "held" not in viewed(system, first)
    assert letters(system) == []
    registry.start()
    system.wait(lambda: "held" in viewed(system, first), "the held event to count once the registry is back")
    assert letters(system) == []


def test_an_id_that_never_comes_and_a_schema_of_no_use_are_dead_letters_and_the_rest_goes_on(
    system: System, registry: RegistryServer
) -> None:
    first = members(1)[0]
    broken = CURRENT | {"fields": [field for field in CURRENT["fields"] if field["name"] != "job_id"]}
    system.produce([
        written(CURRENT, NEVER, view(first, "never")),
        written(broken, registry.add("job-views-value", broken), view(first, "no job")),
        ("job-views", view(first, "after")),
    ])  # fmt: skip
    system.wait(lambda: "after" in viewed(system, first), "the partition to go on", 10 * PATIENCE_S)
    found = {letter.reason: letter for letter in letters(system)}
    assert sorted(found) == ["incompatible_schema", "unknown_schema"]
    assert found["unknown_schema"].detail == f"the registry at {registry.url} has no schema {NEVER}"
    assert (found["unknown_schema"].value or b"")[:5] == wire_header(NEVER)
    assert "job_id" in found["incompatible_schema"].detail
    assert "never" not in viewed(system, first)
