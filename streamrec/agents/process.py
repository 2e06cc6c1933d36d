"""The process around an app: the first signal lets it finish what it has in hand, the second ends it at once.

At the first SIGTERM or SIGINT:

1. Nothing more begins, and the turn that each slot is in is finished: derived, produced, committed, its labels out. What is
   not finished within `drain_timeout_s` is left to the next owner, who reads it again.
2. Faust stops, at most `LEAVE_S` later: the trainer saves its last snapshot, the offsets that follow the store are committed to
   Kafka, and LeaveGroup is sent, so that the others take over at their next heartbeat, not after the session timeout.
3. The exit code is 0.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from typing import Final

import faust

from streamrec import garbage, metrics, tracing
from streamrec.agents.app import MOVED, SET_BACK, StreamApp

log = logging.getLogger(__name__)

EXIT_UNFINISHED: Final = 1
LEAVE_S: Final = 3.0
_ANEW: Final = "STREAMREC_BEGUN_ANEW"  # why this process has started again in place so far: its counters begin at 0


class _Process(faust.Worker):  # type: ignore[misc]
    """Faust's worker with another end."""

    app: StreamApp

    def __init__(self, app: StreamApp, patience_s: float) -> None:
        super().__init__(app, loglevel="WARNING", quiet=True, override_logging=False, redirect_stdouts=False)
        self.spinner = None  # made for terminals only; it would write escape sequences into logs
        self._patience_s = patience_s

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        if self._signal_stop_time:
            os._exit(128 + number)  # as documented: whoever asks twice means now. Nothing is lost, see `StreamApp.halt`
        self.loop.call_later(self._patience_s + LEAVE_S, self._give_up)
        super()._schedule_shutdown(number)

    async def _stop_on_signal(self, number: signal.Signals) -> None:
        log.info("told to stop by %s: finishing what is in hand; a second signal ends it at once", number.name)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience_s):
                await self.app.ownership.rest()
        except TimeoutError:
            log.warning("leaving with something unfinished after %g s (drain_timeout_s)", self._patience_s)
        else:
            log.info("finished what was in hand in %.2f s, leaving", time.monotonic() - began)
        await super()._stop_on_signal(number)

    def _give_up(self) -> None:
        print(
            f"streamrec {self.app.role}: could not leave the group in good order: does Kafka answer?", file=sys.stderr
        )
        self.app.halt(EXIT_UNFINISHED)

    async def _sentinel_task(self) -> None:
        """Mode waits a second here, for nothing that we have."""
        await asyncio.sleep(0)


def run(app: StreamApp, patience_s: float) -> int:
    """Run until SIGTERM or SIGINT; exit code. Logs go to the standard error, streamrec's own at level INFO.

    When the state was built anew, or the store has gone back behind what was committed to it, the program starts again in
    place, with the same process id: nothing of the old state is left in memory, and no supervisor has to know of it.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("streamrec").setLevel(logging.INFO)
    garbage.settle()
    for reason in (MOVED, SET_BACK):
        metrics.BEGUN_ANEW.labels(app.role, reason).inc(_reasons().count(reason))
    try:
        _Process(app, patience_s).execute_from_commandline()
    except SystemExit as stop:
        if not app.anew:
            return stop.code if isinstance(stop.code, int) else 0
    if app.anew:
        os.environ[_ANEW] = ",".join([*_reasons(), app.anew])
        logging.shutdown()
        tracing.stop()
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very program, with its own arguments
    return 0


def _reasons() -> list[str]:
    return [reason for reason in os.environ.get(_ANEW, "").split(",") if reason]
