"""An aggregate that counts for a while after its last event only."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.expression import Expression
from streamrec.features.language.types import Type

if TYPE_CHECKING:
    from streamrec.features.reading import Reading


@dataclass(frozen=True)
class Within(Expression):
    """The aggregate, missing once its last event is longer ago than `ttl_ms`; the plan puts it where a feature has a ttl."""

    aggregate: Aggregate
    ttl_ms: int

    kind: ClassVar[str] = "within"

    @property
    def type(self) -> Type:
        return self.aggregate.type

    @property
    def inputs(self) -> tuple[Expression, ...]:
        return (self.aggregate,)

    def __str__(self) -> str:
        return f"within({self.aggregate}, {self.ttl_ms // 1000}s)"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.within(self.aggregate, self.ttl_ms, inputs[0])
