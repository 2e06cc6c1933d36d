"""Which places of a list a member looks at: the position bias.

By the examination hypothesis a job is checked if it is examined, and the member wants it; whether it is examined depends
on its place alone: P(check | member, job, place) = P(examined | place) * P(check | examined, member, job). The chance of a
place falls as a power of its rank, 1 for the first.

References
----------
Richardson, Dominowska, Ragno: Predicting Clicks, WWW 2007 (the hypothesis). Joachims, Swaminathan, Schnabel: Unbiased
Learning-to-Rank with Biased Feedback, WSDM 2017 (examination as a power of the rank).
"""

from typing import Final

import numpy as np

from streamrec.simulator.arrays import Draw, Flags, Floats

_POWER: Final = 0.7


def chances(places: int) -> Floats:
    """P(examined) of the first so many places.

    Examples
    --------
    >>> chances(4).round(2).tolist()
    [1.0, 0.62, 0.46, 0.38]
    """
    return np.arange(1, places + 1, dtype=np.float64) ** -_POWER


def examined(draw: Draw, lists: int, places: int) -> Flags:
    """For so many lists, which places are examined: bool ``(lists, places)``."""
    return draw.random((lists, places)) < chances(places)
