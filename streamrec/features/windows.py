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
