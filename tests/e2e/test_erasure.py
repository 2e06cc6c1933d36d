"""A member who is erased: nothing is left of it, and what is older does not bring it back."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streamrec import codecs
from streamrec.events import Connection, JobPosting, JobSave, JobView, MemberProfile, Tombstone, TrainingExample
from streamrec.kafka.forgetting import erasures, forget_examples
from streamrec.kafka.reader import read

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

GONE, FRIEND = "zoe-the-erased", "kim"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def streamrec(system: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streamrec", *arguments], env={**os.environ, **system.environ()}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def traces(system: Any) -> list[str]:
    """Keys and values of the store that name the member."""
    name, found = GONE.encode(), []
    for key in system.client.scan_iter("*"):
        kind = system.client.type(key)
        if kind == b"string":
            values = [system.client.get(key)]
        elif kind == b"hash":
            values = [part for pair in system.client.hgetall(key).items() for part in pair]
        else:
            values = [part for _, fields in system.client.xrange(key) for part in fields.values()]
        if name in key or any(name in value for value in values):
            found.append(key.decode())
    return found


def examples(system: Any) -> dict[bytes, bool]:
    """Keys of the member's training examples, and whether they stand."""
    standing: dict[bytes, bool] = {}
    for record in read(system.settings, "training-examples"):
        assert record.key is not None
        if record.value is None:
            standing[record.key] = False
            continue
        example = codecs.decode("TrainingExample", record.value)
        if isinstance(example, TrainingExample) and example.member_id == GONE:
            standing[record.key] = True
    return standing


def deeds(at: int) -> list[tuple[str, Any]]:
    return [
        ("job-views", JobView(event_id=f"v{at}", member_id=GONE, job_id="j3", occurred_at=at)),
        ("job-saves", JobSave(event_id=f"s{at}", member_id=GONE, job_id="j4", occurred_at=at + 1)),
        ("connections", Connection(event_id=f"c{at}", member_id=GONE, other_member_id=FRIEND, occurred_at=at + 2)),
    ]


def test_an_erased_member_leaves_no_trace_and_is_not_brought_back(system: Any) -> None:
    start = now_ms()
    system.produce(
        ("job-postings", JobPosting(job_id=f"j{number}", title=f"title {number}", posted_at=start))
        for number in range(30)
    )
    system.produce([("member-profiles", MemberProfile(member_id=GONE, company="Acme", updated_at=start))])
    system.settle()
    system.wait(lambda: len(system.recommendations(GONE, limit=20)["items"]) == 20, "the jobs")  # tracked: labels pend
    system.produce(deeds(start))
    system.settle()
    system.produce([("job-saves", JobSave(event_id="later", member_id=GONE, job_id="j5", occurred_at=now_ms()))])
    system.settle()
    system.recommendations(GONE)
    kinds = ("member", "network", "shown", "due")
    system.wait(lambda: all(f":{kind}" in " ".join(traces(system)) for kind in kinds), "what was shown to arrive")
    assert any(examples(system).values())
    before = json.loads(streamrec(system, "members", "export", GONE, "--log").stdout)
    assert before["state"]["profile"]["company"] == "Acme"
    assert {"job-views", "job-saves", "connections", "member-profiles"} <= set(before["log"])
    assert before["network"]["edges"].keys() == {FRIEND}

    erased = streamrec(system, "members", "erase", GONE, "--yes", "--json")
    assert erased.returncode == 0, erased.stderr
    system.settle()
    system.wait(lambda: traces(system) == [], "the traces to go", 20)
    assert json.loads(erased.stdout)["training_examples"] > 0
    assert set(examples(system).values()) == {False}
    assert streamrec(system, "members", "export", GONE).returncode == 1
    assert system.http.get(f"/v1/members/{GONE}").status_code == 404

    system.produce(deeds(start + 50))  # older than the erasure, and only now read
    system.produce([("connections", Connection(
        event_id="other-side", member_id=FRIEND, other_member_id=GONE, occurred_at=start + 60,
    ))])  # fmt: skip
    system.settle()
    system.wait(lambda: traces(system) == [], "the friend to be told", 20)
    assert set(examples(system).values()) == {False}

    system.produce([("job-views", JobView(event_id="new", member_id=GONE, job_id="j7", occurred_at=now_ms()))])
    system.settle()
    assert [job["job_id"] for job in system.http.get(f"/v1/members/{GONE}").json()["recent"]] == ["j7"]


def test_a_tombstone_of_a_producer_does_the_same_and_the_ledger_says_so(system: Any) -> None:
    known = erasures(system.settings)
    system.produce([("job-views", JobView(event_id="x", member_id=GONE, job_id="j8", occurred_at=now_ms()))])
    system.settle()
    system.produce([("member-profiles", Tombstone(GONE))])
    system.settle()
    system.wait(lambda: traces(system) == [], "the traces to go", 20)
    now = erasures(system.settings)
    assert now != known
    assert not [digest for digest in now if GONE in digest]
    forget_examples(system.settings, now)
    assert True not in examples(system).values()
    assert forget_examples(system.settings, now) == 0


def test_mistakes_are_told(system: Any, tmp_path: Path) -> None:
    assert "1 to 512 characters" in streamrec(system, "members", "export", "").stderr
    gone = {**system.environ(), "STREAMREC_REDIS": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-m", "streamrec", "members", "export", "m"], env={**os.environ, **gone}, capture_output=True,
        text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
