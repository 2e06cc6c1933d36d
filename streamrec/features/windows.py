"""Sums that fade: every part of a sum has halved once each half-life.

The decay is *forward*: a sum is kept as of the newest time that went into it, and an addition with an older time is
faded to that time before it is added. So the sum is exact in whatever order the additions arrive, two halves of a
stream can be merged, and a sum needs no attention while nothing is added.

References
----------
Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay: A Practical Time Decay Model for Streaming Systems (ICDE 2009).
"""

import math
from typing import Final

from streamrec.features.state import Decayed

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
LN2: Final = math.log(2.0)


def fade(age_ms: float, half_life_ms: float) -> float:
    """What is left of 1 after `age_ms`; more than 1 for an age below 0.

    Examples
    --------
    >>> fade(2 * DAY_MS, DAY_MS)
    0.25
    """
    return math.exp2(-age_ms / half_life_ms)


def add(decayed: Decayed, amount: float, at: int, half_life_ms: float) -> None:
    """Add `amount`, which belongs to the time `at` (ms), to `decayed`, in place.

    Examples
    --------
    >>> late, early = Decayed(), Decayed()
    >>> for decayed, times in ((late, (DAY_MS, 0)), (early, (0, DAY_MS))):
    ...     for at in times:
    ...         add(decayed, 1.0, at, DAY_MS)
    >>> late, late == early
    (Decayed(value=1.5, at=86400000), True)
    """
    if at >= decayed.at:
        decayed.value = decayed.value * math.exp2((decayed.at - at) / half_life_ms) + amount
        decayed.at = at
    else:
        decayed.value += amount * math.exp2((at - decayed.at) / half_life_ms)


def value_at(decayed: Decayed, now: int, half_life_ms: float) -> float:
    """The sum as of `now` (ms). A `now` before the newest addition gives the sum unfaded: the future has happened.

    Examples
    --------
    >>> value_at(Decayed(value=8.0, at=0), 3 * DAY_MS, DAY_MS)
    1.0
    """
    return decayed.value * math.exp2(min(0, decayed.at - now) / half_life_ms)


def merge(a: Decayed, b: Decayed, half_life_ms: float) -> Decayed:
    """The sum over both parts of a stream, as a new value.

    Examples
    --------
    >>> merge(Decayed(value=1.0, at=0), Decayed(value=1.0, at=DAY_MS), DAY_MS)
    Decayed(value=1.5, at=86400000)
    """
    older, newer = (a, b) if a.at <= b.at else (b, a)
    return Decayed(value=newer.value + older.value * math.exp2((older.at - newer.at) / half_life_ms), at=newer.at)


def log2_score(decayed: Decayed, half_life_ms: float) -> float:
    """A number that orders sums of one half-life in the same way at every time: ``log2(value) + at / half_life``.

    ``2 ** (score - now / half_life)`` is the sum as of `now`. -inf where the sum is not above 0.

    Examples
    --------
    >>> log2_score(Decayed(value=4.0, at=DAY_MS), DAY_MS), log2_score(Decayed(), DAY_MS)
    (3.0, -inf)
    """
    return math.log2(decayed.value) + decayed.at / half_life_ms if decayed.value > 0.0 else -math.inf
