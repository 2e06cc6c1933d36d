"""The shipped workflows: the default is what streamrec has always done."""

import msgspec

from streamrec.ranking.candidates import SOURCES
from streamrec.ranking.ranked import FIRST
from streamrec.ranking.rules import RULES
from streamrec.ranking.workflow import BLEND, Fallback
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings


def test_the_default_asks_every_source_with_its_own_size_and_weight_in_their_order() -> None:
    jobs = WORKFLOWS.find(Settings().workflow)
    assert jobs.label == FIRST
    assert jobs.sources == SOURCES  # a new source makes a new version of jobs
    assert jobs.filters == RULES
    assert jobs.limits.candidates >= sum(source.size for source in SOURCES)
    assert jobs.explored(0.1) == 0.1
    assert jobs.fallback == Fallback(no_model=BLEND, budget="popular")


def test_diverse_differs_from_the_default_in_its_reranker_alone() -> None:
    jobs, diverse = WORKFLOWS.find("jobs"), WORKFLOWS.find("diverse")
    same = msgspec.structs.replace(
        diverse, name="jobs", description=jobs.description, rerankers=diverse.rerankers[1:], declared_at=""
    )
    assert {name: getattr(same, name) for name in same.__struct_fields__ if name != "declared_at"} == {
        name: getattr(jobs, name) for name in jobs.__struct_fields__ if name != "declared_at"
    }


def test_each_says_where_it_is_declared() -> None:
    places = [workflow.declared_at for workflow in WORKFLOWS]
    assert all(place.startswith("streamrec/ranking/workflows.py:") for place in places)
    assert len(set(places)) == len(WORKFLOWS)
