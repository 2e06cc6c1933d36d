"""One truth: a log in lockstep through Kafka, and asked over HTTP, gives what it gives without any server."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import psutil
import pytest

from streamrec import codecs
from streamrec.events import Event, JobApplication, JobEvent, JobView
from streamrec.local.lockstep import Lockstep, LockstepError
from streamrec.settings import Settings
from streamrec.simulator import World
from streamrec.topics import topic_of
from streamrec.training.agreement import Agreement
from streamrec.training.evaluate import OFFLINE, SYSTEM, Evaluation, Evaluator, protocol_settings
from streamrec.training.replay import Due
from tests.brokers import DIRECTORY, StartBroker

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.alone]

START = 1_750_000_000_000
DAY = 86_400_000
EVENTS, MEMBERS, POINTS = 260, 150, 5


def due(record: Any, at: int) -> Due:
    kind = type(record).__name__
    return Due(at, topic_of(kind).name, getattr(record, codecs.key_field(kind) or ""), cast(codecs.Message, record))


def some_log() -> list[Due]:
    """A made-up site: its postings and profiles, all that members do for a while, and one event that comes twice."""
    world = World(seed=11, members=MEMBERS, jobs=160, now_ms=START)
    log = [due(record, START) for record in (*world.postings(), *world.profiles())]
    events = 0
    while events < EVENTS:
        record = world.next_event(START + (events + 1) * 400)  # two or three in each second
        log.append(due(record, getattr(record, "occurred_at", START + (events + 1) * 400)))
        events += isinstance(record, Event)
        if events == EVENTS // 2 and isinstance(record, Event):
            log.append(log[-1])
    return sorted(log, key=lambda item: item.at)


class Ran(NamedTuple):
    live: Lockstep
    evaluator: Evaluator
    result: Evaluation
    log: list[Due]


@pytest.fixture(scope="module")
def ran(start_broker: StartBroker) -> Iterator[Ran]:
    """The log, evaluated; the system still runs."""
    log, settings = some_log(), Settings()
    with Lockstep(protocol_settings(settings, "catalogue"), print, start_broker=start_broker) as live:
        evaluator = Evaluator("catalogue", ("popularity",), settings, live, POINTS, 100)
        result = evaluator.run(log, lambda *_: None, lambda: False)
        yield Ran(live, evaluator, result, log)


def test_the_log_holds_what_can_go_wrong(ran: Ran) -> None:
    events = [item for item in ran.log if isinstance(item.event, Event)]
    assert len({type(item.event) for item in events}) >= 5
    assert len({item.event.event_id for item in events}) == len(events) - 1  # type: ignore[union-attr]
    assert Counter(item.at // 1000 for item in events).most_common(1)[0][1] >= 2
    assert ran.evaluator.world.model.examples > 50
    assert len({item.event.member_id for item in events}) > 30  # type: ignore[union-attr]


def test_live_and_offline_agree_on_every_list(ran: Ran) -> None:
    found = ran.result.to_json()["live"]
    assert found["first_difference"] is None
    assert (found["points"], found["members"]) == (POINTS, 100)
    assert (found["lists"], found["equal"], found["equal_scores"], found["empty"]) == (500, 500, 500, 0)
    queries = found["queries"]
    assert queries["lists"] == queries["equal"] == queries["equal_scores"] == ran.result.queries > 100
    assert found["milliseconds_per_event"] > 0


def test_live_and_offline_measure_the_same(ran: Ran) -> None:
    assert ran.evaluator.ranks[SYSTEM] == ran.evaluator.ranks[OFFLINE]
    assert ran.result.results[SYSTEM] == ran.result.results[OFFLINE]
    assert ran.result.results[SYSTEM]["all"]["whole"]["hr@10"] > 0.1
    assert ran.result.results["popularity"]["all"]["whole"]["hr@10"] > 0


def test_the_moment_asked_for_is_the_moment_of_the_list(ran: Ran) -> None:
    live, member, end = ran.live, ran.log[-1].key, ran.log[-1].at
    later = end + 20 * DAY  # much has expired, and what was popular has faded
    assert live.answer(member, end, 50) != live.answer(member, later, 50)
    assert live.answer(member, later, 50) == ran.evaluator.world.answer(member, later, 50)


def test_an_event_that_is_lost_on_the_way_is_noticed(ran: Ran) -> None:
    """After this one the two are not the same any more."""
    live, world, now = ran.live, ran.evaluator.world, ran.log[-1].at
    member = next(item.key for item in reversed(ran.log) if isinstance(item.event, JobEvent))
    job = world.answer(member, now, 1).job_ids[0]
    world.take(JobApplication(event_id="lost", member_id=member, job_id=job, occurred_at=now))
    held = Agreement(live, world, points=1, members=100)
    held.begin(ran.log)
    held.acted(member)
    held.look(EVENTS + 1, now)
    assert not held.agrees
    first = held.differences[0]
    assert (first.member_id, first.live[0]) == (member, job)
    assert job not in first.offline
    assert f"member {member}, point 1" in str(first)


def pid_of(live: Lockstep, name: str) -> int:
    return next(process.pid for process in live._processes if process.name == name)


def view(ran: Ran, member: str) -> JobView:
    """What somebody new does with an open job, such that it makes an example: not every job served does."""
    world, now = ran.evaluator.world, ran.log[-1].at
    views = (
        JobView(event_id=f"{member}-e", member_id=member, job_id=job, occurred_at=now)
        for job in world.answer(member, now, 50).job_ids
    )
    return next(event for event in views if world.learn(event) is not None)


def test_a_stall_says_what_did_not_arrive_and_an_end_who_ended(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last test here: nothing works after it."""
    live = ran.live
    monkeypatch.setattr(live, "_patience_s", 1.0)
    trainer = pid_of(live, "trainer")
    os.kill(trainer, signal.SIGSTOP)
    try:
        with pytest.raises(
            LockstepError, match=r"JobView stall-e of stall .*training-examples/0 from \d+ to \d+; what"
        ):
            live.take(view(ran, "stall"))
    finally:
        os.kill(trainer, signal.SIGCONT)
    os.kill(pid_of(live, "lookup"), signal.SIGKILL)
    with pytest.raises(LockstepError, match=r"lookup has ended"):
        live.take(view(ran, "end"))


def csv_log(path: Path, events: int) -> Path:
    rows = [f"{START // 1000 + 7 * number},m{number % 23},j{number * 7 % 41},view" for number in range(events)]
    path.write_text("\n".join(("ts,user_id,item_id,event", *rows)) + "\n")
    return path


def test_ctrl_c_leaves_a_result_and_nothing_else(tmp_path: Path, broker_kind: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    log = csv_log(tmp_path / "log.csv", 2000)
    options = ["--live", "--broker", broker_kind, "--json", "--baseline", "none"]
    command = [sys.executable, "-m", "streamrec", "evaluate", str(log), *options]
    environ = {**os.environ, "TMPDIR": str(scratch), "STREAMREC_DATA_DIR": str(DIRECTORY.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stderr is not None
        said = next((line for line in process.stderr if "queries" in line or "Error" in line), "")
        assert "queries" in said  # it is at work
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 5
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=40)
    assert process.returncode == 130, said
    figures = json.loads(printed)
    assert 0 < figures["events"] < 2000
    assert figures["live"]["queries"]["lists"] == figures["live"]["queries"]["equal"] > 0
    assert "ended early" in said
    assert not [child for child in children if child.is_running()]
    assert not list(scratch.iterdir())
