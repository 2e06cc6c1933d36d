"""What operators see: a Prometheus that scrapes a running system answers every query of every dashboard and rule."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ops.dashboards import DASHBOARDS
from ops.dashboards.grafana import ANNOTATION
from ops.dashboards.panels import Query
from ops.dashboards.picture import Source, draw
from streamrec import codecs
from streamrec.agents.derived import GENERATION
from streamrec.agents.worker import clock_ms
from streamrec.codecs.origins import Origin, Redriven
from streamrec.events import Impression, JobView, Tombstone
from streamrec.kafka.producer import Record
from streamrec.simulator import World
from tests.brokers import ON_EMBEDDED, StartBroker
from tests.e2e.conftest import System
from tests.prometheus import Prometheus, needed

pytestmark = [pytest.mark.e2e, pytest.mark.servers, ON_EMBEDDED]  # nothing in it depends on the broker

TOPICS = {
    "JobView": "job-views", "JobSave": "job-saves", "JobLike": "job-likes", "JobApplication": "job-applications",
    "JobDismissal": "job-dismissals", "Connection": "connections", "JobPosting": "job-postings",
    "MemberProfile": "member-profiles",
}  # fmt: skip
RANGE = "10s"  # for $__rate_interval, which Grafana takes from the scrape interval
QUERIES = {query.expr: query.quiet for screen in DASHBOARDS for panel in screen.panels for query in panel.queries}
# What cannot be brought about here in seconds: a day of history, a schema registry, a store that is away in the midst of a batch,
# a lag at the very moment of a scrape.
UNSEEN = ("offset 1d", "_registry_", "streamrec_batches_held_up_total", "(streamrec_lag_records) > 0")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[System]:
    """One in which lists are closed within seconds."""
    built = System(Path(tmp_path_factory.mktemp("system")), start_broker, label_window_s=0.5, idle_watermark_s=0.5)
    try:
        built.start_all()
        yield built
    finally:
        built.close()


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
    system.produce(troubles(system, members[0]))
    ask_in_trouble(system, members[0])
    turn = iter(range(10_000_000))

    def more() -> None:
        for _ in range(10):
            event = world.next_event(clock_ms())
            system.produce([(TOPICS[type(event).__name__], event)])
            system.recommendations(members[next(turn) % len(members)], surface="home")
        ahead = JobView(event_id=f"e{next(turn)}", member_id=members[0], job_id="j1", occurred_at=clock_ms() + 5_000)
        system.produce([("job-views", ahead)])

    return more


def unseen(expr: str) -> bool:
    """Whether there is no data, and people are told why."""
    return bool(QUERIES.get(expr)) and any(part in expr for part in UNSEEN)


def troubles(system: System, member_id: str) -> Iterator[tuple[str, Any]]:
    """One record of each kind that a healthy system may never see; what they are counted as is a series from then on."""
    now = clock_ms()
    view = JobView(event_id="twice", member_id=member_id, job_id="j1", occurred_at=now)
    yield from (("job-views", event) for event in (view, view, b"no record"))
    yield "member-profiles", Tombstone("erased")
    yield "job-views", Record(
        topic="job-views", key=member_id.encode(), value=codecs.encode(msgspec.structs.replace(view, event_id="again")),
        headers=Redriven(Origin("job-views", 0, 1_000_000), 2).headers(),
    )  # fmt: skip
    yield "job-activity", Record(
        topic="job-activity", key=b"other", value=b"", partition=0, headers=((GENERATION, b"other"),)
    )  # fmt: skip
    yield "impressions", Impression(
        request_id="empty", member_id=member_id, served_at=now, workflow="jobs", model_name="", model_version=0,
        feature_set="", items=(),
    )  # fmt: skip


def ask_in_trouble(system: System, member_id: str) -> None:
    """Requests whose answers fall short, events over HTTP, and one of a member who was erased."""
    system.settle(trainer=False)
    system.http.post(
        "/v1/events", json={"type": "JobView", "member_id": "erased", "job_id": "j1", "occurred_at": 1_700_000_000_000}
    )
    system.client.set(system.keys.member("unreadable"), b"\xff")
    assert system.recommendations("unreadable")["degraded"] == "unreadable_state"
    system.client.client_pause(2 * system.settings.lookup_budget_ms, all=True)
    assert system.recommendations(member_id)["degraded"] == "store_unavailable"


def test_every_query_is_understood_and_has_data_where_it_must(
    system: Any, prometheus: Prometheus, busy: Callable[[], None]
) -> None:
    silent = set(QUERIES) | {ANNOTATION}

    def answered() -> bool:
        busy()
        for expr in list(silent):
            if prometheus.query(expr.replace("$__rate_interval", RANGE)) or unseen(expr):
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
