"""Ending on a signal: the first asks for an orderly stop, the second kills at once."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


class StopSignals:
    """Within ``with``: the first SIGINT, SIGTERM or SIGHUP sets `received`, the second calls `kill` and exits.

    Put it around the ``with`` of a `Supervisor`, so that it also covers the stopping. Main thread only.

    Parameters
    ----------
    kill
        Ends all children at once; called inside a signal handler.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, kill: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._kill = kill
        self._before: dict[signal.Signals, object] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        if self.received is None:
            self.received = signal.Signals(number)
            return
        self._kill()
        os._exit(128 + number)

    def wait(self, seconds: float) -> bool:
        """Sleep, in slices short enough for a Ctrl-C to feel immediate; whether to stop."""
        deadline = time.monotonic() + seconds
        while self.received is None and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
        return self.received is not None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
