"""`dead-letters redrive` and `stats`, each test with a broker of its own: what is sent, and what is not."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from streamrec import codecs
from streamrec.cli import cli
from streamrec.codecs import Origin, Redriven
from streamrec.codecs.origins import TOPIC_ID
from streamrec.events import DeadLetter, JobPosting, JobView
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.kafka.reader import Stored, read
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from streamrec.topics import load
from tests.brokers import StartBroker

pytestmark = pytest.mark.servers

AT = 1_700_000_000_000


def view(number: int, **fields: Any) -> JobView:
    made = JobView(event_id=f"e{number}", member_id="m1", job_id="j1", occurred_at=AT)
    return msgspec.structs.replace(made, **fields)


def letter(offset: int, value: bytes | None, reason: str, **fields: Any) -> DeadLetter:
    made = DeadLetter(
        topic="job-views", partition=9, offset=offset, key=b"m1", value=value, headers=(), reason=reason,
        detail=f"why {offset}", failed_at=AT + offset,
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


MICROSECONDS = letter(1, codecs.encode(view(1, occurred_at=AT * 1000)), "bad_time")
MISPLACED = letter(2, codecs.encode(view(2)), "wrong_partition", headers=(("trace", b"abc"),))
GARBAGE = letter(3, b"garbage", "unknown_schema")
NOTHING = letter(4, None, "missing_value")
KEYLESS = letter(5, codecs.encode(view(5)), "bad_key", key=None)
DERIVED = letter(6, b"?", "unknown_schema", topic="job-activity")


class Site:
    """A broker with empty topics, and the command on it."""

    def __init__(self, address: str) -> None:
        self.settings = Settings(kafka=address)
        self.environ = {"STREAMREC_KAFKA": address}
        self._producer = Producer(self.settings)
        Admin(self.settings).create(load())

    def put(self, *letters: DeadLetter) -> None:
        self.produce(*(
            Record("dead-letters", each.key, codecs.encode(each), headers=((TOPIC_ID, b"t1"),)) for each in letters
        ))  # fmt: skip

    def produce(self, *records: Record) -> None:
        for record in records:
            self._producer.send_now(record)
        self._producer.flush(10)

    def read(self, topic: str) -> list[Stored]:
        return list(read(self.settings, topic))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["dead-letters", *arguments], env=self.environ, catch_exceptions=False)

    def redrive(self, *arguments: str, code: int = 0) -> Any:
        answer = self.run("redrive", "--json", *arguments)
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout)

    def states(self) -> dict[str, str]:
        listed = [json.loads(line) for line in self.run("list", "--json").stdout.splitlines()]
        return {f"{each['origin']} {each['attempt']}": each["state"] for each in listed}

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def site(tmp_path: Path, start_broker: StartBroker) -> Iterator[Site]:
    with start_broker(tmp_path) as server:
        made = Site(server.address)
        yield made
        made.close()


def test_a_letter_is_sent_to_the_partition_of_its_key_with_its_headers_and_its_origin(site: Site) -> None:
    site.put(MISPLACED)
    assert site.redrive()["sent"] == {"job-views": 1}
    [sent] = site.read("job-views")
    assert (sent.key, sent.value) == (MISPLACED.key, MISPLACED.value)
    assert sent.partition == partition_of("m1", 4)
    assert sent.headers == (
        ("trace", b"abc"), ("streamrec-origin", b"job-views/9@2"), ("streamrec-origin-topic-id", b"t1"),
        ("streamrec-attempt", b"2"),
    )  # fmt: skip


def test_what_was_redriven_is_not_sent_again_and_what_failed_again_is(site: Site) -> None:
    site.put(MISPLACED, MISPLACED, KEYLESS)  # a crash wrote one letter twice
    assert site.redrive()["sent"] == {"job-views": 1}
    assert site.redrive()["sent"] == {}
    again = Redriven(Origin("job-views", 9, 2, "t1"), 2).headers(MISPLACED.headers)
    site.put(letter(40, MISPLACED.value, "bad_id", headers=again))
    assert site.states() == {"job-views/9@2 1": "failed again", "job-views/9@5 1": "open", "job-views/9@2 2": "open"}
    assert site.redrive()["sent"] == {"job-views": 1}
    attempts = [dict(sent.headers)["streamrec-attempt"] for sent in site.read("job-views")]
    assert attempts == [b"2", b"3"]
    assert {dict(sent.headers)["streamrec-origin"] for sent in site.read("job-views")} == {b"job-views/9@2"}
    assert site.redrive()["redriven_before"] == {"failed_again": 1, "waiting": 1}


def test_the_same_place_of_a_topic_created_anew_is_another_record(site: Site) -> None:
    site.put(MISPLACED)
    assert site.redrive()["sent"] == {"job-views": 1}
    site.produce(Record("dead-letters", b"m1", codecs.encode(MISPLACED), headers=((TOPIC_ID, b"t2"),)))
    assert site.redrive()["sent"] == {"job-views": 1}


def test_a_dry_run_sends_nothing_and_says_what_would_still_fail(site: Site) -> None:
    site.put(MICROSECONDS, MISPLACED, GARBAGE, NOTHING, KEYLESS, DERIVED)
    answer = site.run("redrive", "--dry-run")
    assert answer.exit_code == 0
    rows = [line.strip().rsplit(maxsplit=1) for line in answer.stdout.splitlines()[1:]]
    assert ["would be sent to job-views", "1"] in rows
    assert ["not sent: missing_value", "1"] in rows
    assert "letter 0:0 (job-views/9@1): bad_time: occurred_at is" in answer.stderr
    assert "the topic has no tombstones; nothing can be done without --fix that names every field" in answer.stderr
    assert site.read("job-views") == []
    found = site.redrive("--dry-run")
    assert found["send"] == {"job-views": 1}
    assert found["kept"] == {"bad_time": 1, "unknown_schema": 1, "missing_value": 1, "bad_key": 1, "derived": 1}
    assert set(site.states().values()) == {"open"}


def test_a_fix_that_fits_one_letter_and_not_another_sends_nothing(site: Site) -> None:
    posting = codecs.encode(JobPosting(job_id="j", title="t"))
    site.put(MISPLACED, letter(9, posting, "bad_key", topic="job-postings"))
    answer = site.run("redrive", "--fix", "member_id = 'm2'")
    assert answer.exit_code == 1
    assert (
        "letter 0:1 (job-postings, bad_key): \"member_id = 'm2'\": a JobPosting has no field `member_id`"
        in answer.stderr
    )
    assert "Nothing was sent" in answer.stderr
    assert site.read("job-views") == []


def test_the_letters_are_narrowed_by_reason_topic_time_and_id(site: Site) -> None:
    save = letter(7, MISPLACED.value, "wrong_partition", topic="job-saves")
    site.put(MISPLACED, save, letter(8, MISPLACED.value, "bad_id", failed_at=AT + 10_000))
    assert site.redrive("--dry-run", "--topic", "job-views")["send"] == {"job-views": 2}
    assert site.redrive("--dry-run", "--reason", "bad_id")["send"] == {"job-views": 1}
    assert site.redrive("--dry-run", "--since", "2023-11-14T22:13:25")["send"] == {"job-views": 1}
    assert site.redrive("--dry-run", "--since", "2h")["send"] == {}
    assert site.redrive("0:0")["sent"] == {"job-views": 1}
    assert [each.offset for each in site.read("job-views")] == [0]
    answer = site.run("redrive", "0:0")
    assert answer.exit_code == 1
    assert "that letter is not sent" in answer.stderr
    assert "sent again before: waiting" in answer.stdout


def test_a_posting_is_not_replaced_by_an_older_one(site: Site) -> None:
    old, new = (codecs.encode(JobPosting(job_id="j1", title=title)) for title in ("old", "new"))
    own = partition_of("j1", 4)
    site.produce(Record("job-postings", b"j1", old), Record("job-postings", b"j1", new))
    other = codecs.encode(JobPosting(job_id="j2", title="alone"))
    fields = {"topic": "job-postings", "partition": own}
    site.put(
        letter(0, old, "wrong_partition", key=b"j1", **fields), letter(9, other, "wrong_partition", key=b"j2", **fields)
    )
    found = site.redrive()
    assert found["kept"] == {"outdated": 1}
    assert found["sent"] == {"job-postings": 1}
    assert site.redrive("--force")["sent"] == {"job-postings": 1}


def test_a_posting_that_was_sent_but_not_marked_is_not_its_own_newer_one(site: Site, monkeypatch: Any) -> None:
    posting = codecs.encode(JobPosting(job_id="j1", title="t"))
    site.put(letter(0, posting, "wrong_partition", key=b"j1", topic="job-postings", partition=partition_of("j1", 4)))
    unmarked(site, monkeypatch)
    assert site.redrive()["sent"] == {"job-postings": 1}


def unmarked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redrive with Kafka gone between the records and their marks."""
    with monkeypatch.context() as patch:

        async def refuse(*_: object) -> None:
            raise ProduceFailedError("gone")

        patch.setattr(Producer, "send_all", refuse)
        answer = site.run("redrive")
    assert answer.exit_code == 1
    assert "1 are sent again, the last 1 of them without a mark (gone)" in answer.stderr


