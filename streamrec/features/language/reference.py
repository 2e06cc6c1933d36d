"""Another feature, by its name: its value with its default, so that features build on each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Expression
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.reading import Reading


@dataclass(frozen=True)
class Reference(Expression):
    """A feature that may be declared before or after; the plan puts it in its place."""

    name: str

    kind: ClassVar[str] = "feature"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    @property
    def about(self) -> frozenset[str]:
        return frozenset()

    def __str__(self) -> str:
        return f"feature({self.name!r})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        raise DeclarationError(f"{self} is read without a plan", "put its feature into a plan", self.site)


def feature(name: str) -> Reference:
    """The value of another feature, its default where it is missing: ``feature("job_views")``, ``feature("job_views@2")``.

    Examples
    --------
    >>> str(2 * feature("job_views@2"))
    "multiply(2, feature('job_views@2'))"
    """
    return Reference(name)
