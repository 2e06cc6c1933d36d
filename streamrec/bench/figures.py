"""What a benchmark answers: figures of several turns, and what was checked."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured quantity, a value a turn.

    Examples
    --------
    >>> figure = Figure("events/s", (90.0, 110.0, 100.0))
    >>> figure.median, figure.low, figure.high
    (100.0, 90.0, 110.0)
    """

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The most."""
        return max(self.values)


class Line(msgspec.Struct, frozen=True):
    """What was measured of one thing; `absent` says what to install where it could not be.

    `of_baseline` is the ratio of the medians of the first figure, as `baseline` names it.
    """

    name: str
    figures: tuple[Figure, ...] = ()
    baseline: str = ""
    of_baseline: float | None = None
    absent: str = ""


class Check(msgspec.Struct, frozen=True):
    """Whether a result is sound: nothing lost, answers good. Never about time."""

    name: str
    passed: bool
    detail: str = ""


def merged(checks: Iterable[Check]) -> tuple[Check, ...]:
    """One check a name: the first that failed, else the last.

    Examples
    --------
    >>> merged([Check("a", True), Check("a", False, "1 of 2"), Check("a", True)])
    (Check(name='a', passed=False, detail='1 of 2'),)
    """
    found: dict[str, Check] = {}
    for check in checks:
        if found.get(check.name, check).passed:
            found[check.name] = check
    return tuple(found.values())


class Report(msgspec.Struct, frozen=True):
    """One benchmark: the conditions, the lines, and the checks."""

    benchmark: str
    conditions: dict[str, str | int | float]
    lines: tuple[Line, ...]
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> bytes:
        """All of it, with the medians that the table shows."""
        lines = [
            {
                **msgspec.to_builtins(line),
                "figures": [
                    {**msgspec.to_builtins(figure), "median": figure.median, "low": figure.low, "high": figure.high}
                    for figure in line.figures
                ],
            }
            for line in self.lines
        ]
        return msgspec.json.format(msgspec.json.encode({**msgspec.to_builtins(self), "lines": lines}))


class Turns:
    """Collects values over the turns of a benchmark, by line and unit.

    Examples
    --------
    >>> turns = Turns()
    >>> for value in (10.0, 30.0, 20.0):
    ...     turns.add("ours", "events/s", value)
    >>> turns.add("theirs", "events/s", 5.0)
    >>> [(line.name, line.of_baseline) for line in turns.lines({"ours": "theirs"})]
    [('ours', 4.0), ('theirs', None)]
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}
        self._absent: dict[str, str] = {}

    def add(self, line: str, unit: str, value: float) -> None:
        """One value of one turn."""
        self._values.setdefault(line, {}).setdefault(unit, []).append(value)

    def absent(self, line: str, why: str) -> None:
        """It cannot be measured here."""
        self._values.setdefault(line, {})
        self._absent[line] = why

    def median(self, line: str, unit: str) -> float | None:
        """So far; None where there is none."""
        values = self._values.get(line, {}).get(unit)
        return statistics.median(values) if values else None

    def lines(self, baselines: dict[str, str] | None = None, names: Sequence[str] = ()) -> tuple[Line, ...]:
        """All lines in the order of their first values (or of `names`), each beside its baseline."""
        baselines = baselines or {}
        return tuple(self._line(name, baselines.get(name, "")) for name in names or self._values)

    def _line(self, name: str, baseline: str) -> Line:
        figures = tuple(Figure(unit, tuple(values)) for unit, values in self._values.get(name, {}).items())
        ratio = None
        if figures and baseline:
            theirs = self.median(baseline, figures[0].unit)
            ratio = figures[0].median / theirs if theirs else None
        return Line(name, figures, baseline, ratio, self._absent.get(name, ""))
