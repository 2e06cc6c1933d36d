"""Texts and sets of texts, compared: without case and the space around them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamrec.features import texts
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Expression, want
from streamrec.features.language.types import Type
from streamrec.features.texts import key_of

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

MOST_VALUES: Final = 64


@dataclass(frozen=True)
class _Two(Expression):
    left: Expression
    right: Expression

    @property
    def type(self) -> Type:
        return Type.FLAG

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return self.left, self.right

    def __str__(self) -> str:
        return f"{self.kind}({self.left}, {self.right})"


@dataclass(frozen=True)
class Same(_Two):
    """Whether two texts are equal."""

    kind: ClassVar[str] = "same"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.same(*inputs)


@dataclass(frozen=True)
class Contains(_Two):
    """Whether a set has a text."""

    kind: ClassVar[str] = "contains"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.contains(*inputs)


@dataclass(frozen=True)
class Overlap(_Two):
    """Share of the first set that is in the second."""

    kind: ClassVar[str] = "overlap"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.overlap(*inputs)


@dataclass(frozen=True)
class Level(Expression):
    """Step of a career that a text names."""

    text: Expression

    kind: ClassVar[str] = "level"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return (self.text,)

    def __str__(self) -> str:
        return f"level({self.text})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.level(inputs[0])


@dataclass(frozen=True)
class OneHot(Expression):
    """Which of some texts a text is: a category."""

    text: Expression
    values: tuple[str, ...]

    kind: ClassVar[str] = "one_hot"

    @property
    def type(self) -> Type:
        return Type.CATEGORY

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return (self.text,)

    def __str__(self) -> str:
        return f"one_hot({self.text}, {', '.join(map(repr, self.values))})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.place_in(inputs[0], self.values)


@dataclass(frozen=True)
class Cross(_Two):
    """Two texts together, hashed to one of `buckets` values: a category."""

    buckets: int

    kind: ClassVar[str] = "cross"

    @property
    def type(self) -> Type:
        return Type.CATEGORY

    def __str__(self) -> str:
        return f"cross({self.left}, {self.right}, buckets={self.buckets})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return texts.hashed(inputs[0], inputs[1], self.buckets)


def same(left: Expression, right: Expression) -> Same:
    """1 where two texts are equal, 0 where they differ, missing where either is.

    Examples
    --------
    >>> from streamrec.features.language import home, posting, profile
    >>> str(same(posting.city, home(profile.city)))
    'same(posting.city, home(profile.city))'
    """
    want(left, "same", Type.TEXT)
    want(right, "same", Type.TEXT)
    return Same(left, right)


def contains(among: Expression, text: Expression) -> Contains:
    """1 where a set has a text, 0 where not; missing where the set is empty or the text unknown.

    Examples
    --------
    >>> from streamrec.features.language import posting, profile
    >>> str(contains(profile.followed_companies, posting.company))
    'contains(profile.followed_companies, posting.company)'
    """
    want(among, "contains", Type.TEXTS)
    want(text, "contains", Type.TEXT)
    return Contains(among, text)


def overlap(some: Expression, others: Expression) -> Overlap:
    """Share of `some` that is among `others`; missing where either is empty.

    Examples
    --------
    >>> from streamrec.features.language import posting, profile
    >>> str(overlap(posting.skills, profile.skills))
    'overlap(posting.skills, profile.skills)'
    """
    want(some, "overlap", Type.TEXTS)
    want(others, "overlap", Type.TEXTS)
    return Overlap(some, others)


def level(text: Expression) -> Level:
    """Step of a career from 0 (intern) to 6 (executive), of the words for it; missing for other words."""
    want(text, "level", Type.TEXT)
    return Level(text)


def one_hot(text: Expression, *values: str) -> OneHot:
    """A column for each of `values`: 1 where the text is that one.

    Examples
    --------
    >>> from streamrec.features.language import posting
    >>> one_hot(posting.employment_type, "Full-time", "Contract").values
    ('full-time', 'contract')
    """
    want(text, "one_hot", Type.TEXT)
    if not 0 < len(values) <= MOST_VALUES or len(set(map(key_of, values))) < len(values):
        raise DeclarationError(f"one_hot of {text} has {len(values)} values", f"give 1 to {MOST_VALUES}, each once")
    return OneHot(text, tuple(map(key_of, values)))


def cross(left: Expression, right: Expression, buckets: int = 16) -> Cross:
    """A column for each of `buckets` values that the two texts together hash to; all 0 where either is missing.

    Examples
    --------
    >>> from streamrec.features.language import posting, profile
    >>> str(cross(posting.function, profile.function, buckets=32))
    'cross(posting.function, profile.function, buckets=32)'
    """
    want(left, "cross", Type.TEXT)
    want(right, "cross", Type.TEXT)
    if not 1 < buckets <= MOST_VALUES:
        raise DeclarationError(f"cross into {buckets} buckets", f"use 2 to {MOST_VALUES}")
    return Cross(left, right, buckets)
