"""Two times, one axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.simulator.clock import Clock

BEGIN = 1_736_121_600_000


@given(st.floats(0.1, 10_000), st.lists(st.tuples(st.floats(0.1, 10_000), st.integers(0, 10_000)), max_size=5))
def test_shown_time_goes_on_without_a_leap_whatever_the_pace(first: float, turns: list[tuple[float, int]]) -> None:
    clock, time = Clock(BEGIN, first), BEGIN
    for compression, after in turns:
        time += after
        before = clock.shown(time)
        clock.compress(compression, since=time)
        assert clock.shown(time) == before
        assert clock.shown(time + 10_000) >= before


@given(st.floats(1, 10_000), st.integers(-(10**9), 10**9))
def test_there_and_back(compression: float, shown: int) -> None:
    clock = Clock(BEGIN, compression)
    assert clock.shown(clock.time(BEGIN + shown)) == pytest.approx(BEGIN + shown, abs=1)


def test_time_cannot_stand_still() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Clock(BEGIN, 0)
