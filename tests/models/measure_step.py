"""Measures the model step: its speed beside bare River, and which optimizer learns best on planted, lifelike features.

Not a test. The figures of ``ops/decisions/0003-model-step.md`` come from ``python tests/models/measure_step.py``.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from river import linear_model, optim, preprocessing

from streamrec.events import TrainingExample
from streamrec.models.base import sigmoid
from streamrec.models.job_check import JobCheck
from streamrec.models.regression import INTERCEPT_LEARNING_RATE, LEAST_DEVIATION, AdaGrad, ListRegression
from streamrec.models.rows import Floats

# Feature -> what it adds to the log odds, a standard deviation; after the drift, if that is another.
FEATURES: dict[str, tuple[float, ...]] = {
    "views": (0.0,), "likes": (0.0,), "saves": (0.0,), "applies": (0.0,), "dismissals": (0.0,),
    "popular_hour": (0.3, 0.9), "popular_day": (0.0,), "popular_10_days": (0.3,),
    "save_rate": (0.3,), "apply_rate": (0.15,), "covisited": (0.8, 0.2), "covisit_rank": (0.4,),
    "title": (0.7, 1.2), "desired_title": (0.3,), "same_city": (0.3,), "same_region": (0.3, 0.8),
    "same_company": (0.25,), "same_function": (0.3,), "same_industry": (0.0,),
    "age": (-0.4, -1.0), "since_job": (-0.2,), "since_member": (0.0,), "member_views": (0.0,), "region_share": (0.0,),
}  # fmt: skip
NAMES = tuple(FEATURES)
FLAGS = {"same_city": 0.02, "same_region": 0.12, "same_company": 0.002, "same_function": 0.12, "same_industry": 0.12}
COUNTS = {"views": 2.0, "likes": -1.0, "saves": -0.5, "applies": -1.5, "dismissals": -2.0, "popular_hour": -2.0,
          "popular_day": 0.0, "popular_10_days": 1.5}  # fmt: skip

List = tuple[Floats, Floats, Floats]  # features n x d, labels n, true probabilities n


def drawn(random: np.random.Generator, rows: int, fill: float) -> Floats:
    """One member's rows: counts that follow a job's popularity (`fill`: how full they are), shares, flags, ages."""
    columns: dict[str, Any] = {}
    popularity = random.normal(0, 1.2, rows)
    for name, level in COUNTS.items():
        columns[name] = np.log1p(np.exp(popularity * 0.9 + random.normal(0, 0.5, rows) + level) * fill)
    columns["save_rate"], columns["apply_rate"] = random.beta(2, 38, rows), random.beta(1.5, 120, rows)
    near = random.random(rows) < 0.2
    columns["covisited"] = np.where(near, np.log1p(random.exponential(1, rows)), 0.0)
    columns["covisit_rank"] = np.where(near, 1.0 / (1 + random.integers(0, 50, rows)), 0.0)
    columns["title"] = np.where(random.random(rows) < 0.25, random.beta(2, 4, rows), 0.0)
    columns["desired_title"] = np.where(random.random(rows) < 0.05, random.beta(2, 4, rows), 0.0)
    for name, share in FLAGS.items():
        columns[name] = random.random(rows) < share
    columns["age"], columns["since_job"] = random.normal(9, 1.8, rows), random.normal(6, 2, rows)
    columns["since_member"], columns["member_views"] = random.normal(5, 2.5), np.log1p(random.exponential(8))
    columns["region_share"] = random.beta(1, 200, rows)
    return (
        np.column_stack([np.broadcast_to(columns[name], rows) for name in NAMES]).astype(np.float32).astype(np.float64)
    )


def lists(count: int, rows: int, drift_at: int | None = None) -> list[List]:
    """`count` lists; the counts fill up over the first 6,000, as they do in a system that has just been started."""
    random = np.random.default_rng(1)
    sample = np.vstack([drawn(random, rows, 1.0) for _ in range(3000)])
    means, deviations = sample.mean(axis=0), np.maximum(sample.std(axis=0), 0.005)
    before, after = (np.array([FEATURES[name][when] for name in NAMES]) for when in (0, -1))
    made = []
    for number in range(count):
        matrix = drawn(random, rows, min(1.0, 0.02 + number / 6000))
        truth = before if drift_at is None or number < drift_at else after
        probabilities = sigmoid(((matrix - means) / deviations) @ truth - 2.3)
        made.append((matrix, (random.random(rows) < probabilities).astype(np.float64), probabilities))
    return made


def loss_of(probabilities: Floats, labels: Floats) -> float:
    """Mean log loss."""
    return float(-np.log(np.clip(np.where(labels > 0, probabilities, 1 - probabilities), 1e-15, 1.0)).mean())


class Ftrl(optim.FTRLProximal):
    """River's, made to take arrays."""

    def _step_with_vector(self, w: Any, g: Any) -> Any:
        return self._step_with_dict(w, dict(enumerate(g.tolist())))


