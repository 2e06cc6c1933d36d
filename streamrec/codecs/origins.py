"""Who a redriven record is: headers that name where it failed first, and which attempt this is.

A dead letter that is sent again gets a new offset, so its place no longer says which record it is. Its first place does, and
travels with it, through any number of attempts. The headers count only in the topic that they name: a service that copies
headers from one topic to another must not make two events one.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

ORIGIN: Final = "streamrec-origin"
ORIGIN_TOPIC_ID: Final = "streamrec-origin-topic-id"
ATTEMPT: Final = "streamrec-attempt"
TOPIC_ID: Final = "streamrec-topic-id"  # of a letter's own record: in a topic created anew, a place is another place

_PLACE: Final = re.compile(rb"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})@([0-9]{1,18})")
_NUMBER: Final = re.compile(rb"[1-9][0-9]{0,5}")
_TOPIC_ID: Final = re.compile(
    rb"[!-~]{1,100}"
)  # Kafka's are 22 characters of base64; others may pad or write them in full

Headers = Sequence[tuple[str, bytes | None]]


class Origin(msgspec.Struct, frozen=True):
    """Where a record failed first. `topic_id` tells topics of one name apart, where it is known.

    Examples
    --------
    >>> str(Origin("job-views", 3, 17, "t1")), Origin("job-views", 3, 17, "t1").identity
    ('job-views/3@17', 'job-views/3@17#t1')
    """

    topic: str
    partition: int
    offset: int
    topic_id: str = ""

    def __str__(self) -> str:
        """The place, for people and for the header."""
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def identity(self) -> str:
        """Equal for all attempts of one record, and for no other record."""
        return f"{self}#{self.topic_id}"


class Redriven(msgspec.Struct, frozen=True):
    """What the headers of a redriven record say; its first appearance was attempt 1."""

    origin: Origin
    attempt: int

    def headers(self, others: Headers = ()) -> tuple[tuple[str, bytes], ...]:
        """`others` (a null value becomes an empty one), and the identity in place of any that they had.

        Examples
        --------
        >>> Redriven(Origin("job-views", 3, 17), 2).headers([("trace", b"abc"), ("streamrec-attempt", b"1")])
        (('trace', b'abc'), ('streamrec-origin', b'job-views/3@17'), ('streamrec-attempt', b'2'))
        """
        kept = [(name, value or b"") for name, value in others if name not in (ORIGIN, ORIGIN_TOPIC_ID, ATTEMPT)]
        kept.append((ORIGIN, str(self.origin).encode()))
        if self.origin.topic_id:
            kept.append((ORIGIN_TOPIC_ID, self.origin.topic_id.encode()))
        return (*kept, (ATTEMPT, str(self.attempt).encode()))


def redriven(topic: str, headers: Headers) -> Redriven | None:
    """The identity in the headers of a record of `topic`; None if there is none, or not one that `redrive` wrote.

    Examples
    --------
    >>> sent = Redriven(Origin("job-views", 3, 17, "t1"), 2)
    >>> redriven("job-views", sent.headers()) == sent, redriven("job-saves", sent.headers()), redriven("job-views", [])
    (True, None, None)
    """
    found = dict(headers)
    place = _PLACE.fullmatch(found.get(ORIGIN) or b"")
    attempt = _NUMBER.fullmatch(found.get(ATTEMPT) or b"")
    if place is None or attempt is None or place[1] != topic.encode():
        return None
    origin = Origin(topic, int(place[2]), int(place[3]), topic_id(headers, ORIGIN_TOPIC_ID))
    return Redriven(origin, int(attempt[0]))


def topic_id(headers: Headers, name: str = TOPIC_ID) -> str:
    """The topic's id in the header `name`; empty where there is none."""
    found = _TOPIC_ID.fullmatch(dict(headers).get(name) or b"")
    return found[0].decode() if found else ""
