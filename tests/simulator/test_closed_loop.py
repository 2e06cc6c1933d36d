"""Members act on the lists of a lookup service: here a small one that knows the world's jobs and keeps what it is sent."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from streamrec import codecs
from streamrec.events import ImpressionSeen, JobEvent, JobView, Rejected
from streamrec.simulator import World
from streamrec.simulator.closed_loop import ClosedLoop
from streamrec.simulator.lookup import HttpOutlet, Lookup
from streamrec.simulator.outlets import OutletError
from streamrec.simulator.simulation import Limits, Run

NOW = 1_736_121_600_000
DISMISSED, P_CHECK = "no-such-job", 0.25


class Service(ThreadingHTTPServer):
    """Answers each member with its own order of jobs, page by page; remembers the answers and the events."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.answers: dict[str, dict[str, Any]] = {}
        self.events: list[Any] = []
        self.asked = 0
        self.fail_first = 0  # posts that are answered with "Kafka did not confirm"
        self.reject = self.down = False
        self._clients: list[Lookup] = []

    def client(self) -> Lookup:
        self._clients.append(Lookup(self.url))
        return self._clients[-1]

    def leave(self) -> None:
        for client in self._clients:
            client.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def recommendations(self, member_id: str, query: dict[str, list[str]]) -> dict[str, Any]:
        limit, offset = int(query["limit"][0]), int(query.get("cursor", ["0"])[0])
        order = np.random.default_rng(int(member_id.removeprefix("member-"))).permutation(150)[offset : offset + limit]
        jobs = [DISMISSED if number == 7 else f"job-{number}" for number in order]
        with self.lock:
            self.asked += 1
            request_id = f"r{self.asked}"
            answer = {
                "request_id": request_id, "degraded": None,
                "items": [
                    {"job_id": job, "position": offset + place, "p_check": P_CHECK} for place, job in enumerate(jobs)
                ],
                "next_cursor": str(offset + limit) if offset + limit < 150 else None,
            }  # fmt: skip
            self.answers[request_id] = {**answer, "member_id": member_id, "query": query}
        return answer


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.server.down:
            self.answer(503, {"title": "down"})
            return
        self.answer(200, self.server.recommendations(parts.path.split("/")[3], parse_qs(parts.query)))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.fail_first:
            self.server.fail_first -= 1
            self.answer(503, {"results": [{"status": "failed"}] * len(body["events"])})
            return
        if self.server.reject:
            self.answer(422, {"results": [{"status": "rejected", "reason": "bad_value"}] * len(body["events"])})
            return
        for fields in body["events"]:
            self.server.events.append(codecs.from_json(fields.pop("type"), fields))
        self.answer(200, {"results": [{"status": "accepted"}] * len(body["events"])})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.leave()
        server.shutdown()
        thread.join()


def loop_of(service: Service, *, events: int = 150, remember: bool = False) -> ClosedLoop:
    world = World(3, members=500, jobs=150, now_ms=NOW, seasonal=False, remember=remember)
    lookup = service.client()
    run = Run(world, HttpOutlet(lookup), Limits(events=events), lambda _: False, lambda *_: None)
    return ClosedLoop(run, lookup, rate=5000, connections=4)


def test_each_event_names_the_answer_and_the_place_in_which_its_job_was_shown(service: Service) -> None:
    summary = loop_of(service).go()
    assert summary.events == 150
    assert not [event for event in service.events if isinstance(event, Rejected)]
    acted = [event for event in service.events if isinstance(event, JobEvent)]
    assert len(acted) > 120
    for event in acted:
        answer = service.answers[event.request_id or ""]
        shown = {item["position"]: item["job_id"] for item in answer["items"]}
        assert answer["member_id"] == event.member_id
        assert event.surface == answer["query"]["surface"][0] == "home"
        if isinstance(event, JobView):
            assert shown[event.position or 0] == event.job_id
        else:
            assert event.job_id in shown.values()


