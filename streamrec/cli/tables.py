"""Tables on the terminal."""

import sys

from rich.console import Console
from rich.table import Table

_WIDTH_OF_A_PIPE = 200  # what reads a pipe has no width; rich would take 80 and break the lines


def new_table(*columns: str) -> Table:
    """A plain table; its first column is never broken, since it is what one copies."""
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0)
    return table


def show_table(table: Table, err: bool = False) -> None:
    """Print `table` to the standard output or error."""
    stream = sys.stderr if err else sys.stdout
    Console(file=stream, width=None if stream.isatty() else _WIDTH_OF_A_PIPE).print(table)
