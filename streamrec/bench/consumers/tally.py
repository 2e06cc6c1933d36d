"""What every baseline does with a record: decodes it as the worker does, and counts it."""

import json
import os
import sys
import time

from streamrec import codecs
from streamrec.events import Rejected
from streamrec.topics import load

TOPICS = load()
SCHEMAS = {name: spec.schema for name, spec in TOPICS.items()}


class Tally:
    """Counts up to `wanted` records; the clock runs from the first to the last. `give_up_s`: no longer than that."""

    def __init__(self, wanted: int, give_up_s: float) -> None:
        self.wanted, self._give_up_s = wanted, give_up_s
        self.count = self.rejected = 0
        self._began = self._cpu = 0.0

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> bool:
        """Decode one record; whether it was the last one."""
        if not self.count:
            self._began, self._cpu = time.perf_counter(), time.process_time()
        if isinstance(codecs.decode_record(SCHEMAS[topic], key, value, 1 << 62, 0, TOPICS[topic].tombstones), Rejected):
            self.rejected += 1
        self.count += 1
        late = not self.count % 256 and time.perf_counter() - self._began > self._give_up_s
        return self.count >= self.wanted or late

    def end(self) -> None:
        """Print what was measured and end the process at once: libraries take seconds to leave a group."""
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        print(json.dumps({
            "records": self.count, "seconds": seconds, "cpu_seconds": cpu, "rejected": self.rejected,
        }), flush=True)  # fmt: skip
        os._exit(0)


def arguments() -> tuple[str, list[str], Tally]:
    """Kafka's address, topics and the tally, from the command line."""
    kafka, names, wanted, give_up_s = sys.argv[1:5]
    return kafka, names.split(","), Tally(int(wanted), float(give_up_s))
