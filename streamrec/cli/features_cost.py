"""``streamrec features cost``: what features cost, measured."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from streamrec.cli.members import open_store
from streamrec.cli.options import plain_errors, with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.features.catalogue import UnknownFeatureError
from streamrec.features.cost import Costs, FeatureCost, measure, steps
from streamrec.ranking.catalogue import catalogue
from streamrec.settings import Settings

_SORTS: Final = {
    "bytes": lambda each: -((each.member_bytes or 0) + (each.job_bytes or 0)),
    "fold": lambda each: -(each.fold_us or 0),
    "read": lambda each: -(each.read_us or 0),
    "declared": lambda each: 0,  # noqa: ARG005 - a key that leaves the order alone
}


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--redis", "from_redis", is_flag=True, help="Weigh and read keys of the installation's Redis.")
@click.option("--keys", type=click.IntRange(1, 5000), default=500, show_default=True,
              help="With --redis: so many members and so many jobs.")  # fmt: skip
@click.option("--events", type=click.IntRange(1, 100_000), default=3000, show_default=True,
              help="Of the simulated site: folded to be timed.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated site.")
@click.option(
    "--sort", type=click.Choice(list(_SORTS)), default="declared", show_default=True, help="The dearest first."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@with_settings
def cost(
    settings: Settings,
    names: tuple[str, ...],
    from_redis: bool,
    keys: int,
    events: int,
    seed: int,
    sort: str,
    as_json: bool,
) -> None:
    """Measure what features cost: bytes of state, microseconds to fold an event, and to read a list of jobs.

    \b
    bytes   what a state adds to the packed value of a key, mean over all keys looked at
    fold    microseconds to take an event into the state, median
    read    microseconds to read the feature for a list of up to 500 jobs of one member, median
    What several features read is kept and folded once: its cost is shared out among them in equal parts. What is held for more
    than features (recent jobs, neighbours, connections) is weighed, and its fold is not measured (-).

    Without --redis all is measured on a small simulated site, without servers. With it, members and jobs of the installation
    are found by SCAN, which goes no further than it must; events to time folds are simulated all the same. Times are those of
    this machine under its present load.

    \b
    Exit codes: 0; 1 when there is no such feature, or Redis does not answer; 130 Ctrl-C.

    \b
    Examples:
      streamrec features cost
      streamrec features cost covisit save_rate
      streamrec features cost --redis --sort bytes
      streamrec features cost --json | jq '.features | sort_by(-.read_us)[:5]'
    """
    try:
        wanted = {catalogue().find(name).id for name in names}
    except UnknownFeatureError as error:
        raise click.ClickException(str(error)) from error
    try:
        costs = _measured(settings, from_redis, keys, events, seed)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing was measured to its end", err=True)
        sys.exit(130)
    features = sorted((each for each in costs.features if not wanted or each.id in wanted), key=_SORTS[sort])
    states = [each for each in costs.states if not wanted or wanted.intersection(each.features)]
    if as_json:
        shown = msgspec.structs.replace(costs, states=tuple(states), features=tuple(features))
        click.echo(json.dumps({"sample": "redis" if from_redis else "simulator", **msgspec.to_builtins(shown)}))
        return
    table = new_table("state", "keeps", "owner", "bytes a key", "keys with it", "fold us", "features")
    for state in states:
        table.add_row(
            state.key, Text(state.keeps), state.owner, _figure(state.bytes_a_key), f"{state.keys_with_it:,}/{state.keys:,}",
            _figure(state.fold_us, 2), str(len(state.features)),
        )  # fmt: skip
    show_table(table)
    click.echo()
    _show(features)
    click.echo(
        f"\n{costs.members:,} members and {costs.jobs:,} jobs {'of Redis' if from_redis else 'of a simulated site'}, "
        f"{costs.events:,} simulated events, lists of {costs.listed:,} jobs; shared states are shared out in equal parts"
    )


def _show(features: Sequence[FeatureCost]) -> None:
    table = new_table("feature", "bytes a member", "bytes a job", "fold us", "read us a list", "shares state with")
    for each in features:
        shared = f"{each.shared_with:,} other{'s' if each.shared_with > 1 else ''}" if each.shared_with else ""
        table.add_row(
            each.id, _figure(each.member_bytes), _figure(each.job_bytes), _figure(each.fold_us, 2), _figure(each.read_us),
            shared,
        )  # fmt: skip
    show_table(table)


def _measured(settings: Settings, from_redis: bool, keys: int, events: int, seed: int) -> Costs:
    from streamrec.cli.features_sample import sampled, simulated  # noqa: PLC0415 - the simulator is not small

    columns = (TextColumn("{task.description}"), BarColumn())
    with plain_errors(), Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        store = open_store(settings) if from_redis else None
        bar = progress.add_task("simulating", total=None)
        sample = simulated(events, seed)
        if store is not None:
            progress.update(bar, description="sampling")
            sample = sampled(*store, keys, sample)
        progress.update(bar, description="measuring", total=steps(catalogue()))
        return measure(catalogue(), sample, time.perf_counter_ns, lambda: progress.advance(bar))


def _figure(value: float | None, decimals: int = 1) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"