class RmsProp(optim.RMSProp):
    """River's, made to take arrays."""

    def _step_with_vector(self, w: Any, g: Any) -> Any:
        return self._step_with_dict(w, dict(enumerate(g.tolist())))


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD 0.01": lambda: optim.SGD(0.01), "SGD 0.03": lambda: optim.SGD(0.03), "SGD 0.1": lambda: optim.SGD(0.1),
    "AdaGrad 0.1": lambda: AdaGrad(0.1), "AdaGrad 0.2": lambda: AdaGrad(0.2), "AdaGrad 0.3": lambda: AdaGrad(0.3),
    "FTRL 0.1, l2 0": lambda: Ftrl(alpha=0.1, l2=0.0), "FTRL 0.3, l2 0": lambda: Ftrl(alpha=0.3, l2=0.0),
    "Adam 0.003": lambda: optim.Adam(0.003), "Adam 0.01": lambda: optim.Adam(0.01),
    "RMSProp 0.003": lambda: RmsProp(0.003),
}  # fmt: skip


def prequential_losses(stream: list[List], model: ListRegression) -> Floats:
    """Log loss of every list, predicted before it was learned."""
    losses = []
    for matrix, labels, _ in stream:
        weights, bias = model.folded()
        losses.append(loss_of(sigmoid(matrix @ weights + bias), labels))
        model.learn_rows(matrix, labels, np.ones(len(labels)))
    return np.array(losses)


def compare_optimizers() -> None:
    """Print the mean prequential log loss over parts of a steady stream and of one that drifts late."""
    steady, drifting = lists(20_000, 9), lists(60_000, 9, drift_at=40_000)
    parts = [
        ("first 500", steady, 0, 500), ("first 5,000", steady, 0, 5000), ("steady, last 5,000", steady, 15_000, 20_000),
        ("2,000 after drift", drifting, 40_000, 42_000), ("next 18,000", drifting, 42_000, 60_000),
    ]  # fmt: skip
    print("| log loss | " + " | ".join(name for name, *_ in parts) + " |")
    print("| --- |" + " ---: |" * len(parts))
    share = [np.concatenate([labels for _, labels, _ in stream[start:end]]) for _, stream, start, end in parts]
    print("| best constant | " + " | ".join(f"{loss_of(np.full(len(s), s.mean()), s):.4f}" for s in share) + " |")
    truth = [np.mean([loss_of(p, labels) for _, labels, p in stream[start:end]]) for _, stream, start, end in parts]
    print("| planted truth | " + " | ".join(f"{loss:.4f}" for loss in truth) + " |")
    for name, made in OPTIMIZERS.items():
        losses = {
            id(stream): prequential_losses(stream, ListRegression(NAMES, made())) for stream in (steady, drifting)
        }
        means = [losses[id(stream)][start:end].mean() for _, stream, start, end in parts]
        print(f"| {name} | " + " | ".join(f"{loss:.4f}" for loss in means) + " |", flush=True)
    for floor in (0.0, LEAST_DEVIATION):
        losses_of = prequential_losses(steady, ListRegression(NAMES, AdaGrad(), least_deviation=floor))
        print(f"\nleast deviation {floor}: first 500 {losses_of[:500].mean():.4f}, all {losses_of.mean():.4f}")
    for rate in (0.01, 0.1, INTERCEPT_LEARNING_RATE):
        losses_of = prequential_losses(steady, ListRegression(NAMES, AdaGrad(), intercept_lr=rate))
        print(f"\nintercept {rate}: first 500 {losses_of[:500].mean():.4f}, last 5,000 {losses_of[15_000:].mean():.4f}")


