"""SIGKILL at every point between two effects, then the state that the design promises: nothing lost, nothing twice.

Each guard is also taken away once, to show that the comparison notices.
"""

import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from streamrec.local.ports import free_port
from tests.e2e.judging import POSTINGS, Log, differences, replayed_model, stored_model
from tests.faults.report import Report

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

WORKER_FAULTS = [
    f"{point}@{topic}:2"
    for topic in ("job-views", "job-activity")
    for point in ("before-produce", "before-commit", "after-commit", "before-ack")
    if (point, topic) != ("before-produce", "job-activity")  # it produces nothing but dead letters
]
TRAINER_FAULTS = ["before-commit:2", "after-commit:2", "before-ack:2"]


def kill_worker_at(system: Any, log: Log, fault: str, spoil: str = "") -> None:
    """Feed a worker that dies at `fault`, in small pieces so that there are several batches."""
    worker = system.start("worker", fault=fault, spoil=spoil)
    deadline = time.monotonic() + 90
    while worker.alive and time.monotonic() < deadline:
        system.produce(log.more(20))
        time.sleep(0.1)
    assert worker.code == -signal.SIGKILL, f"{fault} was never reached; the worker ended with {worker.code}"


def test_a_worker_killed_at_every_point_loses_nothing_and_counts_nothing_twice(
    make_system: Callable[..., Any], report: Report
) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(1)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    for fault in WORKER_FAULTS:
        kill_worker_at(system, log, fault)
    system.start("worker")
    system.produce(log.more(200))
    system.settle(trainer=False)
    assert differences(system, log) == []
    report.add_effects(system, log, runs=len(WORKER_FAULTS))


def test_a_trainer_killed_at_every_point_holds_the_replay_of_its_examples(
    make_system: Callable[..., Any], report: Report
) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(2)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.start("worker")
    system.settle(trainer=False)
    for fault in TRAINER_FAULTS:
        trainer = system.start("trainer", fault=fault)
        deadline = time.monotonic() + 90
        while trainer.alive and time.monotonic() < deadline:
            system.produce(log.more(20))
            time.sleep(0.1)
        assert trainer.code == -signal.SIGKILL, f"{fault} was never reached"
    system.start("trainer")
    system.produce(log.more(100))
    system.settle()
    replayed, stored = replayed_model(system), stored_model(system)
    assert stored.examples == replayed.examples > 100
    assert stored.state == replayed.state()
    report.add_effects(system, log, runs=len(TRAINER_FAULTS))


# Each guard taken away, as Python run in the worker before its command, with the fault that then bites.
NO_SEEK_TO_POSITION = """
from streamrec.agents import base
from streamrec.agents.ownership import Hold
Hold.next_offset = lambda self, topic: 0          # redelivered records are not dropped
import streamrec.agents.ownership as ownership
ownership.check = lambda tp, position, topic_id, low, high: low   # and reading starts over
"""
NO_MARKS = """
import streamrec.agents.derived as derived
derived.is_applied = lambda *_: False                # derived entries produced twice count twice
"""
NOT_ATOMIC = """
from streamrec.agents.ownership import Hold
from streamrec.agents.faults import FAULTS
commit = Hold.commit
async def torn(self, writes, next_offsets, marks):
    await self.slot.commit(writes)                # state first ...
    FAULTS.reach("after-commit", *next_offsets)   # ... and death before its positions are in
    await commit(self, [], next_offsets, marks)
Hold.commit = torn
"""
NOT_ACKNOWLEDGED = """
import asyncio
from streamrec.kafka.producer import Producer
send_all, held = Producer.send_all, {}
async def late(self, records, timeout_s):         # what a batch derives goes out with the next one of its lane:
    lane = asyncio.current_task()                 # after its commit
    held[lane], due = list(records), held.get(lane, [])
    await send_all(self, due, timeout_s)
Producer.send_all = late
"""


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (NO_SEEK_TO_POSITION, "after-commit@job-views:2"),
        (NO_MARKS, "before-commit@job-views:2"),
        # Of jobs, since a member's events that come again are known by their ids; torn the first time of each batch.
        (NOT_ATOMIC, "after-commit@job-activity:3"),
        (NOT_ACKNOWLEDGED, "before-ack@job-views:2"),
    ],
    ids=["positions", "marks", "atomicity", "acknowledgements"],
)
@pytest.mark.control
def test_without_the_guard_the_comparison_fails(make_system: Callable[..., Any], spoil: str, fault: str) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(3, members=4)
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(1_500))  # more for each member than the event ids that it remembers
    kill_worker_at(system, log, fault, spoil)
    system.start("worker", spoil=spoil)
    system.settle(trainer=False)
    # Duplicates derive nothing: after one for each lane nothing is held back but what has been lost.
    system.produce({event.member_id: (topic, event) for topic, event in log.events}.values())
    system.settle(trainer=False)
    assert differences(system, log) != []


NO_FENCE = """
from streamrec.stores.redis import RedisSlot
async def unwatched(self, operation, command):    # neither the epoch is compared, nor a change of it noticed
    replies = await self._wire.exchange(operation, [("GET", self._epoch_key), *([command] if command else [])])
    self._watching = True
    return replies[-1]
RedisSlot._watch_once = unwatched
"""


def wake_a_zombie(system: Any, log: Log, fault: str, spoil: str = "") -> Any:
    """A worker falls asleep with a transaction in its hands; another one takes over and goes on; then it wakes up."""
    system.produce(("job-postings", posting) for posting in POSTINGS)
    system.produce(log.more(500))
    zombie = system.start("worker", spoil=spoil, fault=fault)
    system.wait(lambda: zombie.asleep, "the worker to fall asleep", 60)
    system.start("worker", spoil=spoil, STREAMREC_WORKER_METRICS_PORT=str(free_port()))
    system.produce(log.more(1_000))
    system.settle(trainer=False)
    zombie.signal(signal.SIGCONT)
    return zombie


def test_a_worker_that_slept_through_its_session_cannot_write(make_system: Callable[..., Any], report: Report) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(4, members=4)
    zombie = wake_a_zombie(system, log, "sleep-before-commit@job-views:1")
    lost = re.compile("to another worker; its batch of .*job-views.* is left")
    system.wait(lambda: lost.search(zombie.said), "the fence to hold", 60)
    system.produce(log.more(300))
    system.settle(trainer=False)
    assert differences(system, log) == []
    report.add_effects(system, log, runs=1)


@pytest.mark.control
def test_without_the_fence_it_does(make_system: Callable[..., Any]) -> None:
    system, log = make_system(session_timeout_s=3.0), Log(4, members=4)
    # It dies of its deed: were it to join again, all would be read again from where it has set the positions back.
    zombie = wake_a_zombie(system, log, "sleep-before-commit@job-views:1,after-commit@job-views:1", NO_FENCE)
    assert zombie.wait(60) == -signal.SIGKILL
    # Now, before the owner writes the same members again, of whom it keeps better states.
    assert differences(system, log) != []
