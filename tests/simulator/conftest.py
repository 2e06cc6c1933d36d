"""Worlds that several tests look at, made once."""

import pytest

from streamrec.simulator import Happening, World

NOW = 1_736_121_600_000  # Monday, 6 January 2025, 00:00 UTC
DAY_MS = 86_400_000


class Week:
    """A world after some days, with all that happened in them."""

    def __init__(self, days: float = 7) -> None:
        self.world = World(seed=11, members=800, jobs=500, now_ms=NOW, remember=True)
        self.postings, self.profiles = self.world.postings(), self.world.profiles()
        self.connections = self.world.connections()
        self.happenings: list[Happening] = self.world.advance(NOW + int(days * DAY_MS))
        self.examinations = self.world.examinations or []


@pytest.fixture(scope="session")
def week() -> Week:
    """To be looked at only: it is shared."""
    return Week()
