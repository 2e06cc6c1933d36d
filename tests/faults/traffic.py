"""What goes on while a fault lasts: producers that send all the time, and an application that asks all the time."""

import random
import time
from collections import Counter
from types import TracebackType
from typing import Any

import httpx

from streamrec.bench.beside import Beside
from tests.e2e.judging import Log

_ASKED_EVERY_S = 0.02
_PATIENCE_S = 30.0  # of the application: far beyond what is promised, so that the worst is measured and not cut off


class Traffic(Log):
    """A log in which some events are sent twice and some records are no events; what was sent is known exactly.

    Attributes
    ----------
    events
        Those that count, in order: what `judging.differences` folds.
    duplicates, garbage
        How many records were sent besides, by what they are.
    """

    def __init__(self, seed: int, members: int = 40) -> None:
        super().__init__(seed, members)
        self.duplicates = self.garbage = 0
        self._dice = random.Random(seed + 1)

    @property
    def produced(self) -> int:
        """Records sent, of all kinds."""
        return len(self.events) + self.duplicates + self.garbage

    def more(self, count: int) -> list[tuple[str, Any]]:
        """The next `count` events, and now and then one more record."""
        chunk = super().more(count)
        for place in range(len(chunk) - 1, -1, -1):
            if self._dice.random() < 0.03:
                chunk.insert(place + 1, chunk[place])
                self.duplicates += 1
            elif self._dice.random() < 0.01:
                chunk.insert(place, (chunk[place][0], b"no event %d" % self._dice.randrange(1 << 30)))
                self.garbage += 1
        return chunk


class Load(Beside):
    """Sends from a log, all the time that the ``with`` lasts; a record that Kafka does not take is a failure of the test."""

    def __init__(self, system: Any, log: Traffic, per_s: float = 150.0, chunk: int = 15) -> None:
        super().__init__(self._run)
        self._system, self._log, self._chunk = system, log, chunk
        self._pause_s = chunk / per_s
        self._failure: Exception | None = None

    def _run(self) -> None:
        try:
            while not self.over.wait(self._pause_s):
                self._system.produce(self._log.more(self._chunk))
        except Exception as error:  # noqa: BLE001 - raised in the test's own thread
            self._failure = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._failure is not None:
            raise self._failure


class Asker(Beside):
    """Asks the lookup for lists, all the time that the ``with`` lasts, and notes what came of it.

    Attributes
    ----------
    statuses, degraded
        How many answers, by status and, of lists, by reason ("" for none).
    refused
        How often there was no lookup to ask: none listened, or it ended with the question in hand.
    worst_s
        The longest that an answer took.
    stalled_s
        The longest that this process, which only slept, got no turn: what a machine that others keep busy adds to everything.
    """

    def __init__(self, port: int) -> None:
        super().__init__(self._run, self._sleep)
        self.statuses: Counter[int] = Counter()
        self.degraded: Counter[str] = Counter()
        self.refused = 0
        self.worst_s = self.stalled_s = 0.0
        self.empty = 0
        self._url = f"http://127.0.0.1:{port}"

    def _sleep(self) -> None:
        before = time.monotonic()
        while not self.over.wait(_ASKED_EVERY_S):
            now = time.monotonic()
            self.stalled_s, before = max(self.stalled_s, now - before - _ASKED_EVERY_S), now

    @property
    def answers(self) -> int:
        """How many there were."""
        return self.statuses.total()

    def _run(self) -> None:
        dice = random.Random(7)
        with httpx.Client(base_url=self._url, timeout=_PATIENCE_S) as client:
            while not self.over.wait(_ASKED_EVERY_S):
                member = f"{dice.choice(('viewer', 'saver'))}-{dice.randrange(40)}"
                began = time.monotonic()
                try:
                    answer = client.get(f"/v1/members/{member}/recommendations", params={"track": "false"})
                except httpx.TimeoutException:
                    self.statuses[0] += 1
                except httpx.TransportError:
                    self.refused += 1
                    continue
                else:
                    self.statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        body = answer.json()
                        self.degraded[body["degraded"] or ""] += 1
                        self.empty += not body["items"]
                self.worst_s = max(self.worst_s, time.monotonic() - began)
