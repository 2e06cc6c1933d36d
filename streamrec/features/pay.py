"""What a job pays, as far as the figure can be one."""

import math
from typing import Final

_LEAST, _MOST = 0.01, 1e12  # in any currency and for any time: beyond lies a mistake of whoever wrote it
NOTHING: Final = math.nan


def pay_of(figure: float | None) -> float:
    """The figure, or `NOTHING` where it is missing or makes no sense.

    Examples
    --------
    >>> pay_of(50_000.0), pay_of(-1.0), pay_of(None)
    (50000.0, nan, nan)
    """
    return figure if figure is not None and _LEAST <= figure <= _MOST else NOTHING
