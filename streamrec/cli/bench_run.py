"""Runs a benchmark of `streamrec.bench` for the command line: progress, Ctrl-C, exit codes, the table."""

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.text import Text

from streamrec.cli.options import plain_errors
from streamrec.cli.progress import reporting
from streamrec.cli.tables import new_table, show_table
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings

if TYPE_CHECKING:
    from streamrec.bench.figures import Report
    from streamrec.bench.site import Bench

INTERRUPTED: Final = 130
_BROKEN: Final = 1


def run(
    settings: Settings,
    go: Callable[["Bench"], "Report"],
    json_file: Path | None,
    short: bool,
    *,
    own_broker: bool = False,
) -> None:
    """Run `go`, write and show what it reports, and end with the exit code that `streamrec bench` documents."""
    # Here, so that --help is quick.
    from streamrec.bench.site import Bench, BrokenBenchError, InterruptedBenchError  # noqa: PLC0415

    errors = Console(stderr=True, soft_wrap=True)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamrec-bench-")))
        signals = stack.enter_context(StopSignals(kill=lambda: None))
        stack.enter_context(plain_errors())
        show = stack.enter_context(reporting(errors, "bench", remaining=True))
        made = Bench(
            settings,
            directory,
            own_broker=own_broker,
            stopped=lambda: signals.received is not None,
            show=show,
            short=short,
        )
        try:
            report = go(made)
        except InterruptedBenchError:
            errors.print("streamrec bench: interrupted; nothing was measured to its end", highlight=False)
            sys.exit(INTERRUPTED)
        except BrokenBenchError as error:
            raise click.ClickException(str(error)) from error
    if json_file is not None:
        try:
            json_file.write_bytes(report.to_json())
        except OSError as error:
            raise click.ClickException(str(error)) from error
    show_report(report)
    if not report.sound:
        sys.exit(_BROKEN)


def show_report(report: "Report") -> None:
    """Conditions, the table, what is absent, notes and checks."""
    for name, value in report.conditions.items():
        click.echo(
            f"{name.replace('_', ' ')}: {value:,}" if isinstance(value, int) else f"{name.replace('_', ' ')}: {value}"
        )
    click.echo()
    units = list(dict.fromkeys(figure.unit for line in report.lines for figure in line.figures))
    table = new_table(
        report.benchmark, *units, *(["of its baseline"] if any(line.baseline for line in report.lines) else [])
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for line in report.lines:
        by_unit = {figure.unit: figure for figure in line.figures}
        cells = []
        for unit in units:
            figure = by_unit.get(unit)
            spread = figure is not None and len(figure.values) > 1
            cells.append(
                "-" if figure is None
                else _amount(figure.median) + (f" ({_amount(figure.low)}-{_amount(figure.high)})" if spread else "")
            )  # fmt: skip
        ratio = "" if line.of_baseline is None else f"{line.of_baseline:.2f} x {line.baseline}"
        if line.absent:
            cells = ["absent", *([""] * (len(units) - 1))]
        table.add_row(Text(line.name), *cells, *([ratio] if len(table.columns) > len(units) + 1 else []))
    show_table(table)
    click.echo()
    for line in report.lines:
        if line.absent:
            click.echo(f"{line.name}: {line.absent}")
    for note in report.notes:
        click.echo(note)
    for check in report.checks:
        click.echo(f"{'ok' if check.passed else 'BROKEN'}: {check.name}{f' ({check.detail})' if check.detail else ''}")


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
