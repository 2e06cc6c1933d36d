"""Tells when a workflow's time is spent, and what on; by a clock of the caller's, since the core has none."""

from collections.abc import Callable
from typing import Literal

from streamrec.ranking.workflow import Budget

Stage = Literal["candidates", "features", "order"]
Timed = Callable[[Stage, float], None]


class Watch:
    """Starts when it is made. Without a clock no time passes.

    Parameters
    ----------
    budget
        How long it may take.
    elapsed_ms
        Any clock that never goes back, in ms.
    timed
        Is told each stage that has ended, and the ms that it took.

    Examples
    --------
    >>> watch = Watch(Budget(whole_ms=10, features_ms=5), iter([0.0, 4.0, 10.0]).__next__, print)
    >>> watch.over("candidates"), watch.over("features")
    candidates 4.0
    features 6.0
    (False, True)
    """

    def __init__(self, budget: Budget, elapsed_ms: Callable[[], float] | None, timed: Timed | None = None) -> None:
        self._budget, self._clock, self._timed = budget, elapsed_ms, timed
        self._began = self._stage = 0.0 if elapsed_ms is None else elapsed_ms()

    def over(self, stage: Stage) -> bool:
        """Whether the time is spent, of the whole or of this stage, now that the stage has ended; the next one begins."""
        if self._clock is None:
            return False
        now, budget = self._clock(), self._budget
        began, self._stage = self._stage, now
        if self._timed is not None:
            self._timed(stage, now - began)
        own = {"candidates": budget.candidates_ms, "features": budget.features_ms}.get(stage)
        return (own is not None and now - began > own) or (
            budget.whole_ms is not None and now - self._began > budget.whole_ms
        )
