"""A steady stream: so many events a second, however many the world's members come to do."""

from typing import Final

from streamrec.simulator.world import World

_ENOUGH: Final = 100  # events, before the pace is changed
_CHANGE: Final = 2.0  # at most, as a factor
_FARTHEST: Final = 30.0  # from the pace at the beginning: where nothing happens for a while, time does not race away


class Tempo:
    """Compresses a world's time so that it brings about `rate` events a second.

    Parameters
    ----------
    world
        The world; its pace is set at once.
    rate
        Events a second of the time that records show.
    """

    def __init__(self, world: World, rate: float) -> None:
        self._world, self._rate = world, rate
        self._since, self._count = world.now, 0
        self._usual = world.clock.compression * rate / world.rate
        world.clock.compress(self._usual, world.now)

    def note(self, count: int) -> None:
        """Called after each window with the number of its events: the next ones go faster or slower."""
        self._count += count
        clock, now = self._world.clock, self._world.now
        seconds = (now - self._since) / 1000
        if self._count < _ENOUGH and seconds / clock.compression * self._rate < _ENOUGH:
            return
        wanted = self._rate * seconds / max(self._count, 1)
        wanted = min(max(wanted, clock.compression / _CHANGE), clock.compression * _CHANGE)
        clock.compress(min(max(wanted, self._usual / _FARTHEST), self._usual * _FARTHEST), now)
        self._since, self._count = now, 0
