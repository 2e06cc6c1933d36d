"""What the commands of ``streamrec dead-letters`` share: which letters are meant, and how times are shown."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import click

from streamrec.cli.since import Since
from streamrec.kafka.letters import Letter


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that narrow the letters: see `wanted`."""
    for option in (
        click.option("--since", type=Since(), metavar="2h|3d|TIME", help="Only what failed since then."),
        click.option("--topic", help="Only of this topic."),
        click.option("--reason", help="Only of this reason."),
    ):
        command = option(command)
    return command


def wanted(letters: Iterable[Letter], reason: str | None, topic: str | None, since: int | None) -> Iterator[Letter]:
    """Those of `letters` that have this reason and topic, and failed at `since` (ms) or later; None is any."""
    for letter in letters:
        dead = letter.letter
        if (
            (reason or dead.reason) == dead.reason
            and (topic or dead.topic) == dead.topic
            and dead.failed_at >= (since or 0)
        ):
            yield letter


def place(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Partition and offset of a letter, as its id names them."""
    if text is None:
        return None
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise click.BadParameter(f"{text!r} is not PARTITION:OFFSET, such as 0:17")
    return int(partition), int(offset)


def moment(at_ms: int) -> str:
    """A time (ms since the epoch) for people, in UTC.

    Examples
    --------
    >>> moment(1_700_000_000_000), moment(1 << 62)
    ('2023-11-14 22:13:20', '4611686018427387904')
    """
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # not written by streamrec
        return str(at_ms)
