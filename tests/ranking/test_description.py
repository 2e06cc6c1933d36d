import msgspec
import pytest

from streamrec.ranking.description import describe
from streamrec.ranking.workflow import Workflow
from streamrec.ranking.workflows import WORKFLOWS


@pytest.mark.parametrize("workflow", list(WORKFLOWS), ids=lambda workflow: workflow.label)
def test_everything_that_is_declared_is_told(workflow: Workflow) -> None:
    told = msgspec.to_builtins(describe(workflow, WORKFLOWS.find("jobs")))
    assert set(told) == {*workflow.__struct_fields__, "label", "default"} - {"declared_at"}
    assert [(each["name"], each["size"], each["weight"]) for each in told["sources"]] == [
        (each.name, each.size, each.weight) for each in workflow.sources
    ]
    assert [each["name"] for each in told["filters"]] == [rule.name for rule in workflow.filters]
    for part in ("limits", "budget", "fallback"):
        assert told[part] == msgspec.to_builtins(getattr(workflow, part))
    assert told["default"] is (workflow is WORKFLOWS.find("jobs"))
