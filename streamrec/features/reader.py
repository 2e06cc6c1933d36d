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
        of_jobs = [count for count in counted if count.by.place == "job"]
        of_member = [count for count in counted if count.by.place == "member"]
        self._of_jobs, self._of_member = Decayed.of(of_jobs), Decayed.of(of_member)
        for count in (*of_jobs, *of_member):
            places[count] = len(places)
        starts = list(accumulate((len(each.columns) for each in features), initial=0))
        logs = [start for start, each in zip(starts, features, strict=False) if _logs(each)]
        self._logs = [slice(first, last + 1) for first, last in _runs(logs)]
        self._places: list[tuple[int, int]] = []
        self._categories: list[tuple[int, int, int]] = []
        for start, each in zip(starts, features, strict=False):
            place = self._place(each.expression.inputs[0] if _logs(each) else each.expression, places)
            if each.expression.type is Type.CATEGORY:
                self._categories.append((start, len(each.columns), place))
            else:
                self._places.append((start, place))
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
        # A feature is a row at first: that is written, and its logarithm taken, in one go.
        found = np.empty((len(self.columns), len(reading.rows)))
        for column, place in self._places:
            found[column] = values[place]
        for first, width, place in self._categories:
            found[first : first + width] = np.arange(width)[:, None] == values[place]
        for logs in self._logs:
            part = found[logs]
            np.log1p(np.maximum(part, 0.0, out=part), out=part)
        result = found.T.astype(np.float32, order="C")
        if np.isinf(result).any():
            np.clip(result, -_LARGEST, _LARGEST, out=result)
        return result


def _decayed(expression: Expression) -> Iterator[Aggregate]:
    """Decayed counts by the member or by the job alone, kept for ever, that an expression is computed from."""
    if isinstance(expression, Aggregate) and isinstance(expression.cell, DecayedCount):
        alone = not (expression.by.keyed or expression.by.everywhere)
        if alone and expression.ttl_ms is None:
            yield expression
    for each in expression.inputs:
        yield from _decayed(each)


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of ascending numbers.

    Examples
    --------
    >>> _runs([1, 2, 3, 7])
    [(1, 3), (7, 7)]
    """
    firsts = [each for each in numbers if each - 1 not in numbers]
    return [(first, next(each for each in numbers if each >= first and each + 1 not in numbers)) for first in firsts]


def _logs(feature: Feature) -> bool:
    return isinstance(feature.expression, Calculation) and feature.expression.name == "log1p"
