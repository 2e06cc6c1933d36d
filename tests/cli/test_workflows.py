"""The command shows what is declared; it needs no server."""

import json
from typing import Any

import pytest

from streamrec.ranking.workflows import WORKFLOWS


def test_list_shows_every_workflow_and_which_is_the_default(run: Any, run_json: Any) -> None:
    lines = [
        line for line in run({}, "workflows", "list").stdout.splitlines() if line[1] != " "
    ]  # the rest of long cells
    assert [line.split()[0] for line in lines] == ["workflow", *(workflow.label for workflow in WORKFLOWS)]
    assert [line.split()[0] for line in lines if " yes " in line] == ["jobs@2"]
    environ = {"STREAMREC_WORKFLOW": "popular"}
    found = run_json(environ, "workflows", "list")["workflows"]
    assert [each["label"] for each in found] == [workflow.label for workflow in WORKFLOWS]
    assert [each["label"] for each in found if each["default"]] == ["popular@1"]


@pytest.mark.parametrize("workflow", list(WORKFLOWS), ids=lambda workflow: workflow.label)
def test_describe_shows_every_part(run: Any, run_json: Any, workflow: Any) -> None:
    shown = run({"STREAMREC_LIST_SIZE": "77"}, "workflows", "describe", workflow.label).stdout
    assert shown.startswith(f"{workflow.label}: {workflow.description}\nDeclared at {workflow.declared_at}.\n")
    parts = [part.name for part in (*workflow.sources, *workflow.filters, *workflow.rerankers)]
    assert all(part in shown for part in parts)
    assert workflow.feature_set in shown
    assert "the setting list_size (77)" in shown
    if workflow.model:
        assert "250 ms" in shown
        assert "popular answers" in shown
    described = run_json({}, "workflows", "describe", workflow.label)
    assert [each["name"] for each in described["sources"]] == [source.name for source in workflow.sources]
    assert described["fallback"] == {"no_model": workflow.fallback.no_model, "budget": workflow.fallback.budget}


def test_an_unknown_one_is_said_with_those_that_exist(run: Any) -> None:
    for options in ((), ("--json",)):
        result = run({}, "workflows", "describe", "best", *options)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: there is no workflow 'best'; there are jobs (jobs@1, jobs@2), ")
        assert result.stdout == ""


@pytest.mark.parametrize("command", [(), ("list",), ("describe",)])
def test_help_has_examples(run: Any, command: tuple[str, ...]) -> None:
    result = run({}, "workflows", *command, "--help")
    assert result.exit_code == 0
    assert "Examples:\n    streamrec workflows" in result.stdout


def test_json_is_one_document_with_a_newline(run: Any) -> None:
    printed = run({}, "workflows", "list", "--json").stdout
    assert printed.endswith("}\n")
    assert len(json.loads(printed)["workflows"]) == len(WORKFLOWS)
