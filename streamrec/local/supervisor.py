"""Processes of one machine: started in order, watched, restarted after a crash, stopped in the reverse order.

Nothing stays behind, whatever ends the supervisor: a signal stops the children one by one, a second one kills them
at once (see `streamrec.local.signals`), and when the supervisor itself is killed, Linux kills them (see
`streamrec.local.servers.die_with_parent`). Each child leads a session of its own, so that a Ctrl-C in the terminal
reaches the supervisor only, and so that what a child has started can be killed with it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from streamrec.local.servers import Server, die_with_parent

Say = Callable[[str], None]

FIRST_BACKOFF_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 15.0
STEADY_S: Final = 60.0  # whoever ran this long starts again with the first backoff
PATIENCE_S: Final = 15.0  # more than what a process takes at most to end, see `drain_timeout_s`
FINAL_EXITS: Final = (2, 3)  # wrong settings; a log that does not fit the state: a restart mends neither


class Child:
    """One supervised process.

    Parameters
    ----------
    name
        What it is called in messages and before its lines.
    command
        Program and arguments.
    environ
        Its whole environment.
    log
        File that its output is appended to; None: each line goes to `say` after the name.
    say
        Takes one line for the person who watches.
    """

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path | None, say: Say
    ) -> None:
        self.name, self.log = name, log
        self.restarts = 0
        self._command, self._environ, self._say = list(command), dict(environ), say
        self._backoff_s = FIRST_BACKOFF_S
        self._restart_at: float | None = None
        self._gave_up = False
        self._start()

    @property
    def pid(self) -> int:
        """Process id of the current or last run."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is alive now."""
        return self._process.poll() is None

    def _start(self) -> None:
        self._started_at, self._restart_at = time.monotonic(), None
        if self.log is None:
            self._process = self._spawn(subprocess.PIPE)
            assert self._process.stdout is not None  # noqa: S101 - PIPE above
            threading.Thread(target=self._relay, args=(self._process.stdout,), daemon=True).start()
        else:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as output:
                self._process = self._spawn(output)

    def _spawn(self, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the command is ours
            self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=self._environ,
            preexec_fn=die_with_parent(), start_new_session=True,  # noqa: PLW1509 - one libc call
        )  # fmt: skip

    def _relay(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._say(f"{self.name:<8}| {line.decode(errors='replace').rstrip()}")

    def check(self) -> None:
        """Start it again if it has ended, after a pause that doubles each time."""
        if self.running or self._gave_up:
            return
        now = time.monotonic()
        if self._restart_at is None:
            self._notice_end(now)
        elif now >= self._restart_at:
            self.restarts += 1
            self._start()

    def _notice_end(self, now: float) -> None:
        _kill_group(self.pid)
        if self._process.returncode in FINAL_EXITS:
            self._gave_up = True
            self._say(f"{self.name} refused to start{self._hint()}")
            return
        if now - self._started_at >= STEADY_S:
            self._backoff_s = FIRST_BACKOFF_S
        self._restart_at = now + self._backoff_s
        end = _how_it_ended(self._process.returncode)
        self._say(f"{self.name} {end}: starting it again in {self._backoff_s:g} s{self._hint()}")
        self._backoff_s = min(2 * self._backoff_s, LONGEST_BACKOFF_S)

    def _hint(self) -> str:
        return "" if self.log is None else f" (see {self.log})"

    @property
    def gave_up(self) -> bool:
        """Whether it ended in a way that no restart can mend (`FINAL_EXITS`)."""
        return self._gave_up

    def stop(self, patience_s: float) -> None:
        """SIGTERM, then SIGKILL after `patience_s` seconds; whatever it started goes with it."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._say(f"{self.name} did not stop within {patience_s:g} s: killed{self._hint()}")
        _kill_group(self.pid)
        self._process.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM where only zombies are left
        return


def _how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class Supervisor:
    """The processes of one machine. Used by one thread, which must live as long as they do (Linux ties them to it).

    Parameters
    ----------
    say
        Takes one line for the person who watches; called from other threads too where children log through it.
    logs
        Directory of the children's log files; None: their lines go to `say`.
    """

    def __init__(self, say: Say, logs: Path | None) -> None:
        self.say = say
        self._logs = logs
        self._members: list[Child | Server] = []

    @property
    def children(self) -> list[Child]:
        """Restartable processes, in the order of their start."""
        return [member for member in self._members if isinstance(member, Child)]

    def adopt(self, server: Server) -> Server:
        """Stop `server` with the rest. It is not restarted: an embedded server keeps everything in memory."""
        self._members.append(server)
        return server

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Child:
        """Start a process with `environ` on top of this one's environment."""
        log = None if self._logs is None else self._logs / f"{name}.log"
        child = Child(name, command, {**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}, log, self.say)
        self._members.append(child)
        return child

    def check(self) -> None:
        """Restart what has crashed; call it a few times a second."""
        for child in self.children:
            child.check()

    def end(self, name: str) -> None:
        """Stop the children of this name before the rest."""
        for child in [child for child in self.children if child.name == name]:
            child.stop(PATIENCE_S)
            self._members.remove(child)

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """Stop everything, the last started first; each has `patience_s` seconds before it is killed."""
        while self._members:
            member = self._members[-1]
            if isinstance(member, Child):
                member.stop(patience_s)
            else:
                member.stop()
            self._members.pop()

    def kill(self) -> None:
        """SIGKILL everything at once; safe inside a signal handler."""
        for member in self._members:
            _kill_group(member.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def command_of(name: str) -> list[str]:
    """The command line of one of our own processes, by this interpreter."""
    return [sys.executable, "-m", "streamrec", name]
