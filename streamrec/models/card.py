"""A model's card: what a snapshot was learned from, how good it has been, and what it goes by; for people and as data.

It is a function of the snapshot alone, and needs nothing of the library that learned it.
"""

import datetime
import math
from typing import Final

import msgspec

from streamrec.models.base import Learned
from streamrec.models.measures import DATA, Data, Measures
from streamrec.models.rows import KINDS, SAMPLED
from streamrec.models.snapshot import Snapshot, UnreadableSnapshotError, floats_of

_WHAT: Final = {
    "sampled": "actions, each beside jobs that were sampled",
    "positive": "shown jobs that were checked",
    "closed": "shown jobs that had not been checked when their list closed",
    "correction": "shown jobs that were checked after that: the negative is taken back",
}


class Figures(msgspec.Struct, frozen=True):
    """How good predictions were, made before they were learned, over the recent rows; None where there is nothing to say.

    `surface` is empty for all surfaces together; `constant_log_loss` is that of the best constant.
    """

    data: Data
    surface: str
    rows: int
    base_rate: float | None
    mean_prediction: float | None
    log_loss: float | None
    constant_log_loss: float | None
    auc: float | None
    calibration_error: float | None


class Hits(msgspec.Struct, frozen=True):
    """Of the closed lists of a surface (empty: of all), the share that had a checked job among the first ten."""

    surface: str
    lists: int
    recent: float | None
    total: float | None


class Weight(msgspec.Struct, frozen=True):
    """What a feature adds to the log odds: a unit of it to those of a check, and a standard deviation to both heads'."""

    feature: str
    unit: float
    check: float | None
    score: float | None


class Card(msgspec.Struct, frozen=True):
    """See the module.

    Attributes
    ----------
    learned_at
        ISO 8601, UTC.
    kinds
        What was learned, by kind of example.
    calibrated
        Whether p_check is P(checked if shown), fitted on shown lists.
    negatives
        ``sampled``, ``shown`` or ``both``: where the rows with label 0 came from; ``none`` before there are any.
    figures, hits
        First over all surfaces, then by surface.
    weights
        Those that move most first.
    """

    name: str
    version: int
    learned_at: str
    code_version: str
    feature_set: str
    examples: int
    kinds: dict[str, Learned]
    calibrated: bool
    negatives: str
    figures: tuple[Figures, ...]
    hits: tuple[Hits, ...]
    weights: tuple[Weight, ...]


def card(snapshot: Snapshot) -> Card:
    """The card of a snapshot.

    Raises
    ------
    UnreadableSnapshotError
        Its figures make no sense to this version.
    """
    measures = Measures()
    try:
        measures.load(snapshot.prequential, snapshot.measures)
    except ValueError as error:
        raise UnreadableSnapshotError(f"snapshot {snapshot.version} of {snapshot.name}: {error}") from error
    at = datetime.datetime.fromtimestamp(snapshot.learned_at / 1000, datetime.UTC)
    kinds = dict(snapshot.learned) or ({SAMPLED: Learned(snapshot.examples)} if snapshot.examples else {})
    sampled, shown = SAMPLED in kinds, any(kind != SAMPLED for kind in kinds)
    return Card(
        name=snapshot.name,
        version=snapshot.version,
        learned_at=at.isoformat(timespec="seconds"),
        code_version=snapshot.code_version,
        feature_set=snapshot.feature_set,
        examples=snapshot.examples,
        kinds={kind: kinds[kind] for kind in KINDS if kind in kinds},
        calibrated=snapshot.calibrated,
        negatives={(1, 1): "both", (1, 0): "sampled", (0, 1): "shown", (0, 0): "none"}[sampled, shown],
        figures=tuple(
            figures
            for data in DATA
            for surface in ("", *measures.surfaces(data))
            if (figures := _figures(measures, data, surface)).rows
        ),
        hits=tuple(
            Hits(surface, rate.lists, _known(rate.recent), _known(rate.total))
            for surface, rate in sorted(measures.hits.items())
            if rate.lists
        ),
        weights=_weights(snapshot),
    )


def as_json(made: Card) -> bytes:
    """The card as JSON, indented; what is not known is null."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def as_markdown(made: Card) -> str:
    """The card for people."""
    lines = [
        f"# {made.name}, version {made.version}",
        "",
        f"Learned until {made.learned_at} by streamrec {made.code_version}, features `{made.feature_set}`.",
        "",
        _caution(made),
        "",
        "## Learned from",
        "",
        "| examples | what | count | rows with label 1 | rows with label 0 |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {kind} | {_WHAT[kind]} | {counts.examples} | {counts.positives} | {counts.negatives} |"
        for kind, counts in made.kinds.items()
    ]
    lines += [
        "",
        "## How good it has been",
        "",
        "Predictions made before learning, over the recent rows.",
        "",
        "| data | surface | rows ever | base rate | mean p | log loss | best constant | AUC | calibration error |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {each.data} | {each.surface or 'all'} | {each.rows} | {_text(each.base_rate)} | {_text(each.mean_prediction)} "
        f"| {_text(each.log_loss)} | {_text(each.constant_log_loss)} | {_text(each.auc)} "
        f"| {_text(each.calibration_error)} |"
        for each in made.figures
    ]
    if made.hits:
        lines += [
            "",
            "Hit rate: share of the closed lists with a checked job among the first ten.",
            "",
            "| surface | lists | recent | since the first |",
            "| --- | ---: | ---: | ---: |",
        ]
        lines += [f"| {e.surface or 'all'} | {e.lists} | {_text(e.recent)} | {_text(e.total)} |" for e in made.hits]
    lines += [
        "",
        "## What it goes by",
        "",
        "Added to the log odds of a check, and of the score that jobs are ordered by.",
        "",
        "| feature | check, a deviation | score, a deviation | check, a unit |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {e.feature} | {_text(e.check)} | {_text(e.score)} | {e.unit:.4g} |" for e in made.weights]
    return "\n".join(lines) + "\n"


def _caution(made: Card) -> str:
    if made.calibrated:
        return "`p_check` is calibrated: P(job checked if shown), fitted on lists that were shown."
    if made.negatives == "none":
        return "Nothing has been learned yet."
    return (
        "**`p_check` is not calibrated.** Too little of what was shown has been learned: negatives were sampled, so the "
        "order says something, the level does not."
    )


def _figures(measures: Measures, data: Data, surface: str) -> Figures:
    running = measures.of(data, surface)
    return Figures(
        data, surface, running.rows, _known(running.base_rate), _known(running.mean_prediction), _known(running.log_loss),
        _known(running.constant_log_loss), _known(running.auc), _known(running.calibration_error),
    )  # fmt: skip


def _weights(snapshot: Snapshot) -> tuple[Weight, ...]:
    units, deviations = floats_of(snapshot.weights), floats_of(snapshot.deviations)
    if not len(deviations):  # version 1
        return tuple(
            Weight(name, unit, None, None) for name, unit in zip(snapshot.feature_names, units.tolist(), strict=True)
        )
    scores = (floats_of(snapshot.score_weights) if snapshot.score_weights else units) * deviations
    made = map(Weight, snapshot.feature_names, units.tolist(), (units * deviations).tolist(), scores.tolist())
    return tuple(sorted(made, key=lambda weight: (-abs(weight.check or 0.0), weight.feature)))


def _known(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


def _text(figure: float | None) -> str:
    return "?" if figure is None else f"{figure:.4f}"
