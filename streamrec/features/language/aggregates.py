"""What is counted of streams, by which key and over which window."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from streamrec.features.cells.base import Cell, Kept
from streamrec.features.cells.make import make
from streamrec.features.cells.window import Window, always, text_of
from streamrec.features.language.calculation import Calculation, calculate
from streamrec.features.language.declaration import DeclarationError, name_of
from streamrec.features.language.expression import Expression
from streamrec.features.language.keys import By, Key, key
from streamrec.features.language.streams import TOPIC_OF, EventField, Stream
from streamrec.features.language.types import Type
from streamrec.features.language.windows import decay, last

if TYPE_CHECKING:
    from streamrec.features.reading import Reading

_OF_NUMBERS: Final = ("total", "mean", "variance", "least", "most")
_OF_TEXTS: Final = ("distinct", "texts", "top")
_LISTS: Final = ("texts", "top")
_TIMES: Final = ("first_at", "latest_at")


@dataclass(frozen=True)
class Aggregate(Expression):
    """One aggregate; equal ones are one state.

    Attributes
    ----------
    aggregate
        What `cells.make.make` calls it: ``count``, ``top 20``, …
    stream, value
        The events and, where their values matter, the name of the field.
    by, window
        Key and window.
    keep
        Texts of a combined key that an owner keeps; None where there are none.
    ttl_ms
        For how long it counts after its last event (ms), the time to live of its feature: then it is missing, and starts
        anew with the next event (so of events on both sides of a pause, late ones may count or not). None for ever.
    """

    aggregate: str
    stream: Stream
    value: str | None
    by: Key
    window: Window
    keep: int | None
    ttl_ms: int | None = None

    @property
    def kind(self) -> str:  # type: ignore[override]
        return f"{self.name} over {self.window.kind}"

    @property
    def name(self) -> str:
        """The aggregate without its number: ``top`` of ``top 20``."""
        return self.aggregate.partition(" ")[0]

    @property
    def type(self) -> Type:
        if self.aggregate in _TIMES:
            return Type.TIME
        return Type.TEXTS if self.name in _LISTS else Type.NUMBER

    @property
    def about(self) -> frozenset[str]:
        return self.by.about

    @property
    def sources(self) -> frozenset[str]:
        fields = {condition.field for condition in self.stream.conditions}
        fields |= {self.value} if self.value else set()
        fields |= {part.removeprefix("event.") for part in self.by.parts if part.startswith("event.")}
        fields |= {f"{part}_id" for part in self.by.parts if part in ("member", "job")}
        found = {f"{TOPIC_OF[record]}.{name}" for record in self.stream.records for name in (*fields, "occurred_at")}
        said = {"profile": "member-profiles", "posting": "job-postings"}
        return frozenset(found | {
            f"{said[part.partition('.')[0]]}.{part.partition('.')[2]}"
            for part in self.by.parts if part.startswith(("profile.", "posting."))
        })  # fmt: skip

    @cached_property
    def cell(self) -> Cell:
        """What the owner keeps of each key."""
        return make(self.aggregate, self.window)

    @cached_property
    def state_key(self) -> str:
        """Under which name an owner's state holds it: what is kept otherwise has another name, and nothing else has.

        What is added up over jobs is kept by job, and may be read by job as well.
        """
        owner = ", ".join((self.by.place, *self.by.keyed))
        return blake2b(self._text(f"({owner})").encode(), digest_size=4).hexdigest()

    @cached_property
    def text(self) -> str:
        """How it is declared."""
        return self._text(str(self.by))

    def __str__(self) -> str:
        return self.text

    def _text(self, by: str) -> str:
        what = str(self.stream) if self.value is None else f"{self.stream}.{self.value}"
        kept = "" if self.keep is None else f", keep={self.keep}"
        lives = "" if self.ttl_ms is None else f", ttl={text_of(self.ttl_ms)}"
        return f"{self.aggregate}({what}, by={by}, window={self.window}{kept}{lives})"

    def value_in(self, cells: Mapping[str, Kept], now: int) -> float:
        """Its value in one owner's state as of `now` (ms), where it is counted by the owner alone."""
        kept = cells.get(self.state_key)
        return self.cell.value(self.cell.fresh() if kept is None else kept, now)

    def read(self, of: "Reading", *inputs: Any) -> Any:
        return of.aggregate(self)


def aggregate(aggregated: str, what: Stream | EventField, by: By, window: Window, keep: int | None = None) -> Aggregate:
    """Check an aggregate and make the node."""
    name = aggregated.partition(" ")[0]
    if not isinstance(what, Stream | EventField):
        raise DeclarationError(
            f"{name} of {name_of(what)}, which is no stream of events",
            f"name a stream, such as views, or a field of its events: {name}(views.dwell_ms, …)",
        )
    if not isinstance(window, Window):
        raise DeclarationError(
            f"{name_of(window)} is no window", "use always, decay(…), sliding(…), last(…) or session(…)"
        )
    stream, value = (what.stream, what) if isinstance(what, EventField) else (what, None)
    if name in _OF_NUMBERS and (value is None or not value.type.numeric):
        raise DeclarationError(
            f"{name} of {what}, which is {'a stream' if value is None else 'a ' + value.type.value}",
            f"name a field that is a number: {name}(views.dwell_ms, …)",
        )
    if name in _OF_TEXTS and (value is None or value.type is not Type.TEXT):
        raise DeclarationError(
            f"{name} of {what}, which is no text", f"name a text of the event: {name}(views.surface, …)"
        )
    if name not in (*_OF_NUMBERS, *_OF_TEXTS) and value is not None:
        raise DeclarationError(f"{name} of {what}", f"{name} counts events: use {name}({stream}, …)")
    found = key(by, stream, keep)
    if name in _LISTS and (found.place == "job" or found.keyed):
        raise DeclarationError(
            f"{name} by {found} is a list for each of many", "use by=member, or count by=(…, job) with keep"
        )
    try:
        cell = make(aggregated, window)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition(": ")
        raise DeclarationError(problem, remedy) from error
    if found.everywhere and not cell.additive:
        raise DeclarationError(
            f"{name} over {window} by {found} would have to be added up over jobs, and cannot be",
            "use count, total or mean over always or over a decay of a week or more",
        )
    return Aggregate(aggregated, stream, value.name if value else None, found, window, keep)


