"""Plots as inline SVG, for pages that need nothing from elsewhere: bars, lines over the log, and a calibration plot.

Each says in words what it shows (``title`` and ``desc``), for those who do not see it. Colours are those of `STYLE`, in light
and dark. Every number in a plot is in a table or in the JSON, too.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

STYLE: Final = """
:root { --ink: #1d2433; --faint: #dde2ea; --own: #1f62d0; --other: #a9b4c6; --s1: #c2410c; --s2: #0f766e; --s3: #7e22ce;
  --s4: #a16207; --s5: #be185d; --s6: #15803d; --s7: #475569; --s8: #0369a1; --s9: #991b1b }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e7f0; --faint: #39425a; --own: #7aa8ff; --other: #66718a; --s1: #fb923c; --s2: #5eead4; --s3: #d8b4fe;
    --s4: #fde047; --s5: #f9a8d4; --s6: #86efac; --s7: #cbd5e1; --s8: #7dd3fc; --s9: #fca5a5 }
}
svg { display: block; width: 100%; max-width: 46em; margin: .5em 0 2em }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .end { text-anchor: end }
svg .middle { text-anchor: middle }
svg .grid { stroke: var(--faint); fill: none }
svg .ink { stroke: var(--ink); fill: none }
"""
_WIDTH: Final = 660
_NAMES: Final = 180  # room for names beside bars
_BAR: Final = 24
_COLOURS: Final = 9
_TOP, _HEIGHT, _LEFT, _RIGHT = 12, 240, 48, 460  # of the field of a plot with axes
_LABEL: Final = 14  # lines of text do not come nearer


class Bar(NamedTuple):
    """A bar from 0 to `value`, of which `part` is painted stronger; `low` to `high` is drawn as a line, `note` told beside it."""

    name: str
    value: float
    note: str
    part: float = 0.0
    low: float | None = None
    high: float | None = None


def bars(title: str, text: str, found: Sequence[Bar]) -> str:
    """Horizontal bars, one below the other.

    Parameters
    ----------
    title, text
        What it shows, in a few words and in a sentence.
    """
    most = max((max(each.value, each.high or 0.0) for each in found), default=0.0) or 1.0
    room, drawn = _WIDTH - _NAMES - 130, []
    for number, each in enumerate(found):
        y = _BAR * number
        width, part = (room * value / most for value in (each.value, each.part))
        drawn.append(
            f'<text x="0" y="{y + 15}">{escape(each.name)}</text>'
            f'<rect x="{_NAMES}" y="{y + 3}" width="{width:.1f}" height="16" fill="var(--other)"/>'
            f'<rect x="{_NAMES}" y="{y + 3}" width="{part:.1f}" height="16" fill="var(--own)"/>'
        )
        end = width
        if each.low is not None and each.high is not None:
            end = room * each.high / most
            drawn.append(f'<path class="ink" d="M{_NAMES + room * each.low / most:.1f} {y + 11}H{_NAMES + end:.1f}"/>')
        drawn.append(f'<text x="{_NAMES + end + 6:.1f}" y="{y + 15}">{escape(each.note)}</text>')
    return _svg(title, text, drawn, _BAR * len(found) + 4)


def lines(title: str, text: str, series: Mapping[str, Sequence[float | None]], own: str, below: str) -> str:
    """Lines over equal steps, each with its name at its end; None is a gap.

    Parameters
    ----------
    series
        By name; all of one length, at least one.
    own
        The one that the page is about: a stronger line.
    below
        What the steps are.
    """
    steps = max(map(len, series.values()))
    most = ceiling(max((value for each in series.values() for value in each if value is not None), default=0.0))
    drawn = _axes(most, [str(number) for number in range(1, steps + 1)], below)

    def x(step: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (step + 0.5) / steps

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1.0 - value / most)

    colours = {name: f"var(--s{1 + number % _COLOURS})" for number, name in enumerate(n for n in series if n != own)}
    ends: list[tuple[float, str, str]] = []
    for name in (*colours, *(name for name in series if name == own)):  # its own on top
        found, colour = series[name], colours.get(name, "var(--own)")
        known = [(step, value) for step, value in enumerate(found) if value is not None]
        if not known:
            continue
        begun = {step for step, _ in known} - {step + 1 for step, _ in known}
        # A point alone is a line of no length: with a round end, a dot.
        path = "".join(f"{'M' if step in begun else 'L'}{x(step):.1f} {y(value):.1f}h0" for step, value in known)
        width = 3 if name == own else 1.5
        drawn.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round"/>')
        ends.append((y(known[-1][1]), name, colour))
    # Names whose lines end together are put below each other, from the top, and moved up where they would fall out.
    places: list[float] = []
    for end, _, _ in sorted(ends):
        places.append(max(end, places[-1] + _LABEL) if places else end)
    surplus = max(0.0, (places[-1] if places else 0.0) - (_TOP + _HEIGHT))
    for place, (end, name, colour) in zip(places, sorted(ends), strict=True):
        at = place - surplus
        drawn.append(
            f'<path d="M{x(steps - 1) + 4:.1f} {end:.1f}L{_RIGHT + 12} {at:.1f}" fill="none" stroke="{colour}"/>'
            f'<text x="{_RIGHT + 16}" y="{at + 4:.1f}">{escape(name)}</text>'
        )
    return _svg(title, text, drawn, _TOP + _HEIGHT + 44)


def calibration(title: str, text: str, groups: Sequence[Mapping[str, Any]]) -> str:
    """What was predicted (across) beside what came about (up), group by group; on the diagonal they are equal.

    Parameters
    ----------
    groups
        As `stronger.calibration_of` makes them.
    """
    most = ceiling(max((max(each["predicted"], each["interval"][1]) for each in groups), default=0.0))

    def x(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * value / most

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1.0 - value / most)

    drawn = _axes(most, [], "predicted")
    drawn += [
        f'<text class="middle" x="{x(most * part):.1f}" y="{_TOP + _HEIGHT + 16}">{most * part:.2g}</text>'
        for part in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    drawn.append(f'<path class="grid" stroke-dasharray="4 4" d="M{x(0):.1f} {y(0):.1f}L{x(most):.1f} {y(most):.1f}"/>')
    for each in groups:
        across, low, high = x(each["predicted"]), *map(y, each["interval"])
        drawn.append(
            f'<path class="ink" d="M{across:.1f} {low:.1f}V{high:.1f}"/>'
            f'<circle cx="{across:.1f}" cy="{y(each["observed"]):.1f}" r="4.5" fill="var(--own)">'
            f"<title>{each['views']:,} views: predicted {each['predicted']:.4f}, came about {each['observed']:.4f}</title>"
            "</circle>"
        )
    return _svg(title, text, drawn, _TOP + _HEIGHT + 44)


def ceiling(value: float) -> float:
    """The end of an axis that reaches `value`: a quarter of it is 1, 2, 2.5 or 5 times a power of ten.

    Examples
    --------
    >>> ceiling(0.65), ceiling(0.039), ceiling(1.0), ceiling(0.0)
    (0.8, 0.04, 1.0, 1.0)
    """
    if value <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value / 4.0))
    quarter = next(step for step in (1.0, 2.0, 2.5, 5.0, 10.0) if 4.0 * step * power >= value * (1.0 - 1e-9))
    return round(4.0 * quarter * power, 12)


def _axes(most: float, steps: Sequence[str], below: str) -> list[str]:
    """Lines of a grid from 0 to `most`, and what is written beside it."""
    drawn = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + _HEIGHT * (1.0 - part)
        drawn.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
            f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{most * part:.2g}</text>'
        )
    for number, step in enumerate(steps):
        x = _LEFT + (_RIGHT - _LEFT) * (number + 0.5) / len(steps)
        drawn.append(f'<text class="middle" x="{x:.1f}" y="{_TOP + _HEIGHT + 16}">{step}</text>')
    middle = (_LEFT + _RIGHT) / 2
    drawn.append(f'<text class="middle" x="{middle:.1f}" y="{_TOP + _HEIGHT + 36}">{escape(below)}</text>')
    return drawn


def _svg(title: str, text: str, drawn: Sequence[str], height: float) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(text)}</desc>\n{''.join(drawn)}</svg>"
    )
