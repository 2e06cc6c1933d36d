"""Dashboards: generated anew without a difference, complete, and about metrics that exist."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY, generate_latest

from ops.dashboards import DASHBOARDS
from ops.dashboards.__main__ import OPS, generated
from ops.dashboards.grafana import ANNOTATION
from ops.dashboards.pages import all_metrics
from ops.dashboards.panels import Panel, Screen
from ops.dashboards.unshown import UNSHOWN
from streamrec import metrics
from tests.ops.test_rules import RULES, rules
from tests.prometheus import promtool

EXPORTED = {name for metric in all_metrics() for name in metric.exported}
RECORDED = rules("record")
OTHERS = {  # of Prometheus itself, and of its client for Python
    "up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
}  # fmt: skip
QUERIES = [(screen, panel, query) for screen in DASHBOARDS for panel in screen.panels for query in panel.queries]


def names(expr: str) -> set[str]:
    """Metrics that an expression names: all words that are no function, keyword, label, duration or string."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', " ", expr)
    bare = re.sub(r"\b(by|on|ignoring|group_left|group_right|without)\s*\([^)]*\)", " ", bare)
    words = set(re.findall(r"[a-zA-Z_:][\w:]*(?!\w|\s*\()", bare))
    return words - {"or", "and", "unless", "by", "on", "bool", "offset", "group_left", "Inf"} - {"d", "h", "m"}


def expressions() -> Iterator[str]:
    yield ANNOTATION
    yield from (query.expr for _, _, query in QUERIES)
    for kind in ("alert", "record"):
        yield from (rule["expr"] for rule in rules(kind).values())


def test_generating_anew_makes_no_difference() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"{path.name}: make watch"
    made = {path.name for path in (OPS / "grafana" / "dashboards").iterdir()}
    assert made == {f"{screen.uid}.json" for screen in DASHBOARDS}


@pytest.mark.parametrize("screen", DASHBOARDS, ids=lambda screen: screen.title)
def test_the_json_is_what_grafanas_own_types_read(screen: Screen) -> None:
    stored = json.loads((OPS / "grafana" / "dashboards" / f"{screen.uid}.json").read_text())
    read = Dashboard.from_json(stored)
    assert read.uid == screen.uid
    panels: list[Any] = [panel for panel in read.panels or [] if panel.type_val != "row"]
    assert [panel.title for panel in panels][1:] == [panel.title for panel in screen.panels]
    ids = [panel["id"] for panel in stored["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in stored["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places), "no two panels in one place"
    [link] = stored["links"]
    assert (link["type"], link["tags"]) == ("dashboards", stored["tags"])


@pytest.mark.parametrize(
    "panel", [panel for screen in DASHBOARDS for panel in screen.panels], ids=lambda panel: panel.title
)
def test_every_panel_says_what_it_shows_in_which_unit_and_what_is_bad(panel: Panel) -> None:
    assert panel.says.endswith(".")
    assert panel.unit
    assert panel.queries
    assert panel.limits[0][0] is None
    steps = [value for value, _ in panel.limits if value is not None]
    assert len(steps) == len(panel.limits) - 1
    assert steps == sorted(set(steps)), "limits rise"
    assert not panel.more or panel.more in {screen.uid for screen in DASHBOARDS}


def test_titles_are_unique_on_a_screen_and_links_lead_somewhere() -> None:
    for screen in DASHBOARDS:
        titles = [panel.title for panel in screen.panels]
        assert len(set(titles)) == len(titles)


def test_every_metric_is_shown_or_has_a_reason_not_to_be() -> None:
    shown = {name for _, _, query in QUERIES for name in names(query.expr)}
    shown |= {name for rule in RECORDED.values() for name in names(rule["expr"])}  # and rules are shown, see below
    missing = {metric.name for metric in all_metrics() if not shown & set(metric.exported)}
    assert missing == set(UNSHOWN)
    assert {name for name in RECORDED if "1h" in name} <= shown


def test_every_metric_that_is_asked_for_exists() -> None:
    for expr in expressions():
        assert names(expr) <= EXPORTED | set(RECORDED) | OTHERS, expr
        assert names(expr), expr


def test_a_metric_that_does_not_exist_is_noticed() -> None:
    assert names('sum by (topic) (rate(streamrec_gone_total{job="x"}[5m])) or vector(0)') == {"streamrec_gone_total"}
    assert names("1 - a / b > 14.4 * 0.01 and on (model) c offset 1d == +Inf") == {"a", "b", "c"}


def test_every_metric_of_the_source_is_on_the_page() -> None:
    declared = {value for value in vars(metrics).values() if hasattr(value, "_documentation")}
    assert len(all_metrics()) == len(declared)
    assert all(metric.says.endswith(".") for metric in all_metrics())
    assert "streamrec_lag_records" in (OPS / "metrics.md").read_text()


def test_names_follow_the_conventions_of_prometheus() -> None:
    said = promtool("check", "metrics", stdin=generate_latest(REGISTRY).decode())
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_metric_is_told_by_the_product() -> None:
    source = "".join(
        path.read_text() for path in (OPS.parent / "streamrec").rglob("*.py") if path.name != "metrics.py"
    ) + inspect.getsource(metrics.started)
    for name, value in vars(metrics).items():
        if hasattr(value, "_documentation"):
            assert re.search(rf"\b{name}\b", source), name


def test_grafana_finds_the_dashboards_and_their_data() -> None:
    compose = yaml.safe_load((OPS / "compose.yaml").read_text())["services"]
    mounted = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
    [provider] = yaml.safe_load((OPS / "grafana/provisioning/dashboards/streamrec.yaml").read_text())["providers"]
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{DASHBOARDS[0].uid}.json"
    [source] = yaml.safe_load((OPS / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "$PROMETHEUS_URL"
    assert compose["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_prometheus_finds_its_rules() -> None:
    compose = yaml.safe_load((OPS / "compose.yaml").read_text())["services"]
    config = yaml.safe_load((OPS / "prometheus.yml").read_text())
    assert "./prometheus:/etc/prometheus/prometheus:ro" in compose["prometheus"]["volumes"]
    found = {path for pattern in config["rule_files"] for path in OPS.glob(pattern)}
    assert found == set(RULES)