def count(stream: Stream, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """How many events; what is taken back does not count, as far as the cell can take back.

    Examples
    --------
    >>> from streamrec.features.language import job, saves
    >>> str(count(saves, by=job, window=decay("7d")))
    'count(saves, by=job, window=decay(7d))'
    """
    return aggregate("count", stream, by, window, keep)


def total(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """The sum of a number of the events; 0 for none.

    Examples
    --------
    >>> from streamrec.features.language import member, views
    >>> str(total(views.dwell_ms, by=member))
    'total(views.dwell_ms, by=member, window=always)'
    """
    return aggregate("total", field, by, window, keep)


def mean(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """The mean of a number of the events; missing for none.

    Examples
    --------
    >>> from streamrec.features.language import job, sliding, views
    >>> str(mean(views.dwell_ms, by=job, window=sliding("1h")))
    'mean(views.dwell_ms, by=job, window=sliding(1h, panes=12))'
    """
    return aggregate("mean", field, by, window, keep)


def variance(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """The variance (of the population) of a number of the events; missing for none."""
    return aggregate("variance", field, by, window, keep)


def least(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """The smallest of a number of the events; missing for none."""
    return aggregate("least", field, by, window, keep)


def most(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """The largest of a number of the events; missing for none."""
    return aggregate("most", field, by, window, keep)


def distinct(field: EventField, by: By, window: Window = always, keep: int | None = None) -> Aggregate:
    """About how many different texts there were in a field of the events.

    Examples
    --------
    >>> from streamrec.features.language import job, views
    >>> str(distinct(views.member_id, by=job))
    'distinct(views.member_id, by=job, window=always)'
    """
    return aggregate("distinct", field, by, window, keep)


def top(field: EventField, by: By, k: int, half_life: str = "30d") -> Aggregate:
    """The `k` texts that came most often in a field of the events, each event halved with each half-life.

    Examples
    --------
    >>> from streamrec.features.language import member, views
    >>> str(top(views.surface, by=member, k=3))
    'top 3(views.surface, by=member, window=decay(30d))'
    """
    if not isinstance(k, int) or k < 1:
        raise DeclarationError(f"the top {k} texts cannot be kept", "choose from 1 to 1000")
    return aggregate(f"top {k}", field, by, decay(half_life))


def latest(field: EventField, by: By, k: int) -> Aggregate:
    """The last `k` distinct texts in a field of the events.

    Examples
    --------
    >>> from streamrec.features.language import member, views
    >>> str(latest(views.surface, by=member, k=3))
    'texts(views.surface, by=member, window=last(3))'
    """
    return aggregate("texts", field, by, last(k))


def first(stream: Stream, by: By) -> Aggregate:
    """When the first event was."""
    return aggregate("first_at", stream, by, always)


def newest(stream: Stream, by: By) -> Aggregate:
    """When the newest event was."""
    return aggregate("latest_at", stream, by, always)


def rate(
    part: Stream, whole: Stream, by: By, window: Window, prior: float, weight: float, keep: int | None = None
) -> Calculation:
    """How many events of `part` come to one of `whole`, drawn towards `prior` as if by `weight` events of `whole` seen before.

    A `part` without its `whole` counts as one of both: the rate is never above 1.

    Examples
    --------
    >>> from streamrec.features.language import applications, job, views
    >>> made = rate(applications, views, by=job, window=always, prior=0.02, weight=20)
    >>> [str(each) for each in made.operands], made.parameters
    (['count(applications, by=job, window=always)', 'count(views, by=job, window=always)'], (0.02, 20.0))
    """
    if not (0.0 <= prior <= 1.0 and weight > 0.0):
        raise DeclarationError(
            f"rate with prior={prior} and weight={weight}", "give a prior from 0 to 1, and a weight above 0"
        )
    counts = [count(stream, by, window, keep) for stream in (part, whole)]
    return calculate("rate", *counts, parameters=(float(prior), float(weight)))


def trend(stream: Stream, by: By, short: str, long: str, keep: int | None = None) -> Calculation:
    """How much more there is lately than usual: 0 where the short window holds its share of the long one; log scale.

    Examples
    --------
    >>> from streamrec.features.language import job, views
    >>> trend(views, by=job, short="1h", long="1d").parameters == (1 / 24,)
    True
    """
    windows = decay(short), decay(long)
    if not windows[0].span_ms < windows[1].span_ms:
        raise DeclarationError(f"trend of {short} over {long}", "give the shorter half-life first")
    counts = [count(stream, by, window, keep) for window in windows]
    return calculate("trend", *counts, parameters=(windows[0].span_ms / windows[1].span_ms,))
