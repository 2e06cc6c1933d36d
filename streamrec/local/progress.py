"""How the lists of a closed loop become better while one watches: then, now, and the way between."""

from collections import deque
from typing import Any, Final

import msgspec

from streamrec.local.figures import number, percent
from streamrec.local.judgement import COURSE, Judgement, Row
from streamrec.local.scrape import Samples
from streamrec.simulator.tally import Tally

FIRST: Final = 150  # lists that count as the first ones
RECENT_S: Final = 10.0
_STEP_S: Final = 1.0  # at the beginning; twice as long whenever there would be too many


class Step(msgspec.Struct, frozen=True):
    """An equal part of the time so far: what came of the lists, and the trainer's calibration error at the end of it."""

    tally: Tally = Tally()
    calibration_error: float | None = None

    def join(self, later: "Step") -> "Step":
        """Both together."""
        error = self.calibration_error if later.calibration_error is None else later.calibration_error
        return Step(self.tally + later.tally, error)


class Progress:
    """Told the tally of a whole run again and again; keeps a few figures, however long it goes on.

    Examples
    --------
    >>> progress = Progress()
    >>> for second in range(60):
    ...     progress.note(second, Tally(lists=100 * second, hits=second * second), None)
    >>> progress.first.hit_rate, progress.recent.hit_rate, len(progress.steps), progress.step_s
    (0.02, 1.08, 15, 4.0)
    """

    def __init__(self) -> None:
        self.first: Tally | None = None
        self.steps: list[Step] = []
        self.step_s = _STEP_S
        self._began_at: float | None = None
        self._tally = Tally()
        self._lately: deque[tuple[float, Tally]] = deque()

    @property
    def recent(self) -> Tally:
        """Of the last seconds."""
        return self._tally - (self._lately[0][1] if self._lately else Tally())

    def note(self, at_s: float, tally: Tally, calibration_error: float | None) -> None:
        """Take in a reading: the time, all lists so far, and what the trainer says of the served probabilities.

        While no lists come all stands still.
        """
        if tally.lists == self._tally.lists:
            return
        if self._began_at is None:
            self._began_at = at_s
            self._lately.append((at_s, Tally()))
        place = int((at_s - self._began_at) / self.step_s)
        while len(self.steps) <= place:
            self.steps.append(Step())
        self.steps[-1] = self.steps[-1].join(Step(tally - self._tally, calibration_error))
        if len(self.steps) > COURSE:
            self.steps = [
                one.join(other) for one, other in zip(self.steps[::2], [*self.steps[1::2], Step()], strict=False)
            ]
            self.step_s *= 2
        if self.first is None and tally.lists >= FIRST:
            self.first = tally
        self._lately.append((at_s, tally))
        while len(self._lately) > 1 and self._lately[1][0] <= at_s - RECENT_S:
            self._lately.popleft()
        self._tally = tally

    def judge(self, trainer: Samples) -> Judgement:
        """All of it in words and figures."""
        first, recent = self.first or self._tally, self.recent
        error, calibrated = calibration_error(trainer), trainer.value("streamrec_model_calibrated") == 1
        hits, first_hits = percent(recent.hit_rate), percent(first.hit_rate)
        worth, first_worth, popular = (
            number(value, 2) for value in (recent.worth, first.worth, recent.popular_worth)
        )  # fmt: skip
        said, checked = percent(recent.mean_p_check), percent(recent.check_rate)
        verdict = "calibrated" if calibrated else "not calibrated yet"
        steps = self.steps
        return Judgement(
            rows=(
                Row("hit rate", hits, f"first {first_hits}", tuple(step.tally.hit_rate for step in steps)),
                Row("checks a list", worth, f"first {first_worth}, popular {popular}",
                    tuple(step.tally.worth for step in steps)),
                Row("p_check is off", percent(_gap(recent)), f"says {said}, is {checked}",
                    tuple(_gap(step.tally) for step in steps)),
                Row("calibration error", number(error), verdict, tuple(step.calibration_error for step in steps)),
            ),
            words=f"hit rate {hits} (first {first_hits})  checks a list {worth} (first {first_worth}, popularity {popular})  "
            f"p_check {said} (checked {checked})  calibration error {number(error)}",
            summary=(
                ("hit rate", f"{hits} of the last lists had a job that was checked, of the first ones {first_hits}"),
                ("worth", f"{worth} checks of a list to be expected by the truth, at first {first_worth}; popularity {popular}"),
                ("p_check", f"{said} foretold of the last jobs seen, {checked} checked; {verdict}, error {number(error)}"),
            ),
            figures=self._figures(first, recent, error, calibrated),
        )  # fmt: skip

    def _figures(self, first: Tally, recent: Tally, error: float | None, calibrated: bool) -> dict[str, Any]:
        return {
            "lists": self._tally.lists, "failed": self._tally.failed, "checked": self._tally.checked,
            "hit_rate": recent.hit_rate, "first_hit_rate": first.hit_rate,
            "worth": recent.worth, "first_worth": first.worth, "popular_worth": recent.popular_worth,
            "mean_p_check": recent.mean_p_check, "check_rate": recent.check_rate,
            "calibration_error": error, "calibrated": calibrated,
            "step_s": self.step_s,
            "course": [
                {
                    "lists": step.tally.lists, "hit_rate": step.tally.hit_rate, "worth": step.tally.worth,
                    "popular_worth": step.tally.popular_worth, "mean_p_check": step.tally.mean_p_check,
                    "check_rate": step.tally.check_rate, "calibration_error": step.calibration_error,
                }
                for step in self.steps
            ],
        }  # fmt: skip


def _gap(tally: Tally) -> float | None:
    """How far the mean `p_check` of the jobs seen was from the share of them that was checked."""
    said, checked = tally.mean_p_check, tally.check_rate
    return None if said is None or checked is None else abs(said - checked)


def calibration_error(trainer: Samples) -> float | None:
    """Of the probabilities that were served with lists; None before any was closed."""
    return trainer.value("streamrec_model_calibration_error", data="shown")
