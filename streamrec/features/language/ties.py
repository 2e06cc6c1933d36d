"""What ties a job to a member: the jobs it touched lately, who else touched them, words, and what its connections did."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamrec.events import Action
from streamrec.features.columns import NEWEST
from streamrec.features.language.aggregates import Aggregate, count
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import PAIR, Expression, want
from streamrec.features.language.fields import Field, Home
from streamrec.features.language.keys import job
from streamrec.features.language.streams import TOPIC_OF, actions, once
from streamrec.features.language.types import Type
from streamrec.features.language.windows import decay

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

SHARED: Final = ("company", "city", "region", "country", "industry", "function")
_TOUCHED: Final = frozenset(
    f"{topic}.{name}" for record, topic in TOPIC_OF.items() if topic != "connections"
    for name in ("member_id", "job_id", "occurred_at")
)  # fmt: skip


@dataclass(frozen=True)
class _Tie(Expression):
    @property
    def type(self) -> Type:
        return Type.NUMBER

    @property
    def about(self) -> frozenset[str]:
        return PAIR


@dataclass(frozen=True)
class Share(_Tie):
    """Share of the member's recent jobs that have the job's text."""

    of_field: Field

    kind: ClassVar[str] = "share"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.of_field,)

    @property
    def sources(self) -> frozenset[str]:
        return _TOUCHED

    def __str__(self) -> str:
        return f"share({self.of_field})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.share(self.of_field.name)


@dataclass(frozen=True)
class Cooccurrence(_Tie):
    """How strongly the job is tied to the member's recent ones by others who touched both."""

    kind: ClassVar[str] = "cooccurrence"

    @property
    def sources(self) -> frozenset[str]:
        return _TOUCHED

    def __str__(self) -> str:
        return "cooccurrence()"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.covisit_scores


@dataclass(frozen=True)
class LastCooccurrence(Cooccurrence):
    """How strongly the job is tied to the member's newest one."""

    kind: ClassVar[str] = "cooccurrence"

    def __str__(self) -> str:
        return "cooccurrence(last)"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.last_covisit_scores


@dataclass(frozen=True)
class Rank(_Tie):
    """Place of the job among those tied to the member's recent ones."""

    tie: Cooccurrence

    kind: ClassVar[str] = "rank"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.tie,)

    def __str__(self) -> str:
        return f"rank({self.tie})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.covisit_ranks


@dataclass(frozen=True)
class Resemblance(_Tie):
    """How much those who touched the job last resemble the member."""

    kind: ClassVar[str] = "resemblance"

    @property
    def sources(self) -> frozenset[str]:
        return _TOUCHED

    def __str__(self) -> str:
        return "resemblance()"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.resemblance()


@dataclass(frozen=True)
class Words(Expression):
    """Weighted words of a member, or those of a title."""

    name: str

    kind: ClassVar[str] = "words"

    @property
    def type(self) -> Type:
        return Type.WORDS

    @property
    def about(self) -> frozenset[str]:
        return frozenset({"member"})

    @property
    def sources(self) -> frozenset[str]:
        wanted = {"member-profiles.desired_titles", "member-profiles.headline"} if self.name == "interests" else set()
        return _TOUCHED | {"job-postings.title"} | wanted

    def __str__(self) -> str:
        return self.name

    def read(self, of: "Reading", *inputs: Any) -> Any:
        raise DeclarationError(f"{self} has no value by itself", "use cosine(posting.title, …)", self.site)


@dataclass(frozen=True)
class Cosine(_Tie):
    """Cosine of a job's title and words of the member, each word weighted by its idf."""

    title: Field
    words: Expression

    kind: ClassVar[str] = "cosine"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return self.title, self.words

    def __str__(self) -> str:
        return f"cosine({self.title}, {self.words})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.cosine(str(self.words))


@dataclass(frozen=True)
class Coverage(_Tie):
    """How much of the best-matching of some titles is in the job's title."""

    titles: Field
    title: Field

    kind: ClassVar[str] = "coverage"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return self.titles, self.title

    def __str__(self) -> str:
        return f"coverage({self.titles}, {self.title})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.desired_coverage()


@dataclass(frozen=True)
class ConnectionsThat(_Tie):
    """How many of the member's connections did something with the job lately."""

    least: str

    kind: ClassVar[str] = "connections_that"

    @property
    def sources(self) -> frozenset[str]:
        return _TOUCHED | {"connections.other_member_id", "connections.connected"}

    def __str__(self) -> str:
        return f"connections_that({self.least})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.connections_that(self.least)


@dataclass(frozen=True)
class ConnectionsAt(_Tie):
    """How many of the member's connections work at the job's company."""

    company: Field

    kind: ClassVar[str] = "connections_at"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.company,)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset({"connections.other_member_id", "connections.connected", "member-profiles.company"})

    def __str__(self) -> str:
        return f"connections_at({self.company})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.connections_at()


@dataclass(frozen=True)
class BesideBest(_Tie):
    """A count of the job beside that of the most popular job where the member is at home."""

    counted: Aggregate
    place: Home

    kind: ClassVar[str] = "beside_best"

    @property
    def parts(self) -> tuple[Expression, ...]:
        return self.counted, self.place

    @property
    def sources(self) -> frozenset[str]:
        return frozenset({f"job-postings.{self.place.of_field.name}"})

    def __str__(self) -> str:
        return f"beside_best({self.counted}, {self.place})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.beside_best(self.place.of_field.name, self.counted)


