"""What can go wrong in a request, as problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

MEDIA_TYPE: Final = "application/problem+json"


class Kind(msgspec.Struct, frozen=True):
    """One kind of problem. `name` is stable, so that programs may depend on it; `title` is for people."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URI that RFC 9457 calls the problem's type."""
        return f"urn:streamrec:problem:{self.name}"


INVALID_REQUEST: Final = Kind("invalid-request", 400, "The request cannot be read")
INVALID_JSON: Final = Kind("invalid-json", 400, "The body is not JSON")
INVALID_CURSOR: Final = Kind("invalid-cursor", 400, "The cursor does not fit this request")
INVALID_TOKEN: Final = Kind("invalid-token", 400, "The token cannot be read")
INVALID_WORKFLOW: Final = Kind("invalid-workflow", 400, "No such workflow makes lists here")
NO_TIME_TRAVEL: Final = Kind("no-time-travel", 400, "This installation answers as of now only")
NOT_FOUND: Final = Kind("not-found", 404, "There is nothing at this path")
UNKNOWN_JOB: Final = Kind("unknown-job", 404, "No such job")
UNKNOWN_MEMBER: Final = Kind("unknown-member", 404, "No such member")
UNKNOWN_FEATURE: Final = Kind("unknown-feature", 404, "No such feature")
UNKNOWN_WORKFLOW: Final = Kind("unknown-workflow", 404, "No such workflow")
METHOD_NOT_ALLOWED: Final = Kind("method-not-allowed", 405, "The path does not take this method")
BODY_TIMEOUT: Final = Kind("body-timeout", 408, "The body did not arrive in time")
TOPIC_RECREATED: Final = Kind("topic-recreated", 409, "The token's topic was deleted and created again")
BODY_TOO_LARGE: Final = Kind("body-too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE: Final = Kind("unsupported-media-type", 415, "The body must be JSON")
INVALID_PARAMETER: Final = Kind("invalid-parameter", 422, "A parameter does not fit")
INVALID_BODY: Final = Kind("invalid-body", 422, "The body does not fit")
EVENTS_REJECTED: Final = Kind("events-rejected", 422, "No event could be used")
INTERNAL_ERROR: Final = Kind("internal-error", 500, "Something went wrong in the service")
UNREADABLE_STATE: Final = Kind("unreadable-state", 500, "What is stored cannot be read by this version")
STORE_UNAVAILABLE: Final = Kind("store-unavailable", 503, "The store does not answer")
TABLE_LOADING: Final = Kind("table-loading", 503, "The jobs are being loaded")
KAFKA_UNAVAILABLE: Final = Kind("kafka-unavailable", 503, "Kafka does not take events")

KINDS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Kind))


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one part of a request: `where` is ``path``, ``query``, ``header`` or ``body``."""

    where: str
    name: str
    detail: str


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as RFC 9457 has it. `type` is stable for programs, `detail` is for people and may change.

    `request_id` finds the request in the service's log; `errors` names what to correct.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):  # noqa: N818 - what RFC 9457 calls it
    """Raised by whatever answers a request to end it with a problem document.

    Parameters
    ----------
    kind
        What went wrong.
    detail
        What went wrong this time, and what to do.
    errors
        The parts of the request that must be corrected.
    headers
        Headers of the answer, such as ``Retry-After``.
    members
        Further members of the document (extension members in RFC 9457).
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{kind.name}: {detail}")
        self.kind, self.detail, self.errors = kind, detail, tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def document(self, request_id: str) -> bytes:
        """The JSON document to send.

        Examples
        --------
        >>> document = msgspec.json.decode(Problem(UNKNOWN_JOB, "no job 'j1'").document("r-1"))
        >>> document["type"], document["status"], document["request_id"]
        ('urn:streamrec:problem:unknown-job', 404, 'r-1')
        """
        document = ProblemDocument(
            type=self.kind.type, title=self.kind.title, status=self.kind.status, detail=self.detail,
            request_id=request_id, errors=self.errors,
        )  # fmt: skip
        if not self.members:
            return msgspec.json.encode(document)
        return msgspec.json.encode({**msgspec.to_builtins(document), **self.members})


def bad_parameter(where: str, name: str, detail: str) -> Problem:
    """One parameter does not fit.

    Examples
    --------
    >>> bad_parameter("query", "limit", "Expected `int` >= 1").detail
    'limit: Expected `int` >= 1'
    """
    return Problem(INVALID_PARAMETER, f"{name}: {detail}", errors=[FieldError(where, name, detail)])
