"""``streamrec dead-letters``: what could not be used, why, and the bytes as they came; and sending it again."""

import json
from collections import Counter, deque
from itertools import islice
from typing import Any

import click
from rich.text import Text

from streamrec import codecs
from streamrec.cli.letter_stats import stats
from streamrec.cli.letters import filters, moment, place, wanted
from streamrec.cli.options import with_settings
from streamrec.cli.redrive import redrive
from streamrec.cli.tables import new_table, show_table
from streamrec.events import DeadLetter, Rejected
from streamrec.kafka.admin import Admin
from streamrec.kafka.letters import Book, Letter, opened
from streamrec.kafka.reader import read_one
from streamrec.settings import Settings
from streamrec.topics import DEAD_LETTERS, load


@click.group()
def dead_letters() -> None:
    """Show the records that could not be used, and send them again.

    Such a record is not lost: it is in the topic dead-letters with its key, value and headers, where it was, and why it
    was rejected. A crash at the wrong moment leaves two letters of one record; here it counts once. A record that was
    sent again keeps its first place as its identity, so that nothing counts twice; if it fails again, its new letter
    has that place, and counts the attempts.

    \b
    Reasons: unknown_schema, incompatible_schema, undecodable, missing_value, bad_key, bad_id, bad_time, bad_value,
    too_long, wrong_partition.

    \b
    Examples:
      streamrec dead-letters stats
      streamrec dead-letters list --reason bad_time
      streamrec dead-letters show 0:17
      streamrec dead-letters redrive --reason bad_time --fix "occurred_at = failed_at" --dry-run
    """


dead_letters.add_command(stats)
dead_letters.add_command(redrive)


@dead_letters.command(name="list")
@filters
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_settings
def list_(
    settings: Settings, reason: str | None, topic: str | None, since: int | None, limit: int, as_json: bool
) -> None:
    """List dead letters, oldest first, with how many there are of each reason.

    Of each: its first place, which attempt failed, and its state: open; waiting or accepted, once it was sent again
    (and has been read); failed again, if there is a newer letter of it.

    \b
    Examples:
      streamrec dead-letters list
      streamrec dead-letters list --topic job-views --reason undecodable --limit 5
      streamrec dead-letters list --since 2h --json | jq -r .reason | sort | uniq -c
    """
    counts: Counter[str] = Counter()
    newest: deque[Letter] = deque(maxlen=limit)
    try:
        book = Book(settings)
        for letter in wanted(book.letters(), reason, topic, since):
            counts[letter.letter.reason] += 1
            newest.append(letter)
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        for letter in newest:
            click.echo(json.dumps(_json(letter) | {"state": book.state(letter)}))
        return
    if not newest:
        click.echo("no dead letters" if (reason, topic, since) == (None, None, None) else "no such dead letters")
        return
    table = new_table("id", "failed at (UTC)", "reason", "from", "attempt", "state", "key", "detail")
    for letter in newest:
        dead = letter.letter
        table.add_row(
            letter.id, moment(dead.failed_at), dead.reason, str(letter.case.origin), str(letter.case.attempt),
            book.state(letter), Text(_text(dead.key)[:40]), Text(dead.detail[:200]),
        )  # fmt: skip
    show_table(table)
    total = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    click.echo(f"{counts.total():,} in all ({total}), the newest {len(newest):,} shown")


@dead_letters.command()
@click.argument("id_", metavar="PARTITION:OFFSET", callback=place)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_settings
def show(settings: Settings, id_: tuple[int, int], as_json: bool) -> None:
    """Show one dead letter whole: why it was rejected, where it was, its headers, and its value.

    PARTITION:OFFSET is the id that `list` shows. A value that its schema can read is shown decoded, any other in
    hexadecimal.

    \b
    Examples:
      streamrec dead-letters show 0:17
      streamrec dead-letters show 0:17 --json | jq -r .value | base64 -d > value.bin
    """
    try:
        stored = read_one(settings, DEAD_LETTERS, *id_)
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    letter = None if stored is None else opened(stored)
    if letter is None:
        raise click.ClickException(f"there is no dead letter {id_[0]}:{id_[1]}: see `streamrec dead-letters list`")
    dead, case = letter.letter, letter.case
    decoded = _decoded(dead)
    if as_json:
        shown = None if isinstance(decoded, str) else decoded
        click.echo(json.dumps(_json(letter) | {"decoded": shown}))
        return
    here = f"{dead.topic}/{dead.partition}@{dead.offset}"
    lines = [
        ("reason", dead.reason), ("detail", dead.detail), ("from", str(case.origin)),
        ("attempt", "1" if case.attempt == 1 else f"{case.attempt}, at {here}"),
        ("failed at", f"{moment(dead.failed_at)} UTC"), ("key", _text(dead.key)),
        *((f"header {name}", _text(value)) for name, value in dead.headers),
        ("value", decoded if isinstance(decoded, str) else json.dumps(decoded, indent=2, ensure_ascii=False)),
    ]  # fmt: skip
    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        click.echo(name.ljust(width) + text.replace("\n", "\n" + " " * width))


def _json(letter: Letter) -> dict[str, Any]:
    case = {"origin": str(letter.case.origin), "attempt": letter.case.attempt}
    return {"id": letter.id, **codecs.to_json(letter.letter), **case}


def _decoded(letter: DeadLetter) -> dict[str, Any] | str:
    """Fields of the value if it can be read, else its bytes in hexadecimal, 32 a line."""
    if letter.value is None:
        return "null"
    spec = load().get(letter.topic)
    if spec is not None and not isinstance(event := codecs.decode(spec.schema, letter.value), Rejected):
        return codecs.to_json(event)
    chunks = iter(letter.value[at : at + 32] for at in range(0, len(letter.value), 32))
    shown = [chunk.hex(" ") for chunk in islice(chunks, 64)]
    more = len(letter.value) - 32 * 64
    return "\n".join(
        [f"{len(letter.value):,} bytes", *shown, *([f"... {more:,} more (--json has all)"] if more > 0 else [])]
    )


def _text(data: bytes | None) -> str:
    """Bytes as people read them: text if they are text, else hexadecimal."""
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex()
    return text if text.isprintable() else data.hex()
