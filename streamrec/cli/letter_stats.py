"""``streamrec dead-letters stats``: how many, of what, since when, and what became of those that were sent again."""

import json
from collections import Counter
from collections.abc import Iterable

import click
import msgspec

from streamrec.cli.letters import filters, moment, wanted
from streamrec.cli.options import with_settings
from streamrec.cli.tables import new_table, show_table
from streamrec.kafka.admin import Admin
from streamrec.kafka.letters import STATES, Book, Letter
from streamrec.settings import Settings


class Group(msgspec.Struct):
    """The letters of one topic and reason; times are in ms."""

    letters: int = 0
    first: int = 0
    last: int = 0
    keys: set[int] = msgspec.field(default_factory=set)  # hashes
    states: Counter[str] = msgspec.field(default_factory=Counter)
    attempts: int = 1  # of the letter that has been tried most often

    def add(self, letter: Letter, state: str) -> None:
        """Count one more."""
        at = letter.letter.failed_at
        self.first, self.last = min(self.first, at) if self.letters else at, max(self.last, at)
        self.letters += 1
        self.keys.add(hash(letter.letter.key))
        self.states[state] += 1
        self.attempts = max(self.attempts, letter.case.attempt)


def grouped(book: Book, letters: Iterable[Letter]) -> dict[tuple[str, str], Group]:
    """The letters by topic and reason, the largest group first."""
    groups: dict[tuple[str, str], Group] = {}
    for letter in letters:
        group = groups.setdefault((letter.letter.topic, letter.letter.reason), Group())
        group.add(letter, book.state(letter))
    return dict(sorted(groups.items(), key=lambda item: -item[1].letters))


@click.command()
@filters
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_settings
def stats(settings: Settings, reason: str | None, topic: str | None, since: int | None, as_json: bool) -> None:
    """Count dead letters by topic and reason.

    Open are those to be dealt with. Those that were sent again are waiting to be read, accepted, or failed again; what
    failed again has a newer letter, which counts by its own reason.

    \b
    Examples:
      streamrec dead-letters stats
      streamrec dead-letters stats --since 2h
      streamrec dead-letters stats --topic job-views --json | jq .open
    """
    try:
        book = Book(settings)
        groups = grouped(book, wanted(book.letters(), reason, topic, since))
    except Admin.ERRORS as error:
        raise click.ClickException(str(error)) from error
    total = sum(group.letters for group in groups.values())
    states = sum((group.states for group in groups.values()), Counter[str]())
    if as_json:
        rows = [
            {
                "topic": name, "reason": why, "letters": group.letters, "share": group.letters / total,
                "keys": len(group.keys), "first": group.first, "last": group.last, "attempts": group.attempts,
                **_named(group.states),
            }
            for (name, why), group in groups.items()
        ]  # fmt: skip
        click.echo(json.dumps({"letters": total, **_named(states), "groups": rows}))
        return
    if not groups:
        click.echo("no dead letters" if (reason, topic, since) == (None, None, None) else "no such dead letters")
        return
    table = new_table("topic", "reason", "letters", "share", "keys", "first (UTC)", "last (UTC)", *STATES, "attempts")
    for (name, why), group in groups.items():
        table.add_row(
            name, why, f"{group.letters:,}", f"{group.letters / total:.1%}", f"{len(group.keys):,}",
            moment(group.first), moment(group.last), *(f"{group.states[state]:,}" for state in STATES),
            str(group.attempts),
        )  # fmt: skip
    show_table(table)
    click.echo(f"{total:,} in all: " + ", ".join(f"{states[state]:,} {state}" for state in STATES))


def _named(states: Counter[str]) -> dict[str, int]:
    return {state.replace(" ", "_"): states[state] for state in STATES}
