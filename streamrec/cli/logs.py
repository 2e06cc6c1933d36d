"""What the commands that read a log from files have in common."""

from typing import Any, Final

import click

from streamrec.training.replay import EVENT_NAMES, EVENT_TOPICS, IGNORE


def pairs(_context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Callback of an option with values such as ``a=b`` or ``a=b,c=d``."""
    found = {}
    for text in (part for whole in texts for part in whole.split(",")):
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is not {parameter.metavar}")
        found[name] = value
    return found


def _help_of_names() -> str:
    by_topic: dict[str, list[str]] = {}
    for name, topic in EVENT_NAMES.items():
        by_topic.setdefault(topic, []).append(name)
    return "; ".join(f"{', '.join(names)} to {topic}" for topic, names in by_topic.items())


MAP: Final[dict[str, Any]] = {
    "metavar": "NAME=TOPIC",
    "multiple": True,
    "callback": pairs,
    "help": f"What an event's name means. Known are: {_help_of_names()}. TOPIC is one of {', '.join(EVENT_TOPICS)}, or "
    f"{IGNORE}. May be repeated.",
}
COLUMNS: Final[dict[str, Any]] = {
    "metavar": "NAME=COLUMN",
    "multiple": True,
    "callback": pairs,
    "help": "What the files call a column, such as ts=when,user_id=who. May be repeated.",
}
