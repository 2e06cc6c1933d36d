"""Draws a dashboard as Grafana would show it, from the same queries: for README, and where there is no Grafana.

``python -m ops.dashboards.picture http://127.0.0.1:9090 overview.png --minutes 5``
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ops.dashboards import DASHBOARDS
from ops.dashboards.panels import Colour, Panel, Query, Screen

Series = tuple[str, list[float], list[float]]  # legend, minutes before now, values

_COLOURS: Final[dict[Colour, str]] = {"green": "#37872d", "orange": "#d9760d", "red": "#c4162a", "blue": "#1f60c4"}
_HEIGHT: Final = {"graph": 8, "figure": 4}
_STEPS: Final = 240
_MOST_SERIES: Final = 8
_UNIT: Final = 0.16  # inches of one of Grafana's 24 columns, by height; twice that by width


class Source:
    """A Prometheus that has been watching for `minutes`."""

    def __init__(self, url: str, minutes: float) -> None:
        self._url, self._minutes, self._now = url.rstrip("/"), minutes, time.time()

    def series(self, query: Query) -> list[Series]:
        """What Grafana would draw of a query."""
        step = max(1.0, self._minutes * 60 / _STEPS)
        asked = {
            "query": query.expr.replace("$__rate_interval", f"{math.ceil(max(15.0, 4 * step))}s"),
            "start": self._now - self._minutes * 60, "end": self._now, "step": step,
        }  # fmt: skip
        with urlopen(f"{self._url}/api/v1/query_range?{urlencode(asked)}", timeout=30) as answer:  # noqa: S310 - of the caller
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return [self._read(query, each) for each in found]

    def _read(self, query: Query, found: dict[str, Any]) -> Series:
        legend = query.legend
        for label, value in found["metric"].items():
            legend = legend.replace(f"{{{{{label}}}}}", value)
        points = [((at - self._now) / 60, float(value)) for at, value in found["values"]]
        shown = [(at, value) for at, value in points if math.isfinite(value)]
        return legend, [at for at, _ in shown], [value for _, value in shown]


def text_of(value: float, unit: str) -> str:
    """A value as people read it.

    Examples
    --------
    >>> text_of(0.0123, "percentunit"), text_of(0.0042, "s"), text_of(31.04, "ops"), text_of(12_000, "short")
    ('1.2 %', '4.2 ms', '31/s', '12k')
    """
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %" if abs(value) >= 0.1 else f"{value * 100:.2g} %"
        case "s":
            return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"
    short = f"{value / 1000:.3g}k" if abs(value) >= 1_000 else f"{value:.3g}"
    return f"{value:.2g}/s" if unit == "ops" and abs(value) < 100 else short + ("/s" if unit == "ops" else "")


def places(screen: Screen) -> Iterator[tuple[str | Panel, int, int, int, int]]:
    """Headings and panels with x, y, width and height, as Grafana lays them out."""
    y = 0
    for row in screen.rows:
        yield row.title, 0, y, 24, 2
        y, x, tallest = y + 2, 0, 0
        for panel in row.panels:
            if x + panel.width > 24:
                y, x, tallest = y + tallest, 0, 0
            yield panel, x, y, panel.width, _HEIGHT[panel.kind]
            x, tallest = x + panel.width, max(tallest, _HEIGHT[panel.kind])
        y += tallest


def draw(screen: Screen, source: Source) -> Figure:
    """The whole screen."""
    mpl.rcParams.update(
        {"font.size": 7, "axes.spines.top": False, "axes.spines.right": False, "font.family": "DejaVu Sans"}
    )
    laid = list(places(screen))
    height = max(y + h for _, _, y, _, h in laid)
    figure = Figure(figsize=(24 * 2.4 * _UNIT, (height + 1) * 1.2 * _UNIT), dpi=110, facecolor="#f4f5f5")
    for what, x, y, w, h in laid:
        left, low = x / 24, 1 - (y + h) / height
        if isinstance(what, str):
            figure.text(0.01, low + 0.5 / height, what, fontsize=10, fontweight="bold")
        elif what.kind == "figure":
            box = figure.add_axes((left + 0.004, low + 0.2 / height, w / 24 - 0.008, (h - 0.4) / height))
            _draw_figure(box, what, [each for query in what.queries for each in source.series(query)])
        else:
            box = figure.add_axes((left + 0.042, low + 2.6 / height, w / 24 - 0.052, (h - 4.1) / height))
            _draw_graph(box, what, [each for query in what.queries for each in source.series(query)])
    return figure


def _draw_figure(axes: Axes, panel: Panel, found: list[Series]) -> None:
    latest = [(legend, values[-1]) for legend, _, values in found if values]
    worst = min((value for _, value in latest), default=0.0)
    colour = [colour for limit, colour in panel.limits if limit is None or worst >= limit][-1] if latest else "blue"
    axes.set_facecolor(_COLOURS[colour])
    axes.set(xticks=[], yticks=[])
    axes.text(0.03, 0.86, panel.title, color="white", va="top", transform=axes.transAxes, fontsize=8)
    said = (
        text_of(latest[0][1], panel.unit) if len(latest) == 1
        else "   ".join(f"{legend} {text_of(value, panel.unit)}" for legend, value in latest)
    )  # fmt: skip
    size = 17 if len(latest) == 1 else 9
    axes.text(
        0.5, 0.36, said or "no data", color="white", ha="center", va="center", transform=axes.transAxes, fontsize=size
    )


def _draw_graph(axes: Axes, panel: Panel, found: list[Series]) -> None:
    for legend, at, values in sorted(found, key=lambda each: -max(each[2], default=0.0))[:_MOST_SERIES]:
        axes.plot(at, values, linewidth=1, label=legend)
    highest = max((value for _, _, values in found for value in values), default=1.0) or 1.0
    for limit, colour in panel.limits:
        if limit is not None and limit <= 1.5 * highest:
            axes.axhline(limit, linestyle="--", linewidth=0.8, color=_COLOURS[colour])
    axes.set_title(panel.title, loc="left", fontsize=8)
    axes.set_ylim(bottom=min(0.0, *(value for _, _, values in found for value in values), 0.0))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, panel.unit)))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} min"))
    axes.grid(visible=True, linewidth=0.3)
    if found:
        columns = 2 if max(len(legend) for legend, _, _ in found) > 20 else 3
        axes.legend(
            loc="upper left", bbox_to_anchor=(0, -0.13), ncols=columns, frameon=False, fontsize=6, columnspacing=1, handlelength=1
        )  # fmt: skip


def main() -> None:
    """Draw one screen into a PNG file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("url", help="of Prometheus")
    parser.add_argument("path", type=Path, help="the PNG file")
    parser.add_argument("--minutes", type=float, default=60.0, help="how far back (default: 60)")
    parser.add_argument("--screen", default="Overview", choices=[screen.title for screen in DASHBOARDS])
    given = parser.parse_args()
    [screen] = [screen for screen in DASHBOARDS if screen.title == given.screen]
    draw(screen, Source(given.url, given.minutes)).savefig(given.path)


if __name__ == "__main__":
    main()
