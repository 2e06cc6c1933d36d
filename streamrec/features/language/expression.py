"""What a feature is made of: typed expressions, equal where they say the same."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Union

import numpy as np

from streamrec.features.language.declaration import DeclarationError, Site, number_text, site
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.language.calculation import Calculation
    from streamrec.features.reading import Reading

PAIR: Final = frozenset({"member", "job"})

Operand = Union["Expression", float]


@dataclass(frozen=True)
class Expression(ABC):
    """One node. Equal expressions are computed once, and keep one state.

    Attributes
    ----------
    site
        Where it was declared.
    kind
        What it is called in the catalogue.
    """

    site: Site = field(default_factory=site, compare=False, repr=False, kw_only=True)

    kind: ClassVar[str] = ""

    @property
    @abstractmethod
    def type(self) -> Type:
        """Of its values."""

    @property
    def inputs(self) -> tuple["Expression", ...]:
        """What it is computed from, in the order in which `read` gets the values."""
        return ()

    @property
    def parts(self) -> tuple["Expression", ...]:
        """What it is made of: its `inputs`, and what it names without needing its values."""
        return self.inputs

    @property
    def about(self) -> frozenset[str]:
        """What its value may differ by: ``member``, ``job``, ``request``, or fields of combined keys."""
        return frozenset().union(*(each.about for each in self.parts))

    @property
    def sources(self) -> frozenset[str]:
        """What it reads itself, as ``topic.field``; `parts` read theirs."""
        return frozenset()

    @abstractmethod
    def __str__(self) -> str:
        """How it is declared."""

    @abstractmethod
    def read(self, of: "Reading", *inputs: Any) -> Any:
        """Its values for the jobs of a reading: numbers as float64 ``(n,)`` or one for all, NaN where something is missing."""

    # Arithmetic.

    def _with(self, name: str, *operands: Any) -> "Calculation":
        from streamrec.features.language.calculation import calculate  # noqa: PLC0415 - the two know each other

        return calculate(name, *operands)

    def __add__(self, other: Operand) -> "Calculation":
        return self._with("add", self, other)

    def __radd__(self, other: float) -> "Calculation":
        return self._with("add", other, self)

    def __sub__(self, other: Operand) -> "Calculation":
        return self._with("subtract", self, other)

    def __rsub__(self, other: float) -> "Calculation":
        return self._with("subtract", other, self)

    def __mul__(self, other: Operand) -> "Calculation":
        return self._with("multiply", self, other)

    def __rmul__(self, other: float) -> "Calculation":
        return self._with("multiply", other, self)

    def __truediv__(self, other: Operand) -> "Calculation":
        return self._with("ratio", self, other)

    def __rtruediv__(self, other: float) -> "Calculation":
        return self._with("ratio", other, self)

    def __gt__(self, other: Operand) -> "Calculation":
        return self._with("above", self, other)

    def __lt__(self, other: Operand) -> "Calculation":
        return self._with("below", self, other)

    def __bool__(self) -> bool:
        raise DeclarationError(
            f"{self} has no value while features are declared",
            "use only_if(flag, value) instead of `if`, and multiply flags instead of `and`",
        )


@dataclass(frozen=True)
class Constant(Expression):
    """A number."""

    value: float

    kind: ClassVar[str] = "constant"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    def __str__(self) -> str:
        return number_text(self.value)

    def read(self, of: "Reading", *inputs: Any) -> Any:
        """The number, for all jobs."""
        return np.float64(self.value)


def as_expression(operand: Operand) -> Expression:
    """The expression itself, or the number as one; raises DeclarationError for anything else."""
    if isinstance(operand, Expression):
        return operand
    if isinstance(operand, int | float) and math.isfinite(operand):
        return Constant(float(operand))
    raise DeclarationError(f"{_name(operand)} is no value", "use an expression or a number; count events by count(…)")


def want(expression: Expression, name: str, *wanted: Type) -> None:
    """Raise DeclarationError unless the expression is of one of the types."""
    if not isinstance(expression, Expression):
        raise DeclarationError(
            f"{name} needs an expression, and {_name(expression)} is none",
            "use a field, an aggregate or what is made of them; same(…) instead of ==",
        )
    if expression.type not in wanted:
        names = " or ".join(each.noun for each in wanted)
        raise DeclarationError(
            f"{name} needs {names}, and {expression} is {expression.type.noun}",
            _REMEDIES.get((expression.type, Type.NUMBER in wanted), f"give it {names}"),
        )


def _name(value: object) -> str:
    """What is no expression, as it may have been written."""
    return str(value) if type(value).__module__.startswith("streamrec.") else repr(value)


_REMEDIES: Final = {
    (Type.TIME, True): "use minutes_since(…) to make a number of a time",
    (Type.TEXT, True): "compare a text by same(…), or make columns of it by one_hot(…) or cross(…)",
    (Type.TEXTS, True): "use contains(…) or overlap(…) for texts",
    (Type.WORDS, True): "use cosine(posting.title, …) for weighted words",
    (Type.WORDS, False): "use cosine(posting.title, …) for weighted words",
    (Type.CATEGORY, True): "a category is a feature by itself: it has one column for each value",
}
