"""The plan: declared features checked together, their shared state, and how it is folded and read.

What is declared becomes three things. *Feeds*: for each kind of event, the cells of a member's or a job's state that it goes
into; equal aggregates are one cell, whatever reads it. *What travels*: the fields of an event and of a profile that the owner
of a job needs, and no others. *Steps*: every distinct expression once, inputs first, for the vectorised reading.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from time import perf_counter
from typing import Any, Final

import msgspec

from streamrec.events import Connection, JobEvent, MemberProfile
from streamrec.features.cells.base import Cell, Kept
from streamrec.features.cells.decay import DecayedCount, fold_counts
from streamrec.features.cells.keyed import Keyed
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.calculation import first_of
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Constant, Expression
from streamrec.features.language.feature import Feature, FeatureSet, walk
from streamrec.features.language.lifetime import Within
from streamrec.features.language.reference import Reference
from streamrec.features.language.streams import ACTION_OF, Condition, key_of
from streamrec.features.language.types import Type

Cells = dict[str, Kept]
Feed = Callable[[Cells, Mapping[str, Any], int, int], None]  # cells, fields, time, sign

JOIN: Final = "\x1f"  # between the texts of a combined key
_NOTHING: Final[dict[str, Any]] = {}


@dataclass(frozen=True)
class State:
    """One cell of an owner's state, and who reads it.

    Attributes
    ----------
    aggregate
        What it keeps.
    ttl_ms
        After which it is dropped; None for never.
    features
        Ids of the features that read it.
    """

    aggregate: Aggregate
    ttl_ms: int | None
    features: tuple[str, ...]

    @property
    def cell(self) -> Cell:
        """What is kept of each key."""
        return self.aggregate.cell

    @property
    def key(self) -> str:
        """Its name in an owner's state."""
        return self.aggregate.state_key

    @property
    def keeps(self) -> Cell | Keyed:
        """What an owner keeps under the key: the cell, or one for each text of a combined key."""
        return self.cell if self.aggregate.keep is None else Keyed(self.cell, self.aggregate.keep)

    def last_at(self, kept: Kept) -> int | None:
        """Time of the newest event (ms)."""
        return self.keeps.last_at(kept)


