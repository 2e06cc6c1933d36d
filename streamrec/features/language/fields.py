"""What is known of the member, of the job and of the request: fields of their newest records."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Expression, want
from streamrec.features.language.streams import TOPIC_OF
from streamrec.features.language.types import Type, types_of

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

_KEYS: Final = {"member_id", "job_id"}
FIELDS: Final[dict[str, dict[str, Type]]] = {
    "posting": {name: kind for name, kind in types_of(JobPosting).items() if name not in _KEYS},
    "profile": {name: kind for name, kind in types_of(MemberProfile).items() if name not in _KEYS},
    "member": {"first_at": Type.TIME, "last_at": Type.TIME},
    "job": {"first_at": Type.TIME, "last_at": Type.TIME},
    "context": {"surface": Type.TEXT, "hour": Type.NUMBER, "weekday": Type.NUMBER},
}
_ABOUT: Final = {"posting": "job", "job": "job", "profile": "member", "member": "member", "context": "request"}
_TOPICS: Final = {"posting": "job-postings", "profile": "member-profiles", "context": "request"}
_TIMES: Final = {
    "member": frozenset(f"{topic}.occurred_at" for topic in TOPIC_OF.values()),
    "job": frozenset(f"{topic}.occurred_at" for topic in TOPIC_OF.values() if topic != "connections"),
}  # of the first and the last event


@dataclass(frozen=True)
class Field(Expression):
    """A field, by where it comes from and its name."""

    origin: str
    name: str

    kind: ClassVar[str] = "field"

    @property
    def type(self) -> Type:
        return FIELDS[self.origin][self.name]

    @property
    def about(self) -> frozenset[str]:
        return frozenset({_ABOUT[self.origin]})

    @property
    def sources(self) -> frozenset[str]:
        return _TIMES.get(self.origin) or frozenset({f"{_TOPICS[self.origin]}.{self.name}"})

    def __str__(self) -> str:
        return f"{self.origin}.{self.name}"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.field(self.origin, self.name)


@dataclass(frozen=True)
class Home(Expression):
    """What the member's profile says or, where it does not, what at least half of the recent jobs have."""

    of_field: Field

    kind: ClassVar[str] = "home"

    @property
    def type(self) -> Type:
        return Type.TEXT

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.of_field,)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset({f"job-postings.{self.of_field.name}"})

    def __str__(self) -> str:
        return f"home({self.of_field})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.home(self.of_field.name)


class Record:
    """Gives the fields of one origin as attributes: ``posting.title``."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        known = FIELDS[self._origin]
        if name not in known:
            raise DeclarationError(f"{self._origin} has no field {name!r}", f"use one of {', '.join(sorted(known))}")
        return Field(self._origin, name)


posting, profile, context = Record("posting"), Record("profile"), Record("context")
HOMES: Final = ("city", "region", "function")


def home(field: Field) -> Home:
    """Where the member is at home: ``home(profile.city)``; also of a region or a function.

    Examples
    --------
    >>> from streamrec.features.language import profile
    >>> str(home(profile.region))
    'home(profile.region)'
    """
    want(field, "home", Type.TEXT)
    if field.origin != "profile" or field.name not in HOMES:
        raise DeclarationError(
            f"home cannot tell {field}", f"use one of {', '.join(f'profile.{name}' for name in HOMES)}"
        )
    return Home(field)
