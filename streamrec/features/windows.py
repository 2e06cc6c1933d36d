"""How what happened fades: by half with each half-life. Sums that do are `cells.decay`."""

import math
from typing import Final

from streamrec.features.cells.window import UNITS_MS

HOUR_MS: Final = UNITS_MS["h"]
DAY_MS: Final = UNITS_MS["d"]


def fade(age_ms: float, half_life_ms: float) -> float:
    """What is left of 1 after `age_ms`; more than 1 for an age below 0.

    Examples
    --------
    >>> fade(2 * DAY_MS, DAY_MS)
    0.25
    """
    return math.exp2(-age_ms / half_life_ms)
