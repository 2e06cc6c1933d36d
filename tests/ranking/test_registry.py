import re
from typing import Any

import pytest

from streamrec.ranking.declaration import WorkflowError
from streamrec.ranking.registry import UnknownWorkflowError, Workflows
from streamrec.ranking.workflow import BLEND, Budget, Fallback, Workflow, source


def declare(name: str, version: int = 1, **more: Any) -> Workflow:
    return Workflow(name=name, version=version, description="For tests.", sources=(source("newest"),), **more)


def leaning(name: str, version: int = 1, *, no_model: str = BLEND, budget: str | None = None) -> Workflow:
    return declare(
        name, version, model="job_check", fallback=Fallback(no_model=no_model, budget=budget),
        budget=Budget() if budget is None else Budget(whole_ms=5),
    )  # fmt: skip


def test_a_name_is_its_latest_version_whatever_the_order() -> None:
    workflows = Workflows(declare("a", 2), declare("a", 10), declare("a", 1), declare("b"))
    assert [workflows.find(name).label for name in ("a", "a@1", "a@2", "b", "b@1")] == [
        "a@10",
        "a@1",
        "a@2",
        "b@1",
        "b@1",
    ]
    assert [each.label for each in workflows] == ["a@2", "a@10", "a@1", "b@1"]
    assert len(workflows) == 4


@pytest.mark.parametrize("name", ["c", "a@3", "a@", "@1", "", "a@01", "x" * 1000])
def test_an_unknown_one_is_said_with_those_that_exist(name: str) -> None:
    workflows = Workflows(declare("a", 1), declare("a", 2), declare("b"))
    with pytest.raises(UnknownWorkflowError, match=re.escape("there are a (a@1, a@2), b (b@1)")) as caught:
        workflows.find(name)
    assert len(str(caught.value)) < 200


def test_the_same_name_and_version_twice_is_refused() -> None:
    first = declare("a")
    with pytest.raises(WorkflowError, match=r"a@1: it is declared already, at .*; raise the version") as caught:
        Workflows(first, declare("b"), declare("a"))
    assert str(first.declared_at) in str(caught.value)


@pytest.mark.parametrize("reason", ["no_model", "budget"])
def test_a_fallback_that_does_not_exist_is_refused_where_it_is_declared(reason: str) -> None:
    lean = leaning("a", no_model="popular") if reason == "no_model" else leaning("a", budget="popular")
    with pytest.raises(
        WorkflowError, match=f"its fallback for {reason} does not exist; there is no workflow 'popular'"
    ) as caught:
        Workflows(lean, declare("b"))
    assert caught.value.site == lean.declared_at
    assert Workflows(lean, declare("popular")).fallback(lean, reason) is not None


@pytest.mark.parametrize(
    ("declared", "circle"),
    [
        ([leaning("a", no_model="a")], "a@1 -> a@1"),
        ([leaning("a", budget="b"), leaning("b", no_model="a@1")], "a@1 -> b@1 -> a@1"),
        ([leaning("x", budget="a"), leaning("a", no_model="b"), leaning("b", budget="a")], "a@1 -> b@1 -> a@1"),
        (
            [leaning("a", 1), leaning("a", 2, budget="a@1"), leaning("b", budget="a"), leaning("c", budget="c@1")],
            "c@1 -> c@1",
        ),
    ],
)
def test_fallbacks_in_a_circle_are_refused(declared: list[Workflow], circle: str) -> None:
    with pytest.raises(WorkflowError, match=re.escape(f"fallbacks lead in a circle: {circle}; end it with one that")):
        Workflows(*declared)


def test_two_ways_to_the_same_fallback_are_no_circle() -> None:
    last = declare("last")
    first = leaning("first", no_model="last", budget="second")
    workflows = Workflows(first, leaning("second", no_model="last"), last)
    assert workflows.fallback(first, "no_model") is last
    assert workflows.fallback(workflows.find("second"), "budget") is None
