"""``streamrec simulate``: a made-up job site, into Kafka, into files, or in a closed loop with a lookup service."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamrec.cli.options import with_settings
from streamrec.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from streamrec.simulator.closed_loop import ClosedLoop
    from streamrec.simulator.outlets import Outlet
    from streamrec.simulator.simulation import Report, Summary

_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FILE_BEGIN: Final = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday: the same command writes the same file on any day
_LIVE_RATE, _CLOSED_RATE = 200.0, 20.0
_MARGIN: Final = 2.5  # worlds differ in how much goes on; a log of so many events must not reach into the future
_LINE_EVERY_S: Final = 5.0  # of progress, without a terminal


def _duration(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Milliseconds."""
    if text is None:
        return None
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)) or not float(found[1]):
        raise click.BadParameter(f"{text!r} is no time; write 30s, 5m, 12h or 7d")
    return max(1, round(float(found[1]) * _UNITS_S[found[2]] * 1000))


def _speed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | str | None:
    if text is None or text == "max":
        return text
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)x?", text)) or not (speed := float(found[1])):
        raise click.BadParameter(f"{text!r} is neither max nor a number such as 1x or 1000x")
    return speed


@click.command()
@click.option("--members", type=click.IntRange(2), default=2000, show_default=True, help="How many there are.")
@click.option("--jobs", type=click.IntRange(1), default=1000, show_default=True, help="How many are open.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Events a second, happening now; the site's days then pass as fast as that needs. [default: {_LIVE_RATE:.0f} "
    f"with --kafka, {_CLOSED_RATE:.0f} with --closed-loop, without an end]",
)
@click.option(
    "--speed",
    callback=_speed,
    metavar="max|1x|1000x",
    help="How many times as fast as ours the site's time goes, with its days and weekends. [default: max, with --out or "
    "an end]",
)
@click.option("--events", type=click.IntRange(1), help="End after so many things that members did.")
@click.option(
    "--duration", callback=_duration, metavar="TIME", help="End after so much of the site's time: 30s, 12h, 7d."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of everything random in it.")
@click.option("--closed-loop", "url", metavar="URL", help="Members see and act on the lists of this lookup service.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.csv.gz",
    help="Write a log, and beside it FILE-jobs, FILE-members and FILE-connections.",
)
@click.option(
    "--kafka", is_flag=True, help="Produce to Kafka. With --closed-loop events go there instead of to POST /v1/events."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@with_settings
def simulate(
    settings: Settings, *, members: int, jobs: int, rate: float | None, speed: float | str | None, events: int | None,
    duration: int | None, seed: int, url: str | None, out: Path | None, kafka: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make up a job site, and let it go on: members with tastes, homes and careers, jobs that open, fill and close,
    connections, sessions, days and weekends.

    What members check is decided by a truth that tests know and no record shows. In an open loop they see what the site
    itself shows: a mixture by trade, place, fame and age. In a closed loop they see what a lookup service recommends.
    The same seed, sizes and time make the same open loop.

    \b
    Exit code: 0, 1 it could not go on (Kafka, the lookup, a file), 2 wrong usage, 130 Ctrl-C.

    \b
    Examples:
      streamrec simulate --kafka                                        200 events a second, until Ctrl-C
      streamrec simulate --kafka --members 100000 --jobs 50000 --events 1000000
      streamrec simulate --closed-loop http://127.0.0.1:8080 --rate 50 --duration 10m
      streamrec simulate --out week.csv.gz --duration 7d --seed 7
      streamrec replay week.csv.gz --catalogue week-jobs.csv.gz --members week-members.csv.gz
    """  # fmt: skip
    bounded = events is not None or duration is not None
    _check_usage(out, kafka, url, rate, speed, bounded)
    if rate is None and speed is None:
        if url is not None:
            rate = _CLOSED_RATE
        elif out is not None or bounded:
            speed = "max"
        else:
            rate = _LIVE_RATE
    # Here, so that --help is quick.
    from rich.console import Console  # noqa: PLC0415

    from streamrec.kafka.admin import Admin  # noqa: PLC0415
    from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError  # noqa: PLC0415
    from streamrec.kafka.producer import ProduceFailedError  # noqa: PLC0415
    from streamrec.kafka.registry import RegistryRefusedError, RegistryUnavailableError  # noqa: PLC0415
    from streamrec.local.signals import StopSignals  # noqa: PLC0415
    from streamrec.simulator.closed_loop import ClosedLoop, reachable  # noqa: PLC0415
    from streamrec.simulator.lookup import Lookup  # noqa: PLC0415
    from streamrec.simulator.outlets import OutletError  # noqa: PLC0415
    from streamrec.simulator.simulation import Limits, Run  # noqa: PLC0415
    from streamrec.simulator.simulation import simulate as go_on  # noqa: PLC0415
    from streamrec.simulator.world import World  # noqa: PLC0415

    errors = Console(stderr=True, soft_wrap=True)
    lookup = None
    if url is not None:
        try:
            lookup = Lookup(url)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    loop: ClosedLoop | None = None
    try:
        if kafka:
            _check_topics(Admin(settings))
        if lookup is not None and not reachable(lookup):
            raise ConnectionError(f"no lookup service answers at {url}; start one with `streamrec up`")
        with (
            StopSignals(kill=lambda: None) as signals, _outlet(settings, out, kafka, lookup) as outlet,
            _reporting(errors) as report,
        ):  # fmt: skip
            begin = _begin(members, events, duration, live=rate is not None or speed == 1.0, out=out is not None)
            world = World(seed, members, jobs, begin, seasonal=rate is None)
            run = Run(world, outlet, Limits(events, duration), signals.wait, report)
            if lookup is not None:
                loop = ClosedLoop(run, lookup, rate or _CLOSED_RATE)
                summary = loop.go()
            else:
                summary = go_on(run, rate=rate, speed=None if speed == "max" else speed)  # type: ignore[arg-type]
    except (
        OutletError, ProduceFailedError, KafkaUnavailableError, KafkaRefusedError, RegistryUnavailableError,
        RegistryRefusedError, OSError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error)) from error
    _tell(summary, loop, out, as_json)
    if summary.stopped:
        sys.exit(130)


def _check_usage(
    out: Path | None, kafka: bool, url: str | None, rate: float | None, speed: float | str | None, bounded: bool
) -> None:  # fmt: skip
    if out is None and not kafka and url is None:
        raise click.UsageError("say where it goes: --kafka, --out FILE.csv.gz or --closed-loop URL")
    if out is not None and (kafka or url is not None):
        raise click.UsageError("--out goes with neither --kafka nor --closed-loop")
    if rate is not None and speed is not None:
        raise click.UsageError("--rate and --speed exclude each other")
    if url is not None and speed is not None:
        raise click.UsageError("a lookup service answers as of now: --closed-loop goes with --rate, not with --speed")
    if (out is not None or speed not in (None, 1.0)) and not bounded:
        raise click.UsageError("say when it ends: --events or --duration")


def _begin(members: int, events: int | None, duration: int | None, *, live: bool, out: bool) -> int:
    """When the world begins (ms): now; or so long ago that it ends by now."""
    from streamrec.simulator.world import EVENTS_A_SESSION, SESSIONS_A_DAY  # noqa: PLC0415

    if out:
        return int(_FILE_BEGIN.timestamp() * 1000)
    now = time.time_ns() // 1_000_000
    if live:
        return now
    a_day = members * SESSIONS_A_DAY * EVENTS_A_SESSION
    spans = [] if duration is None else [duration]
    if events is not None:
        spans.append(int(_MARGIN * events / a_day * 86_400_000) + 86_400_000)
    return now - min(spans)


def _check_topics(admin: Any) -> None:
    from streamrec import topics  # noqa: PLC0415

    wanted = {name: topic for name, topic in topics.load().items() if name in topics.PUBLIC_TOPICS}
    if problems := admin.check(wanted):
        raise click.ClickException("\n".join(f"{found.topic}: {found.what}: {found.remedy}" for found in problems))


def _outlet(settings: Settings, out: Path | None, kafka: bool, lookup: Any) -> "Outlet":
    from streamrec.simulator.files import FileOutlet  # noqa: PLC0415
    from streamrec.simulator.lookup import HttpOutlet  # noqa: PLC0415
    from streamrec.simulator.outlets import KafkaOutlet  # noqa: PLC0415

    if out is not None:
        return FileOutlet(out)
    return KafkaOutlet(settings) if kafka else HttpOutlet(lookup)


@contextlib.contextmanager
def _reporting(errors: "Console") -> "Iterator[Report]":
    """A bar on a terminal; else a line every few seconds."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    def words(summary: "Summary") -> str:
        if not summary.seconds:
            return f"{summary.before.total():,} jobs, members and connections"
        return f"{summary.events:,} events, {summary.rate:,.0f}/s, {_moment(summary.last_at)}"

    if not errors.is_terminal:
        last = time.monotonic()

        def line(summary: "Summary", share: float | None) -> None:
            nonlocal last
            if time.monotonic() - last >= _LINE_EVERY_S:
                last = time.monotonic()
                errors.print(f"{'' if share is None else f'{share:4.0%} '}{words(summary)}", highlight=False)

        yield line
        return
    columns = TextColumn("simulating"), BarColumn(), TextColumn("{task.fields[text]}"), TimeElapsedColumn()
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=None, text="")

        def bar(summary: "Summary", share: float | None) -> None:
            total = None if share is None else 1.0
            progress.update(task, completed=share or 0.0, total=total, text=words(summary))

        yield bar


def _moment(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tell(summary: "Summary", loop: "ClosedLoop | None", out: Path | None, as_json: bool) -> None:
    lists = None if loop is None else loop.tally.to_json()
    if as_json:
        click.echo(json.dumps(summary.to_json() | ({} if lists is None else {"lists": lists})))
        return
    from rich.console import Console  # noqa: PLC0415

    console = Console(soft_wrap=True)
    console.print(_table(summary, lists))
    if out is not None:
        from streamrec.simulator.files import Names  # noqa: PLC0415

        names = Names.beside(out)
        command = f"streamrec replay {names.log} --catalogue {names.jobs} --members {names.members}"
        console.print(command, markup=False, highlight=False)


def _table(summary: "Summary", lists: dict[str, Any] | None) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("at the beginning", f"{summary.before.total():,}")
    table.add_row("then", f"{summary.sent.total():,}")
    for kind, count in summary.sent.most_common():
        table.add_row(f"  {kind}", f"{count:,}")
    table.add_row("events from", _moment(summary.first_at))
    table.add_row("events to", _moment(summary.last_at))
    table.add_row("seconds to begin", f"{summary.setup_seconds:,.1f}")
    table.add_row("seconds", f"{summary.seconds:,.1f}")
    table.add_row("events a second", f"{summary.rate:,.0f}")
    for name, value in (lists or {}).items():
        table.add_row(name.replace("_", " "), "-" if value is None else f"{value:,}")
    if summary.stopped:
        table.add_row("ended early", summary.stopped)
    return table
