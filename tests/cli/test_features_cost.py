"""Costs on a simulated site, and on what lies in a Redis."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from streamrec.cli.features_sample import simulated
from streamrec.features.sample import Sample
from streamrec.features.state import pack
from streamrec.ranking.catalogue import catalogue
from streamrec.settings import Settings
from streamrec.stores.keys import Keys

Run = Callable[..., Result]

EVENTS = ("--events", "200")


@pytest.fixture(scope="module")
def site() -> Sample:
    return simulated(200, seed=1)


def test_all_is_measured_without_servers(run: Run, away: dict[str, str]) -> None:
    found = json.loads(run(away, "features", "cost", *EVENTS, "--json").stdout)
    assert (found["sample"], found["events"], found["listed"]) == ("simulator", 200, 500)
    assert [each["id"] for each in found["features"]] == [entry.id for entry in catalogue().entries]
    assert [each["key"] for each in found["states"]] == list(catalogue().holdings)
    assert all(0 < each["bytes_a_key"] < 10_000 for each in found["states"])
    assert all(0 < each["fold_us"] < 10_000 for each in found["states"] if each["cell"])
    assert all(0 < each["read_us"] < 1_000_000 for each in found["features"])


def test_the_table_shows_what_is_asked_for_the_dearest_first(run: Run, away: dict[str, str]) -> None:
    answer = run(away, "features", "cost", *EVENTS, "pay", "covisit", "job_views", "--sort", "bytes")
    assert answer.exit_code == 0
    states, features, foot = answer.stdout.split("\n\n")
    assert [line.split()[0] for line in features.splitlines()[1:]] == ["covisit@1", "job_views@1", "pay@1"]
    assert "Neighbours.weights" in states
    assert "count(views, by=job, window=decay(7d))" in states
    assert "count(saves" not in states
    assert foot.startswith("300 members and ")
    assert "shared out in equal parts" in foot


def test_an_unknown_feature_is_exit_code_1(run: Run, away: dict[str, str]) -> None:
    answer = run(away, "features", "cost", "save_rte")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "Error: there is no feature 'save_rte'; did you mean save_rate?\n"


def test_without_redis_there_is_a_message_and_no_traceback(run: Run, away: dict[str, str]) -> None:
    answer = run(away, "features", "cost", "--redis", *EVENTS)
    assert answer.exit_code == 1
    assert "cannot be reached" in answer.stderr
    assert "Traceback" not in answer.output


def test_ctrl_c_is_exit_code_130_and_no_traceback(
    run: Run, away: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("streamrec.cli.features_cost.measure", interrupted)
    answer = run(away, "features", "cost", *EVENTS)
    assert (answer.exit_code, answer.stdout) == (130, "")
    assert answer.stderr.endswith("interrupted: nothing was measured to its end\n")


@pytest.mark.servers
def test_keys_of_redis_are_weighed_as_they_lie_there(
    run: Run, environ: dict[str, str], client: Any, site: Sample
) -> None:
    keys = Keys(Settings().namespace, Settings().partitions)
    client.mset({keys.member(name): pack(state) for name, state in site.members.items()})
    client.mset({keys.job(name): pack(state) for name, state in site.jobs.items()})
    client.mset({keys.neighbours(name): pack(row) for name, row in site.neighbours.items()})
    client.mset({keys.network(name): pack(network) for name, network in site.networks.items()})
    client.set(keys.member("unreadable"), b"\x7fwhat is this")
    client.set("another:{m0}:member:m", b"of another installation")
    options = ("features", "cost", *EVENTS, "--json")
    all_of_it = json.loads(run(environ, *options, "--redis", "--keys", "5000").stdout)
    offline = json.loads(run(environ, *options).stdout)
    assert all_of_it["sample"] == "redis"
    assert (all_of_it["members"], all_of_it["jobs"]) == (len(site.members), len(site.jobs))
    for found, wanted in zip(all_of_it["states"], offline["states"], strict=True):
        assert found["bytes_a_key"] == pytest.approx(wanted["bytes_a_key"]), found["keeps"]
    client.delete(keys.member("unreadable"))  # it may or may not be among a few
    few = json.loads(run(environ, *options, "--redis", "--keys", "20").stdout)
    assert (few["members"], few["jobs"]) == (20, 20)


@pytest.mark.servers
def test_an_empty_redis_has_nothing_to_weigh(run: Run, environ: dict[str, str], client: Any) -> None:
    answer = run(environ, "features", "cost", "--redis", *EVENTS)
    assert answer.exit_code == 0
    assert "0 members and 0 jobs of Redis" in answer.stdout
