"""``streamrec evaluate``: how well the system would have done on a log, without servers."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streamrec.cli.evaluate_configuration import configured
from streamrec.cli.evaluate_tables import show_evaluation
from streamrec.cli.logs import COLUMNS, MAP
from streamrec.cli.options import broker_option, plain_errors, with_settings
from streamrec.events import Event
from streamrec.features.cells.window import milliseconds
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings
from streamrec.training.baselines import BASELINES
from streamrec.training.evaluate import Evaluation, Evaluator, Kind, protocol_settings
from streamrec.training.peers import PEERS, MissingPeersError
from streamrec.training.replay import Due, Replay, first_events
from streamrec.training.report import page
from streamrec.training.rows import BadRow, FileError

if TYPE_CHECKING:
    from streamrec.local.lockstep import Lockstep

_NONE: Final = "none"
_SHOWN: Final = 20  # bad rows told in full; all are counted
_LINE_EVERY_S: Final = 5.0  # of progress, without a terminal
_PAINT_EVERY_S: Final = 0.1

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

Show = Callable[[str, float, str], None]


@click.command()
@click.argument("file", type=_FILE)
@click.option("--catalogue", metavar="FILE", type=_FILE, help="Jobs, as for streamrec replay.")
@click.option("--members", metavar="FILE", type=_FILE, help="Members, as for streamrec replay.")
@click.option(
    "--candidates",
    type=click.Choice(["seen", "catalogue"]),
    default="seen",
    show_default=True,
    help="What is ranked: jobs that had an event before, or all that are posted and open (needs --catalogue).",
)
@click.option(
    "--baseline",
    "baselines",
    metavar="NAME",
    type=click.Choice([*BASELINES, *PEERS, _NONE]),
    multiple=True,
    help=f"What to compare with in the same pass: {', '.join(BASELINES)}, or {_NONE}. May be repeated; default all these. "
    f"By name only, since they are slow: {' and '.join(PEERS)} of the library implicit (extra peers).",
)
@click.option(
    "--retrain-every",
    metavar="TIME",
    default="1h",
    show_default=True,
    help=f"With --baseline {' or '.join(PEERS)}: train them anew when so much time of the log has passed, as 30m, 1h or 1d.",
)
@click.option("--workflow", metavar="NAME", help="How lists are made; default the setting workflow.")
@click.option(
    "--without",
    metavar="NAME",
    multiple=True,
    help="Leave out a source of candidates, or a feature of the model, or all with a tag (tag:network). May be repeated.",
)
@click.option(
    "--compare",
    metavar="KEY=VALUE",
    multiple=True,
    help="Compare with a second configuration in the same pass: workflow=NAME, without=NAME,NAME; what is not said is as "
    "in the first, and without= leaves nothing out. May be repeated.",
)
@click.option("--columns", **COLUMNS)
@click.option("--map", "event_names", **MAP)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--report",
    metavar="FILE.html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with tables and intervals; it needs nothing from elsewhere.",
)
@click.option("--events", type=click.IntRange(1), metavar="N", help="End the log after so many events.")
@click.option(
    "--live",
    is_flag=True,
    help="Replay the log through Kafka in lockstep, ask over HTTP, and compare with the same without servers.",
)
@click.option(
    "--points",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="With --live: at how many points in time to compare the top 10 of members.",
)
@click.option(
    "--compare-members",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="With --live: of how many members, those who acted last.",
)
@broker_option("With --live: the one it starts; ")
@with_settings
def evaluate(
    settings: Settings, *, file: Path, catalogue: Path | None, members: Path | None, candidates: str,
    baselines: tuple[str, ...], retrain_every: str, workflow: str | None, without: tuple[str, ...], compare: tuple[str, ...],
    columns: dict[str, str], event_names: dict[str, str], as_json: bool,
    report: Path | None, events: int | None, live: bool, broker: str, points: int, compare_members: int,
) -> None:  # fmt: skip
    """Rank for each event of a log before learning it, and tell how high the job that the member chose came.

    The log has the columns ts, user_id, item_id and event (.csv, also gzipped). Queries are events that are their
    member's first with that job, but for dismissals; jobs that the member has touched are never candidates. Events of
    the same second are all answered before any of them is learned. Ctrl-C ends the log early, with a result so far.

    --without shows what a part is worth: a source does not give candidates, a feature is never seen by the model. With
    --compare a second configuration answers the same queries; for its difference to the first there is a 95 % interval, and
    the p-value of a paired test, both over members.

    With --live the answers are those of a broker, Redis, worker, trainer and lookup that it starts for itself: each event
    goes through them before the next one, and the lookup ranks as of the event's time. The figures of streamrec are then
    theirs. What needs to look inside, the baselines and P(stronger | view), is computed beside them without servers, as are
    the lists that theirs are compared with. It takes some 50 ms an event; --events bounds it.

    \b
    Exit code: 0 (also with bad rows), 1 no event to ask for, a damaged file, or live and offline differ, 2 wrong usage,
    130 Ctrl-C.

    \b
    Examples:
      streamrec evaluate views.csv.gz
      streamrec evaluate views.csv --catalogue jobs.csv --candidates catalogue --json
      streamrec evaluate views.csv --baseline covisitation --baseline session_knn --report views.html
      streamrec evaluate views.csv --baseline als --baseline bm25 --retrain-every 1d
      streamrec evaluate views.csv --without newest --without popularity_hour
      streamrec evaluate views.csv --compare workflow=diverse --report diverse.html
      streamrec evaluate views.csv --compare without=tag:popularity,newest
      streamrec evaluate views.csv --catalogue jobs.csv --live --events 2000
    """
    _check_usage(candidates, catalogue, baselines, live=live)
    chosen = configured(settings, workflow, without, compare)
    names = [name for name in (*BASELINES, *PEERS) if name in (baselines or BASELINES)]
    retrain_every_ms = _interval(retrain_every)
    errors = Console(stderr=True, soft_wrap=True)

    def tell(text: str) -> None:
        errors.print(text, markup=False, highlight=False)

    try:
        replay = Replay(file, catalogue, members, event_names=event_names, columns=columns)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for warning in replay.warnings:
        tell(warning)
    kind = cast(Kind, candidates)
    running: list[Lockstep] = []
    with StopSignals(kill=lambda: _kill(running)) as signals, _progress(errors) as show:

        def stop() -> bool:
            return signals.received is not None

        log = first_events(_read(replay, tell, show, stop), events)
        if not log and not stop():
            raise click.ClickException(f"{file}: no row of it means anything to streamrec")
        show("starting" if live else "evaluating", 0.0, "")
        wanted = protocol_settings(chosen.settings, kind)
        with _live_system(wanted, tell, stop, running, broker) if live else contextlib.nullcontext() as system:
            try:
                evaluator = Evaluator(
                    kind, names, chosen.settings, system, points, compare_members,
                    configured=chosen.first, second=chosen.second, retrain_every_ms=retrain_every_ms,
                )  # fmt: skip
            except MissingPeersError as error:
                raise click.ClickException(str(error)) from error
            result = _run(evaluator, log, show, stop)
        stopped = stop()
    if not result.queries and not stopped:
        raise click.ClickException(f"{file}: no event to ask for: it has no view, like, save or application")
    if report is not None:
        try:
            report.write_text(page(result, file.name, candidates), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{report}: {error.strerror}") from error
    if as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        show_evaluation(result)
    differences = [] if evaluator.agreement is None else evaluator.agreement.differences
    for difference in differences:
        tell(str(difference))
    if stopped:
        tell(f"ended early, after {result.events:,} events")
        sys.exit(130)
    if differences:
        sys.exit(1)


def _check_usage(candidates: str, catalogue: Path | None, baselines: tuple[str, ...], *, live: bool) -> None:
    if candidates == "catalogue" and catalogue is None:
        raise click.UsageError("--candidates catalogue ranks the jobs of --catalogue FILE: say which file that is")
    if _NONE in baselines and len(set(baselines)) > 1:
        raise click.UsageError(f"--baseline {_NONE} goes with no other")
    if not set(baselines) & set(PEERS) and (given := _given("retrain_every")):
        raise click.UsageError(f"{given}: only with --baseline {' or '.join(PEERS)}")
    if live and (given := _given("without", "compare")):
        raise click.UsageError(f"{given}: not with --live, which evaluates what is shipped")
    if not live and (given := _given("points", "compare_members", "broker")):
        raise click.UsageError(f"{given}: only with --live")


def _interval(text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError as error:
        raise click.UsageError(f"--retrain-every: {error}") from error


def _given(*names: str) -> str:
    """Those of the options that were given, as they are written."""
    context = click.get_current_context()
    given = [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return ", ".join(f"--{name.replace('_', '-')}" for name in given)


def _run(evaluator: Evaluator, log: Sequence[Due], show: Show, stop: Callable[[], bool]) -> Evaluation:
    began = time.monotonic()
    total = max(1, sum(isinstance(due.event, Event) for due in log))

    def report(_taken: int, queries: int) -> None:
        rate = evaluator.events / max(time.monotonic() - began, 1e-6)
        show("evaluating", evaluator.events / total, f"{queries:,} queries, {rate:,.0f} events/s")

    return evaluator.run(log, report, stop)


@contextlib.contextmanager
def _live_system(
    settings: Settings, tell: Callable[[str], None], stop: Callable[[], bool], running: "list[Lockstep]", broker: str
) -> "Iterator[Lockstep]":
    """A system of its own; `running` is told of it before it starts, so that a second signal can kill it."""
    # Here, so that what needs no servers needs none of their clients.
    from streamrec.local.brokers import starter  # noqa: PLC0415
    from streamrec.local.lockstep import InterruptedLockstep, Lockstep, LockstepError  # noqa: PLC0415

    with plain_errors():
        try:
            running.append(Lockstep(settings, tell, stop, start_broker=starter(broker, settings.data_dir, tell)))
            with running[0] as system:
                yield system
        except InterruptedLockstep:
            tell("ended early, before there was a result")
            sys.exit(130)
        except LockstepError as error:
            raise click.ClickException(str(error)) from error


def _kill(running: "list[Lockstep]") -> None:
    for system in running:
        system.kill()


def _read(replay: Replay, tell: Callable[[str], None], show: Show, stop: Callable[[], bool]) -> list[Due]:
    """All records in the order of their times, wherever they stand in the file; bad rows are told and counted."""
    log: list[Due] = []
    bad = 0
    try:
        for item in replay:
            if isinstance(item, BadRow):
                bad += 1
                if bad <= _SHOWN:
                    tell(str(item))
            else:
                log.append(item)
            show("reading", replay.progress, f"{len(log):,} rows")
            if stop():
                break
    except FileError as error:
        raise click.ClickException(str(error)) from error
    if bad:
        tell(f"{bad:,} bad rows are left out")
    log.sort(key=lambda due: due.at)
    return log


@contextlib.contextmanager
def _progress(errors: Console) -> Iterator[Show]:
    """A bar on a terminal; else a line every few seconds."""
    last = time.monotonic()

    def due(every_s: float) -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < every_s:
            return False
        last = now
        return True

    if not errors.is_terminal:

        def line(what: str, share: float, text: str) -> None:
            if due(_LINE_EVERY_S):
                errors.print(f"{what} {share:4.0%} {text}", highlight=False)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[text]}"),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("reading", total=1.0, text="")

        def bar(what: str, share: float, text: str) -> None:
            if due(_PAINT_EVERY_S):
                progress.update(task, description=what, completed=share, text=text)

        yield bar
