"""Lists are asked for like an application would, and a service that is away is left in peace for a moment."""

import time
from typing import Any

from streamrec.local import lists
from streamrec.local.lists import Lists, is_personal
from streamrec.local.ports import free_port


def test_answers_are_counted_with_their_time_and_the_first_personal_one_is_kept(lookup: Any) -> None:
    client = Lists(*lookup.address)
    lookup.jobs, lookup.state_age_ms = ["j1", "j2"], None
    assert client.ask("m/1 ö", 10) is not None
    impersonal = client.first
    assert impersonal is None
    lookup.state_age_ms, lookup.degraded = 7, "no_model"
    before = time.monotonic()
    answer = client.ask("m2", 10)
    assert answer is not None
    assert [item["job_id"] for item in answer["items"]] == ["j1", "j2"]
    assert lookup.asked == ["m/1 ö", "m2"]
    assert (client.answered, client.degraded, len(client.took_s)) == (2, 1, 2)
    first = client.first
    assert first
    assert first[0] >= before
    assert first[1] == answer
    client.close()


def test_an_error_is_no_answer_and_makes_it_quiet_for_a_moment(lookup: Any) -> None:
    client = Lists(*lookup.address)
    lookup.status = 503
    assert client.ask("m1", 10) is None
    lookup.status = 200
    assert client.ask("m1", 10) is None
    assert lookup.asked == ["m1"]
    time.sleep(lists._PAUSE_S)
    assert client.ask("m1", 10) is not None
    client.close()


def test_nobody_listening_is_no_answer() -> None:
    assert Lists("127.0.0.1", free_port()).ask("m1", 10) is None


def test_a_list_is_personal_when_it_holds_something_and_rests_on_what_the_member_did() -> None:
    assert is_personal({"items": [{}], "freshness": {"state_age_ms": 0}})
    assert not is_personal({"items": [{}], "freshness": {"state_age_ms": None}})
    assert not is_personal({"items": [], "freshness": {"state_age_ms": 3}})
