"""Installations to hurt."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamrec.local.kafka import Installation
from tests.faults.site import EmbeddedBroker, LastingKafka, Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, kafka_installed: Installation) -> Iterator[Site]:
    """One on Apache Kafka that the tests of a file share, all of it running; each leaves it well."""
    built = Site(
        Path(tmp_path_factory.mktemp("site")), lambda place: LastingKafka(place, kafka_installed, 2), partitions=6
    )
    try:
        built.begin()
        yield built
    finally:
        built.close()


@pytest.fixture
def make_site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Makes installations on Apache Kafka (``kafka=True``) or the embedded broker, of which no process runs yet."""
    made: list[Site] = []

    def make(*, kafka: bool = False, **overrides: Any) -> Site:
        directory = tmp_path / f"site{len(made)}"
        directory.mkdir()
        installed = request.getfixturevalue("kafka_installed") if kafka else None
        made.append(Site(
            directory, lambda place: LastingKafka(place, installed, 2) if installed else EmbeddedBroker(place), **overrides
        ))  # fmt: skip
        return made[-1]

    yield make
    for site in made:
        site.close()
