"""The vectorised reader: the features of a set, for n jobs beside one member, as one matrix."""

from collections.abc import Sequence
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
        self._steps: list[tuple[Expression, tuple[int, ...]]] = []
        for feature in features:
            self._place(feature.expression, places)
        self._outputs = tuple(
            (
                places[feature.expression],
                len(feature.columns),
                feature.expression.type is Type.CATEGORY,
                feature.default,
            )
            for feature in features
        )

    def _place(self, expression: Expression, places: dict[Expression, int]) -> None:
        if expression not in places:
            for each in expression.inputs:
                self._place(each, places)
            places[expression] = len(places)
            self._steps.append((expression, tuple(places[each] for each in expression.inputs)))

    def matrix(self, reading: Reading) -> npt.NDArray[np.float32]:
        """Values for the jobs of a reading, with the defaults where something is missing.

        Returns
        -------
        ndarray
            float32 ``(n, len(columns))``, C-contiguous, always finite.
        """
        values: list[Any] = []
        for expression, inputs in self._steps:
            values.append(expression.read(reading, *(values[place] for place in inputs)))
        found = np.empty((len(self.columns), len(reading.rows)), np.float32)
        column = 0
        for place, width, category, default in self._outputs:
            if category:
                found[column : column + width] = np.arange(width)[:, None] == values[place]
            else:
                found[column] = values[place]
                missing = np.isnan(found[column])
                if missing.any():
                    found[column, missing] = default
            column += width
        return np.ascontiguousarray(np.clip(found, -_LARGEST, _LARGEST, out=found).T)
