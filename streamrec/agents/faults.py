"""Points at which a test can have the process die, as SIGKILL would: nothing is flushed, closed or said. Or fall asleep there.

``STREAMREC_FAULT=before-commit:3`` kills at the third time that the point is passed; ``before-commit@job-views:3`` counts only
batches of that topic. ``sleep-before-commit:3`` is SIGSTOP instead: a test wakes the process by SIGCONT, long after others have
taken over. Several are separated by commas. Without the variable a point costs one comparison.
"""

import os
import signal
from typing import Final

POINTS: Final = ("before-produce", "before-commit", "after-commit", "before-ack")
_SLEEP: Final = "sleep-"


class Fault:
    """One armed point.

    Raises
    ------
    ValueError
        The specification names no such point.

    Examples
    --------
    >>> fault = Fault("sleep-before-ack@job-views:2")
    >>> fault.point, fault.topic, fault.passage, fault.signal.name
    ('before-ack', 'job-views', 2, 'SIGSTOP')
    """

    def __init__(self, specification: str) -> None:
        self.signal = signal.SIGSTOP if specification.startswith(_SLEEP) else signal.SIGKILL
        place, _, count = specification.removeprefix(_SLEEP).partition(":")
        self.point, _, self.topic = place.partition("@")
        if self.point not in POINTS:
            raise ValueError(f"STREAMREC_FAULT: no point {self.point!r}; there are {', '.join(POINTS)}")
        self.passage = int(count or 1)
        self._passed = 0

    def reach(self, point: str, topic: str) -> None:
        """Bite if this is the point, the topic and the time."""
        if point == self.point and self.topic in ("", topic):
            self._passed += 1
            if self._passed == self.passage:
                os.kill(os.getpid(), self.signal)


class Faults:
    """What the environment armed, if anything; raises as `Fault` does."""

    def __init__(self, specification: str) -> None:
        self.armed = tuple(Fault(each) for each in specification.split(",") if each)

    def reach(self, point: str, *topics: str) -> None:
        """Die or sleep here if armed for this point, one of these topics (those of the turn) and this time."""
        for fault in self.armed:
            for topic in topics:
                fault.reach(point, topic)


FAULTS: Final = Faults(os.environ.get("STREAMREC_FAULT", ""))
