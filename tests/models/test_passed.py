"""What was passed over: what counts agrees with a slow count, and the bytes of every version stay readable."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.events import Action, JobView
from streamrec.models import labels, passed
from streamrec.models.labels import Rules, Source
from streamrec.models.passed import (
    FORMAT,
    HALF_LIFE_MS,
    KEPT,
    Passed,
    Showings,
    UnreadablePassedError,
    close,
    pack,
    pass_over,
    times,
    unpack,
)
from streamrec.models.shown import Row, Shown, ShownList

GOLDEN = Path(__file__).parent.parent / "golden" / "passed" / "v1.bin"
AT = 1_700_000_000_000
PASSED = Passed(7, {"j1": Showings(2.5, AT), "ü2": Showings(1.0, AT - 5)})
SOURCE = Source("impressions#closed", "id", 0, 1)


def shown_list(request: str, jobs: str, at: int = AT) -> ShownList:
    return ShownList(request, at, None, 1, "f/1", [Row(job, place, 1.0, None, b"") for place, job in enumerate(jobs)])


def closed(kept: Passed, shown: Shown, request: str) -> None:
    if labels.close(shown, "m", request, AT + 1, SOURCE) is not None:
        close(kept, shown, request)


def counted(kept: Passed, jobs: str, now: int = AT) -> list[float]:
    return times(kept, jobs, now)


showings = st.lists(
    st.tuples(st.integers(0, 60 * 86_400_000), st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)),
    max_size=12,
)


@given(showings)
def test_a_count_is_the_sum_of_faded_showings_in_whatever_order_they_are_learned(
    made: list[tuple[int, list[str]]],
) -> None:
    kept = Passed()
    for at, jobs in made:
        pass_over(kept, jobs, at)
    assert kept.version == len(made)
    now = 70 * 86_400_000
    expected = [sum(2.0 ** (-(now - at) / HALF_LIFE_MS) for at, jobs in made if job in jobs) for job in "abcde"]
    assert counted(kept, "abcde", now) == pytest.approx(expected, rel=1e-9)
    assert all(kept.jobs[job].at == max(at for at, jobs in made if job in jobs) for job in kept.jobs)


def test_only_what_was_seen_and_not_checked_counts_and_only_once_the_list_is_closed() -> None:
    shown, kept = Shown(lists=[shown_list("r1", "abcd")]), Passed()
    shown.lists[0].report([0, 1, 3])
    shown.lists[0].rows[1].learned = 1.0
    assert counted(kept, "abcd") == [0.0] * 4
    closed(kept, shown, "r1")
    assert counted(kept, "abcd") == [1.0, 0.0, 0.0, 1.0]
    closed(kept, shown, "r1")
    assert kept.version == 1  # once a list


def test_a_list_of_which_nothing_was_seen_changes_nothing() -> None:
    shown, kept = Shown(lists=[shown_list("r1", "ab")]), Passed()
    shown.lists[0].report([])
    closed(kept, shown, "r1")
    closed(kept, shown, "r2")  # there is no such list
    assert kept == Passed()


def test_a_job_that_was_checked_in_another_list_meanwhile_is_not_passed_over() -> None:
    shown, kept = Shown(lists=[shown_list("r2", "ab", AT + 10), shown_list("r1", "ab")]), Passed()
    view = JobView(event_id="e", member_id="m", job_id="a", occurred_at=AT + 20, request_id="r2")
    labels.act(shown, view, Action.VIEW, SOURCE, Rules())
    for request in ("r1", "r2"):
        closed(kept, shown, request)
    assert counted(kept, "ab", AT + 10) == [0.0, pytest.approx(2.0)]


def test_a_check_clears_a_job_and_is_a_change() -> None:
    kept = msgspec.convert(msgspec.to_builtins(PASSED), Passed)
    assert not passed.check(kept, "unknown")
    assert kept == PASSED
    assert passed.check(kept, "j1")
    assert (kept.version, list(kept.jobs)) == (8, ["ü2"])


def test_the_jobs_that_were_shown_last_are_kept() -> None:
    kept = Passed()
    for number in range(KEPT + 50):
        pass_over(kept, [f"j{number}", "often"], number)
    pass_over(kept, ["late"], 0)  # learned late: older than all others
    assert len(kept.jobs) == KEPT
    assert set(kept.jobs) == {"often", *(f"j{number}" for number in range(51, KEPT + 50))}


def test_the_bytes_of_format_1_are_what_they_were() -> None:
    assert pack(PASSED) == GOLDEN.read_bytes()
    assert unpack(GOLDEN.read_bytes()) == PASSED


def test_a_value_of_the_version_before_or_after_is_read() -> None:
    fields = msgspec.msgpack.decode(pack(PASSED)[1:])
    assert unpack(FORMAT + msgspec.msgpack.encode([*fields, {"new": 1}])) == PASSED
    assert unpack(FORMAT + msgspec.msgpack.encode(fields[:-1])) == Passed(7)
    assert unpack(None) == Passed()


@pytest.mark.parametrize("value", [b"", b"\x02\x90", FORMAT, FORMAT + b"\xc1", FORMAT + b"\x91\xa1x", FORMAT + b"\x80"])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(UnreadablePassedError, match="Passed"):
        unpack(value)
