"""One suite, every cell: against raw events, in any order, split and merged, stored and read many at once."""

import math
import pickle
from inspect import isabstract
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.features.cells.base import Cell, Kept
from tests.features.cells.oracle import (
    CELLS,
    DAY,
    HOUR,
    START,
    TEXTS,
    Event,
    delays,
    event_lists,
    expected,
    folded,
    value,
    value_of,
)

randoms = st.randoms(use_true_random=False)
_ROUNDED = ("total", "mean", "variance")
UNUSABLE: list[Any] = [math.nan, math.inf, -math.inf, 1e19, -1e300, 10**400, None, True, b"x", [1.0], "\ud800"]


def packed(kept: Kept) -> bytes:
    return msgspec.msgpack.encode(kept)


def is_exact(cell: Cell) -> bool:
    """Whether what is kept is the same to the last bit in any order."""
    return cell.window.kind in {"last", "session"} or (cell.window.kind != "decay" and cell.aggregate not in _ROUNDED)


def test_the_suite_has_every_kind_of_cell() -> None:
    def below(kind: type[Cell]) -> set[type[Cell]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    concrete = {kind for kind in below(Cell) if not isabstract(kind)}  # type: ignore[type-abstract]
    assert concrete == {type(cell) for cell in CELLS}


def test_cells_are_told_apart_by_their_text() -> None:
    assert len({str(cell) for cell in CELLS}) == len(CELLS) == len(set(CELLS))


def test_a_cell_is_its_parameters() -> None:
    for cell in CELLS:
        assert pickle.loads(pickle.dumps(cell)) == cell
        assert hash(pickle.loads(pickle.dumps(cell))) == hash(cell)


@settings(max_examples=80)
@given(event_lists, delays, randoms)
def test_any_order_gives_the_value_by_definition(events: list[Event], delay: int, random: Random) -> None:
    now = START + delay
    shuffled = random.sample(events, len(events))
    for cell in CELLS:
        kept, other = folded(cell, events), folded(cell, shuffled)
        by_definition = expected(cell, events, now)
        by_definition.check(cell, value(cell, kept, now))
        by_definition.check(cell, value(cell, other, now))
        if is_exact(cell):
            assert kept == other, str(cell)


@settings(max_examples=60)
@given(event_lists, delays, st.integers(1, 4), randoms)
def test_merged_parts_are_one_stream(events: list[Event], delay: int, count: int, random: Random) -> None:
    now = START + delay
    parts: list[list[Event]] = [[] for _ in range(count)]
    for event in events:
        random.choice(parts).append(event)
    for cell in CELLS:
        kept = [folded(cell, part) for part in parts]
        before = packed(kept)
        merged = cell.fresh()
        for one in kept:
            merged = cell.merge(merged, one)
        expected(cell, events, now).check(cell, value(cell, merged, now))
        if is_exact(cell):
            assert merged == folded(cell, events), str(cell)
        assert cell.last_at(merged) == cell.last_at(folded(cell, events))
        folded(cell, events, merged)
        assert packed(kept) == before, (str(cell), "shares what it merged")


@settings(max_examples=40)
@given(event_lists, event_lists, delays, randoms)
def test_what_is_taken_back_is_gone(events: list[Event], extra: list[Event], delay: int, random: Random) -> None:
    now = START + delay
    for cell in (cell for cell in CELLS if cell.reversible):
        kept = folded(cell, random.sample([*events, *extra], len(events) + len(extra)))
        for event in random.sample(extra, len(extra)):
            cell.fold(kept, event.at, value_of(cell, event), sign=-1)
        if not events:
            nothing = value(cell, cell.fresh(), now)
            assert value(cell, kept, now) == pytest.approx(nothing, abs=0.0, nan_ok=True), str(cell)
        elif cell.aggregate in {"count", "total"}:
            scale = expected(cell, [Event(event.at, abs(event.number), "") for event in (*events, *extra)], now).value
            assert value(cell, kept, now) == pytest.approx(_value(cell, events, now), abs=1e-9 * scale), str(cell)
        elif cell.window.kind != "decay":
            largest = max(abs(event.number) for event in (*events, *extra))
            bound = 1e-9 * (largest * largest if cell.aggregate == "variance" else largest)
            assert value(cell, kept, now) == pytest.approx(_value(cell, events, now), abs=bound, nan_ok=True), str(cell)


def _value(cell: Cell, events: list[Event], now: int) -> float:
    """By definition, as of a moment at or after all events that were ever there."""
    newest = max(event.at for event in events)
    if cell.window.kind == "decay" and cell.aggregate in {"count", "total"}:
        return expected(cell, events, newest).value * math.exp2(-(now - newest) / cell.window.span_ms)
    return expected(cell, events, now).value


@settings(max_examples=30)
@given(event_lists, event_lists)
def test_taking_back_changes_nothing_where_it_cannot(extra: list[Event], events: list[Event]) -> None:
    for cell in (cell for cell in CELLS if not cell.reversible):
        kept = folded(cell, events)
        before = packed(kept)
        for event in (*events, *extra):
            cell.fold(kept, event.at, value_of(cell, event), sign=-1)
        assert packed(kept) == before, str(cell)


@settings(max_examples=25)
@given(st.lists(event_lists, min_size=1, max_size=21), delays)
def test_many_keys_are_read_as_one_by_one(keys: list[list[Event]], delay: int) -> None:
    now = START + delay
    for cell in CELLS:
        rows = np.array([*(cell.columns(folded(cell, events)) for events in keys), cell.blank()])
        assert rows.shape == (len(keys) + 1, cell.width), str(cell)
        before = rows.copy()
        values = cell.read(rows, now)
        assert values.dtype == np.float64
        assert values.shape == (len(rows),)
        assert values.tobytes() == b"".join(cell.read(row[None], now).tobytes() for row in rows), str(cell)
        assert rows.tobytes() == before.tobytes(), (str(cell), "changes what it reads")
        assert not np.shares_memory(values, rows), str(cell)


@settings(max_examples=40)
@given(event_lists, event_lists)
def test_what_was_stored_goes_on_equally(events: list[Event], later: list[Event]) -> None:
    for cell in CELLS:
        kept = folded(cell, events)
        stored = msgspec.msgpack.decode(packed(kept))
        assert stored == kept, str(cell)
        assert cell.columns(stored) == pytest.approx(cell.columns(kept), abs=0.0, rel=0.0, nan_ok=True)
        assert packed(folded(cell, later, stored)) == packed(folded(cell, later, kept)), str(cell)


@settings(max_examples=60)
@given(event_lists, st.sampled_from(UNUSABLE))
def test_values_that_cannot_be_used_are_passed_over(events: list[Event], unusable: Any) -> None:
    for cell in (cell for cell in CELLS if cell.takes_values):
        kept = folded(cell, events)
        before = packed(kept)
        for at in (START - DAY, START + DAY):
            cell.fold(kept, at, unusable)
            if cell.aggregate in {"texts", "top 64"}:
                cell.fold(kept, at, 1.0)
            elif cell.aggregate != "distinct":
                cell.fold(kept, at, "1.0")
        assert packed(kept) == before, (str(cell), unusable)


def test_cells_without_values_take_any() -> None:
    for cell in (cell for cell in CELLS if not cell.takes_values):
        kept, other = cell.fresh(), cell.fresh()
        cell.fold(kept, START)
        cell.fold(other, START, "anything")
        assert kept == other != cell.fresh()


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(Event, st.sampled_from([0, 1, START, START + 1, 10**15]), st.sampled_from([1e18, -1e18, 5e-324, 1.0]),
                  st.text(max_size=3)),
        max_size=12,
    ),
    st.sampled_from([0, START, START + HOUR, 10**15]),
)  # fmt: skip
def test_numbers_stay_finite_whatever_comes(events: list[Event], now: int) -> None:
    for cell in CELLS:
        kept = folded(cell, events)
        assert not math.isinf(value(cell, cell.merge(kept, folded(cell, events)), now)), str(cell)
        for event in events:
            cell.fold(kept, event.at, value_of(cell, event), sign=-1)
        assert not math.isinf(value(cell, kept, now)), str(cell)
        if cell.additive:
            sums = cell.linear(np.array([cell.columns(folded(cell, events))] * 2)).sum(axis=0, keepdims=True)
            assert np.isfinite(sums).all(), str(cell)
            assert not np.isinf(cell.read_linear(sums, now)).any(), str(cell)


