"""What the demo is fed with: a thread that sends records, and finds out how good the lists are."""

import threading
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from streamrec.local.judgement import Judgement
from streamrec.local.lists import Answers
from streamrec.local.people import People
from streamrec.local.scrape import Samples

_PATIENCE_S: Final = 20.0  # events come after this time even if nobody reads them yet


class Feed(threading.Thread, ABC):
    """Sends postings and profiles at once, and what members do from `begin` on, until that ends or `stop` is called.

    Parameters
    ----------
    answers
        What is noted of the lists that the feed is answered.

    Attributes
    ----------
    late
        Services that are to be started only when events come, so that one sees what the lists are without them.
    people
        Who the members are, and what they did.
    sent
        Records so far.
    began_at
        When the first event was sent, by the monotonic clock; None before.
    ended
        Whether there is nothing more to send.
    failure
        What ended the thread before its time, else None.
    """

    late: ClassVar[tuple[str, ...]] = ()

    def __init__(self, answers: Answers) -> None:
        super().__init__(name="feed", daemon=True)
        self.answers, self.people = answers, People()
        self.sent = 0
        self.began_at: float | None = None
        self.ended = False
        self.failure: Exception | None = None
        self._stopping, self._begun, self._progress = threading.Event(), threading.Event(), threading.Condition()
        self._processed = 0

    @abstractmethod
    def judge(self, trainer: Samples, elapsed_s: float) -> Judgement:
        """How good the lists have been; called about once a second by the one who watches.

        Parameters
        ----------
        trainer
            What the trainer said last of its model.
        elapsed_s
            Since the start of the demo.
        """

    @abstractmethod
    def _feed(self) -> None:
        """Send until there is no more, or `_stopping` is set. What it raises becomes `failure`."""

    @abstractmethod
    def _close(self) -> None:
        """Deliver what was sent and let go of everything; called last, whatever happened, and may raise as `_feed` does."""

    def begin(self) -> None:
        """Let the events come: somebody reads them. May be called again."""
        self._begun.set()

    def note(self, processed: int) -> None:
        """Tell how many of all records have been processed."""
        with self._progress:
            self._processed = processed
            self._progress.notify_all()

    def stop(self) -> None:
        """End soon; what was sent is delivered."""
        self._stopping.set()
        self._begun.set()
        with self._progress:
            self._progress.notify_all()

    def run(self) -> None:
        """Send; called by ``start``."""
        for step in (self._feed, self._close):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - shown to the person who watches, who decides
                self.failure = self.failure or error

    def _wait_for_readers(self) -> None:
        self._begun.wait(_PATIENCE_S)
