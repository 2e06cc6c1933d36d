"""Dead letters sent again, end to end: the state is what it would be had they been right, and nothing counts twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from streamrec import codecs
from streamrec.cli import cli
from streamrec.events import Action, JobLike, JobPosting, JobSave, JobView
from streamrec.features.library import JOB_TOTALS
from streamrec.features.state import JobState, MemberState, Neighbours, unpack
from streamrec.kafka.producer import Producer, Record
from streamrec.local.scrape import metrics as scrape
from streamrec.partitioner import partition_of
from tests.brokers import StartBroker

from .conftest import System

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

AT = 1_700_000_000_000
FIX = ("--fix", "occurred_at = occurred_at // 1000")  # a producer that wrote microseconds
DIE_BEFORE_MARK = """
import os
from streamrec.kafka.producer import Producer
async def die(self, records, timeout_s):   # the records are acknowledged, their marks are not out
    os.kill(os.getpid(), 9)
Producer.send_all = die
"""
NO_GUARD = """
from streamrec.agents.redriven import Arrivals
Arrivals.first = lambda self, offset: True   # a redriven record counts as often as it comes
"""


def total(state: JobState, action: Action) -> float:
    return JOB_TOTALS[action].value_in(state.cells, 0)


class Site:
    """A system with a worker, the commands on it, and what is in its state."""

    def __init__(self, system: Any, spoil: str = "") -> None:
        self.system = system
        system.start("worker", spoil=spoil)

    def dead_letters(self, *arguments: str) -> str:
        environ = self.system.environ()
        answer = CliRunner().invoke(cli, ["dead-letters", *arguments], env=environ, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    def redrive(self, *arguments: str) -> Any:
        """What was sent, once the worker has read it."""
        answer = json.loads(self.dead_letters("redrive", "--json", *arguments))
        self.system.settle(trainer=False)
        return answer["sent"]

    def redrive_and_die(self, *arguments: str) -> None:
        """Sent, but not marked."""
        program = f"{DIE_BEFORE_MARK}\nfrom streamrec.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "dead-letters", "redrive", *arguments],
            env={**os.environ, **self.system.environ()}, stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL
        self.system.settle(trainer=False)

    def letters(self, **wanted: Any) -> list[Any]:
        listed = [json.loads(line) for line in self.dead_letters("list", "--json").splitlines()]
        return [each for each in listed if all(each[name] == value for name, value in wanted.items())]

    def produce(self, *events: tuple[str, Any]) -> None:
        self.system.produce(events)
        self.system.settle(trainer=False)

    def misplace(self, topic: str, key: str, value: bytes | None) -> None:
        """Produce to a partition that is not the key's."""
        producer = Producer(self.system.settings)
        producer.send_now(Record(topic, key.encode(), value, partition=(partition_of(key, 4) + 1) % 4))
        producer.flush(10)
        producer.close()
        self.system.settle(trainer=False)

    def member(self, member_id: str) -> MemberState:
        return unpack(MemberState, self.system.client.get(self.system.keys.member(member_id)))

    def job(self, job_id: str) -> JobState:
        return unpack(JobState, self.system.client.get(self.system.keys.job(job_id)))

    def neighbours(self, job_id: str) -> Neighbours:
        return unpack(Neighbours, self.system.client.get(self.system.keys.neighbours(job_id)))

    def redriven(self, topic: str, outcome: str) -> float:
        found = scrape(f"http://127.0.0.1:{self.system.settings.worker_metrics_port}/metrics")
        return found.total("streamrec_redriven_records_total", topic=topic, outcome=outcome)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Site]:
    system = System(tmp_path_factory.mktemp("system"), start_broker)
    try:
        yield Site(system)
    finally:
        system.close()


def view(member: str, number: int, job: str, at: int) -> tuple[str, JobView]:
    event_id = f"{member}-{number}"
    return "job-views", JobView(event_id=event_id, member_id=member, job_id=job, occurred_at=at, position=number)


def history(member: str, scale: int) -> list[tuple[str, Any]]:
    """What a member views, of jobs that are its own; times are multiplied by `scale`."""
    return [view(member, number, f"{member}-job-{number % 4}", (AT + number * 60_000) * scale) for number in range(10)]


def unnamed(state: MemberState | JobState | Neighbours, member: str) -> Any:
    """The state with the member's jobs named as anybody's, and without the hashes of event ids and of the member."""
    if isinstance(state, MemberState):
        state.seen, state.mark = [], 0
    if isinstance(state, JobState):
        state.touchers = bytes(len(state.touchers))
    return json.loads(msgspec.json.encode(state).decode().replace(f"{member}-job", "job"))


