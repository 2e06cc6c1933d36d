"""A model that goes on with other features: what it knows of a column stays with the column's name."""

from collections.abc import Sequence

import numpy as np

from streamrec.models.rows import Floats


class Move:
    """From the columns `before` to the columns `after`.

    Examples
    --------
    >>> move = Move(("a", "b"), ("b", "c"))
    >>> move.of(np.array([1.0, 2.0])), move.of(np.array([[1.0, 2.0]]), np.array([8.0, 9.0]))
    (array([2., 0.]), array([[2., 9.]]))
    """

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(before)}
        self._from = np.array([places[name] for name in after if name in places], np.intp)
        self._to = np.array([place for place, name in enumerate(after) if name in places], np.intp)
        self.width = len(after)

    def of(self, values: Floats, new: Floats | float = 0.0) -> Floats:
        """What stands in the columns after: `values` ``(…, d)`` by their names, `new` (one, or one a column) elsewhere."""
        moved: Floats = np.empty((*values.shape[:-1], self.width))
        moved[...] = new
        moved[..., self._to] = values[..., self._from]
        return moved
