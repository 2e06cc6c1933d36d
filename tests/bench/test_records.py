"""The records that benchmarks are fed with: all of them usable, lists before what comes of them, none lost between calls."""

import time

from streamrec import codecs
from streamrec.bench.records import Site
from streamrec.events import Impression, JobEvent, Rejected
from streamrec.topics import load


def test_every_record_is_usable_and_each_list_comes_before_the_actions_on_it() -> None:
    site, specs, now_ms = Site(200, 100, 2000), load(), time.time_ns() // 1_000_000
    shown: dict[str, set[str]] = {}
    acted = 0
    for record in [*site.beginning(), *site.happenings(2000)]:
        event = codecs.decode_record(specs[record.topic].schema, record.key, record.value, now_ms, 0)
        assert not isinstance(event, Rejected), event
        if isinstance(event, Impression):
            shown[event.request_id] = {item.job_id for item in event.items}
        elif isinstance(event, JobEvent) and event.request_id is not None:
            assert event.job_id in shown[event.request_id]
            acted += 1
    assert acted > 500


def test_what_was_made_beyond_what_was_asked_for_comes_with_the_next_call() -> None:
    whole, parts = Site(100, 60, 900), Site(100, 60, 900)
    expected = [record.topic for record in whole.happenings(900)]
    found = [record.topic for _ in range(3) for record in parts.happenings(300)]
    assert found == expected
    assert parts.mix == whole.mix
