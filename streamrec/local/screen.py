"""Where the demo shows itself: a live picture in a terminal, plain lines anywhere else."""

import contextlib
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO, Any, Final

from rich.console import Console
from rich.live import Live

from streamrec.local.dashboard import draw
from streamrec.local.picture import Picture, Watched, line

PLAIN_EVERY_S: Final = 2.0


class Screen(ABC):
    """Takes lines to say and figures to show, from one thread."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Say something that stays to be read."""

    @abstractmethod
    def show(self, picture: Picture, watched: Watched | None) -> None:
        """Show the figures of this moment; called a few times a second."""

    @abstractmethod
    def close(self) -> None:
        """Show no more; lines can still be said. Safe inside a signal handler, and to call twice."""


class PlainScreen(Screen):
    """Plain lines, for a pipe or a CI log."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._shown_at = time.monotonic()
        self._order: Sequence[str] = ()

    def say(self, text: str) -> None:
        print(text, file=self._output, flush=True)

    def show(self, picture: Picture, watched: Watched | None) -> None:
        if time.monotonic() - self._shown_at < PLAIN_EVERY_S:
            return
        self._shown_at = time.monotonic()
        self.say(line(picture))
        titles = [] if watched is None else [f"{watched.member_id}: ", *(item.title for item in watched.items[:3])]
        if watched is not None and titles != self._order:
            self._order = titles
            did = watched.deeds[0] if watched.deeds else "has done nothing yet"
            self.say(f"        {watched.member_id} {did}; its list: {' | '.join(titles[1:])} …")

    def close(self) -> None:
        self._output.flush()


class LiveScreen(Screen):
    """A picture at the bottom of the terminal, with what is said above it."""

    def __init__(self, console: Console, links: Sequence[tuple[str, str]]) -> None:
        self._console, self._links = console, links
        self._live: Live | None = None
        self._echo: tuple[int, list[Any]] | None = None  # terminal and its attributes, while it does not echo

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, picture: Picture, watched: Watched | None) -> None:
        drawn = draw(picture, watched, self._links)
        if self._live is None:
            self._silence()
            self._live = Live(drawn, console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(drawn, refresh=True)

    def close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        echo, self._echo = self._echo, None
        if echo is not None:
            termios.tcsetattr(echo[0], termios.TCSANOW, echo[1])

    def _silence(self) -> None:
        """Keep the terminal from writing ^C into the picture."""
        with contextlib.suppress(OSError, ValueError, termios.error):
            terminal = self._console.file.fileno()
            before = termios.tcgetattr(terminal)
            silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
            termios.tcsetattr(terminal, termios.TCSANOW, silent)
            self._echo = terminal, before
