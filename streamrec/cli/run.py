"""``streamrec worker``, ``trainer``, ``lookup``: one process each, as in production; ``streamrec up``: these and the probe."""

import sys

import click
import msgspec

from streamrec.cli.options import plain_errors, with_settings
from streamrec.settings import Settings


@click.command()
@with_settings
def worker(settings: Settings) -> None:
    """Fold events into state: consumes the event topics, writes Redis, re-ranks the lists of members who acted.

    Run as many as you like, up to one a partition; they share the partitions among themselves. At SIGTERM it
    finishes what it has in hand and leaves the others the rest, within a second as a rule; a second signal ends it at once.
    Nothing is lost either way, nor counted twice.

    \b
    Examples:
      streamrec worker
      STREAMREC_KAFKA=kafka:9092 STREAMREC_REDIS=redis://redis:6379/0 streamrec worker
    """
    from streamrec.agents.worker import run  # noqa: PLC0415 - Faust takes a second to import

    with plain_errors():
        sys.exit(run(settings))


@click.command()
@with_settings
def trainer(settings: Settings) -> None:
    """Learn the model from training-examples, one by one, and publish a snapshot every few seconds.

    One of it is enough; a second one takes over the work of the first, which then stops. At SIGTERM it publishes a last
    snapshot.

    \b
    Examples:
      streamrec trainer
      streamrec trainer --config /etc/streamrec.toml
    """
    from streamrec.agents.trainer import run  # noqa: PLC0415 - River takes a second to import

    with plain_errors():
        sys.exit(run(settings))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API; default: the setting lookup_port.")
@click.option("--workers", type=click.IntRange(1), help="Processes that answer; default: the setting lookup_workers.")
@with_settings
def lookup(settings: Settings, port: int | None, workers: int | None) -> None:
    """Answer with ranked jobs over HTTP; its documentation is under /docs.

    At SIGTERM it is not ready for as long as the setting lookup_drain_s says, then stops listening, answers the open
    requests and ends.

    \b
    Examples:
      streamrec lookup --port 9000
      streamrec lookup --workers 4
    """
    from streamrec.lookup.server import run  # noqa: PLC0415 - imported by the process that serves

    settings = msgspec.structs.replace(
        settings, lookup_port=port or settings.lookup_port, lookup_workers=workers or settings.lookup_workers
    )
    with plain_errors():
        run(settings)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API; default: the setting lookup_port.")
@with_settings
def up(settings: Settings, port: int | None) -> None:
    """Run worker, trainer, lookup and probe on this machine against the configured Kafka and Redis.

    Missing topics are created. A process that crashes is started again. What they log comes out here, after the name of
    the process. Ctrl-C stops them one after another, a second Ctrl-C at once.

    \b
    Examples:
      STREAMREC_KAFKA=kafka:9092 STREAMREC_REDIS=redis://redis:6379/0 streamrec up
      streamrec up --config streamrec.toml --port 9000
    """
    from streamrec.local import services  # noqa: PLC0415 - Kafka's client takes a moment to import

    if port:
        settings = msgspec.structs.replace(settings, lookup_port=port)
    with plain_errors():
        sys.exit(services.up(settings, click.echo))
