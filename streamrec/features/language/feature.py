"""A feature, and the sets of features that models read."""

import math
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from streamrec.features.cells.window import milliseconds
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.calculation import Calculation
from streamrec.features.language.declaration import DeclarationError, Site, name_of, number_text, site
from streamrec.features.language.expression import Expression
from streamrec.features.language.reference import Reference
from streamrec.features.language.texts import Cross, OneHot
from streamrec.features.language.types import Type

BUDGET: Final = 16_384  # bytes of a state, of each key
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Feature:
    """One expression with all that people need to know of it.

    Attributes
    ----------
    name
        Lower-case words joined by ``_``; with `version` unique.
    expression
        What it is: a number, a flag, or a category (a column for each value).
    description
        What it says, for people.
    unit
        What it is measured in.
    default
        Its value where what it needs is missing; default 0.
    owner
        Whom to ask; default the platform team.
    tags
        Words to find it by.
    version
        1 at first. A change of meaning is a new version, and both may be kept until no model reads the older one.
    ttl
        For how long (``"30d"``) its aggregates count after their last event; default None, as long as they are kept.
    budget
        Bytes that each state behind it may take of a member's or a job's value in Redis, at the most; default 16,384. A plan
        with a state that could take more is refused.
    entity
        What it is about: ``member``, ``job``, ``pair``, ``request`` or fields of a combined key. Default what the
        expression is about; stated, it is checked.

    Raises
    ------
    DeclarationError
        The expression is no number, or something is missing.
    """

    name: str
    expression: Expression
    description: str
    unit: str
    default: float = 0.0
    owner: str = "platform"
    tags: tuple[str, ...] = ()
    version: int = 1
    ttl: str | None = None
    budget: int = BUDGET
    entity: str = ""
    site: Site = field(default_factory=site, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(f"{self.name!r} is no name", "use lower-case words joined by _", self.site)
        if not isinstance(self.expression, Expression):
            raise DeclarationError(f"{self.name} is {name_of(self.expression)}", "give it an expression", self.site)
        if self.expression.type in (Type.TEXT, Type.TEXTS, Type.WORDS, Type.TIME):
            remedy = {
                Type.TIME: "use minutes_since(…)", Type.TEXT: "use same(…), one_hot(…) or cross(…)",
                Type.TEXTS: "use contains(…) or overlap(…)", Type.WORDS: "use cosine(posting.title, …)",
            }[self.expression.type]  # fmt: skip
            raise DeclarationError(
                f"{self.name} is {self.expression.type.noun}, and models read numbers", remedy, self.site
            )
        if not self.description.strip() or not self.unit.strip():
            raise DeclarationError(
                f"{self.name} has no description or no unit", "say both: others will look for it", self.site
            )
        if not math.isfinite(self.default):
            raise DeclarationError(f"{self.name} has the default {self.default}", "give a number", self.site)
        if self.default and self.expression.type is Type.CATEGORY:
            raise DeclarationError(
                f"{self.name} is a category with the default {self.default}",
                "leave the default out: all columns are 0 where the value is missing", self.site,
            )  # fmt: skip
        if self.budget < 1:
            raise DeclarationError(f"{self.name} has a budget of {self.budget} bytes", "give it some", self.site)
        if self.version < 1:
            raise DeclarationError(f"{self.name} has the version {self.version}", "versions count from 1", self.site)
        if self.ttl is not None:
            try:
                milliseconds(self.ttl)
            except ValueError as error:
                raise DeclarationError(
                    f"{self.name} has the time to live {self.ttl!r}", str(error).partition(": ")[2], self.site
                ) from error
            self._check_ttl()
        parts = walk(self.expression)
        if any(isinstance(each, Reference) for each in parts):
            return  # the plan checks it when it knows what is referred to
        found = entity_of(self.expression)
        if self.entity and self.entity != found:
            raise DeclarationError(
                f"{self.name} says that it is about {self.entity}, and its expression is about {found}",
                f'say entity="{found}" or leave it out', self.site,
            )  # fmt: skip
        object.__setattr__(self, "entity", found)

    def _check_ttl(self) -> None:
        parts = walk(self.expression)
        counted = [each for each in parts if isinstance(each, Aggregate)]
        if any(each.ttl_ms is not None for each in counted):
            return  # the plan has put it there, beside what the features that are referred to count
        if not counted:
            raise DeclarationError(
                f"{self.name} has the time to live {self.ttl}, and counts nothing itself",
                "leave ttl out, or say it where it is counted", self.site,
            )  # fmt: skip
        if any(each.by.everywhere for each in counted) or any(
            each.kind in ("beside_best", "standing") for each in parts
        ):
            raise DeclarationError(
                f"{self.name} has the time to live {self.ttl}, and is read of many jobs at once",
                "leave ttl out: use a decay", self.site,
            )  # fmt: skip

    @property
    def id(self) -> str:
        """Name and version: ``job_views@1``."""
        return f"{self.name}@{self.version}"

    @property
    def ttl_ms(self) -> int | None:
        """`ttl` in milliseconds."""
        return None if self.ttl is None else milliseconds(self.ttl)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in the matrix: its own, or one for each value of a category.

        By these a model knows what it has learned of what: those of a later version are other ones.
        """
        name = self.name if self.version == 1 else self.id
        match self.expression:
            case OneHot(values=values):
                return tuple(f"{name}={value}" for value in values)
            case Cross(buckets=buckets):
                return tuple(f"{name}#{number}" for number in range(buckets))
            case Calculation(name="bucketise", parameters=edges):
                return tuple(f"{name}#{number}" for number in range(len(edges) + 1))
            case _:
                return (name,)

    @property
    def meaning(self) -> str:
        """What changes whenever its values do."""
        return f"{self.expression} else {number_text(self.default)} within {self.ttl}"


def entity_of(expression: Expression) -> str:
    """What an expression is about, in a word.

    Examples
    --------
    >>> from streamrec.features.language import posting, profile, same
    >>> entity_of(same(posting.city, profile.city)), entity_of(profile.city)
    ('pair', 'member')
    """
    about = expression.about - {"request"} or expression.about
    if about == {"member", "job"}:
        return "pair"
    return next(iter(about)) if len(about) == 1 else " × ".join(sorted(about)) or "request"  # noqa: RUF001


@dataclass(frozen=True)
class FeatureSet:
    """Features in the order in which a model reads them.

    Attributes
    ----------
    model
        Whose set it is.
    wants
        Names, or ``name@version`` where several versions live side by side.
    """

    model: str
    wants: tuple[str, ...]
    site: Site = field(default_factory=site, compare=False, repr=False)

    def name(self, features: tuple[Feature, ...]) -> str:
        """What the set is called in examples and snapshots: it changes with the meaning of any of its features."""
        said = "\n".join(f"{each.id}: {each.meaning}" for each in features)
        return f"{self.model}/{blake2b(said.encode(), digest_size=4).hexdigest()}"


def walk(expression: Expression) -> tuple[Expression, ...]:
    """The expression and all that it is made of, parts first, each once."""
    seen: dict[Expression, None] = {}

    def visit(each: Expression) -> None:
        if each not in seen:
            for part in each.parts:
                visit(part)
            seen[each] = None

    visit(expression)
    return tuple(seen)
