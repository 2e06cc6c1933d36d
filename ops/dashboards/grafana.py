"""Makes Grafana's JSON of a `Screen`, by the types of Grafana's own SDK."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.text import TextMode

from ops.dashboards.panels import Panel, Query, Row, Screen

TAG: Final = "streamrec"
_SOURCE: Final = DataSourceRef("prometheus", "${datasource}")
_STARTED_WITHIN_S: Final = 60
ANNOTATION: Final = (
    f"max by (role, version, instance) (streamrec_started_timestamp_seconds) > time() - {_STARTED_WITHIN_S}"
)
_HEIGHT: Final = {"graph": 8, "figure": 4}


def as_json(screen: Screen) -> str:
    """The file that Grafana provisions."""
    return json.dumps(_built(screen).build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _built(screen: Screen) -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard(f"streamrec · {screen.title}")
        .uid(screen.uid).description("Must answer: " + " ".join(question for question, _ in screen.answers))
        .tags([TAG]).editable().refresh("10s").time("now-1h", "now").timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source"))
        .link(
            dashboard.DashboardLink("streamrec").type(DashboardLinkType.DASHBOARDS).tags([TAG])
            .keep_time(True).include_vars(True)
        )
        .annotation(
            dashboard.AnnotationQuery().name("Deployments and restarts").datasource(_SOURCE).enable(True).icon_color("purple")
            .expr(ANNOTATION)
        )
        .with_panel(_questions(screen))
    )  # fmt: skip
    ids = count(2)
    for row in screen.rows:
        _add(built, row, ids)
    return built


def _questions(screen: Screen) -> text.Panel:
    lines = [f"- **{question}** {where}" for question, where in screen.answers]
    return (
        text.Panel().id(1).title("In ten seconds").description("What this screen is for.")
        .mode(TextMode.MARKDOWN).content("\n".join(lines)).span(24).height(1 + len(lines))
    )  # fmt: skip


def _add(built: dashboard.Dashboard, row: Row, ids: Iterator[int]) -> None:
    built.with_row(dashboard.Row(row.title).id(next(ids)))
    for panel in row.panels:
        made = _graph(panel) if panel.kind == "graph" else _figure(panel)
        built.with_panel(made.id(next(ids)))


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value, colour) for value, colour in panel.limits]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _shared(made: Any, panel: Panel) -> Any:
    made.title(panel.title).description(panel.says).unit(panel.unit).datasource(_SOURCE).thresholds(_thresholds(panel))
    made.span(panel.width).height(_HEIGHT[panel.kind])
    if panel.most is not None:
        made.max(panel.most)
    if panel.more:
        link = dashboard.DashboardLink("Details").type(DashboardLinkType.LINK).url(f"/d/{panel.more}").keep_time(True)
        made.links([link])
    for number, query in enumerate(panel.queries):
        made.with_target(_target(query, chr(ord("A") + number)))
    return made


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(_SOURCE)


def _graph(panel: Panel) -> timeseries.Panel:
    made: timeseries.Panel = _shared(timeseries.Panel(), panel)
    lines = GraphThresholdsStyleMode.DASHED if len(panel.limits) > 1 else GraphThresholdsStyleMode.OFF
    made.thresholds_style(common.GraphThresholdsStyleConfig().mode(lines)).axis_soft_min(0).line_width(1).fill_opacity(
        10
    )
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    made.legend(
        common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )  # fmt: skip
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    return made


def _figure(panel: Panel) -> stat.Panel:
    made: stat.Panel = _shared(stat.Panel(), panel)
    made.color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.AREA)
    made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return made
