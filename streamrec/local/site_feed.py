"""The made-up job site as a closed loop: members see the lists of the demo's own lookup, and act on them."""

import threading
import time
from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from streamrec.local.feed import Feed
from streamrec.local.judgement import Judgement
from streamrec.local.lists import Answers
from streamrec.local.progress import Progress, calibration_error
from streamrec.local.scrape import Samples
from streamrec.settings import Settings
from streamrec.simulator.closed_loop import ClosedLoop
from streamrec.simulator.lookup import Answer, Lookup
from streamrec.simulator.outlets import KafkaOutlet, Outlet
from streamrec.simulator.scribe import Record
from streamrec.simulator.simulation import Limits, Run
from streamrec.simulator.world import EVENTS_A_SESSION, SESSIONS_A_DAY, World

_BEHIND_S: Final = 2.0  # of events at the wanted rate: if more are not processed, members wait
_PATIENCE_S: Final = 20.0  # for what was there before to be in the lists
_PAUSE_S: Final = 0.05
_WINDOW_S: Final = 6.0
_PAGE_S: Final = 30.0  # of the site's time, until a page has been looked through
_SLOWDOWN: Final = 10.0  # the site's time goes so much slower, about, once lists are good and more comes of each
_IDLE_S: Final = 1.0
_SHOWN_KEPT: Final = 50  # lists of a member: a whole session passes within the window


def hurried(settings: Settings, members: int, rate: float) -> Settings:
    """`settings` for a site whose days pass in minutes: what is shown and not checked becomes a negative sooner.

    A list is closed when it has been looked through with time to spare; nothing is late on one machine. A window that is
    shorter already stays as it is.

    Examples
    --------
    >>> fast, slow = (hurried(Settings(), members=3000, rate=rate) for rate in (60.0, 3.0))
    >>> fast.label_window_s, round(slow.label_window_s)
    (6.0, 26)
    """
    compression = rate * 86_400 / (members * SESSIONS_A_DAY * EVENTS_A_SESSION)
    window_s = max(_WINDOW_S, _SLOWDOWN * _PAGE_S / compression)
    return msgspec.structs.replace(
        settings, label_window_s=min(settings.label_window_s, window_s),
        idle_watermark_s=min(settings.idle_watermark_s, _IDLE_S), shown_kept=max(settings.shown_kept, _SHOWN_KEPT),
    )  # fmt: skip


class SiteFeed(Feed):
    """See `Feed`; the world's truth stays in this process.

    Parameters
    ----------
    settings
        Where Kafka and the lookup are.
    seed, members, jobs
        Of the site.
    rate
        Events a second, about.
    """

    late: ClassVar[tuple[str, ...]] = ("trainer",)

    def __init__(self, settings: Settings, *, seed: int, members: int, jobs: int, rate: float) -> None:
        super().__init__(Answers())
        self._most_behind = max(1.0, _BEHIND_S * rate)
        world = World(seed, members, jobs, time.time_ns() // 1_000_000, seasonal=False)
        self._outlet = _Told(KafkaOutlet(settings), self)
        self._lookup = _Noted(f"http://{settings.lookup_host}:{settings.lookup_port}", self.answers)
        self._run = Run(world, self._outlet, Limits(), self._wait, lambda *_: None)
        self._loop = ClosedLoop(self._run, self._lookup, rate)
        self._shown = Progress()

    def judge(self, trainer: Samples, elapsed_s: float) -> Judgement:
        """See `Feed.judge`."""
        self._shown.note(elapsed_s, self._loop.tally, calibration_error(trainer))
        return self._shown.judge(trainer)

    def _feed(self) -> None:
        if not self._run.begin():
            return
        self._wait_for_readers()
        self._wait_for_lists()
        if not self._stopping.is_set():
            self.began_at = time.monotonic()
            self._loop.go_on()

    def _close(self) -> None:
        self._lookup.close()
        self._outlet.close()

    def _wait_for_lists(self) -> None:
        """Until what was there before can be in the lists: members who find nothing would go away, and come all at once."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._stopping.wait(_PAUSE_S) and time.monotonic() < deadline:
            if self._processed < self.sent:
                continue
            answer = self._lookup.ask("nobody", 1, "probe", track=False)
            if answer is not None and answer.job_ids:
                return

    def _wait(self, seconds: float) -> bool:
        """Called by the loop between its steps; whether to stop."""
        if seconds:
            self._stopping.wait(seconds)
        with self._progress:
            while self.began_at and self.sent - self._processed > self._most_behind and not self._stopping.is_set():
                self._progress.wait(_PAUSE_S)
        return self._stopping.is_set()


class _Told(Outlet):
    """Tells the feed what goes to Kafka."""

    def __init__(self, outlet: Outlet, feed: Feed) -> None:
        self._outlet, self._feed = outlet, feed

    def send(self, records: Iterable[Record]) -> None:
        """See `Outlet.send`."""
        records = list(records)
        self._outlet.send(records)
        for record in records:
            self._feed.people.note(record)
        self._feed.sent += len(records)

    def flush(self) -> None:
        """See `Outlet.flush`."""
        self._outlet.flush()

    def close(self) -> None:
        """See `Outlet.close`."""
        self._outlet.close()


class _Noted(Lookup):
    """Notes how long answers take."""

    def __init__(self, url: str, answers: Answers) -> None:
        super().__init__(url)
        self._answers, self._lock = answers, threading.Lock()

    def ask(
        self, member_id: str, limit: int, surface: str, cursor: str | None = None, *, track: bool = True
    ) -> Answer | None:  # fmt: skip
        """See `Lookup.ask`."""
        began = time.perf_counter()
        answer = super().ask(member_id, limit, surface, cursor, track=track)
        if answer is not None and track:
            with self._lock:
                self._answers.note(time.perf_counter() - began, answer.degraded)
        return answer
