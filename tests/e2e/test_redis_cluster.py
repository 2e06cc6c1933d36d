"""The whole system on a Redis Cluster of three nodes: what it holds and answers is what it would on a single Redis."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from streamrec.cli import cli
from streamrec.settings import environ_of
from tests.brokers import ON_EMBEDDED
from tests.e2e.judging import POSTINGS, Log, differences
from tests.e2e.test_kills import kill_worker_at
from tests.redis_cluster import LocalCluster

pytestmark = [pytest.mark.e2e, pytest.mark.servers, ON_EMBEDDED]

MEMBERS = [f"{kind}-{number}" for kind in ("viewer", "saver") for number in range(5)] + ["nobody"]


def lists(system: Any) -> dict[str, list[str]]:
    answers = {member: system.recommendations(member, limit=20) for member in MEMBERS}
    return {member: [item["job_id"] for item in answer["items"]] for member, answer in answers.items()}


def test_it_holds_and_answers_what_it_would_on_a_single_redis(
    make_system: Callable[..., Any], redis_cluster: LocalCluster
) -> None:
    """Without a trainer: a model depends on the order in which examples of several partitions reach it."""
    log = Log(seed=5)
    single = make_system()
    spread = make_system(redis=redis_cluster.url, redis_cluster=True, namespace=f"e2e-{uuid4().hex}")
    for system in (single, spread):
        system.produce(("job-postings", posting) for posting in POSTINGS)
    events = log.more(200)
    single.produce(events)
    spread.produce(events)
    single.start("worker")
    kill_worker_at(spread, log, "after-commit@job-views:2")  # and a second one goes on
    single.produce(log.events[len(events) :])
    spread.start("worker")
    for system in (single, spread):
        system.start("lookup")
        system.settle(trainer=False)
        assert differences(system, log) == []
        system.wait(system.ready, "the lookup to be ready", 30)
    assert len({redis_cluster.owner(spread.keys.epoch(slot)) for slot in ("m0", "m1", "m2", "m3", "j0", "j1")}) > 1
    single.wait(lambda: lists(single) == lists(spread), "the lists to be the same", 10)


def test_the_model_is_learned_and_every_command_works(
    make_system: Callable[..., Any], redis_cluster: LocalCluster, tmp_path: Path
) -> None:
    log = Log(seed=6)
    system = make_system(redis=redis_cluster.url, redis_cluster=True, namespace=f"e2e-{uuid4().hex}")
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.start_all()
    system.settle(trainer=False)  # what is learned of views needs the jobs
    system.produce(log.more(300))
    system.settle()
    system.wait(lambda: system.recommendations("nobody")["model"] is not None, "a list by the model", 10)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(
            cli, [*arguments, "--json"], env=environ_of(system.settings), catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    findings = run("doctor")["findings"]
    assert sum("version" in finding["what"] and finding["area"] == "redis" for finding in findings) == 3
    status = run("status")
    assert status["problems"] == []
    assert status["model"] is not None
    assert sum(topic["lag"] for topic in status["topics"]) == 0
    exported = CliRunner().invoke(cli, ["members", "export", "viewer-1"], env=environ_of(system.settings))
    assert json.loads(exported.stdout)["state"] is not None
    parity = run("features", "check-parity")
    assert (parity["members"], parity["differences"]) == (len({event.member_id for _, event in log.events}), [])
    built = run("rebuild", "--no-learn")
    assert built["generation"]
    system.wait(lambda: system.keys.generation, "the new generation to count", 5)
    system.settle()
    assert differences(system, log) == []
