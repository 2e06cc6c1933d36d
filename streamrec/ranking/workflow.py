"""A workflow: how a list is made, declared in Python and checked where it is declared.

Candidate sources, features, a model, what may reorder its list, what may be in it at all; how much of it, how long it may
take, and what answers when something is missing. `workflows` has the shipped ones, `engine` runs them.
"""

import math
import re
from typing import Final

import msgspec

from streamrec.features.language.declaration import Site
from streamrec.features.library import FEATURE_SET
from streamrec.ranking.candidates import SOURCES, Source
from streamrec.ranking.declaration import WorkflowError, is_count, place
from streamrec.ranking.rerankers import KNOWN, Discount, Explore, Reranker
from streamrec.ranking.rules import DECLARABLE, RULES, Rule

BLEND: Final = "blend"  # as a fallback: the same list in the order of the sources' own ranks
NO_MODEL: Final = "no_model"  # in `degraded`: there is none yet, or none for the features of this version
BUDGET: Final = "budget"  # in `degraded`: the time was spent before the model's turn
MODELS: Final = ("job_check",)

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_BY_NAME: Final = {source.name: source for source in SOURCES}


def source(name: str, *, size: int | None = None, weight: float | None = None) -> Source:
    """Declare a source of candidates: one of `candidates.SOURCES`.

    Parameters
    ----------
    name
        Of the source.
    size
        Candidates that it may contribute; default: the source's own.
    weight
        Of its ranks in the blend; default: the source's own.

    Raises
    ------
    WorkflowError
        There is no such source, or a number makes no sense.

    Examples
    --------
    >>> source("title", size=20).size, source("title").size
    (20, 80)
    """
    if name not in _BY_NAME:
        remedy = f"one of {', '.join(_BY_NAME)}; a new one is a function in ranking/candidates.py"
        raise WorkflowError(place(), f"no source of candidates is named {name!r}", remedy)
    own = _BY_NAME[name]
    declared = own._replace(size=own.size if size is None else size, weight=own.weight if weight is None else weight)
    if not is_count(declared.size):
        raise WorkflowError(place(), f"source {name!r}: its size is {declared.size!r}", "a whole number from 1")
    if not 0.0 < declared.weight < math.inf:
        raise WorkflowError(place(), f"source {name!r}: its weight is {declared.weight!r}", "a number above 0")
    return declared


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much. `candidates`: jobs that get features and a score, the highest in the blend, but never fewer than are listed.

    `length`: jobs of the list at most; None for what the caller wants, which is the setting `list_size`.
    """

    candidates: int = 500
    length: int | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How long it may take, in ms: to the end of a stage at the most `whole_ms`, the stage itself as long as it has here.

    Looked at before the features are computed and before the model scores: what comes after is cheaper than any fallback. A
    stage is never cut short. `candidates_ms` includes what is read of the member.
    """

    whole_ms: float | None = None
    candidates_ms: float | None = None
    features_ms: float | None = None


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """What answers instead: `BLEND`, or a workflow by ``name`` (its latest version) or ``name@version``.

    `no_model`: there is no model for these features; `budget`: the time is spent.
    """

    no_model: str | None = None
    budget: str | None = None


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is made. Never changed once it has served: a change is a new version.

    Attributes
    ----------
    name, version
        Together its `label`, as in ``jobs@1``. `version` counts from 1.
    description
        One sentence for who chooses it.
    sources
        Where candidates come from, see `source`.
    feature_set
        Computed of every candidate for the model, and kept with what is shown, to learn from.
    model
        Orders the candidates; None: the blend of the sources' ranks does.
    rerankers
        What may change that order, in this order.
    filters
        What may be in the list at all; default `rules.RULES`.
    limits, budget, fallback
        How much, how long, and what instead.
    declared_at
        ``file:line``; filled in.

    Raises
    ------
    WorkflowError
        It cannot work as declared; says where, and what to write instead. Whether other workflows that it names exist is
        for `registry.Workflows` to say.

    Examples
    --------
    >>> Workflow(name="new", version=1, description="What is new.", sources=(source("newest"),)).label
    'new@1'
    >>> Workflow(name="new", version=1, description="What is new.", sources=())
    Traceback (most recent call last):
        ...
    streamrec.ranking.declaration.WorkflowError: ...: new@1: it has no source of candidates; name one: source("newest")
    """

    name: str
    version: int
    description: str
    sources: tuple[Source, ...]
    feature_set: str = FEATURE_SET
    model: str | None = None
    rerankers: tuple[Reranker, ...] = ()
    filters: tuple[Rule, ...] = RULES
    limits: Limits = Limits()
    budget: Budget = Budget()
    fallback: Fallback = Fallback()
    declared_at: Site = Site("", 0)

    def __post_init__(self) -> None:
        """Check all that can be known of it alone."""
        msgspec.structs.force_setattr(self, "declared_at", place())
        self._check_name()
        self._check_stages()
        self._check_rerankers()
        self._check_filters()
        self._check_limits()
        self._check_budget()

    @property
    def label(self) -> str:
        """Name and version, as answers and impressions tell it."""
        return f"{self.name}@{self.version}"

    @property
    def discount(self) -> Discount | None:
        """How what was passed over sinks; None: it does not."""
        return next((reranker for reranker in self.rerankers if isinstance(reranker, Discount)), None)

    def explored(self, share: float) -> float:
        """The share of answers in which a job is tried, where the installation's is `share`."""
        for reranker in self.rerankers:
            if isinstance(reranker, Explore):
                return share if reranker.share is None else reranker.share
        return 0.0

    def refuse(self, what: str, remedy: str) -> WorkflowError:
        """The error that this declaration is, to be raised."""
        return WorkflowError(self.declared_at, f"{self.label}: {what}", remedy)

    def _check_name(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise self.refuse(
                "its name cannot be used in a URL", "a small letter, then at most 39 of a-z, 0-9, _ and -"
            )
        if self.name == BLEND:
            raise self.refuse(f"{BLEND!r} means an order in fallbacks", "another name")
        if not is_count(self.version):
            raise self.refuse(f"its version is {self.version!r}", "a whole number from 1")
        if not self.description.strip():
            raise self.refuse("it has no description", "one sentence for who chooses it")

    def _check_stages(self) -> None:
        if not self.sources:
            raise self.refuse("it has no source of candidates", 'name one: source("newest")')
        for number, each in enumerate(self.sources):
            if not isinstance(each, Source) or each.name not in _BY_NAME or each.read is not _BY_NAME[each.name].read:
                remedy = "declare it by source(NAME); a new one is a function in ranking/candidates.py"
                raise self.refuse(f"no such source of candidates: {getattr(each, 'name', each)!r}", remedy)
            if each.name in (before.name for before in self.sources[:number]):
                raise self.refuse(f"source {each.name!r} is declared twice", "once, with the size that is meant")
        if self.feature_set != FEATURE_SET:
            raise self.refuse(
                f"nobody computes the feature set {self.feature_set!r}", f"this version has {FEATURE_SET!r}"
            )
        if self.model is not None and self.model not in MODELS:
            raise self.refuse(f"no model is named {self.model!r}", f"one of {', '.join(MODELS)}, or None")

    def _check_rerankers(self) -> None:
        for number, reranker in enumerate(self.rerankers):
            if not isinstance(reranker, Reranker):
                raise self.refuse(f"no such re-ranker: {reranker!r}", f"there are {KNOWN}")
            if reranker in self.rerankers[:number]:
                raise self.refuse(f"re-ranker {reranker.name} is declared twice", "once")
            if isinstance(reranker, Discount) and number:
                raise self.refuse(
                    "discount() is not the first re-ranker", "first: the others reorder what it has lowered"
                )
            if isinstance(reranker, Explore) and number < len(self.rerankers) - 1:
                remedy = "last: what reorders after it would make the propensities false that it records"
                raise self.refuse("explore() is not the last re-ranker", remedy)

    def _check_filters(self) -> None:
        for number, rule in enumerate(self.filters):
            if rule not in DECLARABLE:
                raise self.refuse(f"no such filter: {rule!r}", f"those of ranking/rules.py: {_names(DECLARABLE)}")
            if rule in self.filters[:number]:
                raise self.refuse(f"filter {rule.name} is declared twice", "once")
        if missing := tuple(rule for rule in RULES if rule.always and rule not in self.filters):
            raise self.refuse(f"it lacks filters that every list must pass: {_names(missing)}", "add them")

    def _check_limits(self) -> None:
        candidates, length = self.limits.candidates, self.limits.length
        if not is_count(candidates) or not (length is None or is_count(length)):
            raise self.refuse(f"its limits are {candidates!r} candidates, length {length!r}", "whole numbers from 1")
        if length is not None and length > candidates:
            remedy = f"limits of at least {length} candidates, or a shorter list"
            raise self.refuse(f"a list of {length} jobs cannot come out of {candidates} candidates", remedy)
        for each in self.sources:
            if each.size > candidates:
                remedy = f"source({each.name!r}, size={candidates}) or less, or more candidates"
                raise self.refuse(f"source {each.name!r} alone gives more than the {candidates} candidates", remedy)

    def _check_budget(self) -> None:
        budget, fallback = self.budget, self.fallback
        times = {name: value for name, value in msgspec.structs.asdict(budget).items() if value is not None}
        for name, value in times.items():
            if not 0.0 < value < math.inf:
                raise self.refuse(
                    f"its budget has {name}={value!r}", "a number of milliseconds above 0, or leave it out"
                )
            if budget.whole_ms is not None and value > budget.whole_ms:
                remedy = "give the stage less, or the whole more"
                raise self.refuse(f"a stage has {name}={value:g}, the whole {budget.whole_ms:g} ms", remedy)
        if self.model is None and (times or fallback != Fallback()):
            remedy = "leave budget and fallback out: the blend needs no model and is the cheapest order there is"
            raise self.refuse("it has no model, so nothing can be missing and no stage be saved", remedy)
        if self.model is not None and fallback.no_model is None:
            remedy = "fallback=Fallback(no_model=BLEND), or the name of another workflow"
            raise self.refuse("it does not say what answers while there is no model", remedy)
        if times and fallback.budget is None:
            remedy = "fallback=Fallback(budget=BLEND), or the name of another workflow"
            raise self.refuse("it has a budget and does not say what answers when that is spent", remedy)
        if fallback.budget is not None and not times:
            raise self.refuse("its fallback for a spent budget never answers", "declare a budget, or leave it out")


def _names(rules: tuple[Rule, ...]) -> str:
    return ", ".join(rule.name for rule in rules)
