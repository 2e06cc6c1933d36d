"""Orders by value, where few values are equal: quicker than sorting by all that settles what is equal."""

from typing import Any

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Floats


def descending(values: Floats, *then: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Positions of `values`, the highest first; equal ones ascending by the first of `then`, if that is equal by the next.

    Examples
    --------
    >>> descending(np.array([0.5, 0.9, 0.5]), np.array([7, 1, 3])).tolist()
    [1, 2, 0]
    """
    low = -values
    order = np.argsort(low)
    found = low[order]
    same = found[1:] == found[:-1]
    if same.any():
        tied = np.zeros(len(order), np.bool_)
        tied[1:] = same
        tied[:-1] |= same
        part = order[tied]  # what is equal stands together, and stays where it is as a whole
        order[tied] = part[np.lexsort((*(each[part] for each in reversed(then)), low[part]))]
    return order