@dataclass(frozen=True)
class Standing(Expression):
    """Place of the job among all open ones by how much it is asked for, or by how new it is."""

    counted: Aggregate | None

    kind: ClassVar[str] = "standing"

    @property
    def type(self) -> Type:
        return Type.NUMBER

    @property
    def about(self) -> frozenset[str]:
        return frozenset({"job"})

    @property
    def parts(self) -> tuple[Expression, ...]:
        return () if self.counted is None else (self.counted,)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset({"job-postings.posted_at"}) if self.counted is None else frozenset()

    def __str__(self) -> str:
        return f"standing({'newest' if self.counted is None else self.counted})"

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.ties.standing(NEWEST if self.counted is None else of.table.leading(self.counted))


interests, last_title = Words("interests"), Words("last_title")


def share(field: Field) -> Share:
    """Share, by weight, of the member's 20 recent jobs with the job's text in a field; missing where either is unknown.

    Examples
    --------
    >>> from streamrec.features.language import posting
    >>> str(share(posting.company))
    'share(posting.company)'
    """
    if str(field) not in {f"posting.{name}" for name in SHARED}:
        raise DeclarationError(f"share of {field}", f"use one of {', '.join(f'posting.{name}' for name in SHARED)}")
    return Share(field)


def cooccurrence() -> Cooccurrence:
    """Ties to the member's recent jobs by members who touched both: weights with a half-life of 10 days; 0 for none."""
    return Cooccurrence()


def last_cooccurrence() -> Cooccurrence:
    """The same to the member's newest job alone."""
    return LastCooccurrence()


def resemblance() -> Resemblance:
    """How much those who touched the job last resemble the member, 0 to about 1: see `features.resemblance`."""
    return Resemblance()


def rank(tie: Cooccurrence) -> Rank:
    """0 for the job that is tied most to the recent ones, 1 for the next, …; missing for jobs that are not tied."""
    if isinstance(tie, LastCooccurrence):
        raise DeclarationError(f"rank of {tie}", "use rank(cooccurrence())")
    return Rank(tie)


def standing(counted: Aggregate | None = None) -> Standing:
    """How many open jobs are ahead of the job by a count, or in being new without one; at most 100.

    Examples
    --------
    >>> str(standing())
    'standing(newest)'
    """
    if counted is not None:
        _want_ordered("standing", counted)
    return Standing(counted)


def cosine(title: Field, words: Words | Field) -> Cosine:
    """Cosine of a job's title and `interests`, `last_title` or ``profile.desired_titles``; missing where either is empty.

    Examples
    --------
    >>> from streamrec.features.language import posting
    >>> str(cosine(posting.title, interests))
    'cosine(posting.title, interests)'
    """
    want(title, "cosine", Type.TEXT)
    if str(title) != "posting.title" or str(words) not in ("interests", "last_title", "profile.desired_titles"):
        raise DeclarationError(
            f"cosine of {title} and {words}", "use posting.title and interests, last_title or profile.desired_titles"
        )
    return Cosine(title, words)


def coverage(titles: Field, title: Field) -> Coverage:
    """How much of one of the member's desired titles is in the job's title, words weighted by idf²; missing without any."""
    if (str(titles), str(title)) != ("profile.desired_titles", "posting.title"):
        raise DeclarationError(
            f"coverage of {titles} by {title}", "use coverage(profile.desired_titles, posting.title)"
        )
    return Coverage(titles, title)


ORDERED: Final = ("1h", "1d", "10d")  # half-lives of the counts of actions by which jobs are ordered
CONNECTIONS_DID: Final = {"viewed": Action.VIEW, "liked": Action.LIKE, "applied": Action.APPLY}


def connections_that(did: str) -> ConnectionsThat:
    """How many connections ``"viewed"`` the job or did more, ``"liked"`` or saved it or applied, or ``"applied"``, in 30 days.

    Examples
    --------
    >>> str(connections_that("applied"))
    'connections_that(applied)'
    """
    if did not in CONNECTIONS_DID:
        raise DeclarationError(f"connections_that({did!r})", f"use one of {', '.join(map(repr, CONNECTIONS_DID))}")
    return ConnectionsThat(did)


def connections_at(company: Field) -> ConnectionsAt:
    """How many connections work at the job's company; missing where it names none, or the member has no connections."""
    if str(company) != "posting.company":
        raise DeclarationError(f"connections_at({company})", "use connections_at(posting.company)")
    return ConnectionsAt(company)


def beside_best(counted: Aggregate, place: Home) -> BesideBest:
    """A count of the job beside that of the most popular open job in the member's region or function; missing outside of it."""
    if not isinstance(place, Home) or place.of_field.name not in ("region", "function"):
        raise DeclarationError(f"beside_best within {place}", "use home(profile.region) or home(profile.function)")
    _want_ordered("beside_best", counted)
    return BesideBest(counted, place)


def _want_ordered(name: str, counted: Aggregate) -> None:
    known = [count(once(actions), by=job, window=decay(half_life)) for half_life in ORDERED]
    if counted not in known:
        raise DeclarationError(
            f"{name} of {counted}, by which jobs are not ordered", f"use {' or '.join(map(str, known))}"
        )
