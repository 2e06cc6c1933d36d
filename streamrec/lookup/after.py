"""Waiting until the state holds a given event: what ``after=TOKEN`` means."""

import asyncio
import time
from typing import Final, Literal

from streamrec import topics
from streamrec.lookup import problems
from streamrec.lookup.problems import Problem
from streamrec.lookup.tokens import InvalidTokenError, Token, decode
from streamrec.stores.base import Store, StoreUnavailableError
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Position, UnreadablePositionError, unpack

Outcome = Literal["reached", "budget_exceeded"]
_PAUSE_S: Final = 0.005  # between two looks at the same slot, however many requests wait on it


class After:
    """Waits for positions of slots; all requests that wait on one slot share each look at it.

    Parameters
    ----------
    store, keys
        Where the positions are.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys
        self._looks: dict[str, asyncio.Task[dict[str, bytes]]] = {}

    def read(self, text: str) -> Token:
        """The token in ``after=``.

        Raises
        ------
        Problem
            It is no token of this service, or names a topic or partition that this installation does not have.
        """
        try:
            token = decode(text)
        except InvalidTokenError as error:
            raise Problem(problems.INVALID_TOKEN, str(error)) from None
        if token.topic not in topics.PUBLIC_TOPICS or token.partition >= self._keys.partitions:
            detail = f"the token names partition {token.partition} of {token.topic!r}, which is not here"
            raise Problem(problems.INVALID_TOKEN, detail)
        return token

    def move(self, keys: Keys) -> None:
        """Wait for the positions of another generation from now on."""
        self._keys = keys

    async def wait(self, token: Token, budget_ms: int) -> Outcome:
        """Return once the transaction with the token's event is in the store, or when the budget is used up.

        A store that does not answer counts as not there yet.

        Raises
        ------
        Problem
            The owner reads another topic of the same name: the token's was deleted, and its offsets mean nothing any more.
        """
        slot = f"{'m' if token.topic in topics.MEMBER_TOPICS else 'j'}{token.partition}"
        deadline = time.monotonic() + budget_ms / 1000
        pause = 0.0
        while True:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    if self._holds(token, await self._look(slot, pause)):
                        return "reached"
            except TimeoutError:
                return "budget_exceeded"
            except StoreUnavailableError:
                await asyncio.sleep(min(10 * _PAUSE_S, max(0.0, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                return "budget_exceeded"
            pause = _PAUSE_S

    async def aclose(self) -> None:
        """End the looks under way: those who gave up left theirs behind."""
        looks = list(self._looks.values())
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def _look(self, slot: str, pause: float) -> dict[str, bytes]:
        look = self._looks.get(slot)
        # One that is done says nothing new, and to wait for it gives the event loop no turn in which it could be put away.
        if look is None or look.done():
            look = self._looks[slot] = asyncio.create_task(self._fields(slot, pause))
            look.add_done_callback(lambda done: self._looked(slot, done))
        return await asyncio.shield(look)

    async def _fields(self, slot: str, pause: float) -> dict[str, bytes]:
        if pause:
            await asyncio.sleep(pause)
        return await self._store.get_fields(self._keys.positions(slot))

    def _looked(self, slot: str, look: "asyncio.Task[dict[str, bytes]]") -> None:
        if self._looks.get(slot) is look:
            del self._looks[slot]
        if not look.cancelled():
            look.exception()  # seen, even if everyone who waited has gone

    @staticmethod
    def _holds(token: Token, fields: dict[str, bytes]) -> bool:
        value = fields.get(token.topic)
        if value is None:
            return False
        try:
            position = unpack(Position, value)
        except UnreadablePositionError:
            return False
        if position.topic_id != token.topic_id:
            detail = (
                f"the state was made from another topic named {token.topic} than the one that holds the token's event: it was "
                "deleted and created again"
            )
            raise Problem(problems.TOPIC_RECREATED, detail)
        return position.next_offset > token.offset
