"""A TCP proxy of the tests' own: between two parts of the system it is the network, and what goes wrong with one.

Bytes go through unchanged, by two threads a connection; a fault may begin and end at any moment, also in the middle of a message.
"""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streamrec.local.ports import free_port

_ROOT: Final = Path(__file__).parents[2]
_PIECE: Final = 65_536
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # of SO_LINGER: close sends RST, as a peer that is suddenly gone


class Proxy:
    """Takes connections on a free port of the loopback interface and passes them on; up when the constructor returns.

    Parameters
    ----------
    target
        ``host:port`` to pass connections on to.
    port
        Where it listens; default: any free one.
    """

    def __init__(self, target: str, port: int = 0) -> None:
        self.target, self.port = target, port or free_port()
        self._flows = threading.Event()  # not set: a black hole
        self._flows.set()
        self._delay_s = self._per_s = 0.0
        self._open = True
        self._closed = False
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """``host:port`` to connect to."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End all connections at once, and every new one: what a dead host or a firewall that rejects does."""
        self._open = False
        self._end_all()

    def hole(self) -> None:
        """Let nothing through, and tell nobody: a firewall that drops. Connections stay, new ones are taken and say nothing."""
        self._flows.clear()

    def delay(self, seconds: float) -> None:
        """Let each piece wait that long, in both directions."""
        self._delay_s = seconds

    def throttle(self, bytes_per_s: float) -> None:
        """Let through so much of each connection and direction; 0: as much as there is."""
        self._per_s = bytes_per_s

    def restore(self) -> None:
        """As at the beginning. What was held back by `hole` arrives now, as after a broken route."""
        self._open, self._delay_s, self._per_s = True, 0.0, 0.0
        self._flows.set()

    def redirect(self, target: str) -> None:
        """Pass connections on to somebody else; those that there are end."""
        self.target = target
        self._end_all()

    def close(self) -> None:
        """End everything. Safe to call twice."""
        self._closed = True
        self._flows.set()
        self._listener.close()
        self._end_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        host, _, port = self.target.rpartition(":")
        try:
            if not self._open:
                raise ConnectionError("cut")
            far = socket.create_connection((host, int(port)), timeout=5)
            far.settimeout(None)
        except OSError:
            _end(near)
            return
        for each in (near, far):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (near, far)
        with self._lock:
            self._pairs.add(pair)
        if self._closed or not self._open:
            self._end_all()
        for one, other in (pair, pair[::-1]):
            threading.Thread(target=self._pump, args=(pair, one, other), daemon=True).start()

    def _pump(self, pair: tuple[socket.socket, socket.socket], one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(_PIECE):
                if self._delay_s:
                    time.sleep(self._delay_s)
                if self._per_s:
                    time.sleep(len(piece) / self._per_s)
                self._flows.wait()
                other.sendall(piece)
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            _end(each)

    def _end_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for each in pair:
                _end(each)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
    end.close()


class Net:
    """A `Proxy` in a process of its own, so that the network does not wait for the test; the same methods."""

    def __init__(self, target: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.faults.proxy", target, str(self.port)]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._told()

    @property
    def address(self) -> str:
        """``host:port`` to connect to."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        self._tell("cut")

    def hole(self) -> None:
        self._tell("hole")

    def delay(self, seconds: float) -> None:
        self._tell("delay", str(seconds))

    def throttle(self, bytes_per_s: float) -> None:
        self._tell("throttle", str(bytes_per_s))

    def restore(self) -> None:
        self._tell("restore")

    def redirect(self, target: str) -> None:
        self._tell("redirect", target)

    def close(self) -> None:
        """End everything. Safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        self._told()

    def _told(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError("the proxy's process has ended")


def main(target: str, port: str) -> None:
    """Do what the lines of the standard input say, until it ends: with the process that wrote to it."""
    proxy = Proxy(target, int(port))
    print("done", flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        getattr(proxy, name)(*(word if name == "redirect" else float(word) for word in words))
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
