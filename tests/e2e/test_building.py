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

from streamrec.events import JobView
from streamrec.features.state import MemberState, unpack
from tests.e2e.test_kills import JOBS, POSTINGS, START, Log, differences, stored_model

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


def old_keys(system: Any, prefix: str) -> list[str]:
    return [key.decode() for key in system.client.scan_iter(f"{prefix}:*") if key.startswith(f"{prefix}:{{".encode())]


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
    system.wait(lambda: not old_keys(system, before.prefix), "the old generation to be gone", 20)
    stop.set()
    thread.join()
    assert (failed[:3], asked > 50) == ([], True)
    assert system.keys.generation == built["generation"]
    assert differences(system, log) == []
    assert all(process.alive for process in system.processes[:3]), "nothing ended, nothing had to be started"
    assert system.recommendations("viewer-1")["degraded"] is None
    done = system.http.get("/v1/members/viewer-1").json()
    assert done["member_id"] == "viewer-1"


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
    built = finished(system.start("rebuild", "--partitions", "4", "--json", **small))
    assert (built["partitions"], built["unusable"]) == (4, {})
    mistaken = system.start("worker", **small)
    assert mistaken.wait(30) == 2
    assert "the state was built for 4 partitions" in mistaken.said
    system.start("worker")
    system.produce(log.more(100))
    system.settle(trainer=False)
    assert differences(system, log) == []


def test_a_view_of_a_member_is_in_the_next_list(make_system: Callable[..., Any]) -> None:
    """The lookup of the new generation reads what the worker of the new generation writes, `after=` included."""
    system = make_system(session_timeout_s=3.0)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.start_all()
    system.settle()
    finished(system.start("rebuild", "--json"))
    system.wait(
        lambda: "answering from generation" in "".join(each.said for each in system.processes), "the lookup", 20
    )
    view = {
        "type": "JobView",
        "event_id": "v1",
        "member_id": "ann",
        "job_id": JOBS[0],
        "occurred_at": time.time_ns() // 10**6,
    }
    answer = system.http.post("/v1/events", json={"events": [view]}).json()
    token = answer["results"][0]["token"]
    system.wait(
        lambda: system.recommendations("ann", after=token)["freshness"]["after"] == "reached", "the view to arrive", 20
    )
    state = unpack(MemberState, system.client.get(system.keys.member("ann")))
    assert list(state.viewed) == [JOBS[0]]
    assert JobView(event_id="v1", member_id="ann", job_id=JOBS[0], occurred_at=1).job_id == JOBS[0]