def test_a_mark_that_is_not_acknowledged_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put(MISPLACED)
    unmarked(site, monkeypatch)
    assert site.states() == {"job-views/9@2 1": "open"}


def many(count: int) -> list[DeadLetter]:
    return [letter(number, codecs.encode(view(number)), "wrong_partition") for number in range(count)]


def test_after_ctrl_c_the_same_command_goes_on_and_sends_nothing_twice(site: Site) -> None:
    site.put(*many(1000))
    spoil = """
import os, signal
import streamrec.kafka.redrive as engine
batches, sent = engine._batches, []
def counted(records):
    for batch in batches(records):
        sent.append(batch)
        if len(sent) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        yield batch
engine._batches = counted
"""
    ended = command(site, spoil, "redrive")
    assert ended.returncode == 130, ended.stderr
    assert "400 of 1,000 sent again" in ended.stdout
    assert "interrupted: the same command goes on from here" in ended.stderr
    assert site.redrive()["sent"] == {"job-views": 600}
    assert sorted(each.headers[0] for each in site.read("job-views")) == sorted(
        ("streamrec-origin", f"job-views/9@{number}".encode()) for number in range(1000)
    )


def command(site: Site, spoil: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = f"{spoil}\nfrom streamrec.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "dead-letters", *arguments], env={**os.environ, **site.environ},
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_killed_between_sending_and_marking_one_batch_is_sent_twice_with_the_same_identity(site: Site) -> None:
    site.put(*many(450))
    ended = command(site, DIE_BEFORE_MARK.format(at=2), "redrive")
    assert ended.returncode == -signal.SIGKILL
    assert len(site.read("job-views")) == 400
    assert site.redrive()["sent"] == {"job-views": 250}
    identities = [each.headers for each in site.read("job-views")]
    assert len(identities) == 650
    assert len(set(identities)) == 450


DIE_BEFORE_MARK = """
import os
import streamrec.kafka.redrive as engine
from streamrec.kafka.producer import Producer
send_all, calls = Producer.send_all, []
async def die(self, records, timeout_s):
    calls.append(records)
    if len(calls) == {at}:
        os.kill(os.getpid(), 9)
    await send_all(self, records, timeout_s)
Producer.send_all = die
"""


def test_stats_count_by_topic_and_reason_and_by_outcome(site: Site) -> None:
    site.put(MISPLACED, KEYLESS, GARBAGE, letter(7, b"more garbage", "unknown_schema", key=b"m2"))
    site.redrive()
    site.put(letter(40, b"x", "bad_id", headers=Redriven(Origin("job-views", 9, 2, "t1"), 2).headers()))
    found = json.loads(site.run("stats", "--json").stdout)
    assert {name: found[name] for name in ("letters", "open", "waiting", "accepted", "failed_again")} == {
        "letters": 5, "open": 4, "waiting": 0, "accepted": 0, "failed_again": 1,
    }  # fmt: skip
    assert found["groups"][0] == {
        "topic": "job-views", "reason": "unknown_schema", "letters": 2, "share": 0.4, "keys": 2, "first": AT + 3,
        "last": AT + 7, "attempts": 1, "open": 2, "waiting": 0, "accepted": 0, "failed_again": 0,
    }  # fmt: skip
    [failed] = [group for group in found["groups"] if group["reason"] == "bad_id"]
    assert failed["attempts"] == 2
    text = site.run("stats").stdout.splitlines()
    assert text[1].split()[:5] == ["job-views", "unknown_schema", "2", "40.0%", "2"]
    assert text[-1] == "5 in all: 4 open, 0 waiting, 0 accepted, 1 failed again"
    assert json.loads(site.run("stats", "--since", "1h", "--json").stdout) == {
        "letters": 0, "open": 0, "waiting": 0, "accepted": 0, "failed_again": 0, "groups": []
    }  # fmt: skip


def test_show_says_the_first_origin_and_the_attempt(site: Site) -> None:
    site.put(letter(40, b"x", "bad_id", headers=Redriven(Origin("job-views", 9, 2, "t1"), 2).headers()))
    lines = dict(line.split(maxsplit=1) for line in site.run("show", "0:0").stdout.splitlines()[:5])
    assert lines["from"] == "job-views/9@2"
    assert lines["attempt"] == "2, at job-views/9@40"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("redrive", "--fix", "occurred_at"), "is not FIELD = EXPRESSION"),
        (("redrive", "--since", "soon"), "neither such as 30m"),
        (("redrive", "17"), "is not PARTITION:OFFSET"),
        (("stats", "--since", "soon"), "neither such as 30m"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: Sequence[str], says: str) -> None:
    answer = CliRunner().invoke(cli, ["dead-letters", *arguments])
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_a_terminal_is_asked_first_and_no_means_no(site: Site) -> None:
    site.put(MISPLACED)
    for answer, code, sent in ((b"n\n", 1, 0), (b"y\n", 0, 1)):
        master, slave = pty.openpty()
        os.write(master, answer)
        ended = subprocess.run(
            [sys.executable, "-m", "streamrec", "dead-letters", "redrive"], env={**os.environ, **site.environ},
            capture_output=True, text=True, timeout=60, check=False, stdin=slave,
        )  # fmt: skip
        os.close(master)
        os.close(slave)
        assert "Send 1 again? [y/N]" in ended.stderr
        assert ended.returncode == code, ended.stderr
        assert len(site.read("job-views")) == sent


def test_the_doctor_counts_only_what_is_still_to_be_dealt_with(site: Site, away: dict[str, str]) -> None:
    def finding() -> Any:
        answer = CliRunner().invoke(cli, ["doctor", "--json"], env=away | site.environ)
        return next(found for found in json.loads(answer.stdout)["findings"] if found["area"] == "dead letters")

    site.put(MISPLACED, GARBAGE)
    assert finding()["what"] == "2 records could not be used"
    site.redrive("--force", "--topic", "job-views")
    assert finding()["level"] == "ok"
