"""Requests over HTTP, as many as are answered or at a steady rate, and how long answers took.

By wrk where it is installed. Else by a generator of our own on httptools, which needs more of a core than wrk and so
finds lower rates on few cores: compare such figures with their own kind only.
"""

import asyncio
import json
import math
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import httptools
import msgspec

from streamrec.bench.cores import pin
from streamrec.local.servers import die_with_parent

Generator = Literal["wrk", "own"]
NO_WRK: Final = "wrk is absent (apt install wrk): requests by a generator of our own, which finds lower rates"
_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_PATIENCE_S: Final = 10.0
_GOOD: Final = 200


class Load(msgspec.Struct, frozen=True):
    """What came of it; latencies in ms, from a request's first byte to its answer's last."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failed: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def generator() -> Generator:
    """What is here."""
    return "wrk" if shutil.which("wrk") else "own"


def run(
    host: str, port: int, paths: Sequence[str], directory: Path, *, connections: int, seconds: float,
    rate: float | None = None, on: tuple[int, ...], wait: Callable[[Callable[[], bool]], None], by: Generator | None = None,
) -> Load:  # fmt: skip
    """Send requests for `seconds`.

    Parameters
    ----------
    host, port, paths
        Where to, and what to ask in turn.
    directory
        For a file with the paths.
    connections
        Requests under way at a time, at most.
    rate
        Requests a second, at random moments; default None: each connection sends the next as soon as it has an answer.
    on
        Cores for whoever sends.
    wait
        Told a condition, returns once it holds: raises if somebody wants it to end.
    by
        What sends; default: what is here.
    """
    if (by or generator()) == "own":
        return asyncio.run(_own(host, port, paths, connections, seconds, rate))
    listed = directory / "paths.txt"
    listed.write_text("\n".join(paths) + "\n")
    pause_ms = 0.0 if rate is None else connections / rate * 1000
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", f"{_PATIENCE_S:.0f}s", "-s",
        str(_SCRIPT), f"http://{host}:{port}", "--", str(listed), f"{pause_ms:.3f}",
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - the command is ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one libc call
    )  # fmt: skip
    try:
        pin(process.pid, *on)
        wait(lambda: process.poll() is not None)
        said = process.communicate()[0].decode(errors="replace").strip()
    finally:
        process.kill()
        process.wait()
    found = json.loads(said.splitlines()[-1]) if said.endswith("}") else None
    if process.returncode or found is None:
        raise OSError(f"wrk has failed: {said[-200:]}")
    return Load(
        found["requests"],
        found["seconds"],
        found["p50"] / 1000,
        found["p99"] / 1000,
        found["p999"] / 1000,
        found["failed"],
    )


class _Connection(asyncio.Protocol):
    """One connection that is kept; a request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed"))

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, request: bytes) -> int:
        """Status of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("closed")
        self._transport.write(request)
        async with asyncio.timeout(_PATIENCE_S):
            return await self._answer


async def _own(
    host: str, port: int, paths: Sequence[str], connections: int, seconds: float, rate: float | None
) -> Load:
    loop, draw = asyncio.get_running_loop(), random.Random(1)
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for path in paths]
    took: list[float] = []
    failed = 0
    began = time.perf_counter()
    end = began + seconds

    async def one(number: int) -> None:
        nonlocal failed
        connection: _Connection | None = None
        place = number * len(requests) // connections
        while (now := time.perf_counter()) < end:
            if rate is not None:
                pause = -math.log(1.0 - draw.random()) * connections / rate
                await asyncio.sleep(min(pause, max(0.0, end - now)))
            place = (place + 1) % len(requests)
            sent = time.perf_counter()
            try:
                if connection is None:
                    _, connection = await loop.create_connection(_Connection, host, port)
                    sent = time.perf_counter()
                status = await connection.ask(requests[place])
                failed += status != _GOOD
                took.append(time.perf_counter() - sent)
            except (OSError, TimeoutError, httptools.HttpParserError):
                failed += 1
                if connection is not None:
                    connection.close()
                    connection = None
                await asyncio.sleep(0.01)
        if connection is not None:
            connection.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    lasted = time.perf_counter() - began
    await asyncio.sleep(0)  # the connections close
    took.sort()

    def quantile(share: float) -> float:
        return took[min(len(took) - 1, int(share * len(took)))] * 1000 if took else math.inf

    return Load(len(took), lasted, quantile(0.5), quantile(0.99), quantile(0.999), failed)
