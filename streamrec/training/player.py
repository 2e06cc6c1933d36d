"""A replay's records into Kafka, each when it is due, with a summary of what was produced and what was wrong."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from streamrec import codecs
from streamrec.codecs import Message
from streamrec.events import Event
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.training.replay import Due, Replay
from streamrec.training.rows import BadRow, FileError

_SHOWN: Final = 100  # bad rows told in full; all are counted
_REPORT_EVERY_S: Final = 0.1
_FLUSH_S: Final = 30.0

Report = Callable[["Summary", float], None]


def moment(at: int | None) -> str | None:
    """A time (ms) as people read it, UTC.

    Examples
    --------
    >>> moment(1415272551000)
    '2014-11-06T11:15:51+00:00'
    """
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")


class Summary:
    """What a replay did so far."""

    def __init__(self) -> None:
        self.produced: Counter[str] = Counter()  # by topic
        self.bad: Counter[str] = Counter()  # by reason
        self.ignored = 0
        self.first_at: int | None = None  # of the events, ms
        self.last_at: int | None = None
        self.seconds = 0.0
        self.stopped: str | None = None  # why it ended before the files did

    @property
    def rows(self) -> int:
        """Rows read, of all files."""
        return self.produced.total() + self.bad.total() + self.ignored

    @property
    def rate(self) -> float:
        """Records produced a second."""
        return self.produced.total() / self.seconds if self.seconds else 0.0

    def add(self, item: Due | BadRow) -> None:
        """Count a record that was produced, or a bad row."""
        if isinstance(item, BadRow):
            self.bad[item.reason] += 1
            return
        self.produced[item.topic] += 1
        if isinstance(item.event, Event):
            at = item.event.occurred_at
            self.first_at = at if self.first_at is None else min(self.first_at, at)
            self.last_at = at if self.last_at is None else max(self.last_at, at)

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "rows": self.rows, "produced": dict(self.produced), "bad_rows": self.bad.total(),
            "bad_by_reason": dict(self.bad), "ignored": self.ignored, "from": moment(self.first_at),
            "to": moment(self.last_at), "seconds": round(self.seconds, 3), "records_per_second": round(self.rate, 1),
            "stopped": self.stopped,
        }  # fmt: skip


class Pace:
    """When a record is due on our clock, if the log's time goes `speed` times as fast; None: at once."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._begin: tuple[float, int] | None = None

    def wait_s(self, at: int, now_s: float) -> float:
        """Seconds until what is due at `at` (ms, the log's time) should be produced; the first one is due now.

        Examples
        --------
        >>> pace = Pace(10.0)
        >>> pace.wait_s(60_000, 100.0), pace.wait_s(80_000, 100.5), pace.wait_s(60_000, 101.0)
        (0.0, 1.5, 0.0)
        """
        if self._speed is None:
            return 0.0
        self._begin = self._begin or (now_s, at)
        return max(0.0, self._begin[0] + (at - self._begin[1]) / 1000 / self._speed - now_s)


def play(
    replay: Replay, producer: Producer, pace: Pace, wait: Callable[[float], bool], *,
    encode: Callable[[Message], bytes] = codecs.encode, strict: bool = False,
    tell: Callable[[str], None], report: Report,
) -> Summary:  # fmt: skip
    """Produce what `replay` gives, each record when it is due, until the end or a reason to stop earlier.

    Parameters
    ----------
    wait
        Sleeps for so many seconds (or none) and says whether to stop.
    encode
        Makes the value of a record.
    strict
        Stop at the first bad row.
    tell
        Gets each bad row in words.
    report
        Called now and then with the summary so far and the share of the log that has been read.
    """
    summary, started = Summary(), time.monotonic()
    told = 0.0
    try:
        for item in replay:
            now = time.monotonic()
            if isinstance(item, BadRow):
                if summary.bad.total() < _SHOWN:
                    tell(str(item))
                elif summary.bad.total() == _SHOWN:
                    tell("further bad rows are only counted")
            elif wait(pace.wait_s(item.at, now)):
                summary.stopped = "interrupted"
                break
            else:
                producer.send_now(Record(item.topic, item.key.encode(), encode(item.event)))
            summary.add(item)
            if strict and summary.bad:
                summary.stopped = "bad row"
                break
            if now - told > _REPORT_EVERY_S:
                told, summary.ignored, summary.seconds = now, replay.ignored, now - started
                report(summary, replay.progress)
        producer.flush(_FLUSH_S)
    except (FileError, ProduceFailedError) as error:
        tell(str(error))
        summary.stopped = "unreadable file" if isinstance(error, FileError) else "Kafka"
        if isinstance(error, FileError):
            with contextlib.suppress(ProduceFailedError):
                producer.flush(_FLUSH_S)
    summary.ignored, summary.seconds = replay.ignored, time.monotonic() - started
    report(summary, replay.progress)
    return summary
