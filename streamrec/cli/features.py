"""``streamrec features``: the catalogue of features. Further commands are modules of their own, added at the end of this one."""

import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from streamrec.cli.features_cost import cost
from streamrec.cli.features_lineage import lineage
from streamrec.cli.features_parity import check_parity
from streamrec.cli.features_replay import replay
from streamrec.cli.tables import new_table, show_table
from streamrec.features.catalogue import Entry, UnknownFeatureError
from streamrec.features.near import near
from streamrec.features.search import LONGEST
from streamrec.ranking.catalogue import catalogue, search

_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
_FILTERS: Final = ("tag", "owner", "entity", "model")


@click.group()
def features() -> None:
    """Find features, and see what they are, where they come from, where they go and what they cost.

    A feature is declared once, in streamrec/features/library.py; all that is shown here follows from that.

    \b
    Exit codes: 0; 1 when there is no such feature, or nothing is found; 2 a mistake in the command.

    \b
    Examples:
      streamrec features list --tag popularity
      streamrec features search "saves per view"
      streamrec features describe save_rate
      streamrec features lineage job-postings.title
      streamrec features cost
    """


@features.command(name="list")
@click.option("--tag", help="With this tag.")
@click.option("--owner", help="Of this owner.")
@click.option("--entity", help="About this: member, job, pair, request, or a combination.")
@click.option("--model", help="Read by this model.")
@_AS_JSON
def list_(as_json: bool, **filters: str | None) -> None:
    """List the features, in the order of their declaration; those that meet all of what is given.

    \b
    Examples:
      streamrec features list
      streamrec features list --entity member --model job_check
      streamrec features list --json | jq -r '.features[] | [.id, .expression] | @tsv'
    """
    found = catalogue().select(**filters)
    if as_json:
        click.echo(json.dumps({"features": msgspec.to_builtins(found)}))
    elif found:
        _show(found, [])
        click.echo(f"{len(found):,} of {len(catalogue().entries):,} features")
    if not found:
        click.echo(_none(filters), err=True)
        sys.exit(1)


@features.command(name="search")
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The best so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out the best so many: for the next page.")
@_AS_JSON
def search_(words: tuple[str, ...], limit: int, offset: int, as_json: bool) -> None:
    """Search names, descriptions, owners, tags and expressions; typos do no harm. The best comes first.

    \b
    Examples:
      streamrec features search populrity
      streamrec features search saves per view
      streamrec features search job-postings.title
      streamrec features search owner platform --limit 5 --json | jq -r '.features[].id'
    """
    query = " ".join(words)
    if len(query) > LONGEST:
        raise click.BadParameter(f"a search has at most {LONGEST} characters", param_hint="WORDS")
    hits = search().find(query)
    page = hits[offset : offset + limit]
    if as_json:
        rows = [{**msgspec.to_builtins(hit.entry), "found_in": hit.found_in} for hit in page]
        click.echo(json.dumps({"total": len(hits), "features": rows}))
    elif page:
        _show([hit.entry for hit in page], [", ".join(hit.found_in) for hit in page])
        if len(hits) > len(page):
            click.echo(f"{offset + 1:,} to {offset + len(page):,} of {len(hits):,}; --limit and --offset show others")
    if not page:
        click.echo(f"no feature is like {query!r}" if not hits else f"there are only {len(hits):,}", err=True)
        sys.exit(1)


@features.command()
@click.argument("name")
@_AS_JSON
def describe(name: str, as_json: bool) -> None:
    """Show all that is known of a feature. NAME is its name, for the newest version, or name@version.

    \b
    Examples:
      streamrec features describe save_rate
      streamrec features describe save_rate@1 --json | jq '.state[].keeps'
    """
    try:
        entry = catalogue().find(name)
    except UnknownFeatureError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(entry)))
        return
    width = max(len(label) for label, _ in _lines(entry)) + 2
    for label, text in _lines(entry):
        click.echo(label.ljust(width) + text.replace("\n", "\n" + " " * width))


def _show(entries: Sequence[Entry], found_in: Sequence[str]) -> None:
    table = new_table("feature", "about", "description", "unit", "tags", "read by", *(["found in"] if found_in else []))
    for place, entry in enumerate(entries):
        models = ", ".join(use.model for use in entry.models) or "nobody"
        table.add_row(
            entry.name if entry.newest else entry.id, entry.entity, Text(entry.description), Text(entry.unit),
            Text(", ".join(entry.tags)), models, *found_in[place : place + 1],
        )  # fmt: skip
    show_table(table)


def _none(filters: dict[str, str | None]) -> str:
    """Why nothing is listed: what a filter may be instead, where it is nobody's."""
    entries = catalogue().entries
    known: dict[str, set[str]] = {
        "tag": {tag for each in entries for tag in each.tags},
        "owner": {each.owner for each in entries},
        "entity": {each.entity for each in entries},
        "model": {use.model for each in entries for use in each.models},
    }
    for name in _FILTERS:
        wanted = filters[name]
        if wanted is not None and wanted not in known[name]:
            like = near(wanted, known[name])
            hint = f"did you mean {', '.join(like)}?" if like else f"there are {', '.join(sorted(known[name]))}"
            return f"no feature has the {name} {wanted!r}; {hint}"
    return "no feature meets all of that"


def _lines(entry: Entry) -> list[tuple[str, str]]:
    state = [
        f"{each.key}  {each.keeps}, kept by {each.owner}"
        + (f", dropped after {each.ttl}" if each.ttl else "")
        + (f"\n  shared with {', '.join(each.shared_with)}" if each.shared_with else "")
        for each in entry.state
    ]
    lines: list[tuple[str, Any]] = [
        ("feature", entry.id + ("" if entry.newest else " (there is a newer version)")),
        ("description", entry.description), ("expression", entry.expression), ("kinds", ", ".join(entry.kinds)),
        ("type", entry.type + (f": {', '.join(entry.columns)}" if len(entry.columns) > 1 else "")),
        ("about", entry.entity), ("unit", entry.unit), ("default", f"{entry.default:g}"), ("ttl", entry.ttl or "none"),
        ("owner", entry.owner), ("tags", ", ".join(entry.tags) or "none"), ("declared at", entry.site),
        ("builds on", ", ".join(entry.features)), ("state", "\n".join(state) or "none"),
        ("sources", "\n".join(_by_topic(entry.sources))),
        ("models", ", ".join(f"{use.model} (set {use.feature_set})" for use in entry.models) or "none"),
        ("workflows", ", ".join(entry.workflows) or "none"),
    ]  # fmt: skip
    return [(label, text) for label, text in lines if text]


def _by_topic(sources: Sequence[str]) -> list[str]:
    fields: dict[str, list[str]] = {}
    for source in sources:
        topic, _, name = source.partition(".")
        fields.setdefault(topic, []).append(name)
    return [f"{topic}: {', '.join(names)}" for topic, names in fields.items()]


for _command in (lineage, cost, replay, check_parity):
    features.add_command(_command)