class Plan:
    """Features that are computed together.

    Parameters
    ----------
    features
        All of them, in any order.
    sets
        What models read.

    Attributes
    ----------
    features
        By id, references resolved.
    states
        By key, in the order of declaration.
    rollups
        Aggregates that are added up over jobs when they are read.

    Raises
    ------
    DeclarationError
        Two of one name and version, a reference to none, a cycle, or a set that asks for a version that nobody computes.

    Examples
    --------
    >>> from streamrec.features.language import Feature, FeatureSet, count, decay, job, log1p, views
    >>> seen = count(views, by=job, window=decay("7d"))
    >>> both = (Feature("job_views", log1p(seen), "views", "log1p"), Feature("job_views_raw", seen, "views", "events"))
    >>> plan = Plan(both)
    >>> [(str(each.aggregate), each.features) for each in plan.states.values()]
    [('count(views, by=job, window=decay(7d))', ('job_views@1', 'job_views_raw@1'))]
    """

    def __init__(self, features: Iterable[Feature], sets: Iterable[FeatureSet] = ()) -> None:
        declared: dict[str, Feature] = {}
        for each in features:
            if each.id in declared:
                raise DeclarationError(
                    f"two features are {each.id}; the other one is at {declared[each.id].site}",
                    "give one another name or, if its meaning changes, another version", each.site,
                )  # fmt: skip
            declared[each.id] = each
        self._newest = _newest(declared.values())
        self._declared = declared
        self._resolving: list[str] = []
        self.features: dict[str, Feature] = {}
        for each in declared.values():
            self._resolved(each)
        self.features = {name: self.features[name] for name in declared}
        self.states = self._states()
        self.rollups = tuple(dict.fromkeys(
            each for feature in self.features.values() for each in walk(feature.expression)
            if isinstance(each, Aggregate) and each.by.everywhere
        ))  # fmt: skip
        self.sets = tuple(sets)
        for wanted in self.sets:
            self.members(wanted)
        self._compile()

    def __reduce__(self) -> tuple[type["Plan"], tuple[tuple[Feature, ...], tuple[FeatureSet, ...]]]:
        """Pickled as what was declared: another process compiles it for itself."""
        return Plan, (tuple(self._declared.values()), self.sets)

    # Which features.

    def find(self, name: str) -> Feature:
        """A feature by name (its newest version) or by ``name@version``. Raises KeyError."""
        return self.features[name if "@" in name else self._newest[name]]

    def members(self, wanted: FeatureSet) -> tuple[Feature, ...]:
        """The features of a set, in its order; raises DeclarationError where one is not computed."""
        found = []
        for name in wanted.wants:
            try:
                found.append(self.find(name))
            except KeyError:
                raise DeclarationError(
                    f"the model {wanted.model} asks for {name}, and nobody computes it", self._near(name), wanted.site
                ) from None
        return tuple(found)

    def name_of(self, wanted: FeatureSet) -> str:
        """What a set is called: see `FeatureSet.name`."""
        return wanted.name(self.members(wanted))

    def _near(self, name: str) -> str:
        versions = [each for each in self._declared if each.partition("@")[0] == name.partition("@")[0]]
        if versions:
            return f"there is {', '.join(versions)}"
        return "declare it, or take it out of the set"

    def _resolved(self, each: Feature) -> Feature:
        if each.id in self.features:
            return self.features[each.id]
        if each.id in self._resolving:
            way = " → ".join([*self._resolving[self._resolving.index(each.id) :], each.id])
            raise DeclarationError(f"a cycle: {way}", "have one of them say its expression itself", each.site)
        self._resolving.append(each.id)
        expression = self._replace(each.expression, each)
        self._resolving.pop()
        made = each if expression is each.expression else replace(each, expression=expression, entity="")
        self.features[each.id] = made
        return made

    def _replace(self, expression: Expression, within: Feature) -> Expression:
        if isinstance(expression, Reference):
            try:
                found = self._declared[expression.name if "@" in expression.name else self._newest[expression.name]]
            except KeyError:
                raise DeclarationError(
                    f"{within.name} reads the feature {expression.name!r}, which nobody declares",
                    self._near(expression.name),
                    expression.site,
                ) from None
            value = self._resolved(found)
            if value.expression.type is Type.CATEGORY:
                raise DeclarationError(
                    f"{within.name} reads {found.id}, which is a category", "read what it is made of", expression.site
                )
            return first_of(value.expression, Constant(value.default))
        if isinstance(expression, Aggregate):
            return expression if within.ttl_ms is None else Within(expression, within.ttl_ms)
        changed = {}
        for each in fields(expression):
            value = getattr(expression, each.name)
            if isinstance(value, Expression):
                made: Any = self._replace(value, within)
            elif isinstance(value, tuple) and value and all(isinstance(part, Expression) for part in value):
                made = tuple(self._replace(part, within) for part in value)
                made = value if all(map(_is, made, value)) else made
            else:
                continue
            if made is not value:
                changed[each.name] = made
        return replace(expression, **changed) if changed else expression

    # State.

    def _states(self) -> dict[str, State]:
        found: dict[str, State] = {}
        for feature in self.features.values():
            for expression in walk(feature.expression):
                if not isinstance(expression, Aggregate):
                    continue
                known = found.get(expression.state_key)
                if known is None:
                    found[expression.state_key] = State(expression, feature.ttl_ms, (feature.id,))
                    continue
                ttl = None if known.ttl_ms is None or feature.ttl_ms is None else max(known.ttl_ms, feature.ttl_ms)
                found[expression.state_key] = State(
                    expression, ttl, tuple(dict.fromkeys((*known.features, feature.id)))
                )
        return found

    def _compile(self) -> None:
        self._member_feeds = {record: together(self._fed("member", record)) for record in (*ACTION_OF, Connection)}
        self._job_feeds = {int(action): together(self._fed("job", record)) for record, action in ACTION_OF.items()}
        states = self.states.values()
        self._member_names = {record: _needs(states, "member", record).event for record in (*ACTION_OF, Connection)}
        self._travels = {record: _needs(states, "job", record) or None for record in ACTION_OF}

    def _fed(self, place: str, record: type) -> list[State]:
        """The cells of a member or a job that a kind of event goes into."""
        return [
            each for each in self.states.values()
            if each.aggregate.by.place == place and record in each.aggregate.stream.records
        ]  # fmt: skip

    def __reduce__(self) -> tuple[type["Plan"], tuple[tuple[Feature, ...], tuple[FeatureSet, ...]]]:
        """A plan travels to another process as what was declared."""
        return Plan, (tuple(self._declared.values()), self.sets)

    def watched(self, note: Callable[[str, float], None]) -> "Plan":
        """The same plan, which tells after each fold into a cell its key and how long it took (s): for measurements."""
        made = copy(self)
        made._member_feeds = {
            record: tuple(_watched(each, note) for each in self._fed("member", record)) for record in self._member_feeds
        }
        made._job_feeds = {
            int(action): tuple(_watched(each, note) for each in self._fed("job", record))
            for record, action in ACTION_OF.items()
        }
        return made

    def fold_member(self, cells: Cells, event: JobEvent | Connection, at: int, sign: int = 1) -> None:
        """Fold what a member did into its cells, in place.

        Parameters
        ----------
        cells
            Of the member's state.
        at
            The time to count it at (ms): the event's or, where something is taken back, that of what it takes back.
        sign
            -1 where an earlier save or like is taken back.
        """
        kind = type(event)
        names = self._member_names[kind]
        said = {name: getattr(event, name) for name in names} if names else _NOTHING
        for feed in self._member_feeds[kind]:
            feed(cells, said, at, sign)

    def travels(self, event: JobEvent, profile: MemberProfile | None) -> dict[str, Any] | None:
        """What the owner of the job needs of an event and of its member's profile; None for nothing."""
        needs = self._travels[type(event)]
        if needs is None:
            return None
        found = {name: value for name in needs.event if (value := getattr(event, name)) is not None}
        if "member_id" in found:  # the owners of jobs need not know who it was
            found["member_id"] = blake2b(event.member_id.encode(), digest_size=8).hexdigest()
        if profile is not None:
            found.update(
                {f"profile.{name}": value for name in needs.profile if (value := getattr(profile, name)) is not None}
            )
        return found or None

    def fold_job(self, cells: Cells, action: int, said: Mapping[str, Any] | None, at: int, sign: int = 1) -> None:
        """Fold what a member did with a job into the job's cells, in place; see `fold_member` and `travels`."""
        for feed in self._job_feeds[action]:
            feed(cells, said or _NOTHING, at, sign)


