"""When people come: more by day than by night, fewer at weekends."""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Draw, Floats, Ints

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_EPOCH_WEEKDAY: Final = 3  # 1 January 1970 was a Thursday; Monday is 0
_SWING: Final = 0.8
_BUSIEST_HOUR: Final = 14
_DAYS: Final = np.array([1.15, 1.2, 1.15, 1.1, 0.95, 0.65, 0.8])  # Monday to Sunday; 1 on average
HIGHEST: Final = float(_DAYS.max() * (1 + _SWING))


def intensity(at: Ints) -> Floats:
    """Visits at a time (ms, UTC) beside the average of a week.

    Examples
    --------
    >>> monday_noon, sunday_night = 1_736_164_800_000, 1_736_643_600_000
    >>> intensity(np.array([monday_noon, sunday_night])).round(2).tolist()
    [1.95, 0.18]
    """
    weekday = (at // DAY_MS + _EPOCH_WEEKDAY) % 7
    hour = at % DAY_MS / HOUR_MS
    return np.asarray(_DAYS[weekday] * (1 + _SWING * np.cos((hour - _BUSIEST_HOUR) * (np.pi / 12))))


def arrivals(draw: Draw, begin: int, end: int, each_ms: float, *, seasonal: bool) -> Ints:
    """Times of visits in ``[begin, end)``, sorted: a Poisson process with one in `each_ms` on average.

    With `seasonal` its rate follows `intensity`, by thinning (Lewis and Shedler 1979).
    """
    highest = HIGHEST if seasonal else 1.0
    count = draw.poisson(highest * (end - begin) / each_ms)
    times = np.sort(draw.integers(begin, end, size=count))
    if seasonal:
        times = times[draw.random(count) * highest < intensity(times)]
    return times
