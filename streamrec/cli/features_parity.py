"""``streamrec features check-parity``: whether a running system holds what its log says."""

import json
import sys
from typing import Final

import click
import msgspec
import redis
from rich.console import Console

from streamrec.building.parity import Check, IncomparableError, Parity
from streamrec.cli.options import plain_errors, with_settings
from streamrec.cli.progress import reporting
from streamrec.cli.tables import new_table, show_table
from streamrec.features.library import PLAN
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings
from streamrec.stores.connect import connect, explained
from streamrec.stores.generations import UnreadableGenerationError

DIFFERENT, INCOMPARABLE, INTERRUPTED = 1, 2, 130
_SHOWN: Final = 100  # rows of the table; --json has all


def _show(found: Parity) -> None:
    if found.differences:
        table = new_table("entity", "state or feature", "live", "replayed", "difference", "likely cause")
        for each in found.differences[:_SHOWN]:
            apart = "" if each.difference is None else f"{each.difference:g}"
            table.add_row(each.entity, each.what, each.live, each.replayed, apart, each.cause)
        show_table(table)
        if (more := len(found.differences) - _SHOWN) > 0:
            click.echo(f"and {more} more: --json has all")
    click.echo(
        f"{len(found.differences)} differences in {found.compared:,} values of {found.members} members and {found.jobs} jobs, "
        f"after {found.records:,} records in {found.seconds:.1f} s"
    )
    click.echo(
        f"not compared, since the order between topics or other entities matter to them: {', '.join(found.left_out)}"
    )


@click.command("check-parity")
@click.option(
    "--members", type=click.IntRange(0), default=100, show_default=True, metavar="N", help="How many to sample."
)
@click.option("--jobs", type=click.IntRange(0), default=100, show_default=True, metavar="N", help="How many to sample.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@with_settings
def check_parity(settings: Settings, *, members: int, jobs: int, as_json: bool) -> None:
    """Compare the state of a running system with a replay of its log.

    Samples members and jobs from Redis, replays the topics up to what each of them has counted, and shows every cell and
    every feature that differs: counts by anything, sums by more than 1e-9. The system goes on meanwhile. Nothing is written.

    \b
    Exit code: 0 all the same, 1 there are differences, 2 it cannot be compared (such as where retention has removed the
    beginning of the log), 130 Ctrl-C.

    \b
    Examples:
      streamrec features check-parity
      streamrec features check-parity --members 1000 --jobs 0 --json
    """
    errors = Console(stderr=True, soft_wrap=True)
    with plain_errors():
        client = connect(settings)
    try:
        with StopSignals(kill=lambda: None) as signals, reporting(errors, "replaying") as show:
            check = Check(
                settings, client, Admin(settings), PLAN,
                report=lambda share, records: show(share, [f"{records:,} records replayed"]),
                stopped=lambda: signals.received is not None,
            )  # fmt: skip
            found = check.run(members, jobs)
    except InterruptedError:
        errors.print("streamrec features check-parity: interrupted", markup=False, highlight=False)
        sys.exit(INTERRUPTED)
    except (
        IncomparableError, KafkaUnavailableError, KafkaRefusedError, redis.RedisError, UnreadableGenerationError
    ) as error:  # fmt: skip
        why = explained(settings, error) if isinstance(error, redis.RedisError) else error
        errors.print(f"streamrec features check-parity: {why}", markup=False, highlight=False)
        sys.exit(INCOMPARABLE)
    finally:
        client.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        _show(found)
    sys.exit(DIFFERENT if found.differences else 0)
