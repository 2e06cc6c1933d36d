"""Event time of a slot: no action at or before its watermark is still to come, by these rules.

* The watermark is the least of what the slot's inputs have come to: the topics of events with a time of their own that
  are keyed by member. Profiles are left out: they are entities, and say nothing about what was checked.
* An input has come to the largest time that it was read up to. The time of a record is when it happened, but no later
  than Kafka's timestamp of it, and no later than now: a producer's clock that is ahead moves nothing.
* An input that was read to its end has come to the time at which Kafka said so, less `idle_watermark_s`: records may be
  that late. So idle inputs hold nothing up, and an input of which Kafka does not tell stands still.
* An input of which nothing was read since the slot was taken, and that is not at its end, holds everything up.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

TOPICS: Final = (
    "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections",
    "impressions", "impressions-seen",
)  # fmt: skip


class Input(msgspec.Struct, frozen=True):
    """How far one input has been read.

    Attributes
    ----------
    folded_at
        Largest time of a record in the state, 0 if none was read since the slot was taken.
    told_at
        When Kafka told where the input ends (ms), 0 if it has not.
    at_end
        Whether everything before that end is in the state.
    """

    folded_at: int
    told_at: int
    at_end: bool

    def come_to(self, now: int, idle_ms: int) -> int:
        """The time up to which the input has been read; 0 if that is not known.

        Examples
        --------
        >>> Input(500, 900, at_end=False).come_to(1000, 50), Input(500, 900, at_end=True).come_to(1000, 50)
        (500, 850)
        """
        idle = min(now, self.told_at) - idle_ms if self.at_end else 0
        return max(0, min(now, self.folded_at), idle)


def watermark(inputs: Iterable[Input], now: int, idle_ms: int) -> int:
    """The time (ms) that all inputs have come to.

    Examples
    --------
    >>> watermark([Input(500, 900, at_end=True), Input(700, 900, at_end=False)], 1000, 50)
    700
    """
    return min(each.come_to(now, idle_ms) for each in inputs)
