"""One connection to Redis on which several commands make one round trip."""

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio import ConnectionPool, SSLConnection
from redis.exceptions import AskError, RedisError, ResponseError, TryAgainError

from streamrec.metrics import STORE_ERRORS, STORE_SECONDS
from streamrec.stores.base import StoreUnavailableError
from streamrec.stores.remedy import remedy

Command = tuple[str | bytes | int, ...]
_seconds = lru_cache(maxsize=64)(STORE_SECONDS.labels)
REDIRECTIONS: Final = (AskError, TryAgainError)  # AskError is MovedError's base


class LostError(StoreUnavailableError):
    """The connection was refused or closed; whether the commands sent last had an effect is not known."""


class Wire:
    """A connection of one user at a time. It connects when first used, and anew after it was lost.

    Parameters
    ----------
    pool
        Knows the address and makes the connection; nothing else of it is used.
    timeout_s
        Bound on one round trip, connecting included.
    """

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._connection = pool.make_connection()  # type: ignore[no-untyped-call]
        options = pool.connection_kwargs
        self._address = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        self._timeout_s = timeout_s
        self._tls = issubclass(pool.connection_class, SSLConnection)

    @property
    def connected(self) -> bool:
        """Whether there is a connection; the server may have closed it without our knowing yet."""
        return bool(self._connection.is_connected)

    async def exchange(
        self, operation: str, commands: Sequence[Command], wait_s: float = 0.0, *, redirections: bool = False
    ) -> list[Any]:
        """Send `commands` at once and return their replies in order.

        Parameters
        ----------
        operation
            Label of the metrics.
        wait_s
            How long a blocking command may take by itself, on top of the time allowed for a round trip.
        redirections
            Whether the answer of a cluster's node that another one has to be asked is a reply like others, not an error.

        Raises
        ------
        LostError
            Connecting, sending or receiving failed, or took too long.
        StoreUnavailableError
            Redis refused a command; all replies were read, so the connection stays usable.
        """
        connection, started = self._connection, time.perf_counter()
        replies: list[Any] = []
        refused: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_s + wait_s):
                if not connection.is_connected:
                    await connection.connect()
                # By hiredis itself: redis-py's asyncio connections pack in Python, at five times the cost.
                await connection.send_packed_command([pack_command(each) for each in commands], check_health=False)  # type: ignore[arg-type]
                for _ in commands:
                    try:
                        replies.append(await connection.read_response())
                    except ResponseError as error:
                        if redirections and isinstance(error, REDIRECTIONS):
                            replies.append(error)
                            continue
                        refused = refused or error
                        replies.append(None)
        except (OSError, RedisError) as error:
            await self.close()
            STORE_ERRORS.labels(operation).inc()
            raise LostError(remedy(error, self._address, self._timeout_s, tls=self._tls)) from error
        except BaseException:
            # Cancelled with replies outstanding: the next user of this connection would read those as its own.
            await self.close()
            raise
        if refused is None and isinstance(replies[-1], list):  # what EXEC ran is answered inside its reply
            refused = next((reply for reply in replies[-1] if isinstance(reply, Exception)), None)
        if refused is not None:
            STORE_ERRORS.labels(operation).inc()
            raise StoreUnavailableError(remedy(refused, self._address, self._timeout_s)) from refused
        if not wait_s:
            _seconds(operation).observe(time.perf_counter() - started)
        return replies

    async def close(self) -> None:
        """Close the connection at once; what is under way on it stays under way in the server."""
        await self._connection.disconnect(nowait=True)


class Wires:
    """Connections for the taking: at most `limit` in use at a time, idle ones kept."""

    def __init__(self, pool: ConnectionPool, timeout_s: float, limit: int) -> None:
        self._pool, self._timeout_s = pool, timeout_s
        self._turns = asyncio.Semaphore(limit)
        self._idle: list[Wire] = []
        self._closed = False

    async def ask(
        self,
        operation: str,
        commands: Sequence[Command],
        *,
        repeat: bool,
        wait_s: float = 0.0,
        redirections: bool = False,
    ) -> list[Any]:
        """`Wire.exchange` on an idle connection, or a new one.

        With `repeat`, commands that may run twice are sent once more on a new connection if an idle one turns out to
        have been closed by the server meanwhile.

        Raises
        ------
        StoreUnavailableError
            As in `Wire.exchange`, or these connections are closed for good: a straggler must not open one that nobody closes.
        """
        async with self._turns:
            if self._closed:
                raise StoreUnavailableError("this store is closed")
            wire = self._idle.pop() if self._idle else Wire(self._pool, self._timeout_s)
            was_idle = wire.connected
            try:
                return await wire.exchange(operation, commands, wait_s, redirections=redirections)
            except LostError as error:
                if not (repeat and was_idle) or isinstance(error.__cause__, TimeoutError):
                    raise
                await self._close_idle()  # the others are as old
                return await wire.exchange(operation, commands, wait_s, redirections=redirections)
            finally:
                await self._give_back(wire)

    async def close(self) -> None:
        """Close the idle connections now, those in use as soon as they are free, and make no more."""
        self._closed = True
        await self._close_idle()

    async def _give_back(self, wire: Wire) -> None:
        if self._closed:
            await wire.close()
        elif wire.connected:
            self._idle.append(wire)

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for wire in idle:
            await wire.close()
