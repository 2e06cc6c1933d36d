"""The command line: each command is a module of its own, imported when it is called."""

import importlib
import sys
from typing import Final

import click

from streamrec.settings import SettingsError

COMMANDS: Final = {
    "demo": "demo", "up": "run", "worker": "run", "trainer": "run", "lookup": "run", "probe": "probe", "topics": "topics",
    "schemas": "schemas", "status": "status", "doctor": "doctor", "dead-letters": "dead_letters", "members": "members",
    "replay": "replay", "evaluate": "evaluate", "simulate": "simulate", "bootstrap": "building", "rebuild": "building",
    "workflows": "workflows", "features": "features", "kafka": "kafka", "bench": "bench",
}  # fmt: skip


class _LazyGroup(click.Group):
    """Imports a command's module only when it is needed, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"streamrec.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="streamrec")
def cli() -> None:
    """Real-time job recommendations: Kafka streams in, ranked jobs and P(job checked) out.

    Settings come from streamrec.toml (or $STREAMREC_CONFIG) and from STREAMREC_... in the environment.

    \b
    Examples:
      streamrec demo                   everything on this machine, with generated events
      streamrec up                     worker, trainer and lookup against configured Kafka and Redis
      streamrec replay views.csv       a log from a file through Kafka
      streamrec evaluate views.csv     how well its members would have been served
      streamrec doctor                 what is wrong, and what to do
    """


def main() -> None:
    """Entry point: a user's mistake ends with a message and exit code 2, never with a traceback."""
    try:
        cli(prog_name="streamrec")
    except SettingsError as error:
        click.echo(f"streamrec: {error}", err=True)
        sys.exit(2)
