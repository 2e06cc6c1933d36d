"""What operators see: a Prometheus that scrapes a running system answers every query of every dashboard and rule."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.dashboards import DASHBOARDS
from ops.dashboards.grafana import ANNOTATION
from ops.dashboards.panels import Query
from ops.dashboards.picture import Source, draw
from streamrec.agents.worker import clock_ms
from streamrec.simulator import World
from tests.brokers import ON_EMBEDDED
from tests.prometheus import Prometheus, needed

pytestmark = [pytest.mark.e2e, pytest.mark.servers, ON_EMBEDDED]  # nothing in it depends on the broker

TOPICS = {
    "JobView": "job-views", "JobSave": "job-saves", "JobLike": "job-likes", "JobApplication": "job-applications",
    "JobDismissal": "job-dismissals", "Connection": "connections", "JobPosting": "job-postings",
    "MemberProfile": "member-profiles",
}  # fmt: skip
RANGE = "10s"  # for $__rate_interval, which Grafana takes from the scrape interval
QUERIES = {query.expr: query.quiet for screen in DASHBOARDS for panel in screen.panels for query in panel.queries}


@pytest.fixture(scope="module")
def prometheus(system: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    system.start("probe", STREAMREC_PROBE_INTERVAL_S="0.2")  # several results of each partition in each RANGE
    started = Prometheus(Path(tmp_path_factory.mktemp("prometheus")), system.settings)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def busy(system: Any) -> Callable[[], None]:
    """Sends some of a site's events, and asks for some lists, each time that it is called."""
    needed()
    world = World(seed=7, members=60, jobs=120, now_ms=clock_ms() - 60_000)
    system.produce(("job-postings", posting) for posting in world.postings())
    system.produce(("member-profiles", profile) for profile in world.profiles())
    system.settle(trainer=False)
    members = [profile.member_id for profile in world.profiles()]
    turn = iter(range(10_000_000))

    def more() -> None:
        for _ in range(10):
            event = world.next_event(clock_ms())
            system.produce([(TOPICS[type(event).__name__], event)])
            system.recommendations(members[next(turn) % len(members)], surface="home")

    return more


def test_every_query_is_understood_and_has_data_where_it_must(
    system: Any, prometheus: Prometheus, busy: Callable[[], None]
) -> None:
    silent = set(QUERIES) | {ANNOTATION}

    def answered() -> bool:
        busy()
        for expr in list(silent):
            if prometheus.query(expr.replace("$__rate_interval", RANGE)) or QUERIES.get(expr):
                silent.discard(expr)
        return not silent

    try:
        system.wait(answered, "every query to have data", 40)
    except pytest.fail.Exception:
        pytest.fail(f"no data for {sorted(silent)}")


def test_a_screen_can_be_drawn_without_grafana(
    system: Any, prometheus: Prometheus, busy: Callable[[], None], tmp_path: Path
) -> None:
    screen = DASHBOARDS[0]

    def long_enough() -> bool:
        busy()
        found = Source(prometheus.url, minutes=1).series(Query("sum(streamrec_lag_records)", "lag"))
        return any(len(at) > 4 for _, at, _ in found)

    system.wait(long_enough, "a curve of some seconds", 20)
    figure = draw(screen, Source(prometheus.url, minutes=1))
    figure.savefig(tmp_path / "screen.png")
    assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    said += [axes.get_title(loc="left") for axes in figure.axes]
    assert all(panel.title in said for panel in screen.panels)
    assert "no data" not in said
    lines = [np.size(line.get_xdata()) for axes in figure.axes for line in axes.lines]
    assert max(lines) > 2, "a curve, not only limits"


def test_every_rule_is_evaluated_and_nobody_is_woken(
    system: Any, prometheus: Prometheus, busy: Callable[[], None]
) -> None:
    def evaluated() -> bool:
        busy()
        return all(rule["health"] != "unknown" for rule in prometheus.rules())

    system.wait(evaluated, "every rule to be evaluated", 20)
    rules = prometheus.rules()
    assert len(rules) > 40
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    firing = [rule["name"] for rule in rules if rule["type"] == "alerting" and rule["state"] == "firing"]
    assert firing == []
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert all(prometheus.query(name) for name in recorded)
