"""Options that several commands share."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from streamrec.settings import SettingsError, load


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--config`` and the argument `settings`; a mistake in them is exit code 2."""

    @click.option(
        "--config", "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings in TOML; default $STREAMREC_CONFIG, else streamrec.toml if it is here.",
    )  # fmt: skip
    @functools.wraps(command)
    def wrapper(path: Path | None, **options: Any) -> Any:
        try:
            settings = load(path)
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        return command(settings=settings, **options)

    return wrapper


def broker_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--broker`` of a command that starts a broker for itself; `text` begins its help."""
    kinds = click.Choice(["embedded", "kafka"])
    return click.option(
        "--broker", type=kinds, default="embedded", show_default=True,
        help=f"{text}kafka is Apache Kafka: it needs Java 17, and Maven fetches it the first time.",
    )  # fmt: skip


@contextmanager
def plain_errors() -> Iterator[None]:
    """Within it, a failure that the person at the terminal can mend ends the command with its message, exit code 1."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ not in _MENDABLE:
            raise
        raise click.ClickException(str(error)) from error


# By name: importing the classes would load the clients of Kafka and Redis for commands that need neither.
_MENDABLE = frozenset(
    (
        "KafkaUnavailableError",
        "KafkaRefusedError",
        "RegistryUnavailableError",
        "RegistryRefusedError",
        "StoreUnavailableError",
        "ServerError",
        "ServicesError",
        "TopicError",
        "UnreadableGenerationError",
    )
)
