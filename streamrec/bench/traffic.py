"""Records produced at a steady rate by a thread, so that whoever measures can go on measuring."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from streamrec.bench.beside import Beside
from streamrec.kafka.producer import Producer, Record
from streamrec.settings import Settings

_SLICE_S: Final = 0.01


class Traffic(Beside):
    """Sends `records` at `rate` a second, from the first to the last, within ``with``; leaving it stops.

    Attributes
    ----------
    sent
        So far.
    finished
        Whether all have been sent.
    """

    def __init__(self, settings: Settings, records: Sequence[Record], rate: float) -> None:
        super().__init__(self._run, patience_s=60)
        self._producer = Producer(settings, linger_ms=1.0)
        self._records, self._rate = records, rate
        self.sent, self.finished = 0, False
        self.seconds = 0.0

    def _run(self) -> None:
        began = time.perf_counter()
        while not self.over.is_set() and self.sent < len(self._records):
            due = min(len(self._records), int((time.perf_counter() - began) * self._rate))
            for record in self._records[self.sent : due]:
                self._producer.send_now(record)
            self.sent = max(self.sent, due)
            self.seconds = time.perf_counter() - began
            time.sleep(_SLICE_S)
        self._producer.flush(60)
        self.finished = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._producer.close(0.0)
