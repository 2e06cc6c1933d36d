"""Plots: that what is drawn stands where its numbers say, and can be read without being seen."""

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from streamrec.training.plots import STYLE, Bar, bars, calibration, ceiling, lines

GROUPS = [
    {"views": 40, "predicted": 0.1, "observed": 0.05, "interval": [0.02, 0.15]},
    {"views": 41, "predicted": 0.4, "observed": 0.5, "interval": [0.35, 0.65]},
]


def texts(svg: ET.Element) -> dict[str, tuple[float, float]]:
    return {each.text or "": (float(each.get("x", "0")), float(each.get("y", "0"))) for each in svg.iter("text")}


@pytest.mark.parametrize(
    "made",
    [
        bars("A <title>", "What & why", [Bar("<a>", 0.5, "0.5 & more")]),
        lines("A <title>", "What & why", {"<a>": [0.5, None], "b": [None, 0.2]}, "b", "tenth & more"),
        calibration("A <title>", "What & why", GROUPS),
    ],
)
def test_every_plot_says_what_it_shows_and_is_one_in_itself(made: str) -> None:
    svg = ET.fromstring(made)
    assert (svg.tag, svg.get("role"), svg.get("aria-label")) == ("svg", "img", "A <title>")
    assert [each.text for each in svg if each.tag in ("title", "desc")] == ["A <title>", "What & why"]
    assert not re.search(r"https?:|href|url\(", made)
    colours = re.findall(r"var\(--(\w+)\)", made + STYLE)
    light, dark = STYLE.split("@media")
    assert all(f"--{colour}:" in part for colour in colours for part in (light, dark))
    width, height = map(float, (svg.get("viewBox") or "").split()[2:])
    for x, y in texts(svg).values():
        assert 0 <= x < width
        assert 0 <= y < height


def test_bars_are_as_long_as_their_numbers() -> None:
    svg = ET.fromstring(bars("t", "d", [Bar("a", 0.2, "0.2", 0.1, 0.15, 0.25), Bar("b", 0.4, "0.4", 0.0, 0.3, 0.5)]))
    widths = [float(each.get("width", "")) for each in svg.iter("rect")]
    assert widths == pytest.approx([widths[2] / 2, widths[2] / 4, widths[2], 0.0], abs=0.2)
    ends = [tuple(map(float, re.findall(r"[\d.]+", each.get("d", "")))) for each in svg.iter("path")]
    start = float(next(svg.iter("rect")).get("x", ""))
    lengths = [(left - start, right - start) for left, _, right in ends]
    assert lengths[0] == pytest.approx((widths[0] * 0.75, widths[0] * 1.25), abs=0.2)
    assert lengths[1] == pytest.approx((widths[2] * 0.75, widths[2] * 1.25), abs=0.2)
    assert ET.fromstring(bars("t", "d", [Bar("a", 0.0, "0")])) is not None  # nothing is divided by nothing


def drawn(svg: ET.Element) -> dict[str, list[list[tuple[float, float]]]]:
    """Points of the lines, in unbroken pieces, by colour; without those that lead to names."""
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for each in svg.iter("path"):
        if each.get("stroke-linecap"):
            pieces = re.findall(r"M[^M]+", each.get("d", ""))
            found[each.get("stroke", "")] = [
                [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", piece)] for piece in pieces
            ]
    return found


def test_lines_go_through_their_numbers_and_stop_where_there_is_none() -> None:
    svg = ET.fromstring(
        lines("t", "d", {"own": [0.0, 0.5, None, 1.0], "b": [0.25] * 4, "c": [None] * 4}, "own", "tenth")
    )
    found = drawn(svg)
    assert list(found) == ["var(--s1)", "var(--own)"]  # its own on top, and what there is nothing of is not there
    first, last = found["var(--own)"]
    (bottom, middle), top = [y for _, y in first], last[0][1]
    assert middle == pytest.approx((bottom + top) / 2)
    assert [y for _, y in found["var(--s1)"][0]] == pytest.approx([bottom - (bottom - top) / 4] * 4)
    xs = [x for x, _ in found["var(--s1)"][0]]
    assert [x for x, _ in (*first, *last)] == [xs[0], xs[1], xs[3]]
    assert len({round(b - a, 1) for a, b in pairwise(xs)}) == 1


def test_names_at_the_ends_do_not_lie_on_each_other() -> None:
    many: dict[str, Any] = {f"name{number}": [0.5, number / 1000] for number in range(11)}
    where = texts(ET.fromstring(lines("t", "d", many, "name3", "tenth")))
    places = sorted(y for name, (_, y) in where.items() if name.startswith("name"))
    assert len(places) == 11
    assert all(b - a >= 13.9 for a, b in pairwise(places))
    order = sorted(many, key=lambda name: -where[name][1])
    assert order == list(many)  # the lowest line has the lowest name


def test_a_calibrated_group_lies_on_the_diagonal() -> None:
    groups = [*GROUPS, {"views": 3, "predicted": 0.3, "observed": 0.3, "interval": [0.1, 0.6]}]
    svg = ET.fromstring(calibration("t", "d", groups))
    dots = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in svg.iter("circle")]
    diagonal = next(each.get("d", "") for each in svg.iter("path") if each.get("stroke-dasharray"))
    (x0, y0), (x1, y1) = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", diagonal)]

    def above(dot: tuple[float, float]) -> float:
        return (y0 - dot[1]) / (y0 - y1) - (dot[0] - x0) / (x1 - x0)

    assert above(dots[2]) == pytest.approx(0.0, abs=1e-3)
    assert above(dots[0]) == pytest.approx(-0.05 / 0.8, abs=1e-3)
    assert above(dots[1]) == pytest.approx(0.1 / 0.8, abs=1e-3)
    told = [each.findtext("title") for each in svg.iter("circle")]
    assert told[0] == "40 views: predicted 0.1000, came about 0.0500"
    assert ET.fromstring(
        calibration("t", "d", [{"views": 1, "predicted": 0.0, "observed": 0.0, "interval": [0.0, 0.0]}])
    )


@pytest.mark.parametrize("value", [1e-4, 0.0123, 0.1, 0.3999, 0.4, 0.41, 0.8, 0.99, 1.0, 7.3])
def test_an_axis_ends_above_the_highest_number_and_not_far_above(value: float) -> None:
    assert value * (1 - 1e-8) <= ceiling(value) <= 2.0 * value
    quarter = f"{ceiling(value) / 4:.6e}"
    assert float(quarter[: quarter.index("e")]) in (1.0, 2.0, 2.5, 5.0)
