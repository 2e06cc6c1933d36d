"""``streamrec replay``: a log from files through Kafka."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streamrec import codecs, topics
from streamrec.cli.logs import COLUMNS, MAP
from streamrec.cli.options import plain_errors, with_settings
from streamrec.kafka.admin import Admin
from streamrec.kafka.encoder import Encoder
from streamrec.kafka.producer import Producer
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings
from streamrec.training.player import Pace, Report, Summary, moment, play
from streamrec.training.replay import Replay

_LINE_EVERY_S: Final = 5.0  # of progress, without a terminal
_LINGER_MS: Final = 20.0


def _speed(_context: click.Context, _parameter: click.Parameter, text: str) -> float | None:
    if text == "max":
        return None
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)x?", text)) or not (speed := float(found[1])):
        raise click.BadParameter(f"{text!r} is neither max nor a number such as 1x or 100x")
    return speed


def _table(summary: Summary) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("rows", f"{summary.rows:,}")
    for topic, count in sorted(summary.produced.items()):
        table.add_row(f"  {topic}", f"{count:,}")
    table.add_row("bad rows", f"{summary.bad.total():,}")
    for reason, count in summary.bad.most_common():
        table.add_row(f"  {reason}", f"{count:,}")
    if summary.ignored:
        table.add_row("ignored", f"{summary.ignored:,}")
    if summary.first_at is not None:
        table.add_row("events from", moment(summary.first_at) or "")
        table.add_row("events to", moment(summary.last_at) or "")
    table.add_row("seconds", f"{summary.seconds:,.1f}")
    table.add_row("records a second", f"{summary.rate:,.0f}")
    if summary.stopped:
        table.add_row("ended early", summary.stopped)
    return table


@contextlib.contextmanager
def _reporting(errors: Console) -> Iterator[Report]:
    """A bar on a terminal; else a line every few seconds."""
    if not errors.is_terminal:
        last = time.monotonic()

        def line(summary: Summary, share: float) -> None:
            nonlocal last
            if time.monotonic() - last >= _LINE_EVERY_S:
                last = time.monotonic()
                errors.print(f"{share:4.0%} {summary.rows:,} rows, {summary.rate:,.0f} records/s", highlight=False)

        yield line
        return
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[text]}"),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=1.0, text="")

        def bar(summary: Summary, share: float) -> None:
            text = f"{summary.rows:,} rows  {summary.rate:,.0f}/s  {moment(summary.last_at) or ''}"
            progress.update(task, completed=share, text=text)

        yield bar


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--catalogue",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Jobs: item_id, title and further fields of JobPosting (state is region).",
)
@click.option(
    "--members",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Members: user_id and fields of MemberProfile (position_of_interest is one of desired_titles).",
)
@click.option(
    "--speed",
    default="max",
    show_default=True,
    metavar="max|1x|100x",
    callback=_speed,
    help="How many times as fast as the log's own clock.",
)
@click.option("--map", "event_names", **MAP)
@click.option("--columns", **COLUMNS)
@click.option("--strict", is_flag=True, help="Stop at the first bad row, with exit code 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@with_settings
def replay(
    settings: Settings, *, file: Path, catalogue: Path | None, members: Path | None, speed: float | None,
    event_names: dict[str, str], columns: dict[str, str], strict: bool, as_json: bool,
) -> None:  # fmt: skip
    """Produce a log with the columns ts, user_id, item_id and event (.csv, also gzipped) to Kafka.

    Events keep the log's times: epoch seconds or milliseconds, or ISO 8601. Their ids are made from the rows, so that
    rows replayed again are known as duplicates, as far back as duplicates are looked for. What the files say of jobs
    and members comes at its own time too; without one, at the beginning. A bad row is told with its line, and counted.

    \b
    Exit code: 0 (also with bad rows), 1 stopped early (--strict, Kafka, a damaged file), 2 wrong usage, 130 Ctrl-C.

    \b
    Examples:
      streamrec replay views.csv --catalogue jobs.csv --members members.csv
      streamrec replay log.csv.gz --speed 100x --map purchase=job-applications --columns ts=time,user_id=uid
    """
    errors = Console(stderr=True, soft_wrap=True)

    def tell(text: str) -> None:
        errors.print(text, markup=False, highlight=False)

    now_ms = time.time_ns() // 1_000_000
    try:
        log = Replay(
            file, catalogue, members, event_names=event_names, columns=columns, now_ms=now_ms,
            skew_ms=settings.clock_skew_ms,
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for warning in log.warnings:
        tell(warning)
    wanted = {name: topic for name, topic in topics.load().items() if name in topics.PUBLIC_TOPICS}
    try:
        problems = Admin(settings).check(wanted)
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    if problems:
        raise click.ClickException("\n".join(f"{found.topic}: {found.what}: {found.remedy}" for found in problems))
    encoder = Encoder(settings)
    with plain_errors():
        encoder.prepare(codecs.PUBLIC_RECORDS)
    producer = Producer(settings, linger_ms=_LINGER_MS)
    try:
        with StopSignals(kill=lambda: None) as signals, _reporting(errors) as report:
            summary = play(
                log, producer, Pace(speed), signals.wait, encode=encoder.encode, strict=strict, tell=tell, report=report
            )
    finally:
        producer.close()
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    else:
        Console(soft_wrap=True).print(_table(summary))
    if summary.stopped:
        sys.exit(130 if summary.stopped == "interrupted" else 1)
