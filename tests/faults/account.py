"""Every record that was produced, accounted for: in the state, a duplicate, or a dead letter; and what is lost or doubled."""

from typing import Any

import msgspec

from streamrec import codecs
from streamrec.events import DeadLetter
from streamrec.features.state import JobState, MemberState, unpack
from streamrec.kafka.reader import read
from tests.e2e.judging import Log, differences, expected, replayed_model, stored_model
from tests.faults.traffic import Traffic

TOPICS = ("job-views", "job-saves")


class Account(msgspec.Struct, frozen=True):
    """What became of what was sent. Every count is of records but `lost` and `doubled`: of effects on members and jobs."""

    sent: int
    logged: int
    processed: int
    duplicates: int
    dead_letters: int
    lost: int
    doubled: int


def effects(system: Any, log: Log) -> tuple[int, int, int]:
    """How many events are in the state of members, and how many effects on members and jobs are missing, and are too many."""
    members, jobs, _ = expected(log)
    lost = doubled = processed = 0
    pairs = []
    for member, state in members.items():
        held = unpack(MemberState, system.client.get(system.keys.member(member)))
        pairs.append((held.version, state.version))
        processed += held.version
    pairs += [(unpack(JobState, system.client.get(system.keys.job(job))).version, jobs[job].version) for job in jobs]
    for have, want in pairs:
        lost, doubled = lost + max(0, want - have), doubled + max(0, have - want)
    return processed, lost, doubled


def account(system: Any, log: Traffic) -> Account:
    """Counted in Kafka's log, in the state and among the dead letters, by nothing that the processes say of themselves."""
    processed, lost, doubled = effects(system, log)
    letters = {
        (letter.topic, letter.partition, letter.offset)
        for record in read(system.settings, "dead-letters")
        for letter in [codecs.decode("DeadLetter", record.value or b"")]
        if isinstance(letter, DeadLetter) and letter.topic in TOPICS
    }
    logged = [record.value for topic in TOPICS for record in read(system.settings, topic)]
    duplicates = len(logged) - len(set(logged))
    return Account(log.produced, len(logged), processed, duplicates, len(letters), lost, doubled)


def judge(system: Any, log: Traffic, *, model: bool = True) -> Account:
    """All that the design promises after a fault, asserted; and the account, for the matrix."""
    found = account(system, log)
    assert differences(system, log) == [], found
    assert found.logged == found.sent, found
    assert found.processed + found.duplicates + found.dead_letters == found.sent, found
    assert (found.processed, found.duplicates, found.dead_letters) == (len(log.events), log.duplicates, log.garbage)
    assert (found.lost, found.doubled) == (0, 0), found
    if model:
        replayed, stored = replayed_model(system), stored_model(system)
        assert stored.examples == replayed.examples > 0, (stored.examples, replayed.examples)
        assert stored.state == replayed.state()
    return found