class _Needs(msgspec.Struct, frozen=True):
    event: tuple[str, ...]
    profile: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.event or self.profile)


def _needs(states: Iterable[State], place: str, record: type) -> _Needs:
    event: dict[str, None] = {}
    profile: dict[str, None] = {}
    for each in states:
        aggregate = each.aggregate
        if aggregate.by.place != place or record not in aggregate.stream.records:
            continue
        event.update(dict.fromkeys(condition.field for condition in aggregate.stream.conditions))
        if aggregate.value is not None:
            event[aggregate.value] = None
        for part in aggregate.by.keyed:
            origin, _, name = part.rpartition(".")
            if origin == "profile":
                profile[name] = None
            else:
                event["job_id" if part == "job" else name] = None
    return _Needs(tuple(event), tuple(profile))


def together(states: Sequence[State]) -> tuple[Feed, ...]:
    """The feeds of cells: decayed counts, of which there are many, by one of them all."""
    counts = [each for each in states if isinstance(each.keeps, DecayedCount) and _is_plain(each)]
    rest = tuple(_feed(each) for each in states if each not in counts)
    if not counts:
        return rest
    pairs = tuple((each.key, each.aggregate.window.span_ms) for each in counts)

    def count(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:  # noqa: ARG001  (a `Feed`)
        fold_counts(cells, pairs, at, sign)

    return (count, *rest)


def _is_plain(state: State) -> bool:
    aggregate = state.aggregate
    return not (aggregate.stream.conditions or aggregate.by.keyed or aggregate.value or state.ttl_ms)


def _feed(state: State) -> Feed:
    """The pure function that takes an event into one cell."""
    aggregate, key, ttl = state.aggregate, state.key, state.ttl_ms
    cell, keeps = state.cell, state.keeps
    fold, fresh, reversible = cell.fold, keeps.fresh, cell.reversible
    conditions, value = aggregate.stream.conditions, aggregate.value
    keys = tuple("job_id" if part == "job" else part.removeprefix("event.") for part in aggregate.by.keyed)

    if _is_plain(state):

        def plain(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
            kept = cells.get(key)
            if kept is None:
                if sign < 0:
                    return
                kept = fresh()
                _put(cells, key, kept)
            fold(kept, at, None, sign)

        return plain

    # What is taken back says nothing of how it was done: only counts of everything can take it back.
    exact = reversible and not (conditions or keys or value)

    def feed(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
        if (sign < 0 and not exact) or not _meets(conditions, said):
            return
        kept = cells.get(key)
        if ttl is not None and kept is not None:
            last_at = keeps.last_at(kept)
            if last_at is not None and at < last_at - ttl:
                return  # it had been dropped by then
            if last_at is not None and at > last_at + ttl:
                kept = None
        if kept is None:
            if sign < 0:
                return
            kept = fresh()
        given = said.get(value) if value is not None else None
        if isinstance(keeps, Keyed):
            texts = [said.get(name) for name in keys]
            if not all(texts):
                return
            keeps.fold(kept, at, JOIN.join(map(joined, keys, texts)), given, sign)
        elif value is None or given is not None:
            fold(kept, at, given, sign)
        else:
            return
        _put(cells, key, kept)

    return feed


def _put(cells: Cells, key: str, kept: Kept) -> None:
    """Cells stand in the order of their keys, so that equal states are equal bytes, whatever came first."""
    new = key not in cells
    cells[key] = kept
    if new and len(cells) > 1:
        ordered = sorted(cells.items())
        cells.clear()
        cells.update(ordered)


def joined(name: str, text: str) -> str:
    """A text as a part of a combined key: as texts are compared, but for the ids of jobs."""
    return text if name == "job_id" else str(key_of(text))


def _meets(conditions: Sequence[Condition], said: Mapping[str, Any]) -> bool:
    return all(condition.holds(said.get(condition.field)) for condition in conditions)


def _watched(state: State, note: Callable[[str, float], None]) -> Feed:
    feed, key = _feed(state), state.key

    def watched(cells: Cells, said: Mapping[str, Any], at: int, sign: int) -> None:
        began = perf_counter()
        feed(cells, said, at, sign)
        note(key, perf_counter() - began)

    return watched


def _is(one: object, other: object) -> bool:
    return one is other


def _newest(features: Iterable[Feature]) -> dict[str, str]:
    found: dict[str, Feature] = {}
    for each in features:
        if each.name not in found or each.version > found[each.name].version:
            found[each.name] = each
    return {name: each.id for name, each in found.items()}


def kinds(plan: Plan) -> Counter[str]:
    """How many features have each kind of expression in them."""
    return Counter(
        kind for each in plan.features.values() for kind in {part.kind for part in walk(each.expression)} - {"constant"}
    )
