"""Values computed from other values, element by element: arithmetic, and what turns numbers into features."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import add, mul, sub
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streamrec.features import texts
from streamrec.features.language.declaration import DeclarationError, number_text
from streamrec.features.language.expression import Expression, Operand, as_expression, want
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

_NUMBERS: Final = (Type.NUMBER, Type.FLAG)
_NAN: Final = np.float64(np.nan)


# Half of all calculations are of the member alone, with one number: numpy takes ten times as long for it as Python does.


def _finite(found: Any) -> Any:
    if isinstance(found, float):
        return found if math.isfinite(found) else _NAN
    infinite = np.isinf(found)
    if infinite.any():
        found[infinite] = np.nan
    return found


def _ratio(above: Any, below: Any) -> Any:
    return _finite(np.divide(above, below))


def _log(x: Any) -> Any:
    return _finite(np.log(x))


def _log1p(x: Any) -> Any:
    return np.log1p(np.maximum(x, 0.0))


def _flag(condition: Any, *operands: Any) -> Any:
    found = np.asarray(condition, np.float64)
    for each in operands:
        found = np.where(np.isnan(each), np.nan, found)
    return found


def _first(*values: Any) -> Any:
    found = values[-1]
    for each in values[-2::-1]:
        if not isinstance(each, float):
            found = np.where(np.isnan(each), found, each)
        elif not math.isnan(each):
            found = each
    return found


def _mean(*values: Any) -> Any:
    total: Any = 0.0
    known: Any = 0.0
    for each in values:
        is_known = ~np.isnan(each)
        total, known = total + np.where(is_known, each, 0.0), known + is_known
    return np.divide(total, known)  # of none 0 / 0, which is NaN


def _rate(part: Any, whole: Any, prior: float, weight: float) -> Any:
    most = max(whole, part) if isinstance(whole, float) and isinstance(part, float) else np.maximum(whole, part)
    return (part + prior * weight) / (most + weight)


def _trend(short: Any, long: Any, share: float) -> Any:
    return np.log((np.maximum(short, 0.0) + 1.0) / (np.maximum(long, 0.0) * share + 1.0))


def _between(x: Any, least: float, most: float) -> Any:
    if isinstance(x, float):
        return x if least <= x <= most else _NAN
    found = x.copy()
    found[~((x >= least) & (x <= most))] = np.nan
    return found


def _bucket(x: Any, *edges: float) -> Any:
    if isinstance(x, float):
        return _NAN if math.isnan(x) else np.float64(bisect_right(edges, x))
    return np.where(np.isnan(x), np.nan, np.searchsorted(np.array(edges), x, side="right").astype(np.float64))


@dataclass(frozen=True)
class Function:
    """What a calculation does: its types, and how it is computed from values and parameters."""

    compute: Callable[..., Any]
    accepts: tuple[Type, ...] = _NUMBERS
    gives: Type = Type.NUMBER


FUNCTIONS: Final[dict[str, Function]] = {
    "add": Function(add),
    "subtract": Function(sub),
    "multiply": Function(mul),
    "ratio": Function(_ratio),
    "log1p": Function(_log1p),
    "log": Function(_log),
    "absolute": Function(np.abs),
    "clip": Function(lambda x, least, most: np.minimum(np.maximum(x, least), most)),
    "only_between": Function(_between),
    "only_if": Function(lambda flag, x: np.where(flag == 1.0, x, np.nan)),
    "above": Function(lambda a, b: _flag(a > b, a, b), gives=Type.FLAG),
    "below": Function(lambda a, b: _flag(a < b, a, b), gives=Type.FLAG),
    "is_missing": Function(texts.is_missing, (*_NUMBERS, Type.TIME, Type.TEXT, Type.TEXTS), Type.FLAG),
    "first_of": Function(_first),
    "first_time_of": Function(_first, (Type.TIME,), Type.TIME),
    "mean_of": Function(_mean),
    "rate": Function(_rate),
    "trend": Function(_trend),
    "signed": Function(lambda flag, by: np.where(by == 1.0, flag, -flag) + 0.0 * by),
    "inverse_rank": Function(lambda rank: np.where(rank >= 0.0, 1.0 / (1.0 + np.maximum(rank, 0.0)), 0.0)),
    "bucketise": Function(_bucket, gives=Type.CATEGORY),
}


@dataclass(frozen=True)
class Calculation(Expression):
    """A function of `FUNCTIONS` over expressions, with numbers as parameters."""

    name: str
    operands: tuple[Expression, ...]
    parameters: tuple[float, ...] = ()

    @property
    def kind(self) -> str:  # type: ignore[override]
        return self.name

    @property
    def type(self) -> Type:
        return FUNCTIONS[self.name].gives

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return self.operands

    def __str__(self) -> str:
        parts = [*map(str, self.operands), *map(number_text, self.parameters)]
        return f"{self.name}({', '.join(parts)})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return FUNCTIONS[self.name].compute(*inputs, *self.parameters)


def calculate(name: str, *operands: Operand, parameters: tuple[float, ...] = ()) -> Calculation:
    """Check the types of the operands, and make the node."""
    function = FUNCTIONS[name]
    expressions = tuple(map(as_expression, operands))
    for each in expressions:
        want(each, name, *function.accepts)
    return Calculation(name, expressions, parameters)


def log1p(x: Operand) -> Calculation:
    """The natural logarithm of 1 + x; 0 where x is below 0."""
    return calculate("log1p", x)


def log(x: Operand) -> Calculation:
    """The natural logarithm; missing where x is not above 0."""
    return calculate("log", x)


def absolute(x: Operand) -> Calculation:
    """x without its sign."""
    return calculate("absolute", x)


def ratio(above: Operand, below: Operand) -> Calculation:
    """above / below; missing where below is 0."""
    return calculate("ratio", above, below)


def clip(x: Operand, least: float, most: float) -> Calculation:
    """x, cut at both ends.

    Examples
    --------
    >>> from streamrec.features.language import posting
    >>> str(clip(posting.salary_min / 1000, 0, 500))
    'clip(ratio(posting.salary_min, 1000), 0, 500)'
    """
    return calculate("clip", x, parameters=_range("clip", least, most))


def only_between(x: Operand, least: float, most: float) -> Calculation:
    """x where it lies in the range, ends included; missing elsewhere: for figures that may be a mistake."""
    return calculate("only_between", x, parameters=_range("only_between", least, most))


def only_if(flag: Expression, x: Operand) -> Calculation:
    """x where the flag (or a number) is 1; missing elsewhere.

    Examples
    --------
    >>> from streamrec.features.language import posting
    >>> str(only_if(posting.remote, posting.salary_min))
    'only_if(posting.remote, posting.salary_min)'
    """
    want(flag, "only_if", Type.FLAG, Type.NUMBER)
    return calculate("only_if", flag, x)


def is_missing(x: Expression) -> Calculation:
    """1 where x is missing (a set of texts: empty), 0 where it is not."""
    return calculate("is_missing", x)


def first_of(value: Expression, *others: Operand) -> Calculation:
    """The first value that is not missing; of numbers, or of times.

    Examples
    --------
    >>> from streamrec.features.language import job, posting
    >>> first_of(posting.posted_at, job.first_at).type.value
    'time'
    """
    want(value, "first_of", *_NUMBERS, Type.TIME)
    return calculate("first_time_of" if value.type is Type.TIME else "first_of", value, *others)


def mean_of(*values: Expression) -> Calculation:
    """The mean of those that are not missing."""
    if not values:
        raise DeclarationError("mean_of has no values", "give one or more")
    return calculate("mean_of", *values)


def signed(flag: Expression, by: Expression) -> Calculation:
    """`flag` where `by` is 1, its negative where `by` is 0."""
    want(flag, "signed", Type.FLAG)
    want(by, "signed", Type.FLAG)
    return calculate("signed", flag, by)


def inverse_rank(rank: Expression) -> Calculation:
    """1 for rank 0, 1/2 for rank 1, …; 0 where there is none (-1)."""
    return calculate("inverse_rank", rank)


def bucketise(x: Operand, *edges: float) -> Calculation:
    """Which of the ranges between ascending `edges` x lies in: a category with one value more than edges.

    Examples
    --------
    >>> from streamrec.features.language import Feature, context
    >>> Feature("daytime", bucketise(context.hour, 6, 18), "night, day, evening", "0, 1").columns
    ('daytime#0', 'daytime#1', 'daytime#2')
    """
    if not edges or list(edges) != sorted(set(edges)) or not all(map(math.isfinite, edges)):
        raise DeclarationError(f"bucketise has the edges {edges}", "give one or more, ascending")
    return calculate("bucketise", x, parameters=tuple(map(float, edges)))


def _range(name: str, least: float, most: float) -> tuple[float, float]:
    if not least < most:
        raise DeclarationError(f"{name} has the range {least} to {most}", "give the smaller end first")
    return float(least), float(most)
