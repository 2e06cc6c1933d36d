"""Points at which a test can have the process die, as SIGKILL would: nothing is flushed, closed or said.

``STREAMREC_FAULT=before-commit:3`` kills at the third time that the point is passed; ``before-commit@job-views:3`` counts only
batches of that topic. Without the variable a point costs one comparison.
"""

import os
import signal
from typing import Final

POINTS: Final = ("before-produce", "before-commit", "after-commit", "before-ack")


class Faults:
    """What the environment armed, if anything.

    Raises
    ------
    ValueError
        The specification names no such point.

    Examples
    --------
    >>> Faults("").armed, Faults("before-ack@job-views:2").armed
    (None, ('before-ack', 'job-views', 2))
    """

    def __init__(self, specification: str) -> None:
        self.armed: tuple[str, str, int] | None = None
        self._passed = 0
        if specification:
            place, _, count = specification.partition(":")
            point, _, topic = place.partition("@")
            if point not in POINTS:
                raise ValueError(f"STREAMREC_FAULT: no point {point!r}; there are {', '.join(POINTS)}")
            self.armed = (point, topic, int(count or 1))

    def reach(self, point: str, topic: str) -> None:
        """Die here if armed for this point, this topic and this time."""
        if self.armed is None or self.armed[0] != point or self.armed[1] not in ("", topic):
            return
        self._passed += 1
        if self._passed == self.armed[2]:
            os.kill(os.getpid(), signal.SIGKILL)


FAULTS: Final = Faults(os.environ.get("STREAMREC_FAULT", ""))
