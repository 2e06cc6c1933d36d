"""How far long work is: a bar on a terminal; elsewhere a line every few seconds."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LINE_EVERY_S: Final = 5.0


class Show(Protocol):
    """Called whenever there is something new."""

    def __call__(self, share: float, figures: Sequence[str], phase: str = "") -> None:
        """`share` of the work, 0 to 1; figures as text; and what is being done, where that changes."""


@contextlib.contextmanager
def reporting(errors: Console, what: str = "", *, remaining: bool = False) -> Iterator[Show]:
    """Give what shows how far it is.

    Parameters
    ----------
    errors
        Where to.
    what
        What is being done, before the bar.
    remaining
        Whether the time that is left is guessed.
    """
    if not errors.is_terminal:
        told = time.monotonic()

        def line(share: float, figures: Sequence[str], phase: str = "") -> None:
            nonlocal told
            if time.monotonic() - told >= _LINE_EVERY_S:
                told = time.monotonic()
                errors.print(f"{phase} {share:4.0%} {', '.join(figures)}".removeprefix(" "), highlight=False)

        yield line
        return
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    ]  # fmt: skip
    if remaining:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=errors, transient=True) as bars:
        task = bars.add_task(what, total=1.0, text="")

        def bar(share: float, figures: Sequence[str], phase: str = "") -> None:
            bars.update(task, completed=share, description=phase or what, text="  ".join(figures))

        yield bar
