"""``streamrec dead-letters redrive``: send dead letters again."""

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streamrec.cli.letters import filters, place, wanted
from streamrec.cli.options import with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.codecs.mending import Fix, FixError, parse_fix
from streamrec.kafka.admin import Admin
from streamrec.kafka.letters import Book, Letter, State
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.kafka.redrive import EntityKey, Judge, Sent, compacted, newest, send
from streamrec.local.signals import StopSignals
from streamrec.settings import Settings

_LINES: Final = 20  # of letters that are not sent; the rest is counted
_PROGRESS_FROM: Final = 1000  # letters
_FAILURES: Final[tuple[type[Exception], ...]] = (*Admin.ERRORS, ProduceFailedError)


class Plan(msgspec.Struct):
    """What is to be done, letter by letter, counted."""

    send: Counter[str] = msgspec.field(default_factory=Counter)  # by topic
    kept: Counter[str] = msgspec.field(default_factory=Counter)  # by reason
    forcible: int = 0
    entities: set[EntityKey] = msgspec.field(default_factory=set)
    lines: list[str] = msgspec.field(default_factory=list)
    states: Counter[State] = msgspec.field(default_factory=Counter)  # of those that are not open

    def to_json(self) -> dict[str, Any]:
        """Counts by topic and by reason."""
        before = {state.replace(" ", "_"): count for state, count in self.states.items()}
        return {"send": dict(self.send), "kept": dict(self.kept), "redriven_before": before}


class Selection:
    """The letters that the options name, each judged as it is read; may be walked more than once."""

    def __init__(self, book: Book, judge: Judge, narrow: Callable[[Iterator[Letter]], Iterator[Letter]]) -> None:
        self._book, self._judge, self._narrow = book, judge, narrow

    def records(self) -> Iterator[tuple[Letter, Record]]:
        """What to send; raises as `plan` does."""
        for letter in self._narrow(self._book.letters()):
            if self._book.state(letter) == "open" and isinstance(record := self._judge(letter), Record):
                yield letter, record

    def plan(self) -> Plan:
        """Count them, reading everything once; raises FixError, and what `Book.letters` raises."""
        plan = Plan()
        for letter in self._narrow(self._book.letters()):
            if (state := self._book.state(letter)) != "open":
                plan.states[state] += 1
                continue
            verdict = self._judge(letter)
            if isinstance(verdict, Record):
                plan.send[verdict.topic] += 1
                if (entity := compacted(verdict)) is not None:
                    plan.entities.add(entity)
                continue
            plan.kept[verdict.reason] += 1
            plan.forcible += verdict.forcible
            if len(plan.lines) < _LINES:
                plan.lines.append(f"letter {letter.id} ({letter.case.origin}): {verdict.reason}: {verdict.detail}")
        return plan


