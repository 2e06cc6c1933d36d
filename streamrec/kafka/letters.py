"""What is in ``dead-letters``: letters, the marks that say which of them were sent again, and what became of those.

A mark is a record of the same schema with the reason ``redriven``; its place is where the record was sent to, and its headers
are those that were sent. Marks are in the topic of the letters, not in Redis, since they must live and die with the letters:
they outlast a Redis that is emptied to rebuild the state (the redriven records are in the log that it is rebuilt from), they
hold for every installation that reads this Kafka, and retention drops a letter before its mark. Whoever dies between sending
and marking leaves a letter that will be sent once more; its consumer drops that (see `agents.redriven`).

A *case* is one record through all its attempts. Only cases that were redriven are kept in memory, one small entry each.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from streamrec import codecs
from streamrec.codecs import Origin, Redriven, redriven
from streamrec.codecs.origins import topic_id
from streamrec.events import DeadLetter, Rejected
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import Delivered, Record
from streamrec.kafka.reader import Stored, read
from streamrec.settings import Settings
from streamrec.topics import DEAD_LETTERS, PARTITIONED_TOPICS

MARK: Final = "redriven"
NOT_A_LETTER: Final = "not_a_letter"

State = Literal["open", "waiting", "accepted", "failed again"]
STATES: Final[tuple[State, ...]] = ("open", "waiting", "accepted", "failed again")


class Letter(msgspec.Struct, frozen=True):
    """One record of the topic, opened. `case` is the record's first place and which attempt ended here."""

    stored: Stored
    letter: DeadLetter
    case: Redriven

    @property
    def id(self) -> str:
        """What people name it by: its place in ``dead-letters``."""
        return f"{self.stored.partition}:{self.stored.offset}"

    @property
    def is_mark(self) -> bool:
        """Whether it says that a letter was sent again, and is none itself."""
        return self.letter.reason == MARK


def opened(stored: Stored) -> Letter:
    """The letter in a record; one that says so where the record is none."""
    letter = codecs.decode("DeadLetter", stored.value or b"")
    if not isinstance(letter, DeadLetter):
        detail = letter.detail if isinstance(letter, Rejected) else ""
        letter = DeadLetter(
            topic=stored.topic, partition=stored.partition, offset=stored.offset, key=stored.key, value=stored.value,
            headers=tuple((name, value or b"") for name, value in stored.headers), reason=NOT_A_LETTER, detail=detail,
            failed_at=stored.timestamp,
        )  # fmt: skip
    case = redriven(letter.topic, letter.headers)
    if case is None:
        case = Redriven(Origin(letter.topic, letter.partition, letter.offset, topic_id(stored.headers)), 1)
    return Letter(stored, letter, case)


def mark(letter: Letter, sent: Record, where: Delivered, now_ms: int) -> Record:
    """The record to produce once `sent`, made of `letter`, is acknowledged at `where`."""
    place = f"{sent.topic}/{where.partition}@{where.offset}"
    note = DeadLetter(
        topic=sent.topic, partition=where.partition, offset=where.offset, key=sent.key, value=None,
        headers=sent.headers, reason=MARK, detail=f"letter {letter.id} was sent again to {place}", failed_at=now_ms,
    )  # fmt: skip
    return Record(DEAD_LETTERS, sent.key, codecs.encode(note))


class _Case(msgspec.Struct):
    failed: int = 0  # the last attempt that ended in a letter
    sent: int = 1  # the last attempt that is known to have been made
    read: bool = False  # whether its consumer has read that one


class Book:
    """What one pass over the topic tells of redriven letters, and the letters up to there.

    Parameters
    ----------
    settings
        Where Kafka is.

    Raises
    ------
    KafkaUnavailableError, KafkaRefusedError
        As `read` does; so does `letters`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # First: what was read by then has left its letter, if it failed.
        self._read: Mapping[tuple[str, int], int] = Admin(settings).committed(
            f"{settings.group}-worker", PARTITIONED_TOPICS
        )
        self._cases: dict[str, _Case] = {}
        self._ends: dict[int, int] = {}
        for stored in read(settings, DEAD_LETTERS):
            self._ends[stored.partition] = stored.offset + 1
            self._note(opened(stored))

    def _note(self, letter: Letter) -> None:
        if letter.case.attempt == 1:
            return
        case, attempt = self._cases.setdefault(letter.case.origin.identity, _Case()), letter.case.attempt
        if attempt > case.sent:
            case.sent, case.read = attempt, False
        if not letter.is_mark:
            case.failed = max(case.failed, attempt)
        elif attempt == case.sent:
            place = letter.letter
            case.read |= place.offset < self._read.get((place.topic, place.partition), 0)

    def letters(self) -> Iterator[Letter]:
        """The letters, oldest first, each record and attempt once; without the marks, and what came after them."""
        seen = set()
        for stored in read(self._settings, DEAD_LETTERS):
            if stored.offset >= self._ends.get(stored.partition, 0):
                continue  # written since, perhaps by what is done with these
            letter = opened(stored)
            known = hash((letter.case.origin.identity, letter.case.attempt))  # so that a million take little memory
            if letter.is_mark or known in seen:
                continue
            seen.add(known)
            yield letter

    def state(self, letter: Letter) -> State:
        """Whether the letter is to be dealt with or, if it was sent again, what became of it.

        ``waiting`` is one whose consumer has not read it yet, or of which that is not known.
        """
        case = self._cases.get(letter.case.origin.identity)
        if case is None or case.sent <= letter.case.attempt:
            return "open"
        if case.failed > letter.case.attempt:
            return "failed again"
        return "accepted" if case.read else "waiting"
