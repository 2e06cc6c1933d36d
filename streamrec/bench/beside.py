"""What goes on beside a measurement: in threads of its own, while a ``with`` lasts."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Beside:
    """Runs each of `runs` in a thread, within ``with``.

    Parameters
    ----------
    runs
        They return soon once `over` is set.
    patience_s
        How long the end waits for each; default until it returns.

    Attributes
    ----------
    over
        Set when the ``with`` is left.

    Examples
    --------
    >>> turns = []
    >>> with Beside(lambda: turns.append("went on")):
    ...     pass
    >>> turns
    ['went on']
    """

    def __init__(self, *runs: Callable[[], None], patience_s: float | None = None) -> None:
        self.over = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in runs]
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(self._patience_s)