def _fixes(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[Fix]:
    try:
        return [parse_fix(text) for text in texts]
    except FixError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("id_", metavar="[PARTITION:OFFSET]", required=False, callback=place)
@filters
@click.option(
    "--fix", "fixes", metavar="FIELD=EXPR", multiple=True, callback=_fixes, help="Mend a field first; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent, and what would still be rejected.")
@click.option("--force", is_flag=True, help="Send also what is sure to be rejected again, or is outdated.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_settings
def redrive(
    settings: Settings, *, id_: tuple[int, int] | None, reason: str | None, topic: str | None, since: int | None,
    fixes: list[Fix], dry_run: bool, force: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Send dead letters again to the topic that they came from: all that are open, or those that the options name.

    Each goes out with its key, headers and value, to the partition of its key. What has been redriven is not sent
    again, unless it failed again; and where a crash made it so, its consumer drops the second one. Not sent, unless
    --force: what would be rejected again, and a posting or profile of which its topic has a newer record.

    --fix assigns to a field (or to `key`) what an expression says: of the fields, `key`, `failed_at`, `now` (times in
    ms) and `origin`, with arithmetic, conditions, methods of strings, and int, float, str, len, abs, round, min, max.
    The key follows its field. If a fix does not fit a letter, nothing is sent at all. After a crash, use the same
    fixes again.

    \b
    Exit code: 0; 1 Kafka, or a fix that does not fit, or a named letter that is not sent; 2 wrong usage;
    130 Ctrl-C while sending: what was sent is marked, and the same command goes on from there.

    \b
    Examples:
      streamrec dead-letters redrive --dry-run
      streamrec dead-letters redrive --reason wrong_partition --since 2h
      streamrec dead-letters redrive --topic job-views --reason bad_time --fix "occurred_at = failed_at"
      streamrec dead-letters redrive 0:17 --fix "member_id = member_id.strip()" --fix "job_id = job_id.lower()"
    """
    judge = Judge(settings, fixes, time.time_ns() // 1_000_000, force=force)

    def narrow(letters: Iterator[Letter]) -> Iterator[Letter]:
        for letter in wanted(letters, reason, topic, since):
            if id_ is None or (letter.stored.partition, letter.stored.offset) == id_:
                yield letter

    try:
        selection = Selection(Book(settings), judge, narrow)
        plan = selection.plan()
        if plan.entities and not force:
            judge.newest = newest(settings, plan.entities)
            plan = selection.plan()
        if not as_json:
            _tell(plan, dry_run)
        sent = Sent()
        if plan.send and not dry_run:
            count = plan.send.total()
            if not yes and sys.stdin.isatty():
                click.confirm(f"Send {count:,} again?", abort=True, err=True)
            sent = _send(settings, selection, count)
    except _FAILURES as error:
        raise click.ClickException(str(error)) from error
    except FixError as error:
        raise click.ClickException(f"{error}\nNothing was sent: mend the fix, or narrow the letters.") from error
    _finish(plan, sent, as_json=as_json, dry_run=dry_run, named=id_ is not None)


def _send(settings: Settings, selection: Selection, count: int) -> Sent:
    producer = Producer(settings)
    try:
        with StopSignals(kill=lambda: None) as signals, _progress(count) as report:
            return send(
                selection.records(), producer, settings.produce_timeout_s + 1, lambda: signals.received is not None,
                report,
            )  # fmt: skip
    finally:
        producer.close()


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """A bar for many, on a terminal."""
    errors = Console(stderr=True)
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=errors, transient=True, disable=not errors.is_terminal or count < _PROGRESS_FROM
    ) as bar:
        task = bar.add_task("", total=count)
        yield lambda done: bar.advance(task, done)


def _tell(plan: Plan, dry_run: bool) -> None:
    """What would be sent, and why the rest would not, before anything is."""
    for line in plan.lines:
        click.echo(line, err=True)
    if (more := plan.kept.total() - len(plan.lines)) > 0:
        click.echo(f"... and {more:,} more that are not sent", err=True)
    if not (plan.send or plan.kept or plan.states):
        click.echo("no such dead letters")
        return
    table = new_table("what", "letters")
    for topic, count in plan.send.most_common():
        table.add_row(f"{'would be sent' if dry_run else 'to be sent'} to {topic}", f"{count:,}")
    for reason, count in plan.kept.most_common():
        table.add_row(f"not sent: {reason}", f"{count:,}")
    for state, count in plan.states.most_common():
        table.add_row(f"sent again before: {state}", f"{count:,}")
    show_table(table)
    if plan.forcible:
        click.echo(f"--force would send {plan.forcible:,} of those that are not sent", err=True)


def _finish(plan: Plan, sent: Sent, *, as_json: bool, dry_run: bool, named: bool) -> None:
    """Say how far it came, and exit accordingly."""
    done, wished = sent.sent.total(), plan.send.total()
    stopped = sent.interrupted and done + sent.failed < wished
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **plan.to_json(), "sent": dict(sent.sent), "failed": sent.failed,
                               "failures": sent.failures, "interrupted": stopped}))  # fmt: skip
    elif wished and not dry_run:
        click.echo(f"{done:,} of {wished:,} sent again")
    for failure in sent.failures:
        click.echo(failure, err=True)
    if stopped:
        click.echo("interrupted: the same command goes on from here, and sends nothing twice", err=True)
        sys.exit(130)
    if sent.failed:
        raise click.ClickException(f"{wished - done:,} are not sent: the same command tries them again")
    if named and not wished:
        raise click.ClickException("that letter is not sent")
