"""What tracked answers showed is in Kafka, as it was ranked; and Kafka's death is nothing that an answer would notice."""

import os
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from streamrec import codecs
from streamrec.events import Impression, JobPosting, JobView
from streamrec.kafka.reader import read
from streamrec.local.ports import free_port
from streamrec.local.scrape import metrics as scrape
from streamrec.models import snapshot as snapshots
from streamrec.ranking import rerank
from tests.brokers import StartBroker

from .conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.alone]

EXPLORE = 0.5
MEMBERS = 15


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Any]:
    """A system whose members have acted, and whose model learns no more: `fed.snapshot` is what the lookup ranks by."""
    system: Any = System(tmp_path_factory.mktemp("system"), start_broker, explore=EXPLORE, produce_timeout_s=2.0)
    try:
        system.start_all()
        draw = random.Random(4)
        start = now_ms() - 3_600_000
        jobs = [f"j{number}" for number in range(150)]
        system.produce(
            ("job-postings", JobPosting(job_id=job, title=f"{draw.choice(['Night', 'Day'])} {draw.choice(['Nurse', 'Cook'])}",
                                        region=draw.choice(["MD", "NY"]), posted_at=start - number * 60_000))
            for number, job in enumerate(jobs)
        )  # fmt: skip
        system.settle(trainer=False)
        system.produce(
            ("job-views", JobView(event_id=f"e{number}", member_id=f"m{draw.randrange(MEMBERS)}",
                                  job_id=jobs[min(149, int(draw.expovariate(0.05)))], occurred_at=start + number * 1000))
            for number in range(400)
        )  # fmt: skip
        system.settle()
        trainer = next(process for process in system.processes if process.name == "trainer")
        trainer.stop()
        packed = system.client.get(system.keys.model("job_check"))
        assert isinstance(packed, bytes)
        system.snapshot = snapshots.unpack(packed)

        def frozen() -> bool:
            model = system.recommendations("probe", track="false", region="MD")["model"]
            return model is not None and model["version"] == system.snapshot.version

        system.wait(frozen, "the lookup to rank by the last snapshot")
        yield system
    finally:
        system.close()


def recorded(system: Any, count: int) -> list[Impression]:
    """All impressions in Kafka, once there are `count` of them and no more come for a moment."""

    def there() -> int:
        return sum(high for _, high in system.admin.watermarks("impressions").values())

    system.wait(lambda: there() >= count, f"{count} impressions")
    time.sleep(0.3)
    found: list[Impression] = []
    for stored in read(system.settings, "impressions"):
        event = codecs.decode_record("Impression", stored.key, stored.value, now_ms(), 1_000)
        assert isinstance(event, Impression), event
        found.append(event)
    return found