def microseconds(step: Callable[[int], object], count: int) -> float:
    """Processor time of a step, the best mean of seven: what else runs on the machine can only make it slower."""
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        for number in range(count):
            step(number)
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def parts_of(example: TrainingExample) -> list[TrainingExample]:
    """The list as the trainer gets it if it was shown: one example for each positive, and one when it closes."""
    rows, width = len(example.labels), len(example.features) // len(example.labels)
    common = {"rows_shown": rows, "surface": "home"}
    found = [
        msgspec.structs.replace(
            example, kind="positive", job_ids=(example.job_ids[row],), labels=(1.0,), weights=(1.0,), score_weights=(3.0,),
            features=example.features[row * width : (row + 1) * width], **common,
        )
        for row in range(rows) if example.labels[row]
    ]  # fmt: skip
    unchecked = tuple(1.0 - label for label in example.labels)
    return [*found, msgspec.structs.replace(example, kind="closed", weights=unchecked, hit=1, **common)]


def compare_speed(rows: int) -> None:
    """Print the time to learn a list of `rows` rows in several ways."""
    count = 300
    stream = lists(count, rows)
    ones = np.ones(rows)
    dictionaries = [[dict(zip(NAMES, row, strict=True)) for row in matrix.tolist()] for matrix, _, _ in stream]
    examples = [
        TrainingExample(
            event_id=str(number), member_id="m", occurred_at=0, source_topic="t", source_topic_id="",
            source_partition=0, source_offset=number, source_index=0, feature_set="f/1",
            job_ids=tuple(map(str, range(rows))),
            labels=tuple(labels.tolist()), weights=(1.0,) * rows, features=matrix.astype("<f4").tobytes(),
        )
        for number, (matrix, labels, _) in enumerate(stream)
    ]  # fmt: skip

    def pipeline() -> Any:
        return preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.AdaGrad(0.2))

    single, frames, own, model = pipeline(), pipeline(), ListRegression(NAMES), JobCheck("f/1", NAMES)
    shown = JobCheck("f/1", NAMES)
    parts = [parts_of(example) for example in examples]

    def in_parts(number: int) -> None:
        for part in parts[number]:
            shown.learn(part)

    def one_by_one(number: int) -> None:
        for x, y in zip(dictionaries[number], stream[number][1].tolist(), strict=True):
            single.learn_one(x, y)

    def scored_one_by_one(number: int) -> None:
        for x in dictionaries[number]:
            single.predict_proba_one(x)
        one_by_one(number)

    def many(number: int) -> None:
        frames.learn_many(pd.DataFrame(stream[number][0], columns=NAMES), pd.Series(stream[number][1]))

    ways: list[tuple[str, Callable[[int], object]]] = [
        ("River learn_one, row by row", one_by_one),
        ("River predict_proba_one and learn_one, row by row", scored_one_by_one),
        ("River learn_many (pandas)", many),
        ("ListRegression.learn_rows", lambda number: own.learn_rows(*stream[number][:2], ones)),
        ("JobCheck.learn (unpack, check, predict, measure, learn)", lambda number: model.learn(examples[number])),
        ("JobCheck.learn of a shown list in parts: each positive, then the closed list", in_parts),
    ]
    for name, step in ways:
        print(f"| {rows} | {name} | {microseconds(step, count):.0f} |", flush=True)


if __name__ == "__main__":
    print("| rows | a list | us |\n| ---: | --- | ---: |")
    for rows_of_list in (9, 20):
        compare_speed(rows_of_list)
    print()
    compare_optimizers()
