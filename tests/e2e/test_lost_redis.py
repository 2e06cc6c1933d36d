"""Redis loses everything: lookups go on with what they have in memory and say so, and `streamrec rebuild` restores the rest."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from streamrec.bench.beside import Beside
from streamrec.events import JobApplication
from streamrec.local.servers import start_redis
from tests.e2e.judging import JOBS, POSTINGS, START, Log, differences, replayed_model, stored_model

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

BOUND_S = 2.0  # of an answer while Redis is empty: it is asked, and answers at once that it has nothing


class Asker(Beside):
    """Asks for lists all the time, and notes what came: how degraded, how long at most, and what failed."""

    def __init__(self, system: Any) -> None:
        super().__init__(self._run)
        self.degraded: Counter[str | None] = Counter()
        self.failed: list[str] = []
        self.longest_s = 0.0
        self._system = system

    def _run(self) -> None:
        number = 0
        with httpx.Client(base_url=self._system.http.base_url, timeout=10) as http:
            while not self.over.wait(0.02):
                number += 1
                began = time.monotonic()
                answer = http.get(f"/v1/members/viewer-{number % 20}/recommendations", params={"limit": 5})
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                if answer.status_code == 200 and answer.json()["items"]:
                    self.degraded[answer.json()["degraded"]] += 1
                else:
                    self.failed.append(f"{answer.status_code} {answer.text[:300]}")


def lose_by_flush(system: Any) -> None:
    system.client.flushall()


def lose_by_death(system: Any) -> None:
    """The process is killed, and another starts at the same place with an empty directory."""
    os.kill(system.redis.pid, signal.SIGKILL)
    system.wait(lambda: not system.redis.running, "Redis to be dead", 10)
    system.redis = system.servers["redis"] = start_redis(system.directory / "empty", system.redis.port)


@pytest.mark.soak
@pytest.mark.parametrize("lose", [lose_by_death, lose_by_flush])
def test_what_redis_has_lost_is_restored_from_kafka_while_lookups_answer(
    make_system: Callable[..., Any], lose: Callable[[Any], None], long: bool
) -> None:
    if lose is lose_by_flush and not long:
        pytest.skip("as the death of Redis, and events come meanwhile: with --long")
    system, log = make_system(session_timeout_s=3.0), Log(31, members=20)
    system.start_all()
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.settle()
    system.wait(
        lambda: system.http.get("/health/ready").json()["jobs"] == len(POSTINGS), "the postings to be known", 20
    )
    system.produce(log.more(800))
    applied = JobApplication(event_id="a1", member_id="applicant", job_id=JOBS[0], occurred_at=START)
    system.produce([("job-applications", applied)])
    system.settle()
    examples = stored_model(system).examples
    assert system.recommendations("viewer-1")["degraded"] is None
    with Asker(system) as asker:
        lose(system)
        system.wait(lambda: asker.degraded["state_lost"] > 20, "lookups to say that the state is lost", 20)
        said = system.http.get("/health/ready")
        assert said.status_code == 200, "it answers, and no other one would answer better"
        assert "state_lost" in [missing["what"] for missing in said.json()["missing"]]
        assert system.http.get("/v1/members/viewer-1").status_code == 503
        assert len(system.http.get("/v1/popular").json()["items"]) > 10
        unread = 300 if lose is lose_by_flush else 0
        system.produce(log.more(unread))  # nobody takes these in now
        rebuild = system.start("rebuild", "--json")
        assert rebuild.wait(90) == 0, rebuild.said
        built = json.loads(rebuild.said.splitlines()[-1])
        for name in ("worker", "trainer"):  # as whoever supervises them does: the trainer ends when it is fenced off
            if not any(process.name == name and process.alive for process in system.processes):
                system.start(name)
        system.produce(log.more(200))
        system.settle(120)
        system.wait(lambda: system.recommendations("viewer-1")["degraded"] is None, "answers to be whole", 30)
    log.events.insert(800, ("job-applications", applied))
    assert differences(system, log) == []
    assert JOBS[0] not in [item["job_id"] for item in system.recommendations("applicant", limit=50)["items"]]
    replayed, stored = replayed_model(system), stored_model(system)
    assert examples > 300
    assert built["examples"] == examples + built["learned"], "from the trainer's copy, or all examples learned again"
    if not unread:  # else the build has learned from events of which no worker had made examples
        assert built["learned"] == 0
        assert (stored.examples, stored.state) == (replayed.examples, replayed.state())
    assert (asker.failed, asker.longest_s < BOUND_S) == ([], True), asker.longest_s
    worst = f"slowest answer {asker.longest_s * 1000:.0f} ms"
    print(f"\n{lose.__name__}: {asker.degraded}, {worst}, {built['seconds']} s to build")
