"""How far a slot has come, by the written rules."""

import pytest

from streamrec import topics
from streamrec.agents.watermark import TOPICS, Input, watermark

NOW, IDLE = 1_000_000, 5_000
BUSY, IDLING = Input(NOW - 100, NOW, at_end=False), Input(0, NOW, at_end=True)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (BUSY, NOW - IDLE),
        (Input(NOW - 60_000, NOW, at_end=False), NOW - 60_000),  # a backlog holds everything back
        (Input(NOW - 60_000, NOW, at_end=True), NOW - IDLE),  # read to its end: idle
        (Input(NOW - 60_000, NOW - 20_000, at_end=True), NOW - 20_000 - IDLE),  # Kafka has not told anything since
        (Input(NOW + 60_000, NOW, at_end=False), NOW - IDLE),  # a clock that is ahead
        (Input(0, NOW, at_end=False), 0),  # nothing read yet, and there is something
        (Input(0, 0, at_end=False), 0),
    ],
)
def test_it_is_the_least_of_what_the_inputs_have_come_to(other: Input, expected: int) -> None:
    assert watermark([IDLING, BUSY, other], NOW, IDLE) == expected


def test_its_inputs_are_the_events_of_members() -> None:
    assert set(TOPICS) == set(topics.MEMBER_TOPICS) - {"member-profiles", "member-activity"}


def test_clocks_that_are_ahead_do_not_move_it_beyond_now() -> None:
    assert watermark([Input(NOW + 60_000, NOW + 60_000, at_end=end) for end in (True, False)], NOW, 0) == NOW
