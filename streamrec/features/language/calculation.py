"""Values computed from other values, element by element: arithmetic, and what turns numbers into features."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Expression, Operand, as_expression, want
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

_NUMBERS: Final = (Type.NUMBER, Type.FLAG)


def _ratio(above: Any, below: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.divide(above, below)
    return np.where(np.isfinite(found), found, np.nan)


def _log(x: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(x)
    return np.where(np.isfinite(found), found, np.nan)


def _flag(condition: Any, *operands: Any) -> Any:
    found = np.asarray(condition, np.float64)
    for each in operands:
        found = np.where(np.isnan(each), np.nan, found)
    return found


def _first(*values: Any) -> Any:
    found = values[-1]
    for each in values[-2::-1]:
        found = np.where(np.isnan(each), found, each)
    return found


def _mean(*values: Any) -> Any:
    known = [~np.isnan(each) for each in values]
    return _ratio(sum(np.where(is_known, each, 0.0) for is_known, each in zip(known, values, strict=True)),
                  sum(is_known.astype(np.float64) for is_known in known))  # fmt: skip


def _rate(part: Any, whole: Any, prior: float, weight: float) -> Any:
    return (part + prior * weight) / (np.maximum(whole, part) + weight)


def _trend(short: Any, long: Any, share: float) -> Any:
    return np.log((np.maximum(short, 0.0) + 1.0) / (np.maximum(long, 0.0) * share + 1.0))


def _between(x: Any, least: float, most: float) -> Any:
    return np.where((x >= least) & (x <= most), x, np.nan)


def _bucket(x: Any, *edges: float) -> Any:
    return np.where(np.isnan(x), np.nan, np.searchsorted(np.array(edges), x, side="right").astype(np.float64))


@dataclass(frozen=True)
class Function:
    """What a calculation does: its types, and how it is computed from values and parameters."""

    compute: Callable[..., Any]
    accepts: tuple[Type, ...] = _NUMBERS
    gives: Type = Type.NUMBER


FUNCTIONS: Final[dict[str, Function]] = {
    "add": Function(np.add),
    "subtract": Function(np.subtract),
    "multiply": Function(np.multiply),
    "ratio": Function(_ratio),
    "log1p": Function(lambda x: np.log1p(np.maximum(x, 0.0))),
    "log": Function(_log),
    "absolute": Function(np.abs),
    "clip": Function(np.clip),
    "only_between": Function(_between),
    "only_if": Function(lambda flag, x: np.where(flag == 1.0, x, np.nan)),
    "above": Function(lambda a, b: _flag(a > b, a, b), gives=Type.FLAG),
    "below": Function(lambda a, b: _flag(a < b, a, b), gives=Type.FLAG),
    "is_missing": Function(lambda x: np.isnan(x).astype(np.float64), (*_NUMBERS, Type.TIME), Type.FLAG),
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
        parts = [*map(str, self.operands), *(f"{number:g}" for number in self.parameters)]
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
    """x, cut at both ends."""
    return calculate("clip", x, parameters=_range("clip", least, most))


def only_between(x: Operand, least: float, most: float) -> Calculation:
    """x where it lies in the range, ends included; missing elsewhere: for figures that may be a mistake."""
    return calculate("only_between", x, parameters=_range("only_between", least, most))


def only_if(flag: Expression, x: Operand) -> Calculation:
    """x where the flag (or a number) is 1; missing elsewhere."""
    want(flag, "only_if", Type.FLAG, Type.NUMBER)
    return calculate("only_if", flag, x)


def is_missing(x: Expression) -> Calculation:
    """1 where x is missing, 0 where it is not."""
    return calculate("is_missing", x)


def first_of(value: Expression, *others: Operand) -> Calculation:
    """The first value that is not missing; of numbers, or of times."""
    return calculate("first_time_of" if value.type is Type.TIME else "first_of", value, *others)


def mean_of(*values: Expression) -> Calculation:
    """The mean of those that are not missing."""
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
    """Which of the ranges between ascending `edges` x lies in: a category with one value more than edges."""
    if not edges or list(edges) != sorted(set(edges)) or not all(map(math.isfinite, edges)):
        raise DeclarationError(f"bucketise has the edges {edges}", "give one or more, ascending")
    return calculate("bucketise", x, parameters=tuple(map(float, edges)))


def _range(name: str, least: float, most: float) -> tuple[float, float]:
    if not least < most:
        raise DeclarationError(f"{name} has the range {least:g} to {most:g}", "give the smaller end first")
    return float(least), float(most)
