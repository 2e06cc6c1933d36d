"""What `streamrec evaluate` prints for people."""

from typing import Any, Final

import click

from streamrec.cli.tables import new_table, show_table
from streamrec.training.agreement import TOP
from streamrec.training.evaluate import SECOND, SYSTEM, Evaluation
from streamrec.training.measures import METRICS
from streamrec.training.paired import COMPARED
from streamrec.training.segments import PARTS, SEGMENTS

_IN_FULL: Final = ("all", "warm_items", "cold_members")  # with all metrics; the others are a line each


def show_evaluation(result: Evaluation) -> None:
    """Print the tables; what there was no query for is left out."""
    figures = result.to_json()
    click.echo(
        f"{result.events:,} events, {result.queries:,} queries, {figures['queries_per_second']:,} queries/s, "
        f"{figures['milliseconds_per_query']} ms a ranking\n{SYSTEM}: {result.configuration}"
    )
    if result.agreement is not None:
        click.echo(_agreement(result.agreement))
    for name, each in result.trainings.items():
        click.echo(f"{name}: trained {each['trainings']:,} times in {each['seconds']:,} s")
    if result.comparison is not None:
        _comparison(result.comparison)
    for segment in _IN_FULL:
        for part in PARTS:
            _metrics(result, segment, part)
    _by_segment(result)
    _recall(result)
    if result.stronger is not None:
        late = result.stronger["second_half"]
        click.echo(f"\nP(stronger | view), second half, {late['views']:,} views")
        click.echo(", ".join(f"{name} {late[name]}" for name in ("log_loss", "auc", "base_rate")))


def _comparison(comparison: dict[str, Any]) -> None:
    click.echo(f"{SECOND}: {comparison['configuration']}")
    for part in PARTS:
        cells = {name: found[part] for name, found in comparison["differences"].items() if found[part]["queries"]}
        if not cells:
            continue
        click.echo(f"\n{SECOND} less {SYSTEM}, {_words(part)}: difference, 95 %, and p of a paired test over members")
        table = new_table("", "queries", "members", *(name for each in COMPARED for name in (each, "95 %", "p")))
        for segment, cell in cells.items():
            figures = []
            for metric in COMPARED:
                low, high = cell[metric]["interval"]
                figures += [
                    f"{cell[metric]['difference']:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{cell[metric]['p']:.4f}"
                ]  # fmt: skip
            table.add_row(_words(segment), f"{cell['queries']:,}", f"{cell['members']:,}", *figures)
        show_table(table)


def _metrics(result: Evaluation, segment: str, part: str) -> None:
    cells = {name: found[segment][part] for name, found in result.results.items()}
    if not (queries := cells[SYSTEM]["queries"]):
        return
    click.echo(f"\n{_words(segment)}, {_words(part)}: {queries:,} queries")
    table = new_table("", *METRICS, "hr@10, 95 %")
    for name, cell in cells.items():
        low, high = cell["intervals"]["hr@10"]
        table.add_row(name, *(f"{cell[metric]:.4f}" for metric in METRICS), f"{low:.4f} to {high:.4f}")
    show_table(table)


def _by_segment(result: Evaluation) -> None:
    """One line a segment: the hit rate of everything that answered."""
    table = new_table("", "queries", *result.results)
    for segment in SEGMENTS:
        cells = [found[segment]["second_half"] for found in result.results.values()]
        if cells[0]["queries"]:
            table.add_row(_words(segment), f"{cells[0]['queries']:,}", *(f"{cell['hr@10']:.4f}" for cell in cells))
    if table.row_count:
        click.echo("\nhr@10 by segment, second half")
        show_table(table)


def _recall(result: Evaluation) -> None:
    cells = {segment: found["second_half"] for segment, found in result.recall.items()}
    cells = {segment: cell for segment, cell in cells.items() if cell["queries"]}
    if not cells:
        return
    click.echo("\ncandidates by source, second half: share of queries whose job a source gave, and it alone")
    table = new_table("", "candidates", "recall", "unique", *(_words(segment) for segment in cells if segment != "all"))
    whole = cells.pop("all")
    for name, source in whole["sources"].items():
        others = (f"{cell['sources'][name]['recall']:.4f}" for cell in cells.values())
        table.add_row(
            name, f"{source['candidates']:.1f}", f"{source['recall']:.4f}", f"{source['unique']:.4f}", *others
        )  # fmt: skip
    others = (f"{cell['recall']:.4f}" for cell in cells.values())
    table.add_row("together", f"{whole['candidates']:.1f}", f"{whole['recall']:.4f}", "", *others)
    show_table(table)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _agreement(found: dict[str, Any]) -> str:
    queries = found["queries"]
    verdict = "differ" if found["first_difference"] else "agree"
    return (
        f"live and offline {verdict}: {found['equal']:,} of {found['lists']:,} lists are equal (top {TOP} of at least "
        f"{found['members']:,} members at {found['points']} points in time), {found['equal_scores']:,} with equal scores; "
        f"{queries['equal']:,} of {queries['lists']:,} answers to queries; {found['milliseconds_per_event']} ms an event"
    )
