"""Every cell there is, events to feed it, and a slow and obvious oracle that reads raw events."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from operator import mul
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from streamrec.features.cells.base import Cell, Kept
from streamrec.features.cells.make import make
from streamrec.features.cells.window import Window, always, decay, last, session, sliding

START: Final = 1_750_000_000_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

VALUED: Final = ("count", "total", "mean", "variance")
ALL: Final = (*VALUED, "least", "most", "distinct")
TEXTS: Final = ("distinct", "texts", "top 64")
LEAST: Final = 1e-290  # near the end of what floats hold, digits get fewer


@dataclass(frozen=True, order=True)
class Event:
    """One event: time, a number, and a text; which of both is the value depends on the cell."""

    at: int
    number: float
    text: str


def every_cell() -> list[Cell]:
    """All aggregates over all windows that have them, some with two sets of parameters."""
    windows: list[tuple[tuple[str, ...], tuple[Window, ...]]] = [
        ((*VALUED, "top 64"), (decay("1h"), decay("30d"))),
        (ALL, (sliding("5m", panes=1), sliding("7d", panes=12), sliding("1h", panes=7))),
        ((*ALL, "texts"), (last(1), last(20))),
        (ALL, (session("30m"), session("2d"))),
        ((*ALL, "first_at", "latest_at"), (always,)),
    ]
    return [make(name, window) for names, places in windows for window in places for name in names]


CELLS: Final = every_cell()

_AGES: Final = (
    st.integers(0, 3)
    | st.integers(0, 120).map(lambda minutes: minutes * MINUTE)
    | st.integers(0, 10 * DAY)
    | st.integers(0, 800 * DAY)
)
_NUMBERS: Final = st.sampled_from([-3.0, 0.0, 1.0, 1.0, 2.5]) | st.floats(-1e6, 1e6)
_TEXTS: Final = st.integers(0, 40).map("job-{}".format)
events_of: Final = st.builds(lambda age, number, text: Event(START - age, number, text), _AGES, _NUMBERS, _TEXTS)
event_lists: Final = st.lists(events_of, max_size=30)
delays: Final = st.just(0) | st.integers(0, 2 * HOUR) | st.integers(0, 60 * DAY)


def value_of(cell: Cell, event: Event) -> float | str:
    return event.text if cell.aggregate in TEXTS else event.number


def folded(cell: Cell, events: Iterable[Event], kept: Kept | None = None) -> Kept:
    kept = cell.fresh() if kept is None else kept
    for event in events:
        cell.fold(kept, event.at, value_of(cell, event))
    return kept


def value(cell: Cell, kept: Kept, now: int) -> float:
    return float(cell.read(np.array([cell.columns(kept)]), now)[0])


@dataclass(frozen=True)
class Expected:
    """What a cell must say, and how far it may be off."""

    value: float
    within: float

    def check(self, cell: Cell, got: float) -> None:
        if math.isnan(self.value) or math.isnan(got):
            assert math.isnan(self.value), (
                (str(cell), "says nothing instead of", self.value) if math.isnan(got) else got
            )
            assert math.isnan(got), (str(cell), got, "where nothing is known")
        else:
            assert abs(got - self.value) <= self.within, (str(cell), got, self)


def expected(cell: Cell, events: list[Event], now: int) -> Expected:
    """The value by definition, from raw events."""
    newest = max((event.at for event in events), default=now)
    now = max(now, newest)
    fades = not (cell.window.kind == "decay" and cell.aggregate in {"mean", "variance"})  # the same at all times
    found = _in_window(cell, events, now if fades else newest)
    weighted: list[tuple[float, Any]] = [(weight, value_of(cell, event)) for weight, event in found]
    weights, values = [weight for weight, _ in weighted], [value for _, value in weighted]
    name = cell.aggregate
    if name == "count":
        total = math.fsum(weights)
        return Expected(total, 1e-9 * total + LEAST)
    if name == "top 64":
        by_text = Counter[str]()
        for weight, event in _in_window(cell, events, newest):
            by_text[event.text] += weight  # type: ignore[assignment]
        return Expected(sum(weight >= 1e-12 for weight in by_text.values()), 0.0)
    if name in TEXTS:
        return Expected(len(set(values)), 1.0 if cell.relative_error else 0.0)  # up to 41 texts
    if name in {"first_at", "latest_at"}:
        return Expected((min if name == "first_at" else max)((event.at for event in events), default=math.nan), 0.0)
    numbers = values
    if name == "total":
        products = list(map(mul, weights, numbers))
        return Expected(math.fsum(products), 1e-9 * math.fsum(map(abs, products)) + LEAST)
    if not numbers:
        return Expected(math.nan, 0.0)
    if name in {"least", "most"}:
        return Expected((min if name == "least" else max)(numbers), 0.0)
    mean = math.fsum(map(mul, weights, numbers)) / math.fsum(weights)
    if name == "mean":
        return Expected(mean, 1e-9 * max(map(abs, numbers)))
    assert name == "variance"
    spread = math.fsum(weight * (number - mean) ** 2 for weight, number in weighted) / math.fsum(weights)
    return Expected(spread, 1e-9 * spread + 1e-14 * max(number * number for number in numbers))


def _in_window(cell: Cell, events: list[Event], now: int) -> list[tuple[float, Event]]:
    window = cell.window
    if window.kind == "decay":
        return [(2.0 ** -((now - event.at) / window.span_ms), event) for event in events]
    if window.kind == "sliding":
        pane = Fraction(window.span_ms, window.parts)
        begin = (math.floor(now / pane) - window.parts) * pane
        return [(1.0, event) for event in events if event.at >= begin]
    if window.kind == "last":
        if cell.aggregate == "texts":
            return [(1.0, event) for event in _latest_texts(events)[: window.parts]]
        return [(1.0, event) for event in _ordered(cell, events)[: window.parts]]
    if window.kind == "session":
        return [(1.0, event) for event in _session(_ordered(cell, events)[:64], now, window.span_ms)]
    return [(1.0, event) for event in events]


def _ordered(cell: Cell, events: list[Event]) -> list[Event]:
    """Newest first; of equal times the largest value first, or the text with the largest hash."""

    def key(event: Event) -> tuple[int, Any]:
        if cell.aggregate == "count":
            return event.at, 0
        if cell.aggregate in TEXTS:
            return event.at, blake2b(event.text.encode(), digest_size=8).digest()
        return event.at, event.number

    return sorted(events, key=key, reverse=True)


def _latest_texts(events: list[Event]) -> list[Event]:
    newest: dict[str, Event] = {}
    for event in sorted(events):
        newest[event.text] = event
    return sorted(newest.values(), key=lambda event: (-event.at, event.text))


def _session(newest_first: list[Event], now: int, gap_ms: int) -> list[Event]:
    found: list[Event] = []
    until = now
    for event in newest_first:
        if until - event.at > gap_ms:
            break
        found.append(event)
        until = event.at
    return found
