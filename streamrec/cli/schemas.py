"""``streamrec schemas``: our Avro schemas in the schema registry."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Final

import click
import msgspec

from streamrec.cli.options import plain_errors, with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.kafka import subjects
from streamrec.kafka.registry import Registry
from streamrec.kafka.subjects import Subject
from streamrec.settings import Settings

_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


@click.group()
def schemas() -> None:
    """Register and check the schemas of what producers write, under the subject TOPIC-value each.

    A registry is optional: see the setting schema_registry. Without one, values are in Avro's single-object encoding,
    which needs none.

    \b
    Exit codes: 0 all well; 1 a schema is missing or not compatible, or the registry does not answer; 2 a mistake in
    the command or in the settings.

    \b
    Examples:
      STREAMREC_SCHEMA_REGISTRY=http://registry:8081 streamrec schemas register
      streamrec schemas check --json
    """


@schemas.command()
@_AS_JSON
@with_settings
def register(settings: Settings, as_json: bool) -> None:
    """Register the schemas that are not registered yet. One that does not fit the versions before it is refused.

    \b
    Examples:
      streamrec schemas register
      streamrec schemas register --json | jq '.subjects[] | {name, id}'
    """
    _run(settings, subjects.register, as_json)


@schemas.command()
@_AS_JSON
@with_settings
def check(settings: Settings, as_json: bool) -> None:
    """Say which schemas are registered, and whether the registry would take the others. Changes nothing.

    \b
    Examples:
      streamrec schemas check
      streamrec schemas check --json | jq '.subjects[] | select(.state != "registered")'
    """
    _run(settings, subjects.check, as_json)


def _run(settings: Settings, look: Callable[[Registry], Iterable[Subject]], as_json: bool) -> None:
    if settings.schema_registry is None:
        raise click.UsageError("no schema registry is configured: set STREAMREC_SCHEMA_REGISTRY, or schema_registry")
    with plain_errors():
        found = list(look(Registry(settings)))
    if as_json:
        click.echo(json.dumps({"subjects": msgspec.to_builtins(found)}))
    else:
        table = new_table("subject", "record", "id", "state")
        for subject in found:
            table.add_row(subject.name, subject.record, str(subject.id or ""), subject.problem or subject.state)
        show_table(table)
    sys.exit(0 if all(subject.id is not None for subject in found) else 1)
