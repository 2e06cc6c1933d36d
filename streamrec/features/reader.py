"""The vectorised reader: the features of a set, for n jobs beside one member, as one matrix."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.language.expression import Expression
from streamrec.features.language.feature import Feature
from streamrec.features.language.types import Type
from streamrec.features.reading import Reading

_LARGEST: Final = float(np.finfo(np.float32).max)


class Reader:
    """Computes every distinct expression once, inputs first, and puts the values of each feature into its columns.

    Parameters
    ----------
    features
        In the order of the columns.

    Attributes
    ----------
    columns
        Their names.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.columns = tuple(name for feature in features for name in feature.columns)
        places: dict[Expression, int] = {}
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        for feature in features:
            self._place(feature.expression, places)
        starts = [0, *accumulate(len(feature.columns) for feature in features)]
        outputs = [
            (at, len(each.columns), places[each.expression], each) for at, each in zip(starts, features, strict=False)
        ]
        self._numbers = [(at, place) for at, _, place, each in outputs if each.expression.type is not Type.CATEGORY]
        self._categories = [
            (at, width, place) for at, width, place, each in outputs if each.expression.type is Type.CATEGORY
        ]
        defaults = np.array([[each.default] for each in features for _ in each.columns], np.float64)
        self._defaults = np.clip(defaults, -_LARGEST, _LARGEST).astype(np.float32)

    def _place(self, expression: Expression, places: dict[Expression, int]) -> None:
        if expression not in places:
            for each in expression.inputs:
                self._place(each, places)
            places[expression] = len(places)
            self._steps.append((expression.read, tuple(places[each] for each in expression.inputs)))

    def matrix(self, reading: Reading) -> npt.NDArray[np.float32]:
        """Values for the jobs of a reading, with the defaults where something is missing.

        Returns
        -------
        ndarray
            float32 ``(n, len(columns))``, C-contiguous, always finite.
        """
        found = self.values(reading)
        missing = np.isnan(found)
        if missing.any():
            np.copyto(found, self._defaults, where=missing)
        return np.ascontiguousarray(found.T)

    def values(self, reading: Reading) -> npt.NDArray[np.float32]:
        """The same before the defaults, a row a column: float32 ``(len(columns), n)``, NaN where something is missing."""
        values: list[Any] = []
        for read, inputs in self._steps:
            values.append(read(reading, *[values[place] for place in inputs]))
        found = np.empty((len(self.columns), len(reading.rows)), np.float32)
        for at, place in self._numbers:
            found[at] = values[place]
        for at, width, place in self._categories:
            found[at : at + width] = np.arange(width)[:, None] == values[place]
        return np.clip(found, -_LARGEST, _LARGEST, out=found)