def test_the_state_is_what_it_would_be_had_the_records_been_right(site: Site) -> None:
    site.produce(*history("right", 1), *history("wrong", 1000))
    assert [letter["reason"] for letter in site.letters(state="open")] == ["bad_time"] * 10
    assert site.member("wrong").version == 0
    assert site.redrive("--reason", "bad_time", *FIX) == {"job-views": 10}
    for read, names in ((site.job, range(4)), (site.neighbours, range(4))):
        for number in names:
            assert unnamed(read(f"wrong-job-{number}"), "wrong") == unnamed(read(f"right-job-{number}"), "right")
    assert site.member("wrong").version == 10
    assert unnamed(site.member("wrong"), "wrong") == unnamed(site.member("right"), "right")


def views_of_one_sent_twice(site: Site) -> int:
    """Redrive one view, die before its mark, let 70 other views pass, redrive again; how often it counts."""
    member, job = "twice", "twice-job"
    site.produce(view(member, 0, job, AT * 1000))
    site.redrive_and_die("--topic", "job-views", *FIX)
    assert total(site.job(job), Action.VIEW) == 1
    site.produce(*(view(member, 1 + number, f"other-{number}", AT + number) for number in range(70)))  # > 64
    [letter] = site.letters(state="open", topic="job-views")
    assert site.redrive(letter["id"], *FIX) == {"job-views": 1}
    return round(total(site.job(job), Action.VIEW))


def test_a_record_that_is_sent_twice_counts_once_however_much_came_between(site: Site) -> None:
    assert views_of_one_sent_twice(site) == 1
    assert site.member("twice").version == 71
    assert site.redriven("job-views", "duplicate") == 1
    assert site.redrive("--topic", "job-views", *FIX) == {}
    assert site.letters(state="open", topic="job-views") == []


@pytest.mark.control
def test_without_the_guard_it_counts_twice(make_system: Callable[..., Any]) -> None:
    assert views_of_one_sent_twice(Site(make_system(), spoil=NO_GUARD)) == 2


def test_what_is_in_the_wrong_partition_heals_and_is_applied_once(site: Site) -> None:
    posting = codecs.encode(JobPosting(job_id="lost", title="found"))
    site.misplace("job-postings", "lost", posting)
    site.misplace("job-saves", "mover", codecs.encode(
        JobSave(event_id="s1", member_id="mover", job_id="lost", occurred_at=AT)
    ))  # fmt: skip
    assert {letter["reason"] for letter in site.letters(state="open")} == {"wrong_partition"}
    site.redrive_and_die("--topic", "job-postings")
    assert site.redrive() == {"job-postings": 1, "job-saves": 1}
    state = site.job("lost")
    assert state.posting is not None
    assert state.posting.title == "found"
    assert (total(state, Action.SAVE), state.version) == (1, 2)  # the posting once, the save once
    assert site.redriven("job-postings", "duplicate") == 1


def test_what_fails_again_is_listed_with_its_first_place_and_the_attempt(site: Site) -> None:
    site.produce(("job-likes", JobLike(event_id="l1", member_id="liker", job_id=" j ", occurred_at=AT * 1000)))
    [first] = site.letters(topic="job-likes")
    assert site.redrive("--topic", "job-likes") == {}
    assert site.redrive("--topic", "job-likes", "--force") == {"job-likes": 1}
    [failed, open_] = site.letters(topic="job-likes")
    assert (failed["id"], failed["state"]) == (first["id"], "failed again")
    assert (open_["state"], open_["reason"], open_["attempt"]) == ("open", "bad_time", 2)
    assert open_["origin"] == first["origin"] == f"job-likes/{first['partition']}@{first['offset']}"
    assert open_["offset"] > first["offset"]
    assert site.redriven("job-likes", "rejected") == 1
    assert site.redrive(open_["id"], *FIX, "--fix", "job_id = job_id.strip()") == {"job-likes": 1}
    assert total(site.job("j"), Action.LIKE) == 1

    def accepted() -> bool:
        """Known once the worker's offsets are committed to Kafka."""
        found = json.loads(site.dead_letters("stats", "--topic", "job-likes", "--json"))
        return (found["failed_again"], found["accepted"], found["open"]) == (1, 1, 0)

    site.system.wait(accepted, "the third attempt to be known as accepted", 15)
