"""What members do, as streams of events that aggregates count."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from streamrec.events import (
    Action,
    Connection,
    JobApplication,
    JobDismissal,
    JobLike,
    JobSave,
    JobView,
)
from streamrec.features.language.declaration import DeclarationError, number_text
from streamrec.features.language.types import Type, types_of
from streamrec.features.texts import key_of

ACTION_OF: Final[dict[type, Action]] = {
    JobView: Action.VIEW,
    JobLike: Action.LIKE,
    JobSave: Action.SAVE,
    JobApplication: Action.APPLY,
    JobDismissal: Action.DISMISS,
}
TOPIC_OF: Final[dict[type, str]] = {
    JobView: "job-views", JobLike: "job-likes", JobSave: "job-saves", JobApplication: "job-applications",
    JobDismissal: "job-dismissals", Connection: "connections",
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """What a field must be: equal to one of `values`, or below or above a bound. A missing field is none of these."""

    field: str
    test: str  # "is", "below", "above"
    values: tuple[Any, ...]

    def __str__(self) -> str:
        said = " or ".join(map(_said, self.values))
        return f"{self.field}={said}" if self.test == "is" else f"{self.field}={self.test}({said})"

    def holds(self, value: Any) -> bool:
        """Whether a value of the field meets it; one of another type does not."""
        if value is None:
            return False
        match self.test:
            case "below":
                return _is_number(value) and bool(value < self.values[0])
            case "above":
                return _is_number(value) and bool(value > self.values[0])
            case _:
                return key_of(value) in self.values if isinstance(value, str) else value in self.values


@dataclass(frozen=True)
class Bound:
    """A condition without its field: ``below(3)``."""

    test: str
    values: tuple[Any, ...]


def below(most: float) -> Bound:
    """Less than `most`: ``views.where(position=below(3))``."""
    return Bound("below", (most,))


def above(least: float) -> Bound:
    """More than `least`: ``views.where(dwell_ms=above(10_000))``."""
    return Bound("above", (least,))


def one_of(*values: Any) -> Bound:
    """Any of the values: ``views.where(surface=one_of("home", "search"))``."""
    if not values:
        raise DeclarationError("one_of has no values: no event is any of none", "give one or more")
    return Bound("is", tuple(map(key_of, values)))


def _said(value: Any) -> str:
    return number_text(value) if _is_number(value) else repr(value)


@dataclass(frozen=True)
class EventField:
    """A field of the events of a stream, to be added up, or to be part of a key: ``views.dwell_ms``."""

    stream: "Stream"
    name: str

    @property
    def type(self) -> Type:
        """As in the record."""
        return self.stream.types()[self.name]

    def __str__(self) -> str:
        return f"{self.stream}.{self.name}"


@dataclass(frozen=True)
class Stream:
    """Events of some kinds, filtered.

    Attributes
    ----------
    name
        As it is written.
    records
        The kinds: classes of `streamrec.events`.
    conditions
        What their fields must be.
    unrepeated
        Whether it has only the first of its kind by a member on a job: see `once`.

    Examples
    --------
    >>> str(views.where(surface="Home", position=below(3)))
    "views.where(position=below(3), surface='home')"
    """

    name: str
    records: tuple[type[msgspec.Struct], ...]
    conditions: tuple[Condition, ...] = ()
    unrepeated: bool = False

    def types(self) -> dict[str, Type]:
        """Fields that all kinds have, with their types."""
        found = dict(types_of(self.records[0]))
        for record in self.records[1:]:
            found = {name: kind for name, kind in found.items() if types_of(record).get(name) == kind}
        return found

    def where(self, **conditions: Any) -> "Stream":
        """Those whose fields are what is said: a value, or `below`, `above` or `one_of`.

        Raises DeclarationError for a field that the events do not have, or a value of another type.
        """
        made = list(self.conditions)
        for name, wanted in conditions.items():
            kind = self._type(name)
            bound = wanted if isinstance(wanted, Bound) else one_of(wanted)
            if name in _MARKS:
                raise DeclarationError(
                    f"{self.name}.{name} is no condition: what was taken back is not counted anyway",
                    f"leave {name} out",
                )
            if name.endswith("_id"):
                raise DeclarationError(
                    f"{self.name}.{name} is an id, and features are not of single ones", "count by=member or by=job"
                )
            fits = _FITS.get(kind)
            if fits is None or not all(map(fits, bound.values)) or (bound.test != "is" and kind is not Type.NUMBER):
                raise DeclarationError(
                    f"{self.name}.{name} is a {kind.value}, and is compared to {', '.join(map(repr, bound.values))}",
                    "compare a text to texts, a flag to True or False, and only numbers by above and below",
                )
            made.append(Condition(name, bound.test, tuple(sorted(set(bound.values)))))
        return replace(self, conditions=tuple(sorted(set(made), key=str)))

    def __getattr__(self, name: str) -> EventField:
        if name.startswith("__"):
            raise AttributeError(name)
        self._type(name)
        return EventField(self, name)

    def _type(self, name: str) -> Type:
        known = self.types()
        if name not in known:
            raise DeclarationError(f"{self.name} has no field {name!r}", f"use one of {', '.join(sorted(known))}")
        return known[name]

    def __str__(self) -> str:
        name = f"once({self.name})" if self.unrepeated else self.name
        conditions = ", ".join(map(str, self.conditions))
        return f"{name}.where({conditions})" if conditions else name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_MARKS: Final = ("saved", "liked")  # False where something is taken back: then the count is, too
_FITS: Final[dict[Type, Callable[[Any], bool]]] = {
    Type.NUMBER: _is_number,
    Type.TEXT: lambda value: isinstance(value, str),
    Type.FLAG: lambda value: isinstance(value, bool),
}


def once(stream: Stream) -> Stream:
    """Of each member, job and kind of action the first: who looks at a job again does not make it more popular.

    A save or like that was taken back may be given again, and counts again. A first one that does not meet the stream's
    conditions leaves nothing to count. Raises DeclarationError for connections.

    Examples
    --------
    >>> str(once(actions))
    'once(actions)'
    """
    if not set(stream.records) <= ACTION_OF.keys():
        raise DeclarationError(
            f"once({stream}): these are not of a job", "use it of views, likes, saves, …, or actions"
        )
    return replace(stream, unrepeated=True)


def _stream(name: str, records: Collection[type[msgspec.Struct]]) -> Stream:
    return Stream(name, tuple(records))


views = _stream("views", [JobView])
likes = _stream("likes", [JobLike])
saves = _stream("saves", [JobSave])
applications = _stream("applications", [JobApplication])
dismissals = _stream("dismissals", [JobDismissal])
actions = _stream("actions", [JobView, JobLike, JobSave, JobApplication])  # all but dismissals
connections = _stream("connections", [Connection])
