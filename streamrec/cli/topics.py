"""``streamrec topics``: create, check and list the topics that `topics/*.toml` describes."""

import json
import sys
from typing import Final

import click
import msgspec

from streamrec.cli.options import with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.kafka.admin import Admin, Problem
from streamrec.settings import Settings
from streamrec.topics import load

_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


@click.group()
def topics() -> None:
    """Create, check and list the Kafka topics.

    \b
    Exit codes: 0 all well; 1 something is wrong with the topics, or Kafka does not answer; 2 a mistake in the
    command or in the settings.

    \b
    Examples:
      streamrec topics create
      streamrec topics check --json
      STREAMREC_KAFKA=kafka:9092 streamrec topics list
    """


@topics.command()
@_AS_JSON
@with_settings
def create(settings: Settings, as_json: bool) -> None:
    """Create the topics that are missing; then check all, as `check` does.

    Member- and job-keyed topics get as many partitions as the setting `partitions` says (default 4). The count cannot
    be changed once there is data: the partition of a key says who owns its state.

    \b
    Examples:
      streamrec topics create
      STREAMREC_PARTITIONS=16 streamrec topics create
    """
    admin = Admin(settings)
    try:
        created = sorted(admin.create(load()))
        problems = admin.check(load())
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"created": created, "problems": msgspec.to_builtins(problems)}))
    else:
        for name in created:
            click.echo(f"created {name}")
        if not created:
            click.echo("nothing to create: all topics exist")
        _show(problems)
    sys.exit(1 if problems else 0)


@topics.command()
@_AS_JSON
@with_settings
def check(settings: Settings, as_json: bool) -> None:
    """Say what is wrong with the topics on the broker, and what to do: exit code 1 if anything is.

    Looked at: missing topics, wrong or unequal partition counts, the cleanup policy, and the other settings of topics/*.toml
    (retention, size of a message), without which streamrec works, but not as its topics say.

    \b
    Examples:
      streamrec topics check
      streamrec topics check --json | jq -r '.problems[].remedy'
    """
    try:
        admin = Admin(settings)
        problems = admin.check(load()) + admin.drift(load())
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"problems": msgspec.to_builtins(problems)}))
    else:
        if not problems:
            click.echo(f"all {len(load())} topics are as they must be")
        _show(problems)
    sys.exit(1 if problems else 0)


@topics.command(name="list")
@_AS_JSON
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """Show every topic: what is in it, its key, partitions, records on the broker, who writes and who reads it.

    \b
    Examples:
      streamrec topics list
      streamrec topics list --json | jq '.topics[] | {name, records}'
    """
    admin = Admin(settings)
    try:
        found, bounds = admin.describe(load()), admin.bounds(load())
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    rows = []
    for name, spec in load().items():
        kept = [high - low for (topic, _), (low, high) in bounds.items() if topic == name]
        row = msgspec.to_builtins(spec) | {
            "exists": name in found,
            "id": None,
            "partitions": None,
            "records": sum(kept),
        }
        if name in found:
            row |= {"id": found[name].id, "partitions": found[name].partitions, "cleanup": found[name].cleanup}
        rows.append(row)
    if as_json:
        click.echo(json.dumps({"topics": rows}))
        return
    table = new_table("topic", "key", "partitions", "records", "kept", "written by", "read by")
    for row in rows:
        kept_for = "newest of a key" if row["cleanup"] == "compact" else str(row["retention"])
        partitions = str(row["partitions"]) if row["exists"] else "missing"
        table.add_row(
            row["name"], row["key"], partitions, f"{row['records']:,}", kept_for, ", ".join(row["written_by"]),
            ", ".join(row["read_by"]),
        )  # fmt: skip
    show_table(table)


def _show(problems: list[Problem]) -> None:
    if not problems:
        return
    table = new_table("topic", "what is wrong", "what to do")
    for problem in problems:
        table.add_row(problem.topic, problem.what, problem.remedy)
    show_table(table, err=True)
