"""Texts beside each other, without case and the space around them: one of the member or the request, or one of each job.

Texts of jobs come as codes, where the table has a column of them: then each distinct text is looked at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Floats, Ints
from streamrec.features.seniority import level_of

if TYPE_CHECKING:
    from streamrec.features.table import JobTable

# Not frozen: it takes Python four times as long to make what is, and a ranking makes some thirty.
Numbers = Floats | np.float64  # one a job, or one for all

MISSING: Final = np.float64(np.nan)
_FEW: Final = 64  # codes are not worth sorting


def key_of(value: Any) -> Any:
    """How texts are compared: without case and the space around them; anything else is as it is."""
    return value.strip().casefold() if isinstance(value, str) else value


def text_of(text: str | None) -> str | None:
    """A text as it is compared; None for blank.

    Examples
    --------
    >>> text_of(" Olney "), text_of("  "), text_of(None)
    ('olney', None, None)
    """
    return (key_of(text) if text else None) or None


def set_of(texts: Sequence[str]) -> frozenset[str]:
    """A set of texts as they are compared, without blank ones."""
    return frozenset(map(key_of, texts)) - {""}


class Texts(ABC):
    """One text for all jobs, or one a job."""

    @abstractmethod
    def each(self, of: Callable[[str], float]) -> Numbers:
        """A number of each text; NaN where it is missing."""

    @abstractmethod
    def equal(self, text: str) -> Numbers:
        """1 where it is `text` (as it is compared), 0 where not; NaN where it is missing."""

    @abstractmethod
    def among(self, texts: Set[str]) -> Numbers:
        """1 where it is one of `texts` (as they are compared), 0 where not; NaN where it is missing."""

    @abstractmethod
    def listed(self) -> list[str | None]:
        """All of them."""


@dataclass
class One(Texts):
    """A text of the member or of the request."""

    text: str | None

    def each(self, of: Callable[[str], float]) -> Numbers:
        return np.float64(of(self.text)) if self.text else MISSING

    def equal(self, text: str) -> Numbers:
        return np.float64(self.text == text) if self.text else MISSING

    def among(self, texts: Set[str]) -> Numbers:
        return np.float64(self.text in texts) if self.text else MISSING

    def listed(self) -> list[str | None]:
        return [self.text]


@dataclass
class Plain(Texts):
    """A text of each job, as it is."""

    texts: list[str | None]

    def each(self, of: Callable[[str], float]) -> Numbers:
        return np.array([of(text) if text else np.nan for text in self.texts], np.float64)

    def equal(self, text: str) -> Numbers:
        return self.each(lambda each: float(each == text))

    def among(self, texts: Set[str]) -> Numbers:
        return self.each(lambda each: float(each in texts))

    def listed(self) -> list[str | None]:
        return self.texts


@dataclass
class Coded(Texts):
    """A text of each job, by its code in a column of the table.

    Attributes
    ----------
    codes
        ``(n,)``; 0 where missing.
    gaps
        float64 ``(n,)``: NaN there, 0 elsewhere.
    """

    table: "JobTable"
    column: str
    codes: Ints
    gaps: Floats

    def each(self, of: Callable[[str], float]) -> Numbers:
        most = int(self.codes.max(initial=0))
        codes, where = (range(most + 1), self.codes) if most <= _FEW else self._distinct()
        texts = (self.table.text(self.column, code) for code in codes)
        found: Floats = np.array([of(text) if text else np.nan for text in texts], np.float64)[where]
        return found

    def _distinct(self) -> tuple[Iterable[int], npt.NDArray[Any]]:
        codes, where = np.unique(self.codes, return_inverse=True)
        return codes.tolist(), where

    def equal(self, text: str) -> Numbers:
        found: Floats = (self.codes == self.table.code(self.column, text)) + self.gaps
        return found

    def among(self, texts: Set[str]) -> Numbers:
        found: Floats = _flags(self.table, self.column, texts)[self.codes] + self.gaps
        return found

    def listed(self) -> list[str | None]:
        return [self.table.text(self.column, code) for code in self.codes.tolist()]


@dataclass
class OneSet:
    """A set of texts of the member."""

    texts: frozenset[str]

    def listed(self) -> list[frozenset[str]]:
        """It, alone."""
        return [self.texts]


@dataclass
class CodedSets:
    """A set of texts of each job, by their codes in a vocabulary of the table: ``(n, k)``, filled up with 0."""

    table: "JobTable"
    column: str
    codes: Ints

    @cached_property
    def sizes(self) -> Floats:
        """How many texts each has."""
        return _counted(self.codes > 0)

    def having(self, texts: Set[str]) -> Floats:
        """How many of `texts` each has."""
        return _counted(_flags(self.table, self.column, texts)[self.codes])

    def listed(self) -> list[frozenset[str]]:
        """All of them."""
        return [
            frozenset(text for code in codes if (text := self.table.text(self.column, code)))
            for codes in self.codes.tolist()
        ]


Sets = OneSet | CodedSets


def _flags(table: "JobTable", column: str, texts: Set[str]) -> Floats:
    """1 for each code of one of `texts`, 0 for the others."""
    flags: Floats = np.zeros(table.vocabulary(column))
    flags[[table.code(column, text) for text in texts]] = 1.0
    flags[0] = 0.0
    return flags


def _counted(flags: npt.NDArray[Any]) -> Floats:
    """Sum of each row, of ones and zeros."""
    counts: Floats = flags @ np.ones(flags.shape[1])
    return counts


def is_missing(value: Any) -> Numbers:
    """1 where a text, a set or a number is missing, 0 where not."""
    if isinstance(value, OneSet):
        return np.float64(not value.texts)
    if isinstance(value, CodedSets):
        value = np.where(value.sizes > 0.0, 0.0, np.nan)
    missing: Numbers = np.isnan(value.each(lambda _: 0.0) if isinstance(value, Texts) else value).astype(np.float64)
    return missing


def _both(left: Texts, right: Texts, of: Callable[[str, str], float]) -> Numbers:
    """A number of each two texts; NaN where either is missing."""
    if isinstance(left, One):
        mine = left.text
        return right.each(lambda text: of(mine, text)) if mine else MISSING
    if isinstance(right, One):
        other = right.text
        return left.each(lambda text: of(text, other)) if other else MISSING
    pairs = zip(left.listed(), right.listed(), strict=True)
    return np.array([of(one, two) if one and two else np.nan for one, two in pairs], np.float64)


def same(left: Texts, right: Texts) -> Numbers:
    """1 where equal, 0 where not; NaN where either is missing."""
    if isinstance(left, One):
        return right.equal(left.text) if left.text else MISSING
    if isinstance(right, One):
        return left.equal(right.text) if right.text else MISSING
    return _both(left, right, lambda one, two: float(one == two))


def contains(texts: Sets, text: Texts) -> Numbers:
    """1 where a set has a text, 0 where not; NaN where the set is empty or the text missing."""
    if isinstance(texts, OneSet):
        return text.among(texts.texts) if texts.texts else MISSING
    if isinstance(text, One):
        return np.where(texts.sizes > 0.0, texts.having({text.text}), np.nan) if text.text else MISSING
    pairs = zip(texts.listed(), text.listed(), strict=True)
    return np.array([float(one in some) if some and one else np.nan for some, one in pairs], np.float64)


def overlap(texts: Sets, others: Sets) -> Numbers:
    """Share of each set that is among the others; NaN where either is empty."""
    if isinstance(texts, CodedSets) and isinstance(others, OneSet):
        return (
            np.where(texts.sizes > 0.0, texts.having(others.texts) / texts.sizes, np.nan) if others.texts else MISSING
        )
    if isinstance(texts, OneSet) and isinstance(others, CodedSets):
        mine = texts.texts
        return np.where(others.sizes > 0.0, others.having(mine) / len(mine), np.nan) if mine else MISSING
    pairs = zip(texts.listed(), others.listed(), strict=True)
    shares = [len(one & two) / len(one) if one and two else np.nan for one, two in pairs]
    return np.float64(shares[0]) if isinstance(texts, OneSet) else np.array(shares, np.float64)


def level(text: Texts) -> Numbers:
    """Step of a career; NaN for words that name none."""
    return text.each(_level)


@lru_cache(maxsize=1 << 12)
def _level(text: str) -> float:
    step = level_of(text)
    return float(step) if step >= 0 else np.nan


def place_in(text: Texts, values: Sequence[str]) -> Numbers:
    """Which of `values` each text is; NaN for none of them."""
    places = {value: float(place) for place, value in enumerate(values)}
    return text.each(lambda each: places.get(each, np.nan))


def hashed(left: Texts, right: Texts, buckets: int) -> Numbers:
    """The bucket of each two texts; NaN where either is missing."""
    return _both(
        left, right, lambda one, two: float(crc32(f"{one}\x1f{two}".encode("utf-8", "surrogatepass")) % buckets)
    )
