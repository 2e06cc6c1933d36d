"""The plan: declared features checked together, their shared state, and how it is folded and read.

What is declared becomes three things. *Feeds*: for each kind of event, the cells of a member's or a job's state that it goes
into; equal aggregates are one cell, whatever reads it. *What travels*: the fields of an event and of a profile that the owner
of a job needs, and no others. *Steps*: every distinct expression once, inputs first, for the vectorised reading.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import fields, replace
from hashlib import blake2b
from itertools import chain
from operator import is_
from typing import Any

from streamrec.events import Connection, JobEvent, MemberProfile
from streamrec.features.cells.fullest import most_bytes
from streamrec.features.feeds import NOTHING, Cells, Feed, State, needs_of, together, watched_feed
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.calculation import first_of
from streamrec.features.language.declaration import DeclarationError
from streamrec.features.language.expression import Constant, Expression
from streamrec.features.language.feature import Feature, FeatureSet, walk
from streamrec.features.language.reference import Reference
from streamrec.features.language.streams import ACTION_OF
from streamrec.features.language.types import Type
from streamrec.features.near import near


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
    declared
        By id, as they were declared.
    features
        By id, references resolved.
    states
        By key, in the order of declaration.
    rollups
        Aggregates that are added up over jobs when they are read.

    Raises
    ------
    DeclarationError
        Two of one name and version, a reference to none, a cycle, a state that could outgrow its budget, or a set that asks for
        a version that nobody computes.

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
        self.declared = declared
        self._resolving: list[str] = []
        self.features: dict[str, Feature] = {}
        for each in declared.values():
            self._resolved(each)
        self.features = {name: self.features[name] for name in declared}
        self.states = self._states()
        for state in self.states.values():
            self._check_budget(state)
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
        return Plan, (tuple(self.declared.values()), self.sets)

    # Which features.

    def find(self, name: str) -> Feature:
        """A feature by name (its newest version) or by ``name@version``. Raises KeyError."""
        return self.features[self._id(name)]

    def _id(self, name: str) -> str:
        return name if "@" in name else self._newest[name]

    def members(self, wanted: FeatureSet) -> tuple[Feature, ...]:
        """The features of a set, in its order; raises DeclarationError where one is not computed."""
        found: dict[str, Feature] = {}
        for name in wanted.wants:
            try:
                feature = self.find(name)
            except KeyError:
                raise DeclarationError(
                    f"the model {wanted.model} asks for {name}, and nobody computes it", self._near(name), wanted.site
                ) from None
            if feature.id in found:
                raise DeclarationError(
                    f"the model {wanted.model} asks for {feature.id} twice", "leave one of them out", wanted.site
                )
            found[feature.id] = feature
        return tuple(found.values())

    def name_of(self, wanted: FeatureSet) -> str:
        """What a set is called: see `FeatureSet.name`."""
        return wanted.name(self.members(wanted))

    def sources(self, wanted: FeatureSet) -> frozenset[str]:
        """What the features of a set read, as ``topic.field``."""
        parts = chain.from_iterable(walk(each.expression) for each in self.members(wanted))
        return frozenset(chain.from_iterable(each.sources for each in parts))

    def _near(self, name: str) -> str:
        asked = name.partition("@")[0]
        versions = [each for each in self.declared if each.partition("@")[0] == asked]
        if versions:
            return f"there is {', '.join(versions)}"
        like = near(asked, self._newest)
        return f"declare it, or use {like[0]}" if like else "declare it, or leave it out"

    def _resolved(self, each: Feature) -> Feature:
        if each.id in self.features:
            return self.features[each.id]
        if each.id in self._resolving:
            way = " → ".join([*self._resolving[self._resolving.index(each.id) :], each.id])
            raise DeclarationError(f"a cycle: {way}", "have one of them say its expression itself", each.site)
        self._resolving.append(each.id)
        expression = self._replace(each.expression, each)
        self._resolving.pop()
        made = each if expression is each.expression else replace(each, expression=expression)
        self.features[each.id] = made
        return made

    def _replace(self, expression: Expression, within: Feature) -> Expression:
        if isinstance(expression, Reference):
            try:
                found = self.declared[self._id(expression.name)]
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
            return expression if within.ttl_ms is None else replace(expression, ttl_ms=within.ttl_ms)
        changed = {}
        for each in fields(expression):
            value = getattr(expression, each.name)
            if isinstance(value, Expression):
                made: Any = self._replace(value, within)
            elif isinstance(value, tuple) and value and all(isinstance(part, Expression) for part in value):
                made = tuple(self._replace(part, within) for part in value)
                made = value if all(map(is_, made, value)) else made
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
                features = (*known.features, feature.id) if known else (feature.id,)
                found[expression.state_key] = State(expression, tuple(dict.fromkeys(features)))
        return found

    def _check_budget(self, state: State) -> None:
        """A state that several features read has the largest of their budgets."""
        readers = [self.features[name] for name in state.features]
        most, budget = most_bytes(state.keeps), max(each.budget for each in readers)
        if most > budget:
            raise DeclarationError(
                f"{readers[0].name} keeps {state.aggregate}, which may take {most:,} bytes of each {state.aggregate.by.place}; "
                f"its budget is {budget:,}",
                f"keep fewer texts, panes or events, or give the feature budget={most}", readers[0].site,
            )  # fmt: skip

    def _compile(self) -> None:
        self._set_feeds(together)
        states = self.states.values()
        self._member_names = {record: needs_of(states, "member", record).event for record in (*ACTION_OF, Connection)}
        self._travels = {record: needs_of(states, "job", record) or None for record in ACTION_OF}

    def _set_feeds(self, feeds_of: Callable[[list[State]], tuple[Feed, ...]]) -> None:
        """By whether the event repeats one, and its kind."""
        self._member_feeds = [
            {record: feeds_of(self._fed("member", record, repeats)) for record in (*ACTION_OF, Connection)}
            for repeats in (False, True)
        ]
        self._job_feeds = [
            {int(action): feeds_of(self._fed("job", record, repeats)) for record, action in ACTION_OF.items()}
            for repeats in (False, True)
        ]

    def _fed(self, place: str, record: type, repeats: bool) -> list[State]:
        """The cells of a member or a job that a kind of event goes into."""
        fed = []
        for each in self.states.values():
            stream = each.aggregate.stream
            if each.aggregate.by.place == place and record in stream.records and not (repeats and stream.unrepeated):
                fed.append(each)
        return fed

    def watched(self, note: Callable[[str, float], None]) -> "Plan":
        """The same plan, which tells after each fold into a cell its key and how long it took (s): for measurements."""
        made = copy(self)
        made._set_feeds(lambda states: tuple(watched_feed(each, note) for each in states))
        return made

    def fold_member(
        self, cells: Cells, event: JobEvent | Connection, at: int, sign: int = 1, *, repeats: bool = False
    ) -> None:
        """Fold what a member did into its cells, in place.

        Parameters
        ----------
        cells
            Of the member's state.
        at
            The time to count it at (ms): the event's or, where something is taken back, that of what it takes back.
        sign
            -1 where an earlier save or like is taken back.
        repeats
            The member had done the same with the same job before: see `language.once`.
        """
        kind = type(event)
        names = self._member_names[kind]
        said = {name: getattr(event, name) for name in names} if names else NOTHING
        for feed in self._member_feeds[repeats][kind]:
            feed(cells, said, at, sign)

    def travels(self, event: JobEvent, profile: MemberProfile | None) -> dict[str, Any] | None:
        """What the owner of the job needs of an event and of its member's profile; None for nothing."""
        wanted = self._travels[type(event)]
        if wanted is None:
            return None
        found = {name: value for name in wanted.event if (value := getattr(event, name)) is not None}
        if "member_id" in found:  # the owners of jobs need not know who it was
            found["member_id"] = blake2b(event.member_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        if profile is not None:
            found.update(
                {f"profile.{name}": value for name in wanted.profile if (value := getattr(profile, name)) is not None}
            )
        return found or None

    def fold_job(
        self,
        cells: Cells,
        action: int,
        said: Mapping[str, Any] | None,
        at: int,
        sign: int = 1,
        *,
        repeats: bool = False,
    ) -> None:
        """Fold what a member did with a job into the job's cells, in place; see `fold_member` and `travels`."""
        for feed in self._job_feeds[repeats][action]:
            feed(cells, said or NOTHING, at, sign)


def _newest(features: Iterable[Feature]) -> dict[str, str]:
    found: dict[str, Feature] = {}
    for each in features:
        if each.name not in found or each.version > found[each.name].version:
            found[each.name] = each
    return {name: each.id for name, each in found.items()}
