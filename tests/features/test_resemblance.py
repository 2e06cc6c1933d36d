"""Who touched a job, in what order they come; whom a member resembles, against a slow reading in plain Python."""

import math
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamrec.features.resemblance import (
    HISTORY,
    TOUCHERS,
    Resemblance,
    entered,
    history,
    mark_of,
    toucher_of,
    touchers_in,
)
from streamrec.features.state import MemberState

touches = st.lists(st.tuples(st.integers(1, 2**32 - 1), st.integers(0, 10**13)), max_size=3 * TOUCHERS)


@given(touches, st.randoms(use_true_random=False))
def test_the_newest_are_kept_in_whatever_order_they_come(came: list[tuple[int, int]], random: object) -> None:
    kept, shuffled = b"", b""
    for toucher, at in came:
        kept = entered(kept, toucher, at)
    random.shuffle(came)  # type: ignore[attr-defined]
    for toucher, at in came:
        shuffled = entered(shuffled, toucher, at)
    seconds = sorted((min(at // 1000, 2**32 - 1), toucher) for toucher, at in came)[-TOUCHERS:]
    assert kept == shuffled
    assert touchers_in(kept).tolist() == [toucher for _, toucher in seconds]


def test_a_time_before_1970_counts_as_its_begin() -> None:
    assert touchers_in(entered(entered(b"", 7, 1000), 8, -5)).tolist() == [8, 7]


@given(st.integers(1, 2**24 - 1), st.integers(0, 1000))
def test_a_toucher_tells_the_mark_and_about_how_much_was_touched(mark: int, touched: int) -> None:
    toucher = toucher_of(mark, touched)
    assert toucher >> 8 == mark
    assert math.isclose(1 + touched, 2 ** ((toucher & 255) / 24), rel_tol=0.015)


@given(st.text(max_size=5))
def test_a_mark_is_never_nothing(member_id: str) -> None:
    assert 0 < mark_of(member_id) < 2**24


def test_history_is_what_was_touched_last_without_what_was_dismissed() -> None:
    viewed = {f"v{number}": number for number in range(HISTORY + 50)}
    state = MemberState(viewed=viewed, saved={"s": 10**6, "v249": 10**7}, dismissed={"v248": 1})
    found = history(state)
    assert found[-3:] == ["v247", "s", "v249"]
    assert len(found) == HISTORY
    assert "v248" not in found


jobs = st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 60)), max_size=6), max_size=8)


def slow(mark: int, own: list[list[tuple[int, int]]], others: list[list[tuple[int, int]]]) -> list[float]:
    shared: dict[int, float] = defaultdict(float)
    for touchers in own:
        for other, _ in touchers:
            if other != mark:
                shared[other] += 1 / math.sqrt(len(touchers))

    def modest(touched: int) -> float:
        return 1 / (5 + 2 ** (round(24 * math.log2(1 + touched)) / 24) - 1)

    top = max((shared[m] * modest(n) for touchers in own for m, n in touchers if m != mark), default=0.0)
    return [
        sum(shared[m] * modest(n) for m, n in touchers if m in shared) / (3 + len(touchers)) / top if top else 0.0
        for touchers in others
    ]


def packed(touchers: list[list[tuple[int, int]]]) -> np.ndarray:
    found = np.zeros((len(touchers), TOUCHERS), np.uint32)
    for row, each in enumerate(touchers):
        found[row, : len(each)] = [toucher_of(mark, touched) for mark, touched in each]
    return found


@given(st.integers(1, 12), jobs, jobs)
def test_it_is_what_a_slow_reading_says(
    mark: int, own: list[list[tuple[int, int]]], others: list[list[tuple[int, int]]]
) -> None:
    found = Resemblance(mark, packed(own)).of(packed(others))
    assert np.allclose(found, slow(mark, own, others), rtol=1e-12)


@given(jobs, jobs)
def test_a_job_reads_alike_beside_whatever_others(
    own: list[list[tuple[int, int]]], others: list[list[tuple[int, int]]]
) -> None:
    alike = Resemblance(1, packed(own))
    whole = alike.of(packed(others))
    assert [alike.of(packed([each]))[0] for each in others] == whole.tolist()


def test_whoever_shares_a_slot_is_not_mixed_up() -> None:
    one, other = 5, 5 + 2**14
    own = packed([[(one, 3)]])
    assert Resemblance(9, own).of(packed([[(other, 3)], [(one, 3)]])).tolist() == [0.0, 0.25]
