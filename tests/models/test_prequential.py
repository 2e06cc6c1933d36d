import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics as river_metrics

from streamrec.models.prequential import BIN_WIDTH, BINS, GROUPS, MEMORY_ROWS, Prequential

pytestmark = pytest.mark.slow  # long runs, many rows

Row = tuple[float, float, float]  # probability, label, weight

# Away from the borders of the bins, where the last bit of a logarithm decides; two may still share a bin and differ.
probability = st.builds(
    lambda place, part: 1 / (1 + math.exp(-(place + part) * BIN_WIDTH)),
    st.integers(-260, 260) | st.integers(-3, 3),
    st.sampled_from([0.3, 0.5, 0.7]),
) | st.sampled_from([0.0, 1e-9, 1.0])
row = st.tuples(probability, st.sampled_from([0.0, 1.0]), st.sampled_from([0.5, 1.0, 3.0]))
lists_of_rows = st.lists(st.lists(row, min_size=1, max_size=6), min_size=1, max_size=8)


def measured(lists: list[list[Row]]) -> Prequential:
    made = Prequential()
    for rows in lists:
        made.add(*(np.array(column) for column in zip(*rows, strict=True)))
    return made


def faded(lists: list[list[Row]]) -> list[Row]:
    """Every row with the weight that is left of it: e^-1 for every MEMORY_ROWS rows in later lists."""
    later = 0
    left = []
    for rows in reversed(lists):
        left += [(p, label, weight * math.exp(-later / MEMORY_ROWS)) for p, label, weight in rows]
        later += len(rows)
    return left


def bounded(p: float) -> float:
    return min(max(p, 1e-15), 1 - 1e-15)


