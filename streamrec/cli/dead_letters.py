"""``streamrec dead-letters``: what could not be used, why, and the bytes as they came."""

import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
from rich.text import Text

from streamrec import codecs
from streamrec.cli.options import with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.events import DeadLetter, Rejected
from streamrec.kafka.admin import Admin
from streamrec.kafka.reader import Stored, read, read_one
from streamrec.settings import Settings
from streamrec.topics import DEAD_LETTERS, load

Letter = tuple[Stored, DeadLetter]


@click.group()
def dead_letters() -> None:
    """Show the records that could not be used.

    Such a record is not lost: it is in the topic dead-letters with its key, value and headers, where it was, and why it
    was rejected. A crash at the wrong moment leaves two letters of one record; here it counts once.

    \b
    Reasons: unknown_schema, incompatible_schema, undecodable, missing_value, bad_key, bad_id, bad_time, bad_value,
    too_long, wrong_partition.

    \b
    Examples:
      streamrec dead-letters list --reason bad_time
      streamrec dead-letters show 0:17
    """


@dead_letters.command(name="list")
@click.option("--reason", help="Only of this reason.")
@click.option("--topic", help="Only of this topic.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_settings
def list_(settings: Settings, reason: str | None, topic: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first, with how many there are of each reason.

    \b
    Examples:
      streamrec dead-letters list
      streamrec dead-letters list --topic job-views --reason undecodable --limit 5
      streamrec dead-letters list --json | jq -r .reason | sort | uniq -c
    """
    counts: dict[str, int] = {}
    newest: deque[Letter] = deque(maxlen=limit)
    try:
        for stored, letter in _letters(settings):
            if (reason or letter.reason) == letter.reason and (topic or letter.topic) == letter.topic:
                counts[letter.reason] = counts.get(letter.reason, 0) + 1
                newest.append((stored, letter))
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        for stored, letter in newest:
            click.echo(json.dumps({"id": _id(stored)} | codecs.to_json(letter)))
        return
    if not newest:
        click.echo("no dead letters" if reason is None and topic is None else "no such dead letters")
        return
    table = new_table("id", "failed at (UTC)", "reason", "from", "key", "detail")
    for stored, letter in newest:
        table.add_row(
            _id(stored), _time(letter.failed_at), letter.reason, _origin(letter), Text(_text(letter.key)[:40]),
            Text(letter.detail[:200]),
        )  # fmt: skip
    show_table(table)
    total = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    click.echo(f"{sum(counts.values()):,} in all ({total}), the newest {len(newest):,} shown")


@dead_letters.command()
@click.argument("place", metavar="PARTITION:OFFSET")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_settings
def show(settings: Settings, place: str, as_json: bool) -> None:
    """Show one dead letter whole: why it was rejected, where it was, its headers, and its value.

    PARTITION:OFFSET is the id that `list` shows. A value that its schema can read is shown decoded, any other in
    hexadecimal.

    \b
    Examples:
      streamrec dead-letters show 0:17
      streamrec dead-letters show 0:17 --json | jq -r .value | base64 -d > value.bin
    """
    partition, _, offset = place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise click.BadParameter(f"{place!r} is not PARTITION:OFFSET, such as 0:17", param_hint="PARTITION:OFFSET")
    try:
        stored = read_one(settings, DEAD_LETTERS, int(partition), int(offset))
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    letter = None if stored is None else _opened(stored)
    if letter is None:
        raise click.ClickException(f"there is no dead letter {place}: see `streamrec dead-letters list`")
    decoded = _decoded(letter)
    if as_json:
        shown = None if isinstance(decoded, str) else decoded
        click.echo(json.dumps({"id": place} | codecs.to_json(letter) | {"decoded": shown}))
        return
    lines = [
        ("reason", letter.reason), ("detail", letter.detail), ("from", _origin(letter)),
        ("failed at", f"{_time(letter.failed_at)} UTC"), ("key", _text(letter.key)),
        *((f"header {name}", _text(value)) for name, value in letter.headers),
        ("value", decoded if isinstance(decoded, str) else json.dumps(decoded, indent=2, ensure_ascii=False)),
    ]  # fmt: skip
    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        click.echo(name.ljust(width) + text.replace("\n", "\n" + " " * width))


def _letters(settings: Settings) -> Iterator[Letter]:
    """All dead letters, each record once."""
    seen = set()
    for stored in read(settings, DEAD_LETTERS):
        letter = _opened(stored)
        origin = (letter.topic, letter.partition, letter.offset, hash(letter.value))
        if origin not in seen:
            seen.add(origin)
            yield stored, letter


def _opened(stored: Stored) -> DeadLetter:
    """The letter in a record; one that says so where the record is none."""
    letter = codecs.decode("DeadLetter", stored.value or b"")
    if isinstance(letter, DeadLetter):
        return letter
    detail = letter.detail if isinstance(letter, Rejected) else ""
    return DeadLetter(
        topic=stored.topic, partition=stored.partition, offset=stored.offset, key=stored.key, value=stored.value,
        headers=tuple((name, value or b"") for name, value in stored.headers), reason="not_a_letter", detail=detail,
        failed_at=stored.timestamp,
    )  # fmt: skip


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


def _id(stored: Stored) -> str:
    return f"{stored.partition}:{stored.offset}"


def _origin(letter: DeadLetter) -> str:
    return f"{letter.topic}/{letter.partition}@{letter.offset}"


def _time(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # not written by streamrec
        return str(at_ms)


def _text(data: bytes | None) -> str:
    """Bytes as people read them: text if they are text, else hexadecimal."""
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex()
    return text if text.isprintable() else data.hex()
