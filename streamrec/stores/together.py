"""Reads of many at once: who asks while others are being answered is read together with whoever else does, in one round trip.

A round trip costs as much for twenty values as for four. Nobody waits where there is nobody else, and with more to do each
read serves more of those who wait.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from streamrec.stores.base import Store

_UNDER_WAY: Final = 2  # reads; one that hangs does not hold up all others
_MOST: Final = 32  # who are read together

_Values = list[bytes | None]


class Together:
    """Reads values from a store.

    Parameters
    ----------
    store
        Where from.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._free = _UNDER_WAY
        self._waiting: list[tuple[Sequence[str], asyncio.Future[_Values]]] = []
        self._tasks: set[asyncio.Task[None]] = set()  # a task that nobody holds may be dropped

    async def get(self, keys: Sequence[str]) -> _Values:
        """As `Store.get`, which see for what it raises."""
        if self._free:
            self._free -= 1
            try:
                return await self._store.get(keys)
            finally:
                self._next()
        answer: asyncio.Future[_Values] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, answer))
        return await answer

    def _next(self) -> None:
        """A read is over: another one, if somebody waits."""
        waiting = [each for each in self._waiting[:_MOST] if not each[1].done()]  # done: given up meanwhile
        del self._waiting[:_MOST]
        if waiting:
            task = asyncio.create_task(self._read(waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._waiting:
            self._next()
        else:
            self._free += 1

    async def _read(self, waiting: list[tuple[Sequence[str], asyncio.Future[_Values]]]) -> None:
        try:
            values = await self._store.get([key for keys, _ in waiting for key in keys])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
        except BaseException:
            for _, answer in waiting:
                answer.cancel()
            raise
        else:
            start = 0
            for keys, answer in waiting:
                if not answer.done():
                    answer.set_result(values[start : start + len(keys)])
                start += len(keys)
        finally:
            self._next()
