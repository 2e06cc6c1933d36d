"""Tells when a workflow's time is spent; by a clock of the caller's, since the core has none."""

from collections.abc import Callable
from typing import Literal

from streamrec.ranking.workflow import Budget


class Watch:
    """Starts when it is made. Without a clock no time passes.

    Parameters
    ----------
    budget
        How long it may take.
    elapsed_ms
        Any clock that never goes back, in ms.

    Examples
    --------
    >>> watch = Watch(Budget(whole_ms=10, features_ms=5), iter([0.0, 4.0, 10.0]).__next__)
    >>> watch.over("candidates"), watch.over("features")
    (False, True)
    """

    def __init__(self, budget: Budget, elapsed_ms: Callable[[], float] | None) -> None:
        self._budget, self._clock = budget, elapsed_ms
        self._began = self._stage = 0.0 if elapsed_ms is None else elapsed_ms()

    def over(self, stage: Literal["candidates", "features"]) -> bool:
        """Whether the time is spent, of the whole or of this stage, now that the stage has ended; the next one begins."""
        if self._clock is None:
            return False
        now, budget = self._clock(), self._budget
        began, self._stage = self._stage, now
        own = budget.candidates_ms if stage == "candidates" else budget.features_ms
        return (own is not None and now - began > own) or (
            budget.whole_ms is not None and now - self._began > budget.whole_ms
        )
