"""What came of the lists that members saw."""

from typing import Any

import msgspec


class Tally(msgspec.Struct, frozen=True):
    """Sums over lists. They add up, and what came between two moments is the difference.

    Attributes
    ----------
    lists, failed, degraded
        Answers, questions without an answer, answers that fall short by their own account.
    shown, examined, checked
        Jobs.
    hits
        Lists of which at least one job was checked.
    foretold, foretold_examined, foretold_checked
        Sum of `p_check` over the examined jobs that had one; how many there were, and how many of these were checked. What
        is examined is reported as seen, and of no other job it is learned that it was not checked.
    expected
        Sum over lists of the checks to be expected by the truth: what the lists are worth, without the luck.
    popular_expected
        The same of lists of the most popular jobs, had these members seen them instead.

    Examples
    --------
    >>> before, after = Tally(lists=3, hits=1), Tally(lists=7, hits=4)
    >>> (after - before).hit_rate, (before + after).lists, Tally().hit_rate
    (0.75, 10, None)
    """

    lists: int = 0
    failed: int = 0
    degraded: int = 0
    shown: int = 0
    examined: int = 0
    checked: int = 0
    hits: int = 0
    foretold: float = 0.0
    foretold_examined: int = 0
    foretold_checked: int = 0
    expected: float = 0.0
    popular_expected: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(*(mine + its for mine, its in zip(_sums(self), _sums(other), strict=True)))

    def __sub__(self, earlier: "Tally") -> "Tally":
        """What came since `earlier`."""
        return Tally(*(mine - its for mine, its in zip(_sums(self), _sums(earlier), strict=True)))

    @property
    def hit_rate(self) -> float | None:
        """Share of the lists of which a job was checked."""
        return _share(self.hits, self.lists)

    @property
    def worth(self) -> float | None:
        """Checks to be expected of a list."""
        return _share(self.expected, self.lists)

    @property
    def popular_worth(self) -> float | None:
        """Checks to be expected of a list of the most popular jobs."""
        return _share(self.popular_expected, self.lists)

    @property
    def mean_p_check(self) -> float | None:
        """Of the examined jobs that had one."""
        return _share(self.foretold, self.foretold_examined)

    @property
    def check_rate(self) -> float | None:
        """Of the examined jobs that had a `p_check`: where it is calibrated, both are the same."""
        return _share(self.foretold_checked, self.foretold_examined)

    def to_json(self) -> dict[str, Any]:
        """Figures a list or a job; None where there is nothing to divide by."""
        return {
            "lists": self.lists, "failed": self.failed, "degraded": self.degraded, "examined": self.examined,
            "checked": self.checked, "checks_per_list": _share(self.checked, self.lists),
            "expected_checks_per_list": self.worth, "popular_expected_checks_per_list": self.popular_worth,
            "hit_rate": self.hit_rate, "mean_p_check": self.mean_p_check, "check_rate_where_foretold": self.check_rate,
        }  # fmt: skip


def _sums(tally: Tally) -> tuple[Any, ...]:
    return msgspec.structs.astuple(tally)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 5) if whole else None
