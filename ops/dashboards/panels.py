"""What a dashboard says: panels in rows, each with its queries, unit, limits and a description."""

from typing import Final, Literal

import msgspec

Colour = Literal["green", "orange", "red", "blue"]
Limits = tuple[tuple[float | None, Colour], ...]

NEUTRAL: Final[Limits] = ((None, "blue"),)  # no value is good or bad by itself; the description says what to look for
NONE_IS_RED: Final[Limits] = ((None, "red"), (1, "green"))


def above(warn: float, bad: float) -> Limits:
    """Small is good: orange from `warn`, red from `bad`.

    Examples
    --------
    >>> above(1, 5)
    ((None, 'green'), (1, 'orange'), (5, 'red'))
    """
    return ((None, "green"), (warn, "orange"), (bad, "red"))


def below(warn: float, bad: float) -> Limits:
    """Large is good: red below `bad`, orange below `warn`.

    Examples
    --------
    >>> below(0.6, 0.5)
    ((None, 'red'), (0.5, 'orange'), (0.6, 'green'))
    """
    return ((None, "red"), (bad, "orange"), (warn, "green"))


class Query(msgspec.Struct, frozen=True):
    """One PromQL expression.

    Attributes
    ----------
    expr
        Its ranges are ``[$__rate_interval]`` unless they mean a certain time.
    legend
        What a series is called, with labels as ``{{label}}``.
    quiet
        Why a running, healthy system may have no data for it; empty: it always has, and a test holds it to that.
    """

    expr: str
    legend: str
    quiet: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """A figure or a graph.

    Attributes
    ----------
    says
        What it shows, when to worry, and where to look next.
    unit
        One of Grafana's: s, percentunit, ops, short, bytes, dtdurations.
    width
        Of 24.
    """

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    limits: Limits = NEUTRAL
    kind: Literal["graph", "figure"] = "graph"
    width: int = 8
    stacked: bool = False
    most: float | None = None
    more: str = ""  # uid of the dashboard that has the details


class Row(msgspec.Struct, frozen=True):
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


class Screen(msgspec.Struct, frozen=True):
    """A dashboard, and the questions that a look of ten seconds must answer."""

    uid: str
    title: str
    answers: tuple[tuple[str, str], ...]  # question -> where it is answered
    rows: tuple[Row, ...]

    @property
    def panels(self) -> list[Panel]:
        """All of them, in reading order."""
        return [panel for row in self.rows for panel in row.panels]


def quantiles(
    metric: str, by: str = "", where: str = "", shares: tuple[float, ...] = (0.5, 0.99), quiet: str = ""
) -> tuple[Query, ...]:  # fmt: skip
    """Quantiles of a histogram, over all series or by one label.

    Examples
    --------
    >>> [query.expr for query in quantiles("x_seconds", "stage", shares=(0.9,))]
    ['histogram_quantile(0.9, sum by (le, stage) (rate(x_seconds_bucket[$__rate_interval])))']
    """
    labels = f"le, {by}" if by else "le"
    chosen = f"{{{where}}}" if where else ""
    return tuple(
        Query(
            f"histogram_quantile({share:g}, sum by ({labels}) (rate({metric}_bucket{chosen}[$__rate_interval])))",
            f"p{share * 100:g} {{{{{by}}}}}" if by else f"p{share * 100:g}", quiet,
        )
        for share in shares
    )  # fmt: skip


def rate(counter: str, by: str = "", where: str = "", legend: str = "", quiet: str = "") -> Query:
    """A counter a second, in all or by labels.

    Examples
    --------
    >>> rate("x_total", "topic").expr
    'sum by (topic) (rate(x_total[$__rate_interval]))'
    """
    chosen = f"{{{where}}}" if where else ""
    inner = f"(rate({counter}{chosen}[$__rate_interval]))"
    if by:
        words = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
        return Query(f"sum by ({by}) {inner}", legend or words, quiet)
    return Query(f"sum{inner} or vector(0)", legend or "a second", quiet)


def share(part: str, whole: str) -> str:
    """One rate in another, 0 where there is no part.

    Examples
    --------
    >>> share('a_total{x="1"}', "b_total")
    '(sum(rate(a_total{x="1"}[$__rate_interval])) or vector(0)) / sum(rate(b_total[$__rate_interval]))'
    """
    return f"(sum(rate({part}[$__rate_interval])) or vector(0)) / sum(rate({whole}[$__rate_interval]))"
