"""``streamrec kafka``: Apache Kafka on this machine, without containers."""

from pathlib import Path
from typing import Final

import click

from streamrec.cli.options import plain_errors, with_settings
from streamrec.settings import Settings

_WIPE_HELP: Final = "Remove all that the nodes have kept: topics, records, consumer groups."


def _directory(settings: Settings) -> Path:
    return Path(settings.data_dir).absolute() / "kafka"


@click.group()
def kafka() -> None:
    """Apache Kafka on this machine, in KRaft mode and without containers: to develop, to test, to measure.

    It needs Java 17 or later, and Maven, which fetches it the first time (43 MB). What it keeps is in data_dir/kafka, and still
    there when it starts again.

    \b
    Exit codes: 0 all well; 1 something is in the way, and the message says what; 2 a mistake in the command.

    \b
    Examples:
      streamrec kafka start
      streamrec topics create
      streamrec kafka stop
    """


@kafka.command()
@click.option(
    "--nodes", type=click.IntRange(1, 9), default=1, show_default=True, help="With 3, everything has three replicas."
)
@click.option(
    "--port", type=click.IntRange(1, 65000), default=9092, show_default=True,
    help="Of the first node; its controller and the other nodes take the ones after it.",
)  # fmt: skip
@click.option("--wipe", is_flag=True, help=_WIPE_HELP)
@with_settings
def start(settings: Settings, nodes: int, port: int, wipe: bool) -> None:
    """Start it, and return once it answers; it goes on until `streamrec kafka stop`.

    \b
    Examples:
      streamrec kafka start
      streamrec kafka start --nodes 3 --wipe
      streamrec kafka start --port 19092
    """
    from streamrec.local import lasting  # noqa: PLC0415 - so that --help is quick

    directory = _directory(settings)
    with plain_errors():
        lasting.start(directory, nodes=nodes, port=port, wipe=wipe, say=lambda line: click.echo(line, err=True))
    click.echo(f"Apache Kafka answers at {lasting.addresses(directory)}; its log and data are in {directory}/node-*")


@kafka.command()
@click.option("--wipe", is_flag=True, help=_WIPE_HELP)
@with_settings
def stop(settings: Settings, wipe: bool) -> None:
    """Stop it; what it has kept is there when it starts again.

    \b
    Examples:
      streamrec kafka stop
      streamrec kafka stop --wipe
    """
    from streamrec.local import lasting  # noqa: PLC0415

    with plain_errors():
        stopped = lasting.stop(_directory(settings), wipe=wipe)
    click.echo(f"stopped {len(stopped)} node(s)" if stopped else "no Apache Kafka of ours runs here")
    if wipe:
        click.echo("what it had kept is removed")
