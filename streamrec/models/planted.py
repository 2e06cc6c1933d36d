"""Examples whose truth is known, for the checks of models: log odds linear in six features of unlike scales."""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from streamrec.events import TrainingExample
from streamrec.models.rows import CLOSED, CORRECTION, POSITIVE, Floats

FEATURE_SET: Final = "planted/1"
FEATURES: Final = ("strong", "weak", "against", "flag", "noise", "constant")
TRUTH: Final = np.array([1.5, 0.5, -1.0, 1.0, 0.0, 0.0])
BIAS: Final = -2.0
SHOWN_BIAS: Final = -3.0  # shown jobs are checked less often than the job beside sampled ones is the one acted on
NOW: Final = 1_700_000_000_000


def example_of(matrix: Floats, labels: Floats, number: int = 0, weights: Floats | None = None) -> TrainingExample:
    """A training example of n planted rows: n x 6 features, n labels, n weights (all 1 by default)."""
    count = len(labels)
    return TrainingExample(
        event_id=f"e{number}",
        member_id=f"m{number % 7}",
        occurred_at=NOW + number,
        source_topic="job-views",
        source_topic_id="planted",
        source_partition=0,
        source_offset=number,
        source_index=0,
        feature_set=FEATURE_SET,
        job_ids=tuple(f"j{row}" for row in range(count)),
        labels=tuple(labels.tolist()),
        weights=tuple((np.ones(count) if weights is None else weights).tolist()),
        features=matrix.astype("<f4").tobytes(),
    )


def matrix_of(example: TrainingExample) -> Floats:
    """The n x 6 features of a planted example."""
    return np.frombuffer(example.features, "<f4").astype(np.float64).reshape(len(example.job_ids), -1)


def truth_of(matrix: Floats, bias: float = BIAS) -> Floats:
    """The planted probability of each of n rows."""
    standard = matrix.copy()
    standard[:, 1] = (matrix[:, 1] - 100.0) / 30.0
    probabilities: Floats = 1.0 / (1.0 + np.exp(-(standard @ TRUTH + bias)))
    return probabilities


def planted_examples(count: int, seed: int = 0, rows: int = 9, certain: bool = False) -> list[TrainingExample]:
    """Sampled lists; about one row in four is positive.

    Parameters
    ----------
    count, rows
        How many examples, and rows in each.
    seed
        Equal seeds give equal examples, and a shorter list is the beginning of a longer one.
    certain
        Label 1 exactly where the log odds are above zero, so that the problem is separable.
    """
    random = np.random.default_rng(seed)
    return [example_of(*_drawn(random, rows, BIAS, certain), number) for number in range(count)]


def planted_lists(count: int, seed: int = 0, rows: int = 20) -> Iterator[tuple[Floats, Floats]]:
    """Shown lists as they turn out in the end: n x 6 features and n labels each; about one row in eight is positive."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield _drawn(random, rows, SHOWN_BIAS, certain=False)


def planted_stream(
    count: int,
    seed: int = 0,
    rows: int = 20,
    *,
    window: float = 30.0,
    late: float = 0.05,
    whole: bool = True,
    gaps: Floats | None = None,
) -> list[TrainingExample]:
    """Shown lists in the order in which a trainer gets to know of them: positives on arrival, the rest at closing.

    Parameters
    ----------
    count, rows, seed
        As of `planted_lists`, which are the same lists.
    window
        Time until a list is closed; on average one list is shown in a unit of time.
    late
        Share of the checks that come after the window: a correction takes the negative back.
    whole
        Whether a closed list names the rows that were learned as positives, at weight 0.
    gaps
        Time from each list to the next, `count` numbers; default exponential ones of mean 1.
    """
    random = np.random.default_rng(seed + 1_000_003)
    steps = random.exponential(size=count) if gaps is None else gaps
    found: list[tuple[float, TrainingExample]] = []
    for number, ((matrix, labels), served_at) in enumerate(
        zip(planted_lists(count, seed, rows), np.cumsum(steps).tolist(), strict=True)
    ):
        known = np.zeros(rows, bool)
        for row in np.flatnonzero(labels).tolist():
            known[row] = random.random() >= late
            place = random.random() + (0.0 if known[row] else 1.0)
            part = positive_of(matrix, row, number) if known[row] else correction_of(matrix, row, number)
            found.append((served_at + place * window, part))
        kept = np.ones(rows, bool) if whole else ~known
        if kept.any():
            closed = msgspec.structs.replace(
                example_of(matrix[kept], known[kept] * 1.0, number, 1.0 - known[kept]),
                kind=CLOSED, rows_shown=rows, hit=int(known[:10].any()),
            )  # fmt: skip
            found.append((served_at + window, closed))
    return [example for _, example in sorted(found, key=lambda each: each[0])]


def positive_of(
    matrix: Floats, row: int, number: int, weight: float = 1.0, score_weight: float = 1.0
) -> TrainingExample:
    """The example that one checked row of a shown list makes."""
    made = example_of(matrix[[row]], np.ones(1), number, np.full(1, weight))
    return msgspec.structs.replace(made, kind=POSITIVE, rows_shown=len(matrix), score_weights=(score_weight,))


def correction_of(matrix: Floats, row: int, number: int) -> TrainingExample:
    """The example that a row makes which was checked after its list had been closed."""
    made = example_of(matrix[[row, row]], np.array([1.0, 0.0]), number, np.array([1.0, -1.0]))
    return msgspec.structs.replace(made, kind=CORRECTION, rows_shown=len(matrix), job_ids=(f"j{row}",) * 2)


def _drawn(random: np.random.Generator, rows: int, bias: float, certain: bool) -> tuple[Floats, Floats]:
    matrix = random.normal(size=(rows, len(FEATURES)))
    matrix[:, 3] = random.random(rows) < 0.1
    logits = matrix @ TRUTH + bias
    draws = random.random(rows)
    labels = (logits > 0.0) if certain else (draws < 1.0 / (1.0 + np.exp(-logits)))
    matrix[:, 1] = matrix[:, 1] * 30.0 + 100.0
    matrix[:, 5] = 0.1
    return matrix, labels.astype(np.float64)
