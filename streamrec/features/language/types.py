"""What the values of expressions can be, and what they are about."""

import types
import typing
from enum import Enum
from functools import cache
from typing import Any, Final

import msgspec


class Type(Enum):
    """The type of an expression: what can be done with its values."""

    NUMBER = "number"
    FLAG = "flag"  # 0 or 1
    TIME = "time"  # milliseconds since the epoch
    TEXT = "text"  # compared without case and surrounding space
    TEXTS = "texts"  # a set of them
    WORDS = "profile of words"  # weighted
    CATEGORY = "category"  # one of a few: a column each

    @property
    def noun(self) -> str:
        """With its article."""
        return "texts" if self is Type.TEXTS else f"a {self.value}"

    @property
    def numeric(self) -> bool:
        """Whether arithmetic makes sense."""
        return self in (Type.NUMBER, Type.FLAG)


_TIMES: Final = ("_at",)


@cache
def types_of(record: type[msgspec.Struct]) -> dict[str, Type]:
    """Type of each field of a record of `streamrec.events` that an expression can read.

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> found = types_of(JobView)
    >>> found["occurred_at"], found["dwell_ms"], found["surface"]
    (<Type.TIME: 'time'>, <Type.NUMBER: 'number'>, <Type.TEXT: 'text'>)
    """
    found = {}
    for name, hint in typing.get_type_hints(record).items():
        kind = _type(name, hint)
        if kind is not None:
            found[name] = kind
    return found


def _type(name: str, hint: Any) -> Type | None:
    if isinstance(hint, types.UnionType):
        [hint] = [each for each in typing.get_args(hint) if each is not type(None)]
    if typing.get_origin(hint) is tuple:
        return Type.TEXTS if typing.get_args(hint)[0] is str else None
    if hint is str:
        return Type.TEXT
    if hint is bool:
        return Type.FLAG
    if hint in (int, float):
        return Type.TIME if name.endswith(_TIMES) else Type.NUMBER
    return None
