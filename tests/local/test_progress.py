"""What has become of the lists is told as it is: then, now, and each step between."""

import pytest

from streamrec.local.judgement import COURSE
from streamrec.local.progress import FIRST, RECENT_S, Progress
from streamrec.local.scrape import Samples
from streamrec.simulator.tally import Tally

TRAINER = Samples(
    'streamrec_model_calibration_error{data="sampled"} 0.5\n'
    'streamrec_model_calibration_error{data="shown"} 0.125\nstreamrec_model_calibrated 1\n'
)


def of(lists: int, hits: int = 0, **others: float) -> Tally:
    return Tally(lists=lists, hits=hits, **others)  # type: ignore[arg-type]


def test_the_first_lists_stay_the_first_and_recent_ones_are_of_the_last_seconds() -> None:
    progress = Progress()
    total = Tally()
    for second in range(100):  # ten lists a second: for thirty seconds one in ten is a hit, then nine in ten
        total += of(10, 1 if second < 30 else 9)
        progress.note(float(second), total, None)
    assert progress.first is not None
    assert progress.first.lists == FIRST
    assert progress.first.hit_rate == 0.1
    assert progress.recent.lists == 10 * RECENT_S
    assert progress.recent.hit_rate == 0.9


def test_the_steps_are_all_lists_in_equal_parts_however_long_it_goes_on() -> None:
    progress = Progress()
    for second in range(1, 1000):
        progress.note(second, of(second * second), second / 1000)
        assert 1 <= len(progress.steps) <= COURSE
        assert sum(step.tally.lists for step in progress.steps) == second * second
    lists = [step.tally.lists for step in progress.steps]
    assert lists[:-1] == sorted(lists[:-1])
    assert progress.steps[-1].calibration_error == 0.999
    assert progress.step_s * (len(progress.steps) - 1) < 999 <= progress.step_s * len(progress.steps)


def test_a_time_without_lists_is_a_gap_and_changes_nothing() -> None:
    progress = Progress()
    progress.note(0.0, of(10, 5), None)
    progress.note(1.0, of(20, 10), None)
    for second in range(2, 30):
        progress.note(second, of(20, 10), None)
    assert (progress.recent.lists, len(progress.steps)) == (20, 2)
    progress.note(4.5, of(30, 11), None)
    assert [step.tally.hit_rate for step in progress.steps] == [0.5, 0.5, None, None, 0.1]


def test_it_is_told_in_words_and_figures_that_agree() -> None:
    progress = Progress()
    progress.note(0.0, of(200, 40, expected=80.0, popular_expected=20.0), None)
    later = of(
        400, 220, expected=480.0, popular_expected=70.0, foretold=30.0, foretold_examined=200, foretold_checked=20
    )
    progress.note(15.0, later, 0.125)
    told = progress.judge(TRAINER)
    assert {row.name: (row.now, row.beside) for row in told.rows} == {
        "hit rate": ("90.0 %", "first 20.0 %"),
        "checks a list": ("2.00", "first 0.40, popular 0.25"),
        "p_check is off": ("5.0 %", "says 15.0 %, is 10.0 %"),
        "calibration error": ("0.125", "calibrated"),
    }
    assert all(len(row.course) == 16 for row in told.rows)
    assert told.figures["calibrated"] is True
    assert told.figures["calibration_error"] == 0.125
    assert [told.figures[name] for name in ("worth", "first_worth", "popular_worth")] == [2.0, 0.4, 0.25]
    assert [step["worth"] for step in told.figures["course"]] == [0.4, *[None] * 14, 2.0]
    assert "hit rate 90.0 % (first 20.0 %)" in told.words
    assert "None" not in "".join([told.words, *(sentence for _, sentence in told.summary)])


@pytest.mark.parametrize("lists", [0, 10])
def test_before_there_is_a_model_p_check_is_not_known(lists: int) -> None:
    progress = Progress()
    progress.note(0.0, of(lists), None)
    told = progress.judge(Samples())
    assert told.figures["mean_p_check"] is told.figures["check_rate"] is told.figures["calibration_error"] is None
    assert told.figures["calibrated"] is False
    assert "None" not in told.words
    assert told.rows[3].beside == "not calibrated yet"
