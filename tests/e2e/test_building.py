"""State and model from a past log, on real servers: nothing lost, nothing twice, and no request fails at the switch."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamrec.agents import due
from streamrec.codecs import decode
from streamrec.events import Impression, ImpressionItem, JobView, TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.kafka.reader import read
from streamrec.local.ports import free_port
from streamrec.models.snapshot import Snapshot
from streamrec.stores import generations
from streamrec.stores.generations import Generation
from streamrec.stores.keys import Keys
from tests.e2e.judging import JOBS, POSTINGS, START, Log, differences, replayed_model, stored_model

pytestmark = [pytest.mark.e2e, pytest.mark.servers]


def finished(process: Any, patience_s: float = 60) -> dict[str, Any]:
    """What a command says with ``--json`` once it has ended well."""
    assert process.wait(patience_s) == 0, process.said
    summary: dict[str, Any] = json.loads(process.said.splitlines()[-1])
    return summary


@contextmanager
def producing(system: Any, log: Log) -> Iterator[None]:
    """Meanwhile events keep coming."""
    stop = threading.Event()

    def produce() -> None:
        while not stop.wait(0.05):
            system.produce(log.more(5))

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def kept(system: Any, prefix: str) -> list[str]:
    """Keys of a generation, but for hints and lists that a lookup wrote just before it switched: these vanish by themselves."""
    found = [key.decode() for key in system.client.scan_iter(f"{prefix}:{{*")]
    return [key for key in found if key.split(":")[2] not in ("asked", "ranked") or system.client.ttl(key) == -1]


def test_a_bootstrap_from_topics_hands_over_at_an_exact_offset(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(11)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(3_000))
    with producing(system, log):
        built = finished(system.start("bootstrap", "--topics", "--json"))
    assert built["records"] >= 3_000 + len(POSTINGS)
    assert built["learned"] > 100
    assert system.admin.watermarks("job-activity") == dict.fromkeys(range(4), (0, 0)), "something was produced"
    assert system.admin.watermarks("training-examples") == {0: (0, 0)}
    system.start("worker")
    system.start("trainer")
    system.produce(log.more(300))
    system.settle()
    assert differences(system, log) == []
    assert stored_model(system).examples > built["examples"]


def test_a_rebuild_beside_a_running_system_is_not_noticed(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(12)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(1_000))
    system.start_all()
    system.settle()
    before = system.keys
    # What a rebuild is for: the state is not what the log says.
    system.client.set(before.member("viewer-1"), b"\x01\x90")
    failed: list[str] = []
    asked = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal asked
        with httpx.Client(base_url=system.http.base_url, timeout=10) as http:
            while not stop.wait(0.03):
                answer = http.get(f"/v1/members/viewer-{asked % 40}/recommendations")
                asked += 1
                if answer.status_code != 200 or answer.json()["degraded"] not in (None, "no_model"):
                    failed.append(f"{answer.status_code} {answer.text[:200]}")

    thread = threading.Thread(target=ask)
    thread.start()
    with producing(system, log):
        built = finished(system.start("rebuild", "--keep-old", "4", "--json"))
        system.wait(lambda: "starting again" in system.processes[0].said, "the worker to notice", 10)
        system.wait(lambda: "took " in system.processes[0].said.rpartition("starting again")[2], "it to go on", 30)
    system.settle()
    system.wait(lambda: not kept(system, before.prefix), "the old generation to be gone", 20)
    stop.set()
    thread.join()
    assert (failed[:3], asked > 50) == ([], True)
    assert system.keys.generation == built["generation"]
    assert differences(system, log) == []
    assert all(process.alive for process in system.processes[:3]), "nothing ended, nothing had to be started"
    # The lookup answers from what the worker of the new generation writes, `after=` included.
    view = {"type": "JobView", "member_id": "ann", "job_id": JOBS[0]}
    token = system.http.post("/v1/events", json=view).json()["results"][0]["token"]
    system.wait(
        lambda: system.recommendations("ann", after=token)["freshness"]["after"] == "reached", "the view to arrive", 20
    )


def test_a_killed_bootstrap_goes_on_and_ends_as_if_nothing_had_happened(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(13)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(8_000))
    first = system.start("bootstrap", "--topics", "--checkpoint", "0.3")
    path = Path(system.settings.data_dir) / "building" / "sr.checkpoint"
    system.wait(path.exists, "a checkpoint", 30)
    assert first.alive, first.said
    first.signal(signal.SIGKILL)
    first.wait(10)
    assert system.keys.generation == "", "nothing has been switched"
    system.client.delete("sr:building")  # what expires after a minute
    again = system.start("bootstrap", "--topics", "--json")
    built = finished(again)
    assert "going on after" in again.said
    assert built["records"] == 8_000 + len(POSTINGS)
    assert differences(system, log) == []
    assert not path.exists()


def test_a_bootstrap_from_files_then_live_events(make_system: Callable[..., Any], tmp_path: Path) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(14)
    rows = [
        f"{event.occurred_at},{event.member_id},{event.job_id},{'view' if topic == 'job-views' else 'save'},{event.event_id}"
        for topic, event in log.more(2_000)
    ]
    history, catalogue = tmp_path / "history.csv", tmp_path / "jobs.csv"
    history.write_text("\n".join(("ts,user_id,item_id,event,event_id", *rows)) + "\n")
    jobs = [f"{posting.job_id},{posting.title},{posting.region},{START}" for posting in POSTINGS]
    catalogue.write_text("\n".join(("item_id,title,region,posted_at", *jobs)) + "\n")
    system.produce(log.more(100))  # live before the log is taken
    built = finished(system.start("bootstrap", str(history), "--catalogue", str(catalogue), "--no-learn", "--json"))
    assert (built["records"], built["learned"]) == (2_000 + len(JOBS), 0)
    system.start("worker")
    system.produce(log.more(100))
    system.settle(trainer=False)
    assert differences(system, log) == []
    refused = system.start("bootstrap", str(history))
    assert refused.wait(30) == 3
    assert "there is state already" in refused.said


def test_more_partitions(make_system: Callable[..., Any]) -> None:
    """Topics that have grown from two partitions to four; what was written before lies where two partitions had it."""
    system, log = make_system(session_timeout_s=3.0), Log(15)
    system.produce_as(2, (("job-postings", posting) for posting in POSTINGS))
    system.produce_as(2, log.more(1_000))
    system.produce(log.more(200))
    small = {"STREAMREC_PARTITIONS": "2"}
    generations.switch(system.client, "sr", Generation(partitions=2, counts=(2,)))  # as a worker of that time has noted
    early = system.start("worker")
    assert early.wait(30) == 2
    assert "the state was built for 2 partitions" in early.said
    built = finished(system.start("rebuild", "--partitions", "4", "--json", **small))
    assert (built["partitions"], built["unusable"]) == (4, {})
    mistaken = system.start("worker", **small)
    assert mistaken.wait(30) == 2
    assert "set partitions = 4" in mistaken.said
    system.start("worker")
    system.produce(log.more(100))
    system.settle(trainer=False)
    assert differences(system, log) == []


def shown_to(member: str, request_id: str, at: int) -> Impression:
    row = b"\x00" * 4 * len(feature_names())
    items = tuple(
        ImpressionItem(job_id=job, position=place, score=0.1, p_check=0.1, propensity=1.0, features=row, sources=())
        for place, job in enumerate(JOBS[:5])
    )
    return Impression(
        request_id=request_id, member_id=member, served_at=at, workflow="main", model_name="job_check", model_version=1,
        feature_set=FEATURE_SET, items=items,
    )  # fmt: skip


def show_and_view(system: Any, name: str) -> list[tuple[str, Any]]:
    """Lists for twenty members, then views of half of them; once the first are in the state, so that all see one order."""
    now = time.time_ns() // 1_000_000
    system.produce(("impressions", shown_to(f"reader-{number}", f"{name}-{number}", now)) for number in range(20))
    system.settle(trainer=False)
    views: list[tuple[str, Any]] = [
        ("job-views", JobView(event_id=f"{name}-{number}", member_id=f"reader-{number}", job_id=JOBS[number % 5],
                              occurred_at=now + 1, request_id=f"{name}-{number}"))
        for number in range(10)
    ]  # fmt: skip
    system.produce(views)
    system.settle(trainer=False)
    return views


def closed(system: Any) -> set[str | None]:
    """Requests of the lists that have been closed."""
    examples = [decode("TrainingExample", record.value or b"") for record in read(system.settings, "training-examples")]
    return {made.request_id for made in examples if isinstance(made, TrainingExample) and made.kind == "closed"}


def content(system: Any, keys: Keys, kind: str) -> dict[str, bytes]:
    found = sorted(system.client.scan_iter(f"{keys.prefix}:{{*:{kind}:*"))
    return {key.decode().rpartition(f":{kind}:")[2]: system.client.get(key) for key in found}


def waiting(system: Any, keys: Keys) -> list[due.Due]:
    buckets = [value for slot in range(4) for value in system.client.hgetall(keys.due(f"m{slot}")).values()]
    return sorted((each for bucket in buckets for each in due.unpack(bucket)), key=lambda each: each.request_id)


def test_what_is_built_is_what_a_worker_had_built_and_each_example_is_learned_once(
    make_system: Callable[..., Any],
) -> None:
    system, log = make_system(session_timeout_s=3.0, label_window_s=15.0, idle_watermark_s=0.5), Log(16)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    worker, trainer = system.start("worker"), system.start("trainer")
    system.produce(log.more(400))
    log.events += show_and_view(system, "first")
    system.wait(lambda: len(closed(system)) == 20, "the first lists to be closed", 60)
    system.settle()
    trainer.stop()
    stored = stored_model(system).examples
    system.produce(log.more(300))  # examples of these are in the log, and not learned yet
    log.events += show_and_view(system, "second")
    worker.stop()
    before = system.keys
    assert (differences(system, log), len(waiting(system, before))) == ([], 20)
    built = finished(system.start("rebuild", "--json"))
    after = system.keys
    for kind in ("member", "shown", "passed"):
        assert content(system, after, kind) == content(system, before, kind), kind
    assert len(content(system, after, "passed")) == 20
    assert waiting(system, after) == waiting(system, before)
    assert differences(system, log) == []
    assert built["learned"] == 0, "the workers had read everything"
    assert built["examples"] == replayed_model(system).examples > stored
    system.start("worker")
    system.start("trainer")
    system.produce(log.more(100))
    system.wait(lambda: len(closed(system)) == 40, "the other lists to be closed", 60)
    system.settle()
    assert differences(system, log) == []
    assert stored_model(system).examples == replayed_model(system).examples


def learned_after(system: Any, snapshot: Snapshot) -> int:
    """Examples in the log that are above the marks of a model, each counted once."""
    found = set()
    for record in read(system.settings, "training-examples"):
        made = decode("TrainingExample", record.value or b"")
        assert isinstance(made, TrainingExample)
        mark = snapshot.marks.get(f"{made.source_topic}/{made.source_partition}@{made.source_topic_id}", (-1, 0))
        if (made.source_offset, made.source_index) > mark:
            found.add((made.source_topic, made.source_partition, made.source_offset, made.source_index))
    return len(found)


def test_what_a_worker_of_the_old_state_still_has_in_hand_changes_nothing(make_system: Callable[..., Any]) -> None:
    """It wakes up after the switch, and produces what it had derived: counts for jobs, and examples."""
    system, log = make_system(session_timeout_s=3.0), Log(17)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(500))
    zombie = system.start("worker", fault="sleep-before-produce@job-views:2")
    system.wait(lambda: zombie.asleep, "the worker to fall asleep", 60)
    made_before = replayed_model(system).examples
    built = finished(system.start("rebuild", "--json"))
    model = stored_model(system)
    assert model.examples == made_before + built["learned"] > 100
    system.start("worker", STREAMREC_WORKER_METRICS_PORT=str(free_port()))
    system.start("trainer")
    system.wait(lambda: set(system.client.scan_iter(f"{system.keys.prefix}:{{m*:epoch")), "the new worker to read", 30)
    system.settle()
    derived, made = (system.admin.watermarks(topic) for topic in ("job-activity", "training-examples"))
    zombie.signal(signal.SIGCONT)
    system.wait(lambda: "to another worker" in zombie.said, "the fence to hold", 60)
    zombie.stop()
    assert (derived, made) != tuple(system.admin.watermarks(topic) for topic in ("job-activity", "training-examples"))
    system.produce(log.more(100))
    system.settle()
    assert differences(system, log) == []
    assert stored_model(system).examples == model.examples + learned_after(system, model)
