"""An evaluation as one HTML page that needs nothing from elsewhere."""

from html import escape
from typing import Any, Final

from streamrec.training.evaluate import SECOND, SYSTEM, Evaluation
from streamrec.training.measures import METRICS
from streamrec.training.paired import COMPARED
from streamrec.training.plots import STYLE, Bar, bars, calibration, lines
from streamrec.training.segments import PARTS, SEGMENTS

_STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --soft: #6a7385; --mark: #eef4ff }
@media (prefers-color-scheme: dark) { :root { --page: #141a26; --soft: #9aa5b8; --mark: #1e2c4a } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: var(--ink);
  background: var(--page) }
table { border-collapse: collapse; margin: .5em 0 2em; width: 100% }
caption { text-align: left; font-weight: 600; padding: .5em 0 }
th, td { text-align: right; padding: .25em .8em; border-bottom: 1px solid var(--faint); font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left }
tr.own { font-weight: 600; background: var(--mark) }
small { color: var(--soft); font-weight: 400; display: block }
"""
_PART: Final = {"whole": "whole log", "second_half": "second half of the log"}


def page(result: Evaluation, name: str, candidates: str) -> str:
    """The page.

    Parameters
    ----------
    result
        What came out.
    name
        Of the log's file.
    candidates
        What was ranked, as the command line has it.
    """
    figures = result.to_json()
    about = (
        f"<p>{result.events:,} events, {result.queries:,} queries, {_number(figures['queries_per_second'], 1)} queries a "
        f"second, {_number(figures['milliseconds_per_query'], 2)} ms a ranking. Candidates: {escape(candidates)}. "
        f"{SYSTEM} is {escape(result.configuration)}. Each "
        "event is answered before it is learned; the small figures are 95 % bootstrap intervals over members.</p>"
    )
    parts = [
        f"<h1>streamrec evaluate: {escape(name)}</h1>",
        about,
        _hits(result),
    ]
    if result.comparison is not None:
        parts += [_comparison(result.comparison, part) for part in reversed(PARTS)]
    parts.append(_recall(result))
    parts += [
        _table(result, segment, part) for segment in SEGMENTS for part in reversed(PARTS)
        if result.results[SYSTEM][segment][part]["queries"]
    ]  # fmt: skip
    if result.stronger is not None:
        parts.append(_stronger(result.stronger["second_half"]))
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{STYLE}{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _title(segment: str) -> str:
    return segment.replace("_", " ").capitalize()


def _table(result: Evaluation, segment: str, part: str) -> str:
    cells = {who: found[segment][part] for who, found in result.results.items()}
    rows = "".join(
        f"<tr{' class=own' if who == SYSTEM else ''}><td>{escape(who)}</td>"
        + "".join(f"<td>{_number(cell[metric])}{_interval(cell, metric)}</td>" for metric in METRICS)
        + "</tr>\n"
        for who, cell in cells.items()
    )
    heads = "".join(f"<th>{metric}</th>" for metric in METRICS)
    queries, title = cells[SYSTEM]["queries"], _title(segment)
    return (
        f"<table><caption>{title} ({SEGMENTS[segment]}), {_PART[part]}, {queries:,} queries</caption>\n"
        f"<tr><th></th>{heads}</tr>\n{rows}</table>"
    )


def _comparison(comparison: dict[str, Any], part: str) -> str:
    rows = []
    for segment, found in comparison["differences"].items():
        cell = found[part]
        if not cell["queries"]:
            continue
        figures = "".join(
            f"<td>{each['difference']:+.4f}<small>{each['interval'][0]:+.4f} to {each['interval'][1]:+.4f}, "
            f"p {each['p']:.4f}</small></td>"
            for each in (cell[metric] for metric in COMPARED)
        )
        rows.append(
            f"<tr><td>{_title(segment)}</td><td>{cell['queries']:,}</td><td>{cell['members']:,}</td>{figures}</tr>"
        )
    if not rows:
        return ""
    heads = "".join(f"<th>{name}</th>" for name in ("", "queries", "members", *COMPARED))
    return (
        f"<table><caption>{SECOND} ({escape(comparison['configuration'])}) less {SYSTEM}, {_PART[part]}: difference, 95 % "
        f"interval, and p of a paired test, both over members</caption>\n<tr>{heads}</tr>\n"
        + "\n".join(rows)
        + "</table>"
    )


def _recall(result: Evaluation) -> str:
    cell = result.recall["all"]["second_half"]
    if not cell["queries"]:
        return ""
    sources = {**cell["sources"], "together": {**cell, "unique": None}}
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{_number(each['recall'])}</td><td>{_number(each['unique'])}</td>"
        f"<td>{_number(each['candidates'], 1)}</td></tr>\n"
        for name, each in sources.items()
    )
    found = [
        Bar(name, each["recall"], f"{each['recall']:.3f}, alone {each['unique']:.3f}", each["unique"])
        for name, each in cell["sources"].items()
    ]
    text = (
        "A bar for each source, the share of queries whose job it gave; the strong part is what no other source gave."
    )
    return (
        "<h2>Candidate recall by source, second half</h2>"
        + bars("Candidate recall by source", text, found)
        + "<table><caption>Candidates by source: of how many queries a source had the job that was chosen, no other had it, "
        f"and how many it gave; second half of the log, {cell['queries']:,} queries</caption>\n"
        f"<tr><th></th><th>recall</th><th>unique</th><th>candidates</th></tr>\n{rows}</table>"
    )


def _interval(cell: dict[str, Any], metric: str) -> str:
    interval = cell["intervals"][metric]
    return "" if interval is None else f"<small>{interval[0]:.4f} to {interval[1]:.4f}</small>"


def _hits(result: Evaluation) -> str:
    """Bars of the hit rate with their intervals, and the hit rate over the log."""
    cells = {who: found["all"]["second_half"] for who, found in result.results.items()}
    if not cells[SYSTEM]["queries"]:
        return ""
    found = [
        Bar(
            who,
            cell["hr@10"],
            f"{cell['hr@10']:.3f}",
            cell["hr@10"] if who == SYSTEM else 0.0,
            *cell["intervals"]["hr@10"],
        )
        for who, cell in cells.items()
    ]
    told = ", ".join(f"{each.name} {each.note}" for each in found)
    text = f"Share of all queries of the second half whose job was among the first ten, with 95 % intervals: {told}."
    over = {
        who: values for who, values in result.over_time["hr@10"].items() if any(value is not None for value in values)
    }
    return (
        "<h2>HR@10, all queries, second half</h2>"
        + bars("Hit rate at 10 of streamrec and the baselines", text, found)
        + "<h2>HR@10 over the log</h2>"
        + lines(
            "Hit rate at 10 by tenth of the log", "One line for streamrec and each baseline, from the first to the last tenth.",
            over, SYSTEM, "tenth of the log",
        )
    )  # fmt: skip


def _stronger(late: dict[str, Any]) -> str:
    cells = "".join(f"<td>{_number(late[key])}</td>" for key in ("log_loss", "auc", "base_rate"))
    table = (
        "<table><caption>P(stronger action within 30 minutes | first contact by view), second half</caption>"
        f"<tr><th>views</th><th>log loss</th><th>AUC</th><th>base rate</th></tr>"
        f"<tr><td>{late['views']:,}</td>{cells}</tr></table>"
    )
    if not late["calibration"]:
        return table
    rows = "".join(
        f"<tr><td>{number}</td><td>{each['views']:,}</td><td>{_number(each['predicted'])}</td><td>"
        f"{_number(each['observed'])}<small>{each['interval'][0]:.4f} to {each['interval'][1]:.4f}</small></td></tr>"
        for number, each in enumerate(late["calibration"], 1)
    )
    text = (
        "A point for each tenth of the views, by prediction: across what was predicted in the mean, up how often it came "
        "about, with a 95 % interval. On the dashed diagonal they are equal."
    )
    return (
        table
        + calibration("Calibration of P(stronger action | view)", text, late["calibration"])
        + "<table><caption>Calibration, tenths of the views by prediction</caption><tr><th>tenth</th><th>views</th>"
        + f"<th>predicted</th><th>came about</th></tr>{rows}</table>"
    )
