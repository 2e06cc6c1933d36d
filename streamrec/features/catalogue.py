"""The catalogue: all that people and programs may want to know of each feature, made from its declaration."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from streamrec.features.holding import Holding, holdings_of, read_by
from streamrec.features.language.feature import Feature, walk
from streamrec.features.language.reference import Reference
from streamrec.features.near import near
from streamrec.features.plan import Plan


class ModelUse(msgspec.Struct, frozen=True):
    """A model that reads the feature, and what its set of features is called."""

    model: str
    feature_set: str


class HoldingUse(msgspec.Struct, frozen=True):
    """What the feature reads of the state."""

    key: Annotated[str, Meta(description="The state key of a cell, or the part of a struct that is held anyway.")]
    keeps: str
    owner: Annotated[str, Meta(description="`member` or `job`: whose state it is part of.")]
    window: str | None
    ttl: str | None
    shared_with: Annotated[tuple[str, ...], Meta(description="Other features that read the same.")]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one version of a feature."""

    id: Annotated[str, Meta(description="Name and version.", examples=["save_rate@1"])]
    name: str
    version: int
    newest: Annotated[bool, Meta(description="Whether there is no newer version.")]
    description: str
    expression: Annotated[str, Meta(description="As it was declared.")]
    kinds: Annotated[tuple[str, ...], Meta(description="Kinds of expression in it.")]
    type: Annotated[str, Meta(description="`number`, `flag` (0 or 1) or `category` (a column for each value).")]
    columns: Annotated[tuple[str, ...], Meta(description="Names of its columns in the matrix that models read.")]
    entity: Annotated[str, Meta(description="What it is about: `member`, `job`, `pair`, `request`, or a combination.")]
    unit: str
    default: Annotated[float, Meta(description="Its value where what it needs is missing.")]
    ttl: Annotated[str | None, Meta(description="How long its aggregates count after their last event; null: no end.")]
    owner: Annotated[str, Meta(description="Whom to ask.")]
    tags: tuple[str, ...]
    site: Annotated[str, Meta(description="File and line of its declaration.")]
    sources: Annotated[tuple[str, ...], Meta(description="Fields of records that it comes from, `topic.field`.")]
    state: tuple[HoldingUse, ...]
    features: Annotated[tuple[str, ...], Meta(description="Other features that it builds on.")]
    models: tuple[ModelUse, ...]
    workflows: tuple[str, ...]


class UnknownFeatureError(LookupError):
    """There is no such feature.

    Attributes
    ----------
    name
        What was asked for.
    near
        Names that are like it, the likest first.
    """

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        self.name, self.near = name, names
        hint = f"did you mean {', '.join(names)}?" if names else "`streamrec features list` shows all"
        super().__init__(f"there is no feature {name!r}; {hint}")


class Catalogue:
    """The features of a plan, and who reads them.

    Parameters
    ----------
    plan
        The features and the sets of models.
    workflows
        By the name of a workflow, the model whose set of features it reads.

    Attributes
    ----------
    entries
        In the order of declaration.
    holdings
        What they read of the state, by key.

    Examples
    --------
    >>> from streamrec.features.library import PLAN
    >>> entry = Catalogue(PLAN, {"jobs": "job_check"}).find("save_rate")
    >>> entry.id, entry.entity, entry.workflows
    ('save_rate@1', 'job', ('jobs',))
    >>> entry.state[0].keeps, entry.state[0].shared_with
    ('count(saves, by=job, window=decay(7d))', ('job_saves@1',))
    """

    def __init__(self, plan: Plan, workflows: Mapping[str, str]) -> None:
        self.plan, self.workflows = plan, dict(workflows)
        self.holdings = holdings_of(plan)
        self.sets = {plan.name_of(each): each for each in plan.sets}
        self._readers: dict[str, list[str]] = {}
        for feature in plan.features.values():
            for key in read_by(feature.expression).holdings:
                self._readers.setdefault(key, []).append(feature.id)
        self.entries = tuple(map(self._entry, plan.features.values()))
        self._by_id = {each.id: each for each in self.entries}

    def find(self, name: str) -> Entry:
        """A feature by name (its newest version) or by ``name@version``. Raises UnknownFeatureError."""
        try:
            return self._by_id[self.plan.find(name).id]
        except KeyError:
            raise UnknownFeatureError(name, self.near(name)) from None

    def near(self, name: str) -> tuple[str, ...]:
        """Names that are like a name that does not exist; its versions where only these are wrong."""
        base = name.partition("@")[0]
        versions = tuple(each.id for each in self.entries if each.name == base)
        return versions or near(base, dict.fromkeys(each.name for each in self.entries))

    def readers(self, holding: Holding) -> tuple[str, ...]:
        """Ids of the features that read a holding."""
        return tuple(self._readers.get(holding.key, ()))

    def select(
        self, *, tag: str | None = None, owner: str | None = None, entity: str | None = None, model: str | None = None
    ) -> tuple[Entry, ...]:
        """Those that meet all of what is given.

        Examples
        --------
        >>> from streamrec.features.library import PLAN
        >>> [entry.name for entry in Catalogue(PLAN, {}).select(tag="age", entity="member")]
        ['member_idle']
        """
        return tuple(
            each for each in self.entries
            if (tag is None or tag in each.tags)
            and (owner is None or owner == each.owner)
            and (entity is None or entity == each.entity)
            and (model is None or any(model == use.model for use in each.models))
        )  # fmt: skip

    def _entry(self, feature: Feature) -> Entry:
        declared, read = self.plan.declared[feature.id], read_by(feature.expression)
        holdings = [self.holdings[key] for key in read.holdings]
        models = tuple(
            ModelUse(each.model, name) for name, each in self.sets.items() if feature in self.plan.members(each)
        )
        return Entry(
            id=feature.id, name=feature.name, version=feature.version,
            newest=self.plan.find(feature.name).id == feature.id, description=feature.description,
            expression=str(declared.expression), kinds=_kinds(feature), type=feature.expression.type.value,
            columns=feature.columns, entity=feature.entity, unit=feature.unit, default=feature.default, ttl=feature.ttl,
            owner=feature.owner, tags=feature.tags, site=str(feature.site),
            sources=tuple(sorted({*read.fields, *(source for each in holdings for source in each.sources)})),
            state=tuple(self._use(each, feature.id) for each in holdings), features=self.references(feature.id),
            models=models,
            workflows=tuple(name for name, model in self.workflows.items() if model in {use.model for use in models}),
        )  # fmt: skip

    def references(self, feature_id: str) -> tuple[str, ...]:
        """Ids of the features that a feature builds on, directly."""
        parts: Iterable[object] = walk(self.plan.declared[feature_id].expression)
        return tuple(dict.fromkeys(self.plan.find(each.name).id for each in parts if isinstance(each, Reference)))

    def _use(self, holding: Holding, feature_id: str) -> HoldingUse:
        others = tuple(each for each in self.readers(holding) if each != feature_id)
        return HoldingUse(holding.key, holding.keeps, holding.owner, holding.window, holding.ttl, others)


def _kinds(feature: Feature) -> tuple[str, ...]:
    return tuple(sorted({each.kind for each in walk(feature.expression)} - {"constant"}))
