"""``streamrec features replay``: states and values of features from a past log, on all cores."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from streamrec.building.folding import Fold
from streamrec.building.outputs import check_format, write_states, write_values
from streamrec.building.part import Folded
from streamrec.building.sources import FileLog, Files, Unusable
from streamrec.building.values import all_values
from streamrec.cli.logs import COLUMNS, MAP
from streamrec.cli.options import with_settings
from streamrec.cli.progress import Show, reporting
from streamrec.events import Event
from streamrec.features.language import Feature
from streamrec.features.library import PLAN
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings
from streamrec.training.columns import time_ms
from streamrec.training.rows import FileError

INTERRUPTED: Final = 130
_PATH: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT: Final = click.Path(path_type=Path)
_LOOK_EVERY: Final = 1024  # records between two looks at the clock
_REPORT_EVERY_S: Final = 0.2
_TOLD: Final = 20  # unusable rows told in full


class InterruptedFoldError(Exception):
    """Ctrl-C."""


def _time(_context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return time_ms(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time: give seconds or milliseconds since 1970, or ISO 8601", param=parameter
        ) from None


def chosen(names: str | None) -> list[Feature]:
    """Features by a list of names with commas; None for all. Raises click.UsageError for an unknown one."""
    if names is None:
        return list(PLAN.features.values())
    found = []
    for name in (part.strip() for part in names.split(",") if part.strip()):
        try:
            found.append(PLAN.find(name))
        except KeyError:
            raise click.UsageError(f"there is no feature {name}: `streamrec features list` shows all") from None
    return found


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Run:
    """One replay: what was read, and what came of it."""

    def __init__(self, log: FileLog, workers: int, until: int | None, kept_ms: int) -> None:
        self._log, self._workers, self._until, self._kept_ms = log, workers, until, kept_ms
        self.records = 0
        self.unusable: dict[str, int] = {}
        self.newest = 0
        self.seconds = 0.0

    def fold(self, tell: Callable[[str], None], show: Show, stopped: Callable[[], bool]) -> Folded:
        began = told = time.monotonic()
        with Fold(PLAN, self._workers, self._kept_ms) as fold:
            for number, item in enumerate(self._log):
                if not number % _LOOK_EVERY:
                    if stopped():
                        raise InterruptedFoldError
                    if (now := time.monotonic()) - told >= _REPORT_EVERY_S:
                        told = now
                        rate = self.records / (now - began)
                        show(self._log.progress, [f"{self.records:,} records", f"{rate:,.0f}/s"])
                if isinstance(item, Unusable):
                    self.unusable[item.reason] = self.unusable.get(item.reason, 0) + 1
                    if sum(self.unusable.values()) <= _TOLD:
                        tell(str(item))
                elif self._until is None or item.at <= self._until:
                    self.records += 1
                    if isinstance(item.event, Event):
                        self.newest = max(self.newest, item.event.occurred_at)
                    fold.take(item.event)  # type: ignore[arg-type]
            found = fold.finish()
        self.seconds = time.monotonic() - began
        return found


def _sizes(states: dict[str, bytes]) -> dict[str, float]:
    sizes = sorted(map(len, states.values())) or [0]
    return {"mean": round(sum(sizes) / len(sizes), 1), "p99": sizes[int(0.99 * (len(sizes) - 1))]}


def _summary(run: _Run, folded: Folded, workers: int) -> dict[str, Any]:
    costs = sorted(folded.cells.items(), key=lambda item: -item[1].seconds)
    return {
        "events": folded.events, "records": run.records, "unusable": run.unusable, "seconds": round(run.seconds, 3),
        "events_per_second": round(folded.events / max(run.seconds, 1e-6)), "workers": workers,
        "events_per_core_second": round(folded.events / max(folded.seconds, 1e-6)),
        "members": len(folded.members), "jobs": len(folded.jobs), "duplicates": folded.duplicates, "late": folded.late,
        "bytes": {name: _sizes(getattr(folded, name)) for name in ("members", "jobs", "neighbours", "networks")},
        "cells": [
            {"cell": str(PLAN.states[key].aggregate), "microseconds_a_fold": round(cost.seconds / cost.count * 1e6, 2)}
            for key, cost in costs
        ],
    }  # fmt: skip


def _table(summary: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for name in ("records", "events", "duplicates", "late", "members", "jobs", "workers"):
        table.add_row(name, f"{summary[name]:,}")
    for reason, count in sorted(summary["unusable"].items()):
        table.add_row(f"  {reason}", f"{count:,}")
    table.add_row("seconds", f"{summary['seconds']:,.1f}")
    table.add_row("events a second", f"{summary['events_per_second']:,}")
    table.add_row("  of one core, folding alone", f"{summary['events_per_core_second']:,}")
    for name, sizes in summary["bytes"].items():
        table.add_row(f"bytes of {name}, mean (p99)", f"{sizes['mean']:,.0f} ({sizes['p99']:,})")
    for cell in summary["cells"]:
        table.add_row(f"µs a fold: {cell['cell']}", f"{cell['microseconds_a_fold']:.2f}")
    for name in ("states", "values"):
        if name in summary:
            table.add_row(name, str(summary[name]))
    return table


@click.command()
@click.option("--from", "logs", metavar="FILE", type=_PATH, multiple=True, required=True,
              help="A log: CSV (also gzipped), Avro or Parquet. Several are merged by time.")  # fmt: skip
@click.option("--catalogue", metavar="FILE", type=_PATH, help="Jobs, as for streamrec replay.")
@click.option("--members", metavar="FILE", type=_PATH, help="Members, as for streamrec replay.")
@click.option("--map", "event_names", **MAP)
@click.option("--columns", **COLUMNS)
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="Processes that fold; default: all cores.")
@click.option("--until", metavar="TIME", callback=_time, help="Leave out what came later.")
@click.option("--out", metavar="DIR", type=_OUT, help="Write the states: members, jobs, neighbours, networks (.avro).")
@click.option("--values", metavar="FILE", type=_OUT, help="Write values of features: .parquet, .csv or .jsonl.")
@click.option("--at", metavar="TIME", callback=_time, help="Values as of then; default: the newest event.")
@click.option("--features", "names", metavar="NAMES", help="Which ones, with commas; default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@with_settings
def replay(
    settings: Settings, *, logs: tuple[Path, ...], catalogue: Path | None, members: Path | None, event_names: dict[str, str],
    columns: dict[str, str], workers: int | None, until: int | None, out: Path | None, values: Path | None, at: int | None,
    names: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Compute features from a past log, as the agents would have.

    The result does not depend on how many processes fold. Values are those of each job, of each member, and of each member
    beside its recent jobs. Neither Kafka nor Redis is asked.

    \b
    Exit code: 0 (also with bad rows), 1 a file is damaged or cannot be written, 2 wrong usage, 130 Ctrl-C.

    \b
    Examples:
      streamrec features replay --from views.csv --catalogue jobs.csv --out states
      streamrec features replay --from 2024.parquet --from 2025.avro --values values.parquet
      streamrec features replay --from log.csv.gz --values values.csv --at 2025-03-01T00:00:00Z --features job_views,covisit
    """
    errors = Console(stderr=True, soft_wrap=True)

    def tell(text: str) -> None:
        errors.print(text, markup=False, highlight=False)

    features = chosen(names)
    workers = workers or _cores()
    try:
        if values is not None:
            check_format(values)
        log = FileLog(Files(logs, catalogue, members, event_names, columns), settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for warning in log.warnings:
        tell(warning)
    run = _Run(log, workers, until, settings.member_kept_ms)
    try:
        with StopSignals(kill=lambda: None) as signals:
            with reporting(errors, "folding") as show:
                folded = run.fold(tell, show, lambda: signals.received is not None)
            summary = _summary(run, folded, workers)
            _write(folded, summary, features, out, values, run.newest if at is None else at)
    except InterruptedFoldError:
        tell("streamrec features replay: interrupted; nothing has been written")
        sys.exit(INTERRUPTED)
    except (FileError, OSError) as error:  # a dead worker is an OSError, too
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(summary))
    else:
        Console(soft_wrap=True).print(_table(summary))


def _write(
    folded: Folded,
    summary: dict[str, Any],
    features: Sequence[Feature],
    out: Path | None,
    values: Path | None,
    now: int,
) -> None:
    if out is not None:
        write_states(folded, out)
        summary["states"] = str(out)
    if values is not None:
        summary["values_written"] = write_values(all_values(folded, PLAN, features, now), values)
        summary["values"] = str(values)
