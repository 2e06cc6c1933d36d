"""Each thing that can be wrong is found, and comes with what to do."""

import socket
from typing import Any

import pytest
import redis
from confluent_kafka.admin import AdminClient

from streamrec.kafka.admin import Admin
from streamrec.settings import load as load_settings
from streamrec.stores import generations
from streamrec.stores.generations import Generation
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Position, pack
from streamrec.topics import load

pytestmark = pytest.mark.servers
KEYS = Keys("sr", 4)


def findings(run_json: Any, environ: dict[str, str], area: str) -> list[dict[str, Any]]:
    return [finding for finding in run_json(environ, "doctor")["findings"] if finding["area"] == area]


@pytest.fixture
def admin(environ: dict[str, str]) -> Admin:
    admin = Admin(load_settings(environ=environ))
    admin.create(load())
    return admin


def test_where_nothing_runs_everything_is_named_with_a_remedy_and_the_exit_code_is_1(
    run: Any, away: dict[str, str]
) -> None:
    result = run(away, "doctor")
    assert result.exit_code == 1
    for words in ("kafka: Kafka does not answer", "STREAMREC_KAFKA", "the setting `redis`", "-> streamrec worker",
                  "-> streamrec trainer", "-> streamrec lookup", "5 broken"):  # fmt: skip
        assert words in result.output
    assert "Traceback" not in result.output


def test_missing_topics_are_found(run_json: Any, environ: dict[str, str]) -> None:
    found = findings(run_json, environ | {"STREAMREC_PARTITIONS": "4"}, "topic job-views")
    if not found:  # another test of this file has created them
        AdminClient({"bootstrap.servers": environ["STREAMREC_KAFKA"]}).delete_topics(["job-views"])["job-views"].result(
            10
        )
        found = findings(run_json, environ, "topic job-views")
    assert found[0]["level"] == "broken"
    assert "streamrec topics create" in found[0]["remedy"]


def test_a_default_workflow_that_does_not_exist_is_found(run_json: Any, environ: dict[str, str]) -> None:
    found = findings(run_json, environ | {"STREAMREC_WORKFLOW": "best"}, "settings")
    assert [finding["level"] for finding in found] == ["broken"]
    assert "there is no workflow 'best'; there are jobs" in found[0]["what"]
    assert "STREAMREC_WORKFLOW" in found[0]["remedy"]
    assert findings(run_json, environ | {"STREAMREC_WORKFLOW": "diverse@1"}, "settings") == []


def test_topics_of_another_partition_count_are_found(run_json: Any, environ: dict[str, str], admin: Admin) -> None:
    found = findings(run_json, environ | {"STREAMREC_PARTITIONS": "5"}, "topic job-views")
    assert found[0]["level"] == "broken"
    assert "4 partitions" in found[0]["what"]


def test_kafka_redis_topics_clock_and_positions_in_order_are_said_to_be_ok(
    run_json: Any, environ: dict[str, str], admin: Admin
) -> None:
    levels = {finding["area"]: finding["level"] for finding in run_json(environ, "doctor")["findings"]}
    assert [levels[area] for area in ("kafka", "topics", "clock", "positions")] == ["ok"] * 4


def test_a_redis_that_keeps_nothing_is_a_warning(run_json: Any, environ: dict[str, str]) -> None:
    warnings = [finding["what"] for finding in findings(run_json, environ, "redis") if finding["level"] == "warning"]
    assert any("keeps nothing on disk" in warning for warning in warnings)


@pytest.mark.parametrize(("maxmemory", "level"), [("0", "warning"), ("100mb", "broken")])
def test_a_redis_that_evicts_is_found(
    run_json: Any, environ: dict[str, str], client: "redis.Redis", maxmemory: str, level: str
) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", maxmemory)
    try:
        found = [finding for finding in findings(run_json, environ, "redis") if "maxmemory-policy" in finding["what"]]
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "0")
    assert [finding["level"] for finding in found] == [level]
    assert "noeviction" in found[0]["remedy"]


def test_a_replica_is_found(run_json: Any, environ: dict[str, str], client: "redis.Redis") -> None:
    client.replicaof("127.0.0.1", "1")
    try:
        found = findings(run_json, environ, "redis")
    finally:
        client.replicaof("NO", "ONE")
    assert any(finding["level"] == "broken" and "replica" in finding["what"] for finding in found)


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (Position("another", 0), "created anew"),
        (Position("", 7), "the broker has lost records"),
    ],
)
def test_positions_that_do_not_fit_the_log_are_found(
    run_json: Any, environ: dict[str, str], admin: Admin, client: "redis.Redis", position: Position, words: str
) -> None:
    topic_id = position.topic_id or admin.topic_ids(["job-views"])["job-views"]
    client.hset(KEYS.positions("m2"), "job-views", pack(Position(topic_id, position.next_offset)))
    [found] = findings(run_json, environ, "positions")
    assert found["level"] == "broken"
    assert "job-views/2" in found["what"]
    assert words in found["what"]
    assert "streamrec rebuild" in found["remedy"]


def test_a_position_of_a_newer_version_is_found(
    run_json: Any, environ: dict[str, str], admin: Admin, client: "redis.Redis"
) -> None:
    client.hset(KEYS.positions("m2"), "job-views", b"\x09future")
    assert "upgrade" in findings(run_json, environ, "state")[0]["remedy"]


def test_state_of_more_partitions_is_found(
    run_json: Any, environ: dict[str, str], admin: Admin, client: "redis.Redis"
) -> None:
    client.set(KEYS.epoch("m4"), 1)
    assert "more than 4 partitions" in findings(run_json, environ, "state")[0]["what"]


def test_state_built_for_another_number_of_partitions_is_found(
    run_json: Any, environ: dict[str, str], admin: Admin, client: "redis.Redis"
) -> None:
    generations.switch(client, "sr", Generation(1, "c0ffee", 8, (4, 8), 0))
    [found] = findings(run_json, environ, "state")
    assert (found["level"], found["what"]) == ("broken", "it was built for 8 partitions, the setting is 4")


def test_positions_are_those_of_the_generation_that_counts(
    run_json: Any, environ: dict[str, str], admin: Admin, client: "redis.Redis"
) -> None:
    made = Generation(1, "c0ffee", 4, (4,), 0)
    client.hset(made.keys("sr").positions("m2"), "job-views", pack(Position("another", 0)))
    assert findings(run_json, environ, "positions")[0]["level"] == "ok"
    generations.switch(client, "sr", made)
    assert findings(run_json, environ, "positions")[0]["level"] == "broken"
    assert findings(run_json, environ, "state")[0]["what"] == "built, generation 1-c0ffee"


def test_an_unreadable_model_is_found(run_json: Any, environ: dict[str, str], client: "redis.Redis") -> None:
    client.set(KEYS.model("job_check"), b"junk")
    assert findings(run_json, environ, "model")[0]["level"] == "broken"


def test_a_port_that_something_else_holds_is_told_from_a_service_that_is_down(
    run_json: Any, environ: dict[str, str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(environ["STREAMREC_WORKER_METRICS_PORT"])))
        other.listen()
        [worker] = findings(run_json, environ, "worker")
    [trainer] = findings(run_json, environ, "trainer")
    assert "STREAMREC_WORKER_METRICS_PORT" in worker["remedy"]
    assert "does not run here" in trainer["what"]
