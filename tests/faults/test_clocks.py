"""Clocks that are wrong.

The rule: an event more than `clock_skew_ms` ahead of the worker's clock is a dead letter; any other counts by its own time,
however old; and beyond that the state does not depend on the clock of the worker that made it.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from streamrec.events import JobView
from tests.e2e.judging import JOBS, POSTINGS, differences
from tests.faults.account import judge
from tests.faults.report import Report
from tests.faults.site import Site
from tests.faults.traffic import Traffic

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

HOUR_MS: Final = 3_600_000
OTHER_CLOCK = """
import time
real, real_ns = time.time, time.time_ns
time.time = lambda: real() + {0}
time.time_ns = lambda: real_ns() + {0} * 1_000_000_000
"""


def views(log: Traffic, member: str, times: list[int]) -> list[tuple[str, Any]]:
    """Views by one member, at these times (ms), that count."""
    made = [
        (
            "job-views",
            JobView(event_id=f"{member}-{number}", member_id=member, job_id=JOBS[number % 50], occurred_at=at),
        )
        for number, at in enumerate(times)
    ]
    log.events += made
    return made


def test_producers_clocks_far_ahead_and_far_behind(make_site: Callable[..., Site], report: Report) -> None:
    site, log = make_site(), Traffic(seed=51)
    site.produce(("job-postings", posting) for posting in POSTINGS)
    site.start("worker")
    site.settle(trainer=False)
    now = time.time_ns() // 1_000_000
    site.produce(log.more(100))
    # 1970, 2001, a day behind, and most of a day ahead: in any order, since nobody's clock puts them right.
    site.produce(views(log, "viewer-adrift", [now + 23 * HOUR_MS, 1, 10**12, now - 24 * HOUR_MS, now + HOUR_MS, 5]))
    ahead = [JobView(event_id=f"f{number}", member_id="viewer-future", job_id="job-1", occurred_at=at)
             for number, at in enumerate((now + 25 * HOUR_MS, now + 10**12, 9 * 10**15))]  # fmt: skip
    site.produce(("job-views", event) for event in ahead)
    log.garbage += len(ahead)
    site.produce(log.more(100))
    site.settle(trainer=False)
    account = judge(site, log, model=False)
    assert site.client.get(site.keys.member("viewer-future")) is None
    told = site.measured("worker")
    assert told.total("streamrec_events_rejected_total", topic="job-views") >= len(ahead)
    assert told.total("streamrec_event_ahead_seconds_count", topic="job-views") == 2
    report.add(account)


def test_a_workers_clock_that_is_half_a_day_wrong_makes_no_difference(
    make_site: Callable[..., Site], report: Report
) -> None:
    site, log = make_site(), Traffic(seed=52)
    site.produce(("job-postings", posting) for posting in POSTINGS)
    site.start("trainer")
    now = time.time_ns() // 1_000_000
    for hours in (-12, 12, 0):
        site.start("worker", spoil=OTHER_CLOCK.format(hours * 3600))
        site.produce(log.more(150))
        site.produce(views(log, f"watch-{hours}", [now - 1_000, now, now + 1_000]))
        site.settle()
        site.of("worker").stop()
    report.add(judge(site, log), runs=2)


def test_a_workers_clock_that_is_days_behind_puts_events_aside_and_a_redrive_brings_them_back(
    make_site: Callable[..., Site], report: Report
) -> None:
    site, log = make_site(), Traffic(seed=53)
    site.produce(("job-postings", posting) for posting in POSTINGS)
    site.start("worker")
    site.settle(trainer=False)
    site.of("worker").stop()
    worker = site.start("worker", spoil=OTHER_CLOCK.format(-3 * 24 * 3600))
    now = time.time_ns() // 1_000_000
    late = views(log, "viewer-now", [now - 1_000 * number for number in range(20, 0, -1)])
    site.produce(late)
    site.settle(trainer=False)
    assert site.client.get(site.keys.member("viewer-now")) is None
    assert site.measured("worker").total("streamrec_events_rejected_total", topic="job-views") == len(late)
    worker.stop()
    site.start("worker")
    redriven = site.start("dead-letters", "redrive")
    assert redriven.wait(60) == 0, redriven.said
    site.settle(trainer=False)
    told = site.measured("worker")
    assert told.total("streamrec_redriven_records_total", outcome="accepted") == len(late)
    log.duplicates, log.garbage = 0, 0
    assert differences(site, log) == []
    report.add(runs=1, events=len(late), note="all put aside as of the future, all brought back")
