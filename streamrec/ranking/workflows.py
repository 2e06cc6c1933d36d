"""The shipped workflows. Declarations only: `workflow` says what they mean and checks them.

A workflow is never changed once it has served, since impressions name it: a change is a new version beside the old one, and
`tests/golden/workflows` holds each of them to it.
"""

from typing import Final

from streamrec.ranking.registry import Workflows
from streamrec.ranking.rerankers import at_most_per, discount, explore, vary
from streamrec.ranking.workflow import BLEND, Budget, Fallback, Limits, Workflow, source

# In the order of `candidates.SOURCES`, so that sums of weights are the same to the last bit.
_EVERYWHERE: Final = (
    source("covisited", size=100, weight=3.0),
    source("popular_hour", size=40, weight=1.0),
    source("popular_days", size=60, weight=1.0),
    source("popular_region", size=30, weight=2.0),
    source("popular_function", size=30, weight=1.5),
    source("newest", size=30, weight=0.5),
    source("network", size=30, weight=2.0),
    source("content", size=120, weight=3.0),
)
_BUDGET: Final = Budget(whole_ms=250)  # it takes 3 ms; a machine that is so busy should shed load

WORKFLOWS: Final = Workflows(
    Workflow(
        name="jobs",
        version=1,
        description="The jobs that the member is likely to check next.",
        sources=_EVERYWHERE,
        model="job_check",
        rerankers=(explore(),),
        limits=Limits(candidates=500),
        budget=_BUDGET,
        fallback=Fallback(no_model=BLEND, budget="popular"),
    ),
    Workflow(
        name="jobs",
        version=2,
        description="The jobs that the member is likely to check next, less those that it was shown and did not check.",
        sources=_EVERYWHERE,
        model="job_check",
        rerankers=(discount(0.8), explore()),
        limits=Limits(candidates=500),
        budget=_BUDGET,
        fallback=Fallback(no_model=BLEND, budget="popular"),
    ),
    Workflow(
        name="diverse",
        version=1,
        description="As jobs, but at most three of one company among any ten in a row.",
        sources=_EVERYWHERE,
        model="job_check",
        rerankers=(at_most_per("company", 3, within=10), explore()),
        limits=Limits(candidates=500),
        budget=_BUDGET,
        fallback=Fallback(no_model=BLEND, budget="popular"),
    ),
    Workflow(
        name="diverse",
        version=2,
        description="As jobs, but varied in company, title and place.",
        sources=_EVERYWHERE,
        model="job_check",
        rerankers=(discount(0.8), vary(0.5), at_most_per("company", 3, within=10), explore()),
        limits=Limits(candidates=500),
        budget=_BUDGET,
        fallback=Fallback(no_model=BLEND, budget="popular"),
    ),
    Workflow(
        name="popular",
        version=1,
        description="What most act on, and what is new: without a model, and the same for all but for what they did.",
        sources=(
            source("popular_hour", size=40, weight=1.0),
            source("popular_days", size=60, weight=1.0),
            source("newest", size=30, weight=0.5),
        ),
        rerankers=(explore(),),
        limits=Limits(candidates=200),
    ),
)