def ask(system: Any, member: str, request_id: str, **params: Any) -> dict[str, Any]:
    answer: httpx.Response = system.http.get(
        f"/v1/members/{member}/recommendations", params=params, headers={"X-Request-Id": request_id}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_each_tracked_answer_makes_one_record_that_reproduces_it(fed: Any) -> None:
    answers = {}
    for number in range(MEMBERS):
        member = f"m{number}"
        first = ask(fed, member, f"{member}-first", surface="home", limit=15)
        answers[f"{member}-first"] = first
        answers[f"{member}-next"] = ask(fed, member, f"{member}-next", cursor=first["next_cursor"], limit=15)
        ask(fed, member, f"{member}-probe", track="false")
        time.sleep(0.15)  # so that the list just ranked is kept
        answers[f"{member}-again"] = ask(fed, member, f"{member}-again", limit=60)  # deeper than what is kept
        answers[f"{member}-kept"] = ask(fed, member, f"{member}-kept", limit=15)
    hows = Counter(answer["freshness"]["ranked"] for answer in answers.values())
    assert min(hows["cached"], hows["now"]) >= MEMBERS
    found = recorded(fed, len(answers))
    assert sorted(made.request_id for made in found) == sorted(answers)  # once each, and no probe
    scorer = snapshots.scorer_of(fed.snapshot)
    scores_of: Callable[[Any], Any] = getattr(scorer, "scores", scorer.probabilities)
    tried = 0
    for made in found:
        answer = answers[made.request_id]
        assert (made.member_id, made.workflow, made.feature_set) == (
            answer["member_id"],
            "jobs@2",
            scorer.feature_set,
        )
        assert made.surface == ("home" if made.request_id.endswith("first") else None)
        assert abs(made.served_at - now_ms()) < 60_000
        assert (made.model_name, made.model_version) == ("job_check", fed.snapshot.version)
        for name in ("job_id", "position", "score", "p_check"):
            assert [getattr(item, name) for item in made.items] == [item[name] for item in answer["items"]]
        assert [list(item.sources) for item in made.items] == [item["sources"] for item in answer["items"]]
        start = 15 if made.request_id.endswith("next") else 0
        assert [item.position for item in made.items] == list(range(start, start + len(made.items)))
        features = np.array([np.frombuffer(item.features, "<f4") for item in made.items])
        assert scorer.probabilities(features) == pytest.approx([item.p_check for item in made.items], abs=1e-11)
        assert scores_of(features) == pytest.approx([item.score for item in made.items], abs=1e-9)
        placed = rerank.place(rerank.DEPTH, 0.0 if start else EXPLORE, made.request_id)
        expected = [1.0] * len(made.items) if start else [*placed.propensities, *[1.0] * 10][: len(made.items)]
        assert [item.propensity for item in made.items] == expected
        ranks = np.argsort([-item.score for item in made.items], kind="stable")
        if len(made.items) > rerank.DEPTH:  # the whole of what may be swapped is in sight
            scores = [item.score for item in made.items]
            assert [scores[rank] for rank in ranks] == [
                scores[placed.ranks.index(rank)] for rank in range(50)
            ] + scores[50:]
            tried += list(placed.ranks) != list(range(50))
    assert 0 < tried < MEMBERS


def test_a_request_sent_again_under_its_id_is_the_same_list_under_the_same_id(fed: Any) -> None:
    before = len(recorded(fed, 0))
    for _ in range(3):
        ask(fed, "m3", "sent-again", limit=10)
    same = [made for made in recorded(fed, before + 3) if made.request_id == "sent-again"]
    assert len(same) == 3
    assert len({tuple((item.job_id, item.propensity) for item in made.items) for made in same}) == 1


SLOW_FEATURES = """
import time
from streamrec.ranking import engine
quick = engine.matrix
def matrix(*arguments):
    time.sleep(0.3)
    return quick(*arguments)
engine.matrix = matrix
"""


def test_the_workflow_that_answered_is_on_record_also_when_the_time_was_spent(fed: Any) -> None:
    before = len(recorded(fed, 0))
    answers = {name: ask(fed, "m2", f"by-{name}", workflow=name) for name in ("jobs", "diverse", "popular")}
    assert [answer["workflow"] for answer in answers.values()] == ["jobs@2", "diverse@2", "popular@1"]
    assert [answer["degraded"] for answer in answers.values()] == [None] * 3
    port = free_port()
    lookup = fed.start("lookup", "--port", str(port), spoil=SLOW_FEATURES)  # slower than its 250 ms allow
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:

        def ready() -> bool:
            try:
                return http.get("/health/ready").status_code == 200
            except httpx.TransportError:
                return False

        fed.wait(ready, "the slow lookup to be ready")
        fed.wait(lambda: http.get("/health/ready").json()["model_age_ms"], "the slow lookup to have the model")
        late = http.get(
            "/v1/members/m2/recommendations", params={"workflow": "diverse"}, headers={"X-Request-Id": "by-late"}
        ).json()
        counted = scrape(f"http://127.0.0.1:{port}/metrics")
    lookup.stop()
    assert (late["workflow"], late["degraded"], late["model"]) == ("popular@1", "budget", None)
    assert [item["job_id"] for item in late["items"]]
    assert counted.total("streamrec_workflow_fallbacks_total", workflow="diverse@2", reason="budget") == 1
    assert counted.total("streamrec_lookup_workflow_answers_total", workflow="popular@1") == 1
    made = {each.request_id: each.workflow for each in recorded(fed, before + 4)}
    assert [made[f"by-{name}"] for name in ("jobs", "diverse", "popular", "late")] == [
        "jobs@2", "diverse@2", "popular@1", "popular@1",
    ]  # fmt: skip


def test_an_answer_does_not_notice_that_kafka_is_dead(fed: Any) -> None:
    next(process for process in fed.processes if process.name == "worker").stop()

    def times(name: str, count: int = 400) -> list[float]:
        taken = []
        for number in range(count):
            began = time.perf_counter()
            ask(fed, f"m{number % MEMBERS}", f"{name}-{number}")
            taken.append(time.perf_counter() - began)
        return taken

    def results() -> dict[str, float]:
        samples = scrape(f"http://127.0.0.1:{fed.settings.lookup_port}/metrics")
        return {
            result: samples.total("streamrec_lookup_impressions_total", result=result)
            for result in ("sent", "dropped", "failed")
        }

    times("warm", 50)
    alive = times("alive")
    fed.wait(lambda: results()["sent"] >= 450, "what was shown to be sent")
    sent = results()["sent"]
    os.kill(fed.broker.pid, signal.SIGKILL)
    dead = times("dead")
    assert statistics.median(dead) < 2 * statistics.median(alive) + 0.005
    assert sorted(dead)[-4] < max(5 * sorted(alive)[-4], 0.1)
    fed.wait(lambda: sum(results().values()) >= sent + 400, "all that is lost to be counted", 15)
    assert results()["failed"] >= 300
    lookup = next(process for process in fed.processes if process.name == "lookup")
    ask(fed, "m1", "the-last")
    lookup.signal(signal.SIGTERM)
    assert lookup.wait(8) in (0, -signal.SIGTERM)
