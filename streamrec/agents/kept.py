"""States that the owner of a slot keeps unpacked, so that they need not be read and unpacked again in the next turn.

Nobody else writes the keys of a slot while its epoch stands, and a commit fails once it does not: so what was committed last is
what the store holds. Where the outcome of a commit is not known, or a turn ended halfway, all of it has to be forgotten; see
`ownership.Hold.forget`.
"""

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_TIMES: Final = 8  # so much more memory a state takes than its packed bytes; measured: 5 to 10
_ENTRY: Final = 400  # bytes of an entry, and of an empty state


class Wanted(NamedTuple):
    """A state to be read: where it is, what makes it of its bytes, and whether the store may let it expire."""

    key: str
    unpack: Callable[[bytes | None], Any]
    expires: bool = False


class Kept:
    """The states used last, by key, as far as there is memory for them.

    Examples
    --------
    >>> kept = Kept(2_000)
    >>> kept.keep("a", "state of a", 50); kept.keep("b", "state of b", 50); kept.keep("c", "state of c", 50)
    >>> kept.find("a"), kept.find("b"), kept.find("c")
    (None, 'state of b', 'state of c')
    """

    def __init__(self, most_bytes: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most_bytes, clock
        # Used least recently first: the state, its size, and when it expires.
        self._states: dict[str, tuple[Any, int, float | None]] = {}
        self.bytes = 0

    def find(self, key: str) -> Any:
        """The state, None if it is not kept."""
        found = self._states.pop(key, None)
        if found is None:
            return None
        state, size, until = found
        if until is not None and self._clock() >= until:
            self.bytes -= size
            return None
        self._states[key] = found
        return state

    def keep(self, key: str, state: Any, packed: int, ttl_s: float | None = None) -> None:
        """Keep a state of so many packed bytes; for `ttl_s` at the most, as what the store lets expire is gone here, too."""
        known = self._states.pop(key, None)
        if known is not None:
            self.bytes -= known[1]
        size = _TIMES * packed + _ENTRY
        if size > self._most:
            return
        self._states[key] = (state, size, None if ttl_s is None else self._clock() + ttl_s)
        self.bytes += size
        while self.bytes > self._most:
            self.drop(next(iter(self._states)))

    def drop(self, key: str) -> None:
        """Forget one state; it need not be kept."""
        found = self._states.pop(key, None)
        if found is not None:
            self.bytes -= found[1]

    def clear(self) -> None:
        """Forget all."""
        self._states.clear()
        self.bytes = 0
