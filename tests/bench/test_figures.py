"""What a benchmark answers: medians, ratios, what is absent, and whether it is sound."""

import json

from streamrec.bench.figures import Check, Report, Turns


def test_the_json_has_every_value_and_the_median_of_each_figure() -> None:
    turns = Turns()
    for value in (3.0, 1.0, 2.0):
        turns.add("ours", "events/s", value)
    turns.add("theirs", "events/s", 4.0)
    turns.absent("others", "absent: install it")
    report = Report("toy", {"cores": 2}, turns.lines({"ours": "theirs"}), (Check("sound", True),))
    ours, theirs, others = json.loads(report.to_json())["lines"]
    assert ours["figures"] == [{"unit": "events/s", "values": [3.0, 1.0, 2.0], "median": 2.0, "low": 1.0, "high": 3.0}]
    assert (ours["baseline"], ours["of_baseline"], theirs["of_baseline"]) == ("theirs", 0.5, None)
    assert (others["figures"], others["absent"]) == ([], "absent: install it")


def test_one_failed_check_makes_a_report_unsound() -> None:
    assert Report("toy", {}, (), (Check("a", True),)).sound
    assert not Report("toy", {}, (), (Check("a", True), Check("b", False))).sound


def test_a_line_without_its_baseline_has_no_ratio() -> None:
    turns = Turns()
    turns.add("ours", "events/s", 1.0)
    turns.absent("theirs", "absent")
    assert turns.lines({"ours": "theirs"})[0].of_baseline is None
