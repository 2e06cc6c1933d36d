"""The shipped workflows: the default is what streamrec has always done."""

from pathlib import Path

import msgspec
import pytest

from streamrec.ranking.candidates import SOURCES
from streamrec.ranking.description import describe
from streamrec.ranking.ranked import FIRST
from streamrec.ranking.rules import RULES
from streamrec.ranking.workflow import BLEND, Fallback, Workflow
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings

GOLDEN = Path(__file__).parent.parent / "golden" / "workflows"


def test_the_default_asks_the_sources_with_their_own_sizes_and_weights_in_their_order() -> None:
    jobs = WORKFLOWS.find(Settings().workflow)
    assert jobs.name == "jobs"
    assert WORKFLOWS.find(FIRST).name == "jobs"
    # What titles and places alone find, content finds as well: they are there for workflows that want just them.
    assert jobs.sources == tuple(source for source in SOURCES if source.name not in ("title", "place"))
    assert jobs.filters == RULES
    assert jobs.limits.candidates >= sum(source.size for source in jobs.sources)
    assert jobs.explored(0.1) == 0.1
    assert jobs.fallback == Fallback(no_model=BLEND, budget="popular")


def test_diverse_differs_from_the_default_in_its_rerankers_alone() -> None:
    jobs, diverse = WORKFLOWS.find("jobs"), WORKFLOWS.find("diverse")
    assert (diverse.rerankers[:1], diverse.rerankers[-1:]) == (jobs.rerankers[:1], jobs.rerankers[1:])
    same = msgspec.structs.replace(
        diverse,
        name="jobs",
        version=jobs.version,
        description=jobs.description,
        rerankers=jobs.rerankers,
        declared_at=jobs.declared_at,
    )
    assert {name: getattr(same, name) for name in same.__struct_fields__ if name != "declared_at"} == {
        name: getattr(jobs, name) for name in jobs.__struct_fields__ if name != "declared_at"
    }


@pytest.mark.parametrize("workflow", list(WORKFLOWS), ids=lambda workflow: workflow.label)
def test_a_version_that_was_released_is_not_changed(workflow: Workflow) -> None:
    """Impressions name it: a change is a new version with a file of its own. The features are named beside it there."""
    told = msgspec.json.decode(msgspec.json.encode(describe(workflow, workflow)))
    for free in ("description", "default", "feature_set"):
        del told[free]
    assert told == msgspec.json.decode((GOLDEN / f"{workflow.label}.json").read_bytes())


def test_each_says_where_it_is_declared() -> None:
    places = [workflow.declared_at for workflow in WORKFLOWS]
    assert {place.file for place in places} == {"streamrec/ranking/workflows.py"}
    assert len(set(places)) == len(WORKFLOWS)
