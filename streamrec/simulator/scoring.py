"""How good predictions of checks are beside the best constant and beside the truth."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from streamrec.simulator.arrays import Floats

if TYPE_CHECKING:
    from streamrec.simulator.world import World

_LEAST = 1e-12
Labelled = tuple[str, str, int | bool]  # member_id, job_id, whether the member checked the job when it examined it


def log_loss(probabilities: Sequence[float] | Floats, labels: Sequence[float] | Floats) -> float:
    """Mean of -log of the probability of what happened, in nats.

    Examples
    --------
    >>> round(log_loss([0.5, 0.9], [0, 1]), 4)
    0.3993
    """
    p = np.clip(np.asarray(probabilities, float), _LEAST, 1 - _LEAST)
    y = np.asarray(labels, float)
    if not len(y):
        raise ValueError("no labels: there is nothing to score")
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))


def best_constant_log_loss(rows: Iterable[Labelled]) -> float:
    """Log loss of always saying the share of checks among `rows`: what a model must beat to know anything.

    Examples
    --------
    >>> round(best_constant_log_loss([("m", "a", 1), ("m", "b", 0), ("m", "c", 0), ("m", "d", 0)]), 4)
    0.5623
    """
    labels = np.array([row[2] for row in rows], float)
    return log_loss(np.full(len(labels), labels.mean() if len(labels) else 0.0), labels)


def true_log_loss(world: "World", rows: Iterable[Labelled], now: int | None = None) -> float:
    """Log loss of the truth as it is `now` (by default at the world's present): no model can have less, but by luck."""
    rows = list(rows)
    members, jobs, labels = ([row[place] for row in rows] for place in range(3))
    return log_loss(world.true_probabilities(members, jobs, now), [float(label) for label in labels])  # type: ignore[arg-type]


def share_of_gap(model: float, constant: float, truth: float) -> float:
    """How much of the way from the best constant to the truth a model has gone, by their log losses.

    Examples
    --------
    >>> round(share_of_gap(model=0.42, constant=0.5, truth=0.4), 3)
    0.8
    """
    return (constant - model) / (constant - truth)