@settings(max_examples=60)
@given(st.lists(event_lists, min_size=1, max_size=6), delays)
def test_sums_over_keys_are_read_as_one(keys: list[list[Event]], delay: int) -> None:
    now = START + delay
    everything = [event for events in keys for event in events]
    for cell in (cell for cell in CELLS if cell.additive):
        rows = np.array([*(cell.columns(folded(cell, events)) for events in keys), cell.blank()])
        sums = cell.linear(rows).sum(axis=0, keepdims=True)
        got = float(cell.read_linear(sums, now)[0])
        wanted = expected(cell, everything, now)
        if cell.aggregate == "variance":  # squares are summed here, which costs digits
            largest = max((abs(event.number) for event in everything), default=0.0)
            assert got == pytest.approx(wanted.value, abs=1e-9 * largest * largest, nan_ok=True), str(cell)
        elif not (cell.aggregate == "mean" and math.isnan(got) and _faded_count(cell, everything, now) < 1e-6):
            wanted.check(cell, got)


def _faded_count(cell: Cell, events: list[Event], now: int) -> float:
    return math.fsum(2.0 ** (-(now - event.at) / (cell.window.span_ms or math.inf)) for event in events)


def test_cells_that_cannot_be_summed_say_so() -> None:
    for cell in (cell for cell in CELLS if not cell.additive):
        with pytest.raises(TypeError, match="cannot be summed"):
            cell.linear(np.array([cell.blank()]))
        with pytest.raises(TypeError, match="cannot be summed"):
            cell.read_linear(np.zeros((1, 3)), START)


@pytest.mark.parametrize("cell", {(cell.aggregate, cell.window.kind): cell for cell in CELLS}.values(), ids=str)
def test_what_is_kept_is_bounded(cell: Cell) -> None:
    random = Random(7)
    events = [
        Event(START - random.randrange(3 * DAY), random.gauss(0.0, 100.0), f"job-{random.randrange(3000):04}")
        for _ in range(10_000)
    ]
    kept = folded(cell, events)
    panes = cell.window.parts + 1 if cell.window.kind == "sliding" else 1
    assert len(packed(kept)) < 250 * panes or (
        (cell.window.kind in {"last", "session"} or cell.aggregate == "top 64") and len(packed(kept)) < 2000
    )
    assert cell.last_at(kept) == max(event.at for event in events)


def test_nothing_is_blank() -> None:
    for cell in CELLS:
        blank = value(cell, cell.fresh(), START)
        if cell.aggregate in {"count", "total", *TEXTS}:
            assert blank == 0.0, str(cell)
        else:
            assert math.isnan(blank), str(cell)
        assert cell.last_at(cell.fresh()) is None
