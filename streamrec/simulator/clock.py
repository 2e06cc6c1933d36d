"""The world's time and the time that its records show."""


class Clock:
    """A compressed world lives its days in minutes: its time goes `compression` times as fast as what its records show.

    Parameters
    ----------
    begin
        When both are equal (ms since the epoch). What was before is compressed as well.
    compression
        How many times as fast the world's time goes.

    Examples
    --------
    >>> clock = Clock(begin=1_000_000, compression=100)
    >>> clock.shown(1_000_500), clock.time(1_000_005)
    (1000005, 1000500)
    >>> clock.compress(50, since=1_000_500)
    >>> clock.shown(1_000_500), clock.shown(1_000_600)
    (1000005, 1000007)
    >>> clock.delay(10)
    >>> clock.shown(1_000_600)
    1000017
    """

    def __init__(self, begin: int, compression: float = 1.0) -> None:
        if not compression > 0:
            raise ValueError("time must go forward: compression must be above 0")
        self.compression = compression
        self._time = begin  # a moment of the world,
        self._shown = float(begin)  # and what records show at it: a float, or many changes of pace would stop the clock

    def shown(self, time: int) -> int:
        """What records show at a time of the world."""
        return int(self._exactly(time))

    def _exactly(self, time: int) -> float:
        return self._shown + (time - self._time) / self.compression

    def time(self, shown: int) -> int:
        """The world's time when records show `shown`."""
        return self._time + int((shown - self._shown) * self.compression)

    def compress(self, compression: float, since: int) -> None:
        """Go at another pace from the world's time `since` on."""
        self._shown, self._time, self.compression = self._exactly(since), since, compression

    def delay(self, ms: int) -> None:
        """Show everything so much later from now on: the world could not keep up."""
        self._shown += ms
