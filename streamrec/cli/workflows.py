"""``streamrec workflows``: how lists can be made, as `ranking/workflows.py` declares it."""

import sys
from typing import Final

import click
import msgspec

from streamrec.cli.options import with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.ranking.default import default_workflow
from streamrec.ranking.description import Description, describe
from streamrec.ranking.registry import UnknownWorkflowError
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings

_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


@click.group()
def workflows() -> None:
    """Show how ranked lists can be made: what `?workflow=NAME` of the API and the setting workflow choose from.

    They are declared in streamrec/ranking/workflows.py, and checked when they are. Needs no server.

    \b
    Exit codes: 0 all well; 1 there is no such workflow; 2 a mistake in the command or in the settings.

    \b
    Examples:
      streamrec workflows list
      streamrec workflows describe jobs
    """


@workflows.command(name="list")
@_AS_JSON
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """Show every version of every workflow.

    \b
    Examples:
      streamrec workflows list
      streamrec workflows list --json | jq '.workflows[] | {label, model, fallback}'
    """
    default = default_workflow(settings)
    found = [describe(workflow, default) for workflow in WORKFLOWS]
    if as_json:
        click.echo(msgspec.json.encode({"workflows": found}))
        return
    table = new_table("workflow", "default", "sources", "model", "re-rankers", "budget", "what it is for")
    for each in found:
        budget = "" if each.budget.whole_ms is None else f"{each.budget.whole_ms:g} ms"
        table.add_row(
            each.label, "yes" if each.default else "", str(len(each.sources)), each.model or "", ", ".join(each.rerankers),
            budget, each.description,
        )  # fmt: skip
    show_table(table)


@workflows.command(name="describe")
@click.argument("name")
@_AS_JSON
@with_settings
def describe_(settings: Settings, name: str, as_json: bool) -> None:
    """Show one workflow stage by stage: NAME in its latest version, or NAME@VERSION.

    \b
    Examples:
      streamrec workflows describe jobs
      streamrec workflows describe diverse@1 --json | jq '.rerankers'
    """
    try:
        workflow = WORKFLOWS.find(name)
    except UnknownWorkflowError as error:
        raise click.ClickException(str(error)) from error
    described = describe(workflow, default_workflow(settings))
    if as_json:
        click.echo(msgspec.json.encode(described))
        return
    click.echo(f"{described.label}: {described.description}")
    click.echo(f"Declared at {workflow.declared_at}.\n")
    sys.stdout.flush()
    table = new_table("stage", "part", "says")
    for stage, part, says in _rows(described, settings):
        table.add_row(stage, part, says)
    show_table(table)


def _rows(described: Description, settings: Settings) -> list[tuple[str, str, str]]:
    """Stage, part, and what it says: in the order in which a list is made."""
    limits, budget, fallback = described.limits, described.budget, described.fallback
    length = f"the setting list_size ({settings.list_size})" if limits.length is None else str(limits.length)
    rows = [("candidates", each.name, f"up to {each.size}, weight {each.weight:g}") for each in described.sources]
    rows += [("filter", each.name, each.description) for each in described.filters]
    rows += [
        ("features", described.feature_set, f"of up to {limits.candidates} candidates"),
        (
            "model",
            described.model or "none",
            "orders them" if described.model else "the sources' ranks order them, by weight",
        ),
    ]
    rows += [("re-ranker", name, "") for name in described.rerankers]
    rows += [("list", "length", length)]
    times = ((name, getattr(budget, name)) for name in budget.__struct_fields__)
    rows += [("budget", name.removesuffix("_ms"), f"{value:g} ms") for name, value in times if value is not None]
    answers = ((name, getattr(fallback, name)) for name in fallback.__struct_fields__)
    rows += [("fallback", name, f"{value} answers") for name, value in answers if value is not None]
    return rows