@pytest.mark.slow
def test_what_was_examined_is_reported_as_seen_and_nothing_else(service: Service) -> None:
    loop = loop_of(service, events=300, remember=True)
    loop.go()
    reports = [event for event in service.events if isinstance(event, ImpressionSeen)]
    assert len({report.request_id for report in reports}) == len(reports) > 100
    seen = []
    for report in reports:
        answer = service.answers[report.request_id]
        jobs = {item["position"]: item["job_id"] for item in answer["items"]}
        assert answer["member_id"] == report.member_id
        seen += [(report.member_id, jobs[position]) for position in report.positions]
    examined = Counter((one.member_id, one.job_id) for one in loop._run.world.examinations or [])
    assert not Counter(seen) - examined
    assert len(seen) > 0.8 * examined.total()  # the last ones are still to come when the run ends


@pytest.mark.slow
def test_lists_are_tracked_and_the_next_page_is_asked_for_where_nothing_was_checked(service: Service) -> None:
    loop_of(service, events=300).go()
    answers = list(service.answers.values())
    assert all(answer["query"]["track"] == ["true"] for answer in answers)
    checked = {event.request_id for event in service.events if isinstance(event, JobView)}
    turned = [answer for answer in answers if "cursor" in answer["query"]]
    assert len(turned) > 10
    for answer in turned:
        before = [one for one in answers if one["member_id"] == answer["member_id"]]
        before = [one for one in before if one["next_cursor"] == answer["query"]["cursor"][0]]
        assert any(one["request_id"] not in checked for one in before)


@pytest.mark.slow
def test_the_tally_is_that_of_what_was_examined(service: Service) -> None:
    loop = loop_of(service, events=500, remember=True)
    loop.go()
    examinations = loop._run.world.examinations or []
    tally = loop.tally.to_json()
    assert tally["lists"] == len(service.answers)
    assert tally["examined"] == len(examinations)
    assert tally["checked"] == sum(one.checked for one in examinations)
    assert tally["mean_p_check"] == P_CHECK
    assert tally["check_rate_where_foretold"] == pytest.approx(tally["checked"] / tally["examined"], abs=1e-5)
    deviation = (tally["checked"] ** 0.5) / tally["lists"]
    assert tally["expected_checks_per_list"] == pytest.approx(tally["checks_per_list"], abs=4 * deviation)
    # The service's lists are a random order of all jobs: the popular ones, which everybody wants a little more, are no worse.
    assert tally["popular_expected_checks_per_list"] > 0.9 * tally["expected_checks_per_list"]
    assert not [one for one in examinations if one.job_id == DISMISSED]


def test_a_service_that_does_not_answer_shows_nothing_and_is_counted(service: Service) -> None:
    loop = loop_of(service, events=50)
    loop._run.limits.duration_ms = 500
    service.down = True
    loop.go()
    assert loop.tally.lists == loop.tally.checked == 0
    assert loop.tally.failed > 10
    assert not [event for event in service.events if isinstance(event, JobEvent)]


def test_a_service_that_has_gone_ends_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrec.simulator.closed_loop._PATIENCE_S", 0.2)
    service.down = True
    with pytest.raises(ConnectionError, match="is the lookup running"):
        loop_of(service).go()


def test_events_that_kafka_did_not_confirm_are_sent_again(service: Service) -> None:
    service.fail_first = 1
    world = World(3, members=30, jobs=20, now_ms=NOW)
    HttpOutlet(service.client()).send(world.profiles())
    assert service.events == world.profiles()


def test_a_rejected_event_and_a_service_away_are_errors(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrec.simulator.lookup._PAUSE_S", 0.001)
    service.reject = True
    profiles = World(3, members=30, jobs=20, now_ms=NOW).profiles()
    with pytest.raises(OutletError, match="rejects an event: bad_value"):
        HttpOutlet(service.client()).send(profiles)
    with pytest.raises(OutletError, match="is it running"):
        HttpOutlet(Lookup("http://127.0.0.1:9")).send(profiles)


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://x:port", "http://x?y=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Lookup(url)
