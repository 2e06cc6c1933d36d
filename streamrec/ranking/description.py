"""What is told of a workflow, to programs and people."""

from typing import Annotated

import msgspec
from msgspec import Meta

from streamrec.ranking.workflow import Workflow


class SourceDescription(msgspec.Struct, frozen=True):
    """A source of candidates: how many it may contribute, and the weight of its ranks where there is no model."""

    name: str
    size: int
    weight: float


class FilterDescription(msgspec.Struct, frozen=True):
    """What is true of every job in the list."""

    name: str
    description: str


class LimitsDescription(msgspec.Struct, frozen=True):
    """How much."""

    candidates: Annotated[int, Meta(description="Jobs that are scored at most, but never fewer than are listed.")]
    length: Annotated[int | None, Meta(description="Of a list at most; null: the setting `list_size`.")]


class BudgetDescription(msgspec.Struct, frozen=True):
    """How long it may take, in milliseconds; null is without a budget. Looked at after each of these stages."""

    whole_ms: float | None
    candidates_ms: float | None
    features_ms: float | None


class FallbackDescription(msgspec.Struct, frozen=True):
    """What answers instead: `blend` (the same list in the order of the sources) or another workflow; null where not needed."""

    no_model: str | None
    budget: str | None


class Description(msgspec.Struct, frozen=True):
    """How a list is made: its stages in order, its limits, and what happens when something is missing."""

    name: str
    version: int
    label: Annotated[str, Meta(description="As answers and impressions tell it.", examples=["jobs@1"])]
    description: str
    default: Annotated[bool, Meta(description="Whether it answers requests that name none.")]
    sources: tuple[SourceDescription, ...]
    feature_set: Annotated[str, Meta(description="Computed for the model, and kept with what is shown.")]
    model: Annotated[str | None, Meta(description="What orders the candidates; null: the sources do.")]
    rerankers: Annotated[tuple[str, ...], Meta(description="What may change that order, in this order.")]
    filters: tuple[FilterDescription, ...]
    limits: LimitsDescription
    budget: BudgetDescription
    fallback: FallbackDescription


def describe(workflow: Workflow, default: Workflow) -> Description:
    """What is told of `workflow`, where `default` answers requests that name none.

    Examples
    --------
    >>> from streamrec.ranking.workflows import WORKFLOWS
    >>> jobs, diverse = WORKFLOWS.find("jobs"), WORKFLOWS.find("diverse")
    >>> describe(diverse, jobs).rerankers, describe(diverse, jobs).default
    (('discount(0.8)', 'vary(0.5)', 'at_most_per(company, 3, within=10)', 'explore()'), False)
    """
    limits, budget, fallback = workflow.limits, workflow.budget, workflow.fallback
    return Description(
        name=workflow.name,
        version=workflow.version,
        label=workflow.label,
        description=workflow.description,
        default=workflow is default,
        sources=tuple(SourceDescription(source.name, source.size, source.weight) for source in workflow.sources),
        feature_set=workflow.feature_set,
        model=workflow.model,
        rerankers=tuple(reranker.name for reranker in workflow.rerankers),
        filters=tuple(FilterDescription(rule.name, rule.description) for rule in workflow.filters),
        limits=LimitsDescription(limits.candidates, limits.length),
        budget=BudgetDescription(budget.whole_ms, budget.candidates_ms, budget.features_ms),
        fallback=FallbackDescription(fallback.no_model, fallback.budget),
    )
