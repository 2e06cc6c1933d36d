"""How long ago something was."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from streamrec.features.language.expression import Expression, want
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.reading import Reading


@dataclass(frozen=True)
class MinutesSince(Expression):
    """Minutes from a time to the moment of reading."""

    at: Expression

    kind: ClassVar[str] = "minutes_since"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return (self.at,)

    def __str__(self) -> str:
        return f"minutes_since({self.at})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.minutes_since(inputs[0])


def minutes_since(at: Expression) -> MinutesSince:
    """Minutes since a time; 0 for one to come, missing where the time is.

    Examples
    --------
    >>> from streamrec.features.language import job
    >>> str(minutes_since(job.last_at))
    'minutes_since(job.last_at)'
    """
    want(at, "minutes_since", Type.TIME)
    return MinutesSince(at)
