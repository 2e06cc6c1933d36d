"""Members of the made-up site act on the lists that they are answered, and wait for a system that is behind."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from streamrec import topics
from streamrec.kafka.admin import Admin
from streamrec.local import site_feed
from streamrec.local.scrape import Samples
from streamrec.local.site_feed import SiteFeed, hurried
from streamrec.settings import Settings
from tests.brokers import StartBroker

pytestmark = pytest.mark.servers
MEMBERS, JOBS, PAGE = 200, 1000, 20


class Service(ThreadingHTTPServer):
    """Answers with other jobs each time, if it is `open`, else with none; `tracked` has an entry a question."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.open, self.down = True, False
        self.tracked: list[bool] = []


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.down:
            self.send_error(503)
            return
        self.server.tracked.append("track=true" in self.path)
        first = PAGE * len(self.server.tracked)
        jobs = range(first, first + PAGE) if self.server.open else ()
        items = [{"job_id": f"job-{number % JOBS}", "position": number - first, "p_check": 0.25} for number in jobs]
        body = {"request_id": f"r{len(self.server.tracked)}", "items": items, "next_cursor": None, "degraded": None}
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, start_broker: StartBroker) -> Iterator[Settings]:
    with start_broker(tmp_path_factory.mktemp("broker")) as server:
        settings = Settings(kafka=server.address)
        Admin(settings).create(topics.load())
        yield settings


@pytest.fixture
def start(kafka: Settings, service: Service) -> Iterator[Callable[[], SiteFeed]]:
    feeds: list[SiteFeed] = []

    def start() -> SiteFeed:
        settings = msgspec.structs.replace(kafka, lookup_port=service.server_address[1])
        feeds.append(SiteFeed(settings, seed=1, members=MEMBERS, jobs=JOBS, rate=200))
        feeds[-1].start()
        return feeds[-1]

    yield start
    for feed in feeds:
        feed.stop()
        feed.join(10)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"{what} took too long"
        time.sleep(0.01)


def counts(settings: Settings) -> int:
    return sum(high - low for low, high in Admin(settings).bounds(topics.PUBLIC_TOPICS).values())


def test_members_come_when_somebody_reads_and_what_was_there_before_is_in_the_lists(
    start: Callable[[], SiteFeed], service: Service, kafka: Settings
) -> None:
    before = counts(kafka)
    service.open = False
    feed = start()
    wait_for(lambda: feed._run.summary.setup_seconds > 0, "what was there before")
    assert feed.sent > MEMBERS + JOBS
    feed.begin()
    feed.join(0.5)
    assert not service.tracked  # its records are not processed
    feed.note(feed.sent)
    wait_for(lambda: len(service.tracked) > 2, "the question whether there are lists")
    assert not any(service.tracked)
    assert feed.began_at is None
    service.open = True
    wait_for(lambda: any(feed.people.acts.values()), "the first act")
    feed.note(feed.sent)
    feed.stop()
    feed.join(10)
    assert not feed.is_alive()
    assert feed.failure is None
    assert counts(kafka) - before == feed.sent
    judgement = feed.judge(Samples(), 1.0)
    assert judgement.figures["lists"] == sum(service.tracked) == feed.answers.answered == len(feed.answers.took_s) > 0
    assert judgement.figures["mean_p_check"] == 0.25
    assert judgement.figures["popular_worth"] > 0
    actor = feed.people.last_actor
    assert actor is not None
    assert feed.people.deeds(actor, 1)
    assert feed.people.about[actor]


def test_members_wait_for_a_system_that_is_behind(
    start: Callable[[], SiteFeed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_feed, "_BEHIND_S", 0.1)  # of 200 events a second
    feed = start()
    feed.begin()
    feed.note(1_000_000)
    wait_for(lambda: any(feed.people.acts.values()), "the first act")
    noted = feed.sent
    feed.note(noted)

    def rests() -> bool:
        sent = feed.sent
        feed.join(1.0)
        return feed.sent == sent > noted + 20

    wait_for(rests, "the pause")
    stopped_at = feed.sent
    assert feed.is_alive()
    feed.note(stopped_at)
    wait_for(lambda: feed.sent > stopped_at, "more events")


def test_a_service_that_has_gone_is_a_failure(
    start: Callable[[], SiteFeed], service: Service, monkeypatch: Any
) -> None:
    monkeypatch.setattr("streamrec.simulator.closed_loop._PATIENCE_S", 0.1)
    monkeypatch.setattr("streamrec.simulator.closed_loop._FAILURES", 3)
    feed = start()
    feed.begin()
    feed.note(1_000_000)
    wait_for(lambda: feed.began_at is not None, "the beginning")
    service.down = True
    wait_for(lambda: not feed.is_alive(), "the end")
    assert isinstance(feed.failure, ConnectionError)


def test_what_is_short_already_stays() -> None:
    settings = Settings(label_window_s=2.0, idle_watermark_s=0.5, shown_kept=60)
    assert hurried(settings, members=100, rate=1000.0) == settings
    assert hurried(Settings(), members=10_000, rate=0.01).label_window_s == Settings().label_window_s