def bin_of(p: float) -> int:
    p = bounded(p)
    # log1p, as the fast one has it: the bins must be the same ones, also where p is next to 1.
    return min(max(math.floor((math.log(p) - math.log1p(-p)) / BIN_WIDTH), -BINS // 2), BINS // 2 - 1)


def log_loss(rows: list[Row]) -> float:
    total = sum(weight for _, _, weight in rows)
    return -sum(w * math.log(bounded(p) if label else 1 - bounded(p)) for p, label, w in rows) / total


def best_constant(rows: list[Row]) -> float:
    share = sum(w for _, label, w in rows if label) / sum(w for _, _, w in rows)
    return log_loss([(share, label, w) for _, label, w in rows]) if 0 < share < 1 else 0.0


def auc(rows: list[Row], binned: bool) -> float:
    """Every positive against every negative."""
    won = pairs = 0.0
    for (p, a, v), (q, b, w) in itertools.product(rows, rows):
        if a and not b:
            above, below = (bin_of(p), bin_of(q)) if binned else (p, q)
            won += v * w * (1.0 if above > below else 0.5 if above == below else 0.0)
            pairs += v * w
    return won / pairs if pairs else math.nan


@settings(deadline=None)
@given(lists_of_rows)
def test_figures_equal_those_of_all_rows_with_the_weights_that_are_left_of_them(lists: list[list[Row]]) -> None:
    made, rows = measured(lists), faded(lists)
    assert made.rows == sum(map(len, lists))
    assert made.log_loss == pytest.approx(log_loss(rows), rel=1e-9, abs=1e-12)
    assert made.constant_log_loss == pytest.approx(best_constant(rows), rel=1e-9, abs=1e-9)
    assert made.auc == pytest.approx(auc(rows, binned=True), rel=1e-9, nan_ok=True)


@settings(deadline=None)
@given(lists_of_rows)
def test_totals_forget_nothing(lists: list[list[Row]]) -> None:
    made, rows = measured(lists), list(itertools.chain.from_iterable(lists))
    assert made.total_log_loss == pytest.approx(log_loss(rows), rel=1e-9, abs=1e-12)
    assert made.total_constant_log_loss == pytest.approx(best_constant(rows), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(lists_of_rows, lists_of_rows)
def test_what_was_saved_goes_on_as_if_never_stopped(before: list[list[Row]], after: list[list[Row]]) -> None:
    resumed = Prequential()
    resumed.load(measured(before).state())
    for rows in after:
        resumed.add(*(np.array(column) for column in zip(*rows, strict=True)))
    assert resumed.state() == measured(before + after).state()


def drawn(count: int, seed: int, shift: float = 0.0) -> list[list[Row]]:
    """Calibrated predictions, or with `shift` log odds all too high by that much."""
    random = np.random.default_rng(seed)
    logits = random.normal(-1.5, 1.2, count)
    labels = random.random(count) < 1 / (1 + np.exp(-logits))
    said = 1 / (1 + np.exp(-(logits + shift)))
    return [list(zip(said.tolist(), labels.astype(float).tolist(), [1.0] * count, strict=True))]


def test_the_area_under_the_curve_is_within_a_thousandth_of_the_exact_one_and_of_rivers() -> None:
    lists = drawn(1500, seed=1)
    made = measured(lists)
    exact = auc(lists[0], binned=False)
    assert made.auc == pytest.approx(exact, abs=1e-3)
    rolling: Any = river_metrics.RollingROCAUC(window_size=1500)  # type: ignore[no-untyped-call]
    # River's running one takes the thresholds from 0 to 1 evenly, and is nearer the truth the more of them there are.
    running: Any = river_metrics.ROCAUC(n_thresholds=400)  # type: ignore[no-untyped-call]
    for p, label, _ in lists[0]:
        rolling.update(bool(label), p)
        running.update(bool(label), p)
    assert exact == pytest.approx(rolling.get(), abs=1e-9)
    assert made.auc == pytest.approx(running.get(), abs=2e-3)


def test_calibrated_predictions_have_a_small_calibration_error_and_shifted_ones_the_shift() -> None:
    assert measured(drawn(50_000, seed=2)).calibration_error < 0.01
    shifted = drawn(50_000, seed=2, shift=1.0)
    # Where all are too high, the error is the mean prediction less the frequency, however they are grouped.
    gap = float(np.mean([p - label for p, label, _ in shifted[0]]))
    assert gap > 0.1
    assert measured(shifted).calibration_error == pytest.approx(gap, abs=1e-9)


@settings(deadline=None)
@given(lists_of_rows)
def test_calibration_error_equals_that_of_groups_filled_one_bin_after_the_other(lists: list[list[Row]]) -> None:
    rows = faded(lists)
    total = sum(w for _, _, w in rows)
    gaps = [0.0] * GROUPS
    seen = 0.0
    for _, same in itertools.groupby(sorted(rows, key=lambda row: bin_of(row[0])), key=lambda row: bin_of(row[0])):
        members = list(same)
        weight = sum(w for _, _, w in members)
        place = (seen + 0.5 * weight) / total * GROUPS
        if abs(place - round(place)) < 1e-9:  # on the border of two groups: rounding decides, and either is right
            return
        gaps[min(int(place), GROUPS - 1)] += sum(w * (bounded(p) - label) for p, label, w in members)
        seen += weight
    assert measured(lists).calibration_error == pytest.approx(sum(map(abs, gaps)) / total, rel=1e-9, abs=1e-9)


def test_the_recent_rows_count_most() -> None:
    good, bad = [(0.9, 1.0, 1.0), (0.1, 0.0, 1.0)], [(0.1, 1.0, 1.0), (0.9, 0.0, 1.0)]
    made = measured([bad] * MEMORY_ROWS + [good] * (3 * MEMORY_ROWS))
    assert made.auc > 0.99
    assert made.log_loss == pytest.approx(-math.log(0.9), abs=0.01)
    assert made.total_log_loss > 0.6


def test_nothing_is_said_of_no_rows_and_no_area_of_one_label() -> None:
    made = Prequential()
    assert all(
        math.isnan(figure) for figure in (made.log_loss, made.constant_log_loss, made.auc, made.calibration_error)
    )
    assert math.isnan(made.total_log_loss)
    assert math.isnan(made.total_constant_log_loss)
    made.add(np.array([0.3]), np.array([1.0]), np.ones(1))
    assert math.isnan(made.auc)
    assert made.constant_log_loss == 0.0


def test_rows_of_no_weight_are_counted_and_nothing_else() -> None:
    made = Prequential()
    made.add(np.array([0.3, 0.4]), np.array([1.0, 0.0]), np.zeros(2))
    assert made.rows == 2
    assert math.isnan(made.log_loss)


@pytest.mark.parametrize(
    "state", [b"", b"\x96\x01", b"\x96\x00\xcb" + bytes(8) + b"\x00\x00\x00\xc4\x01a", b"\xc1" * 40]
)
def test_a_state_that_makes_no_sense_is_a_value_error_and_changes_nothing(state: bytes) -> None:
    made = measured(drawn(10, seed=1))
    before = made.state()
    with pytest.raises(ValueError, match=r"."):
        made.load(state)
    assert made.state() == before


def test_a_row_that_is_taken_back_was_never_there() -> None:
    made, without = Prequential(), Prequential()
    rows = [(0.3, 1.0, 1.0), (0.2, 0.0, 1.0)]
    for each in (made, without):
        each.add(*(np.array(column) for column in zip(*rows, strict=True)))
    made.add(np.array([0.1]), np.array([0.0]), np.ones(1))
    made.add(np.array([0.1]), np.array([0.0]), -np.ones(1))
    assert made.base_rate == pytest.approx(0.5, abs=1e-3)
    assert made.mean_prediction == pytest.approx(0.25, abs=1e-3)
    for figure in ("log_loss", "auc", "calibration_error", "total_log_loss"):
        assert getattr(made, figure) == pytest.approx(getattr(without, figure), abs=1e-3)


def test_taking_back_more_than_is_left_leaves_nothing_below_zero() -> None:
    made = Prequential()
    made.add(np.array([0.1]), np.array([0.0]), np.ones(1))
    made.add(np.full(50, 0.9), np.ones(50), np.ones(50))
    made.add(np.array([0.1]), np.array([0.0]), np.full(1, -5.0))
    assert made.base_rate == 1.0
    assert made.log_loss >= 0.0
