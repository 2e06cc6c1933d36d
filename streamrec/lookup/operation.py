"""One operation of the API, declared once: what is declared here validates requests and makes the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from streamrec.codecs import MAX_ID
from streamrec.lookup.problems import Kind
from streamrec.settings import Settings

if TYPE_CHECKING:
    from streamrec.lookup.service import Service

JSON: Final = "application/json"
ID_LENGTH: Final = MAX_ID  # characters of a member's or job's id


class Call(msgspec.Struct, frozen=True):
    """One request, read and validated: `query` and `body` are of the types that the operation declares."""

    request_id: str
    path: Mapping[str, str]
    query: Any
    body: Any


class Reply(msgspec.Struct, frozen=True):
    """An answer that is not simply a 200 with JSON."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class PathParameter(msgspec.Struct, frozen=True):
    """A part of the path: an id of 1 to `ID_LENGTH` characters."""

    name: str
    description: str
    example: str


MEMBER_ID: Final = PathParameter(
    "member_id", "The member; unknown ones are fine unless an operation says otherwise.", "m42"
)
JOB_ID: Final = PathParameter("job_id", "The job.", "j17")
FEATURE: Final = PathParameter("name", "The feature: its name, for the newest version, or `name@version`.", "save_rate")
WORKFLOW: Final = PathParameter("name", "The workflow: `name` (its latest version) or `name@version`.", "jobs")

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes
    ----------
    name
        The operation's id in the OpenAPI document, and the label of its metrics.
    query, body
        Structs that the query and the JSON body must fit; None where there is none.
    limits
        Bounds that an installation sets: field -> name of the setting with its largest value (of a number) or length
        (of a list). They are checked and documented beside those that the types declare.
    answers
        Status -> (type of the JSON answer or a media type, description).
    problems
        The kinds of problem that only this kind of operation has; those of every operation are added to the document.
    body_example
        As JSON would decode it.
    body_schema
        Makes the schema of a body that no single type declares; adds what it refers to, to the given components.
    """

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    handler: Callable[["Service", Call], Awaitable[Any]]
    path_parameters: tuple[PathParameter, ...] = ()
    query: type[msgspec.Struct] | None = None
    body: Any = None
    limits: Mapping[str, str] = {}
    answers: Mapping[int, tuple[Any, str]]
    problems: tuple[Kind, ...] = ()
    body_example: Any = None
    body_schema: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def bounds(self, settings: Settings) -> dict[str, int]:
        """Largest value or length of the fields that the installation bounds."""
        return {field: int(getattr(settings, setting)) for field, setting in self.limits.items()}
