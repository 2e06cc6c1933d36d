"""How often a member goes on from a first look to something stronger, from the looks whose outcome is known."""

import math
from typing import Final

import msgspec

HABITS: Final = ("own_rate_100", "own_rate_15", "since_stronger")
_HALF_LIVES: Final = (100.0, 15.0)  # looks
_KEPT: Final = tuple(0.5 ** (1.0 / half_life) for half_life in _HALF_LIVES)  # of each count, from one look to the next
_DRAW: Final = 2.0  # looks: so strongly is a member's rate drawn towards that of all
_PRIOR: Final = (1.0, 7.0)  # stronger, looks: of all, to begin with
_NEVER: Final = math.log1p(365 * 24 * 60)  # minutes


class _Own(msgspec.Struct):
    """Of one member: fading counts by half-life."""

    stronger: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_HALF_LIVES))
    looks: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_HALF_LIVES))


class Habits:
    """What is known of each member's outcomes.

    Examples
    --------
    >>> habits = Habits()
    >>> for outcome in (True, True, False):
    ...     habits.close("ann", outcome)
    >>> habits.note("ann", 0)
    >>> [round(value, 2) for value in habits.of("ann", 60_000)]
    [0.07, 0.03, 0.69]
    >>> [round(value, 2) for value in habits.of("bob", 60_000)]
    [-0.85, -0.85, 13.17]
    """

    def __init__(self) -> None:
        self._own: dict[str, _Own] = {}
        self._last: dict[str, int] = {}  # when a member last did something stronger
        self._stronger, self._looks = _PRIOR

    def close(self, member_id: str, stronger: bool) -> None:
        """The outcome of one of the member's first looks is known."""
        own = self._own.setdefault(member_id, _Own())
        for place, kept in enumerate(_KEPT):
            own.stronger[place] = own.stronger[place] * kept + stronger
            own.looks[place] = own.looks[place] * kept + 1.0
        self._stronger += stronger
        self._looks += 1.0

    def note(self, member_id: str, at: int) -> None:
        """The member did something stronger at `at` (ms): that is known at once, for a rate it would be too early."""
        self._last[member_id] = at

    def of(self, member_id: str, now: int) -> list[float]:
        """The numbers of `HABITS` at `now` (ms): log odds by half-lives of 100 and 15 looks, log1p(minutes)."""
        rate = self._stronger / self._looks
        own = self._own.get(member_id)
        if own is None:
            odds = [math.log(rate / (1.0 - rate))] * len(_HALF_LIVES)
        else:
            odds = [
                math.log((stronger + _DRAW * rate) / (looks - stronger + _DRAW * (1.0 - rate)))
                for stronger, looks in zip(own.stronger, own.looks, strict=True)
            ]
        last = self._last.get(member_id)
        return [*odds, _NEVER if last is None else math.log1p(max(now - last, 0) / 60_000)]
