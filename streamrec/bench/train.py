"""How fast the trainer's model learns, beside bare River on the same pipeline and the same rows."""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from river import linear_model, optim, preprocessing

from streamrec.bench.cores import machine, pin
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.records import Site
from streamrec.bench.site import Bench
from streamrec.codecs import decode
from streamrec.events import Event, JobEvent, Rejected, TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.models.job_check import JobCheck
from streamrec.models.regression import CLIP_GRADIENT, INTERCEPT_LEARNING_RATE, LEARNING_RATE
from streamrec.ranking.examples import is_positive
from streamrec.settings import Settings
from streamrec.topics import load
from streamrec.training.offline import Offline

RATE, ROWS = "examples/s", "rows/s"
OURS, BY_ROW, BY_LIST = (
    "streamrec: predict, measure, learn, both heads", "River, learn_one a row", "River, learn_many a list",
)  # fmt: skip
_NO_PANDAS: Final = "absent: pip install pandas, which River's learn_many needs"
_SHARE_BY_ROW: Final = 0.1  # of the examples: a rate is known after fewer of the slow ones


def train(bench: Bench, *, examples: int, turns: int) -> Report:
    """Run the benchmark: learn so many examples of the simulated site, each an action among twenty sampled jobs."""
    bench.tell(0.0, "making examples")
    made = _examples(bench, examples)
    found, checks = Turns(), []
    pin(0, *bench.places.measured)
    try:
        for turn in range(turns):
            for number, (name, learner) in enumerate(_LEARNERS.items()):
                bench.tell(0.5 + 0.5 * (turn * len(_LEARNERS) + number) / (turns * len(_LEARNERS)), name)
                part = made[: max(10, int(len(made) * _SHARE_BY_ROW))] if name == BY_ROW else made
                if (ready := learner(part)) is None:
                    found.absent(name, _NO_PANDAS)
                    continue
                began = time.process_time()
                learn, weights = ready
                learn()
                seconds = time.process_time() - began
                found.add(name, RATE, len(part) / seconds)
                found.add(name, ROWS, sum(len(each.job_ids) for each in part) / seconds)
                checks.append(Check("every model has learned", bool(np.any(weights())), name))
    finally:
        pin(0, *bench.places.all)
    return Report(
        "train",
        {
            **machine(), "examples": len(made), "rows_an_example": len(made[0].job_ids), "features": len(feature_names()),
            "turns": turns, "clock": "CPU time of the process",
        },
        found.lines({OURS: BY_ROW, BY_LIST: BY_ROW}), merged(checks),
        ("River gets its rows as it wants them, made beforehand; both learn lists in order, with the same steps and clip",),
    )  # fmt: skip


def _examples(bench: Bench, count: int) -> list[TrainingExample]:
    """What the member agent would have made of a simulated site without impressions."""
    site = Site(1000, 1000, count * 2)
    specs, world = load(), Offline(Settings())
    made: list[TrainingExample] = []
    for record in site.beginning():
        event: Any = decode(specs[record.topic].schema, record.value or b"")
        if not isinstance(event, Rejected) and record.topic != "connections":
            world.fold(event)
    while len(made) < count:
        for record in site.happenings(500):
            event = decode(specs[record.topic].schema, record.value or b"")
            if not isinstance(event, Event) or not isinstance(event, JobEvent):
                continue
            if is_positive(event) and (example := world.learn(event)) is not None:
                made.append(example)
            world.fold(event)
        bench.tell(0.5 * min(1.0, len(made) / count), "making examples", f"{len(made):,}")
    return made[:count]


Learner = tuple[Callable[[], None], Callable[[], Any]]


def _ours(examples: list[TrainingExample]) -> Learner:
    model = JobCheck(FEATURE_SET, feature_names())

    def learn() -> None:
        for example in examples:
            model.learn(example)

    return learn, lambda: model.folded()[0]


def _pipeline() -> Any:
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optimizer=optim.AdaGrad(LEARNING_RATE), intercept_lr=INTERCEPT_LEARNING_RATE, clip_gradient=CLIP_GRADIENT
    )


def _matrix(example: TrainingExample) -> Any:
    return np.frombuffer(example.features, "<f4").reshape(len(example.job_ids), -1).astype(np.float64)


def _weights(pipeline: Any) -> Any:
    return list(pipeline["LogisticRegression"].weights.values())


def _by_row(examples: list[TrainingExample]) -> Learner:
    pipeline, names = _pipeline(), feature_names()
    rows = [
        (dict(zip(names, values, strict=True)), bool(label))
        for example in examples
        for values, label in zip(_matrix(example).tolist(), example.labels, strict=True)
    ]

    def learn() -> None:
        for values, label in rows:
            pipeline.learn_one(values, label)

    return learn, lambda: _weights(pipeline)


def _by_list(examples: list[TrainingExample]) -> Learner | None:
    try:
        import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - not of the dependencies
    except ImportError:
        return None
    pipeline, names = _pipeline(), feature_names()
    frames = [
        (pd.DataFrame(_matrix(example), columns=list(names)), pd.Series([bool(label) for label in example.labels]))
        for example in examples
    ]

    def learn() -> None:
        for frame, labels in frames:
            pipeline.learn_many(frame, labels)

    return learn, lambda: _weights(pipeline)


_LEARNERS: Final[dict[str, Callable[[list[TrainingExample]], Learner | None]]] = {
    OURS: _ours, BY_ROW: _by_row, BY_LIST: _by_list,
}  # fmt: skip
