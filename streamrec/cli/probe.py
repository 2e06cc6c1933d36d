"""``streamrec probe``: how long an event takes until an answer shows it."""

import json
import sys

import click
import msgspec

from streamrec.cli.options import plain_errors, with_settings
from streamrec.settings import Settings


@click.command()
@click.option(
    "--once", is_flag=True, help="Probe each partition once, tell, and end: exit code 1 unless all are fresh."
)
@click.option("--json", "as_json", is_flag=True, help="With --once: machine-readable.")
@with_settings
def probe(settings: Settings, once: bool, as_json: bool) -> None:
    """Watch how fresh answers are: a reserved member's event through Kafka, and how soon a lookup's answer shows it.

    Runs until it is stopped, and tells by its metrics. Each partition has a reserved member of its own (streamrec-probe-0
    and so on). What such a member does is counted nowhere and trains nothing. One process is enough.

    \b
    Examples:
      streamrec probe
      STREAMREC_PROBE_URL=https://jobs.example.com streamrec probe
      streamrec probe --once
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once; without it the metrics tell")
    from streamrec.probe import process  # noqa: PLC0415 - Kafka's client takes a moment to import

    with plain_errors():
        if not once:
            sys.exit(process.run(settings))
        outcomes = list(process.once(settings))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(outcome) for outcome in outcomes], indent=2))
    else:
        from streamrec.cli.tables import new_table, show_table  # noqa: PLC0415

        table = new_table("partition", "result", "after", "why")
        for outcome in outcomes:
            after = "" if outcome.seconds is None else f"{1000 * outcome.seconds:,.0f} ms"
            table.add_row(str(outcome.partition), outcome.result.replace("_", " "), after, outcome.why)
        show_table(table)
    sys.exit(any(outcome.result != "fresh" for outcome in outcomes))
