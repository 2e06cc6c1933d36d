"""An evaluation as one HTML page that needs nothing from elsewhere."""

from html import escape
from typing import Any, Final

from streamrec.training.evaluate import SYSTEM, Evaluation
from streamrec.training.measures import METRICS, PARTS, SEGMENTS

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #1d2433 }
table { border-collapse: collapse; margin: .5em 0 2em; width: 100% }
caption { text-align: left; font-weight: 600; padding: .5em 0 }
th, td { text-align: right; padding: .25em .8em; border-bottom: 1px solid #dde2ea; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left }
tr.own { font-weight: 600; background: #eef4ff }
small { color: #6a7385; font-weight: 400; display: block }
svg { display: block; width: 100%; max-width: 46em }
svg text { font: 12px system-ui, sans-serif; fill: #1d2433 }
"""
_WHAT: Final = {
    "all": "All queries",
    "warm_items": "Warm items: the job had an event before",
    "cold_members": "Cold members: the member had no event before",
}
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
        f"second, {_number(figures['milliseconds_per_query'], 2)} ms a ranking. Candidates: {escape(candidates)}. Each "
        "event is answered before it is learned; the small figures are 95 % bootstrap intervals over members.</p>"
    )
    parts = [
        f"<h1>streamrec evaluate: {escape(name)}</h1>",
        about,
        _chart({who: found["all"]["second_half"] for who, found in result.results.items()}),
    ]
    parts += [_table(result, segment, part) for segment in SEGMENTS for part in reversed(PARTS)]
    if result.stronger is not None:
        late = result.stronger["second_half"]
        cells = "".join(f"<td>{_number(late[key])}</td>" for key in ("log_loss", "auc", "base_rate"))
        parts.append(
            "<table><caption>P(stronger action within 30 minutes | first contact by view), second half</caption>"
            f"<tr><th>views</th><th>log loss</th><th>AUC</th><th>base rate</th></tr>"
            f"<tr><td>{late['views']:,}</td>{cells}</tr></table>"
        )
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _table(result: Evaluation, segment: str, part: str) -> str:
    cells = {who: found[segment][part] for who, found in result.results.items()}
    rows = "".join(
        f"<tr{' class=own' if who == SYSTEM else ''}><td>{escape(who)}</td>"
        + "".join(f"<td>{_number(cell[metric])}{_interval(cell, metric)}</td>" for metric in METRICS)
        + "</tr>\n"
        for who, cell in cells.items()
    )
    heads = "".join(f"<th>{metric}</th>" for metric in METRICS)
    queries = cells[SYSTEM]["queries"]
    return (
        f"<table><caption>{_WHAT[segment]}, {_PART[part]}, {queries:,} queries</caption>\n"
        f"<tr><th></th>{heads}</tr>\n{rows}</table>"
    )


def _interval(cell: dict[str, Any], metric: str) -> str:
    interval = cell["intervals"][metric]
    return "" if interval is None else f"<small>{interval[0]:.4f} to {interval[1]:.4f}</small>"


def _chart(cells: dict[str, dict[str, Any]]) -> str:
    """Bars of the hit rate with their intervals."""
    known = {who: cell for who, cell in cells.items() if cell["queries"]}
    if not known:
        return ""
    most = max(cell["intervals"]["hr@10"][1] for cell in known.values()) or 1.0
    bars = []
    for number, (who, cell) in enumerate(known.items()):
        y, (low, high) = 24 * number, cell["intervals"]["hr@10"]
        width, left, right = (420 * value / most for value in (cell["hr@10"], low, high))
        colour = "#2f6fdb" if who == SYSTEM else "#a9b4c6"
        bars.append(
            f'<text x="0" y="{y + 15}">{escape(who)}</text>'
            f'<rect x="180" y="{y + 3}" width="{width:.1f}" height="16" fill="{colour}"/>'
            f'<path d="M{180 + left:.1f} {y + 11}H{180 + right:.1f}" stroke="#1d2433"/>'
            f'<text x="{186 + right:.1f}" y="{y + 15}">{cell["hr@10"]:.3f}</text>'
        )
    height = 24 * len(known) + 4
    return (
        "<h2>HR@10, all queries, second half</h2>"
        f'<svg viewBox="0 0 660 {height}" role="img" aria-label="hit rate at 10">{"".join(bars)}</svg>'
    )
