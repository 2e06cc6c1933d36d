"""``streamrec features lineage``: where something comes from, and where it goes."""

import json
from typing import Final

import click
import msgspec

from streamrec.features import drawing
from streamrec.features.lineage import Lineage, Node, UnknownNodeError
from streamrec.ranking.catalogue import lineage as shipped

_FORMATS: Final = {"tree": drawing.tree, "dot": drawing.dot, "mermaid": drawing.mermaid}


@click.command()
@click.argument("name")
@click.option("--format", "format_", type=click.Choice(list(_FORMATS)), default="tree", show_default=True,
              help="A tree for people, or what Graphviz or Mermaid draw.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead: nodes both ways, and edges.")
def lineage(name: str, format_: str, as_json: bool) -> None:
    """Show what something comes from, and what comes from it: from topic and field to state, feature, model and workflow.

    NAME is a feature, a topic, a field (topic.field), a state (its key or its text), a model, or a workflow. Where several
    are called so, say which: feature:NAME, topic:NAME, and so on.

    \b
    Exit codes: 0; 1 when nothing is called so.

    \b
    Examples:
      streamrec features lineage job_views
      streamrec features lineage job-postings.title
      streamrec features lineage job_check --format dot | dot -Tsvg > lineage.svg
      streamrec features lineage job-views --json | jq -r '.downstream[] | select(.kind == "feature").name'
    """
    graph = shipped()
    try:
        node = graph.find(name)
    except UnknownNodeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_json(graph, node)) if as_json else _FORMATS[format_](graph, node))


def _json(graph: Lineage, node: Node) -> dict[str, object]:
    up, down = graph.upstream(node), graph.downstream(node)
    found = {"node": node, "upstream": up, "downstream": down, "edges": graph.edges((*up, node, *down))}
    return {name: msgspec.to_builtins(value) for name, value in found.items()}
