"""The vectorised reader: the features of a set, for n jobs beside one member, as one matrix."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.cells.decay import DecayedCount
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.calculation import Calculation
from streamrec.features.language.expression import Expression
from streamrec.features.language.feature import Feature
from streamrec.features.language.types import Type
from streamrec.features.reading import Decayed, Reading

_LARGEST: Final = float(np.finfo(np.float32).max)


class Reader:
    """Computes every distinct expression once, inputs first, and puts the values of each feature into its columns.

    What many features share is done once for all of them: decayed counts are one power, and where the last step of a
    feature is log1p, it is taken of all such columns together.

    Parameters
    ----------
    features
        In the order of the columns.

    Attributes
    ----------
    columns
        Their names.

    Examples
    --------
    >>> from streamrec.features.language import bucketise, context, count, job, log1p, views
    >>> features = [
    ...     Feature("job_views", log1p(count(views, by=job)), "views of all time", "log1p"),
    ...     Feature("daytime", bucketise(context.hour, 6, 18), "night, day or evening", "0, 1"),
    ... ]
    >>> Reader(features).columns
    ('job_views', 'daytime#0', 'daytime#1', 'daytime#2')
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.columns = tuple(name for feature in features for name in feature.columns)
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        places: dict[Expression, int] = {}
        counted = dict.fromkeys(chain.from_iterable(_decayed(each.expression) for each in features))
        of_jobs = [each for each in counted if each.by.place == "job"]
        of_member = [each for each in counted if each.by.place == "member"]
        self._of_jobs, self._of_member = Decayed.of(of_jobs), Decayed.of(of_member)
        for each in (*of_jobs, *of_member):
            places[each] = len(places)
        logs = [each for each in features if _logs(each)]
        categories = [each for each in features if each.expression.type is Type.CATEGORY]
        others = [each for each in features if not _logs(each) and each.expression.type is not Type.CATEGORY]
        starts = dict(zip(features, accumulate((len(each.columns) for each in features), initial=0), strict=False))
        self._logs = [(starts[each], self._place(each.expression.inputs[0], places)) for each in logs]
        self._log_columns = [column for column, _ in self._logs]
        self._others = [(starts[each], self._place(each.expression, places)) for each in others]
        self._categories = [
            (starts[each], len(each.columns), self._place(each.expression, places)) for each in categories
        ]
        self._defaults = np.array([each.default for each in features for _ in each.columns], np.float32)

    def _place(self, expression: Expression, places: dict[Expression, int]) -> int:
        if expression not in places:
            inputs = tuple(self._place(each, places) for each in expression.inputs)
            places[expression] = len(places)
            self._steps.append((expression.read, inputs))
        return places[expression]

    def matrix(self, reading: Reading) -> npt.NDArray[np.float32]:
        """Values for the jobs of a reading, with the defaults where something is missing.

        Returns
        -------
        ndarray
            float32 ``(n, len(columns))``, C-contiguous, always finite.
        """
        result = self.values(reading)
        missing = np.isnan(result)
        if missing.any():
            np.copyto(result, self._defaults, where=missing)
        return result

    def values(self, reading: Reading) -> npt.NDArray[np.float32]:
        """The same without the defaults: NaN where something is missing."""
        with np.errstate(all="ignore"):  # what is no number is missing, and what is too large is cut
            return self._values(reading)

    def _values(self, reading: Reading) -> npt.NDArray[np.float32]:
        values: list[Any] = []
        if self._of_jobs.keys:
            values.extend(reading.decayed_of_jobs(self._of_jobs))
        if self._of_member.keys:
            values.extend(reading.decayed_of_member(self._of_member))
        for read, inputs in self._steps:
            values.append(read(reading, *[values[place] for place in inputs]))
        # Fresh memory costs more than all the arithmetic, so there is no second matrix: values go where they belong.
        result = np.empty((len(reading.rows), len(self.columns)), np.float32)
        for column, place in self._others:
            result[:, column] = values[place]
        for first, width, place in self._categories:
            result[:, first : first + width] = np.arange(width) == np.reshape(values[place], (-1, 1))
        logs = np.empty((len(self._logs), len(reading.rows)))
        for row, (_, place) in zip(logs, self._logs, strict=True):
            row[:] = values[place]
        np.log1p(np.maximum(logs, 0.0, out=logs), out=logs)
        result[:, self._log_columns] = logs.T
        return np.clip(result, -_LARGEST, _LARGEST, out=result)


def _decayed(expression: Expression) -> Iterator[Aggregate]:
    """Decayed counts by the member or by the job alone, kept for ever, that an expression is computed from."""
    if isinstance(expression, Aggregate) and isinstance(expression.cell, DecayedCount):
        alone = not (expression.by.keyed or expression.by.everywhere)
        if alone and expression.ttl_ms is None:
            yield expression
    for each in expression.inputs:
        yield from _decayed(each)


def _logs(feature: Feature) -> bool:
    return isinstance(feature.expression, Calculation) and feature.expression.name == "log1p"
