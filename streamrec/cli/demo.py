"""``streamrec demo``: everything on this machine, with nothing to set up."""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamrec.cli.options import broker_option, plain_errors, with_settings
from streamrec.settings import Settings

if TYPE_CHECKING:
    from streamrec.local.feed import Feed

_UNITS_S: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE: Final = 60.0
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class Duration(click.ParamType):
    """Seconds, from ``30s``, ``5m``, ``1h`` or a plain number.

    Examples
    --------
    >>> Duration().convert("2m", None, None)
    120.0
    """

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Called by click with what the user wrote."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if not found or float(found[1]) == 0:
            self.fail(f"{value!r} is no time; write 30s, 5m or 1h", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


class Speed(click.ParamType):
    """A multiple of the log's own clock, from ``1x`` or ``100x``; None for ``max``.

    Examples
    --------
    >>> Speed().convert("100x", None, None), Speed().convert("max", None, None)
    (100.0, inf)
    """

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Called by click with what the user wrote."""
        if isinstance(value, float):
            return value
        if value == "max":
            return float("inf")
        found = re.fullmatch(r"(\d+(?:\.\d+)?)x?", str(value))
        if not found or float(found[1]) == 0:
            self.fail(f"{value!r} is no speed; write max, 1x or 100x", param, ctx)
        return float(found[1])


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Events a second, about. [default: {_RATE:.0f}; of a log as fast as they are processed]",
)
@click.option("--duration", type=Duration(), help="Feed events for so long (30s, 5m), then end with a summary.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the made-up job site.")
@click.option("--members", type=click.IntRange(2), default=3000, show_default=True, help="Members of it.")
@click.option("--jobs", type=click.IntRange(1), default=1500, show_default=True, help="Open jobs of it.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API, or the next free one. [default: 8080]")
@click.option(
    "--replay", type=_FILE, metavar="FILE", help="Feed a real log instead: CSV (.gz) of ts, user_id, item_id, event."
)
@click.option("--catalogue", type=_FILE, metavar="FILE", help="With --replay: the jobs (item_id, title, company, ...).")
@click.option("--members-file", type=_FILE, metavar="FILE", help="With --replay: what members say of themselves.")
@click.option("--speed", type=Speed(), help="With --replay: max, or a multiple of the log's own clock such as 100x.")
@broker_option("")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as JSON, and everything else to standard error."
)
@with_settings
def demo(
    *, settings: Settings, rate: float | None, duration: float | None, seed: int, members: int, jobs: int,
    port: int | None, replay: Path | None, catalogue: Path | None, members_file: Path | None, speed: float | None,
    broker: str, as_json: bool,
) -> None:  # fmt: skip
    """Run everything on this machine: a broker and Redis of its own, worker, trainer, lookup, and a job site.

    The members of a made-up site see the lists of this very system: they look at the first places more often than at
    later ones, check what they like, and act on it. What they did not check becomes a negative example after seconds
    instead of half an hour. So the lists become better while you watch, and P(checked) becomes true. Shown are

    \b
      hit rate           lists of which a job was checked: lately, and of the first 150 lists
      checks a list      to be expected by what the members really want, which only the site knows: no luck in it;
                         beside it lists of the most popular jobs for the same members
      p_check is off     by so much: its mean over the jobs shown lately, against the share of them that was checked
      calibration error  the same in groups of like p_check over a minute or so, as the trainer measures it

    With --replay a log is fed instead. Its hit rate is measured beforehand: now and then, before a member's first
    action on a job is sent, the API is asked for that member's list, and the job is among its first ten or not.

    In a pipe it prints plain lines. Nothing is kept, and no process stays behind. Exit code 0 with --duration means
    that events were processed and personal lists answered.

    \b
    Examples:
      streamrec demo
      streamrec demo --rate 150 --members 8000 --jobs 3000
      streamrec demo --duration 30s --json
      streamrec demo --broker kafka
      streamrec demo --replay views.csv --catalogue jobs.csv --members-file members.csv
    """
    if replay is None and (catalogue or members_file or speed):
        raise click.UsageError("--catalogue, --members-file and --speed go with --replay")
    # Here, so that --help is quick.
    from rich.console import Console  # noqa: PLC0415

    from streamrec.local import brokers, picture  # noqa: PLC0415
    from streamrec.local.demo import Demo  # noqa: PLC0415
    from streamrec.local.screen import LiveScreen, PlainScreen, Screen  # noqa: PLC0415

    output = sys.stderr if as_json else sys.stdout
    console = Console(file=output)

    def make_screen(links: list[tuple[str, str]]) -> Screen:
        return LiveScreen(console, links) if console.is_terminal else PlainScreen(output)

    make_feed: Callable[[Settings], Feed]  # called once the demo knows its ports
    if replay is None:
        from streamrec.local.site_feed import SiteFeed, hurried  # noqa: PLC0415

        rate = rate or _RATE
        settings = hurried(settings, members, rate)
        make_feed = partial(SiteFeed, seed=seed, members=members, jobs=jobs, rate=rate)
    else:
        make_feed = _log(replay, catalogue, members_file, rate, speed, lambda text: click.echo(text, file=output))
    with plain_errors():
        run = Demo(
            settings, make_feed, duration_s=duration, port=port or settings.lookup_port, make_screen=make_screen,
            stay=console.is_terminal and duration is None,
            start_broker=brokers.starter(broker, settings.data_dir, lambda text: click.echo(text, file=output)),
        )  # fmt: skip
        outcome = run.run()
    if as_json:
        click.echo(json.dumps({**picture.as_json(outcome.picture), "logs": outcome.logs, "exit_code": outcome.code}))
    sys.exit(outcome.code)


def _log(
    path: Path, catalogue: Path | None, members: Path | None, rate: float | None, speed: float | None,
    say: Callable[[str], None],
) -> "Callable[[Settings], Feed]":  # fmt: skip
    from streamrec.local.lists import Lists  # noqa: PLC0415
    from streamrec.local.log_feed import LogFeed  # noqa: PLC0415
    from streamrec.local.sources import replayed  # noqa: PLC0415
    from streamrec.training.replay import Replay  # noqa: PLC0415
    from streamrec.training.rows import FileError  # noqa: PLC0415

    try:
        log = Replay(path, catalogue, members)
    except FileError as error:
        raise click.UsageError(str(error)) from error
    for warning in log.warnings:
        say(f"warning: {warning}")
    patient = rate is None and speed is None
    speed = None if speed == float("inf") else speed

    def make(settings: Settings) -> "Feed":
        lists = Lists(settings.lookup_host, settings.lookup_port)
        return LogFeed(settings.kafka, replayed(log, say), lists, rate, speed, patient)

    return make
