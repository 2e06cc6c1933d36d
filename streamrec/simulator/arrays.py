"""Types of the arrays that the simulator computes with, and the draws that several of its parts make."""

import math

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger]
Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
Draw = np.random.Generator


def some_skills(draw: Draw, count: int, among: int = 5, chosen: int = 3) -> npt.NDArray[np.uint8]:
    """Bit masks of `chosen` out of `among` skills, uint8 ``(count,)``."""
    order = draw.random((count, among)).argsort(axis=1)[:, :chosen]
    return np.asarray(np.bitwise_or.reduce(np.left_shift(1, order), axis=1), np.uint8)


def weighted(draw: Draw, cumulated: Floats, count: int) -> Ints:
    """`count` places of a cumulated sum of weights, each as often as its weight says."""
    places = np.searchsorted(cumulated, draw.random(count) * cumulated[-1], side="right")
    return np.asarray(np.minimum(places, len(cumulated) - 1))


def logistic(odds: Floats) -> Floats:
    """Probability of log odds.

    Examples
    --------
    >>> logistic(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)))


def faded(age_ms: Ints | Floats, half_life_ms: float) -> Floats:
    """1 for what is new, a half for what is one half-life old, and so on."""
    return np.asarray(np.exp(np.maximum(age_ms, 0) * (-math.log(2) / half_life_ms)))
