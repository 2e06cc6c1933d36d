"""``streamrec bootstrap`` and ``streamrec rebuild``: state and model from a past log."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import redis
from rich.console import Console
from rich.table import Table

from streamrec.building import plan as plans
from streamrec.building.build import Build
from streamrec.building.checkpoint import UnusableCheckpointError
from streamrec.building.plan import BuildError, Built, InterruptedBuildError, Plan
from streamrec.building.sources import Files
from streamrec.cli.logs import COLUMNS, MAP
from streamrec.cli.options import plain_errors, with_settings
from streamrec.cli.progress import reporting
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings
from streamrec.stores.connect import connect, explained
from streamrec.stores.generations import AlreadyBuildingError, UnreadableGenerationError
from streamrec.training.rows import FileError

REFUSED: Final = 3
INTERRUPTED: Final = 130

_PATH: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_EXIT_CODES: Final = """
    \b
    Exit code: 0; 1 Kafka or Redis does not answer, a file is damaged; 2 wrong usage; 3 it cannot be done as things are,
    and it says why; 130 Ctrl-C, then the same command goes on."""


def _learning(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    for option in reversed((
        click.option("--learn", type=click.FloatRange(0, 1), default=1.0, show_default=True, metavar="SHARE",
                     help="Share of the actions that the model learns from. Learning takes most of the time."),
        click.option("--no-learn", is_flag=True, help="Fold only: the model learns nothing of the past log."),
        click.option("--restart", is_flag=True, help="Begin anew instead of going on with what an interrupted run has left."),
        click.option("--accept-gap", is_flag=True, help="Go on though the topics do not hold all that the state was made of."),
        click.option("--keep-old", type=click.IntRange(1), default=60, show_default=True, metavar="SECONDS",
                     help="How long the old state stays in Redis after the switch."),
        click.option("--checkpoint", type=click.FloatRange(0.1), default=30.0, show_default=True, metavar="SECONDS",
                     help="How often the work is kept on disk."),
        click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
    )):  # fmt: skip
        command = option(command)
    return command


def _figures(progress: plans.Progress) -> list[str]:
    return [f"{progress.records:,} records", f"{progress.rate:,.0f}/s", f"{progress.learned:,} examples learned"]


def _run(settings: Settings, plan: Plan, *, as_json: bool) -> None:
    errors = Console(stderr=True, soft_wrap=True)

    def tell(text: str) -> None:
        errors.print(text, markup=False, highlight=False)

    command = f"streamrec {plan.command}"
    with plain_errors():
        client = connect(settings)
    try:
        with StopSignals(kill=lambda: None) as signals, reporting(errors, remaining=True) as show:
            building = Build(
                settings, plan, client, Admin(settings), tell=tell,
                report=lambda progress: show(progress.share, _figures(progress), progress.phase),
                stopped=lambda: signals.received is not None,
            )  # fmt: skip
            built = building.run()
    except InterruptedBuildError:
        goes_on = f"goes on from {building.path}" if building.path.exists() else "begins anew"
        tell(f"{command}: interrupted; nothing has been switched. The same command {goes_on}")
        sys.exit(INTERRUPTED)
    except (BuildError, UnusableCheckpointError, AlreadyBuildingError, UnreadableGenerationError) as error:
        tell(f"{command}: {error}")
        sys.exit(REFUSED)
    except FileError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:  # of the files' options
        raise click.UsageError(str(error)) from error
    except redis.RedisError as error:
        raise click.ClickException(str(explained(settings, error))) from error
    except (KafkaUnavailableError, KafkaRefusedError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        client.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(built)))
    else:
        Console(soft_wrap=True).print(_table(built))
        _say_what_next(settings, built)


def _table(built: Built) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("generation", built.generation)
    table.add_row("records", f"{built.records:,}")
    for reason, count in sorted(built.unusable.items()):
        table.add_row(f"  {reason}", f"{count:,}")
    table.add_row("  duplicates", f"{built.duplicates:,}")
    table.add_row("members", f"{built.members:,}")
    table.add_row("jobs", f"{built.jobs:,}")
    table.add_row("examples learned", f"{built.learned:,}")
    table.add_row("  of the model in all", f"{built.examples:,}")
    table.add_row("seconds", f"{built.seconds:,.1f}")
    table.add_row("records a second", f"{built.records / max(built.seconds, 1e-3):,.0f}")
    for topic, offset in built.handed_over.items():
        table.add_row(f"live from {topic}", f"{offset:,}")
    if built.orphans:
        table.add_row("shown lists without negatives", f"{built.orphans:,}")
    return table


def _say_what_next(settings: Settings, built: Built) -> None:
    if built.partitions != settings.partitions:
        click.echo(
            f"Now set partitions = {built.partitions} (streamrec.toml, or STREAMREC_PARTITIONS) and start the workers; "
            "lookups have switched by themselves."
        )
    else:
        click.echo("Switched. Workers, trainer and lookups that run go on with it by themselves.")


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG]...", type=_PATH)
@click.option(
    "--topics", "from_topics", is_flag=True, help="Take what is in the installation's topics, after the files."
)
@click.option("--catalogue", metavar="FILE", type=_PATH, help="Jobs, as for streamrec replay.")
@click.option("--members", metavar="FILE", type=_PATH, help="Members, as for streamrec replay.")
@click.option("--map", "event_names", **MAP)
@click.option("--columns", **COLUMNS)
@click.option("--replace", is_flag=True, help="There may be state already: it is replaced.")
@_learning
@with_settings
def bootstrap(
    settings: Settings, *, logs: tuple[Path, ...], from_topics: bool, catalogue: Path | None, members: Path | None,
    event_names: dict[str, str], columns: dict[str, str], replace: bool, learn: float, no_learn: bool, restart: bool,
    accept_gap: bool, keep_old: int, checkpoint: float, as_json: bool,
) -> None:  # fmt: skip
    """Build state and a trained model from a past log before going live.

    LOG are files with the columns ts, user_id, item_id and event, as streamrec replay takes them; several are merged by
    time. With --topics, what is in Kafka comes after them. Nothing is produced, and no list is ranked. At the end the live
    workers go on at the offset that is told: after what was taken from the topics or, without --topics, at the beginning of
    the topics. An interrupted run is gone on with by the same command.
    """
    if not logs and not from_topics:
        raise click.UsageError("nothing to build from: name files, or take --topics")
    if not logs and (catalogue or members):
        raise click.UsageError("--catalogue and --members come with a LOG")
    files = Files(logs, catalogue, members, event_names, columns) if logs else None
    plan = Plan(
        command="bootstrap", files=files, topics=from_topics, partitions=settings.partitions,
        learn=0.0 if no_learn else learn, restart=restart, replace=replace, accept_gap=accept_gap, keep_old_s=keep_old,
        checkpoint_s=checkpoint,
    )  # fmt: skip
    _run(settings, plan, as_json=as_json)


@click.command()
@click.option(
    "--partitions",
    type=click.IntRange(1),
    metavar="N",
    help="Partitions of the member- and job-keyed topics from now on; more than there are. Stop the workers first.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="After partitions were added: how long producers may take to see them. Their clients ask every 5 minutes.",
)
@_learning
@with_settings
def rebuild(
    settings: Settings, *, partitions: int | None, settle: float, learn: float, no_learn: bool, restart: bool, accept_gap: bool,
    keep_old: int, checkpoint: float, as_json: bool,
) -> None:  # fmt: skip
    """Compute the state anew from the topics, while lookups go on with the old one; then switch.

    Workers and trainer may run meanwhile (not with --partitions): they start again in place when the state is switched, and
    count every event once. The model in use is kept, and learns what it has not learned yet. With --partitions N the topics
    get more partitions first; afterwards the setting `partitions` must be N.
    """
    plan = Plan(
        command="rebuild", partitions=partitions or settings.partitions, learn=0.0 if no_learn else learn, restart=restart,
        replace=True, settle_s=settle, accept_gap=accept_gap, keep_old_s=keep_old, checkpoint_s=checkpoint,
    )  # fmt: skip
    _run(settings, plan, as_json=as_json)


for _command, _examples in (
    (bootstrap, """
    \b
    Examples:
      streamrec bootstrap views.csv --catalogue jobs.csv --members members.csv
      streamrec bootstrap 2024.csv.gz 2025.csv.gz --no-learn
      streamrec bootstrap --topics
      streamrec bootstrap archive.csv --topics --replace"""),
    (rebuild, """
    \b
    Examples:
      streamrec rebuild
      streamrec rebuild --keep-old 600
      streamrec rebuild --partitions 16"""),
):  # fmt: skip
    _command.help = f"{_command.help}\n{_EXIT_CODES}\n{_examples}"
