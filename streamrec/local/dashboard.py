"""The live picture of the demo in a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamrec.local.figures import count, milliseconds, number, percent
from streamrec.local.judgement import COURSE, Judgement, sparkline
from streamrec.local.picture import Item, Picture, Watched


def _figures(title: str, rows: Sequence[tuple[str, str]]) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return Panel(table, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def _moved(item: Item) -> Text:
    if item.moved is None:
        return Text("new", style="green")
    if item.moved == 0:
        return Text("")
    return Text(f"▲{item.moved}", style="green") if item.moved > 0 else Text(f"▼{-item.moved}", style="dim")


def _watched(watched: Watched | None) -> Panel:
    if watched is None:
        waiting = Text("waiting for the first personal list …", style="dim")
        return Panel(waiting, title="A member's list", title_align="left", box=box.ROUNDED, border_style="dim")
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", width=2, style="dim")
    table.add_column(width=4)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=2, no_wrap=True, overflow="ellipsis", style="dim")
    table.add_column(justify="right", width=6)
    table.add_column(ratio=2, no_wrap=True, overflow="ellipsis", style="dim")
    table.add_row("", "", Text("job", style="dim"), "where", Text("check", style="dim"), "because of")
    for rank, item in enumerate(watched.items, 1):
        words = (
            Text(item.title),
            Text(item.place),
            percent(item.p_check),
            Text(item.sources),
        )  # Text: a title is no markup
        table.add_row(str(rank), _moved(item), *words)
    did = Text("did: " + ("  ·  ".join(watched.deeds) or "nothing yet"), no_wrap=True, overflow="ellipsis")
    title = Text(f"List of {watched.member_id}, changed {watched.changes} times: {watched.about}")
    return Panel(
        Group(did, table), title=title, title_align="left", box=box.ROUNDED, border_style="cyan", padding=(0, 1)
    )


def _judgement(judgement: Judgement) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="green", no_wrap=True, width=COURSE if any(row.course for row in judgement.rows) else 0)
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for row in judgement.rows:
        table.add_row(row.name, sparkline(row.course), row.now, row.beside)
    if not judgement.rows:
        table.add_row("waiting for the first lists …")
    return Panel(
        table, title="How good the lists are", title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1)
    )


def _times(p50_s: float | None, p99_s: float | None) -> str:
    return f"{milliseconds(p50_s)}, {milliseconds(p99_s)}"


def _better(value: float | None, reference: float | None) -> str:
    return "" if value is None or reference is None or value >= reference else " ✓"


def draw(picture: Picture, watched: Watched | None, links: Sequence[tuple[str, str]]) -> RenderableType:
    """The live picture, about 24 lines of 80 columns or more."""
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True)
    head.add_column(justify="right", no_wrap=True)
    minutes, seconds = divmod(int(picture.elapsed_s), 60)
    head.add_row(Text("streamrec demo", style="bold"), Text(f"{minutes}:{seconds:02}   Ctrl-C ends it", style="dim"))
    urls = Text("  ").join(Text.assemble((f"{name} ", "dim"), (url, f"cyan link {url}")) for name, url in links)
    urls.no_wrap, urls.overflow = False, "fold"
    events = _figures("Events", [
        ("sent", f"{picture.sent:,}  {picture.sent_rate:,.0f}/s"),
        ("done", f"{picture.processed:,}"),
        ("lag", count(picture.lag)),
        ("fresh", _times(picture.freshness_p50_s, picture.freshness_p99_s)),
    ])  # fmt: skip
    model = _figures("Model", [
        ("log loss", number(picture.log_loss) + _better(picture.log_loss, picture.constant_log_loss)),
        ("constant", number(picture.constant_log_loss)),
        ("AUC", number(picture.auc)),
        ("learned", f"{picture.examples:,}"),
    ])  # fmt: skip
    answers = _figures("Answers", [
        ("lists", f"{picture.answered:,}"),
        ("degraded", f"{picture.degraded:,}"),
        ("took", _times(picture.answer_p50_s, picture.answer_p99_s)),
        ("first", milliseconds(picture.first_list_s)),
    ])  # fmt: skip
    panels = Table.grid(expand=True)
    for _ in range(3):
        panels.add_column(ratio=1)
    panels.add_row(events, model, answers)
    return Group(head, urls, panels, _judgement(picture.judgement), _watched(watched))
