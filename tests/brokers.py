"""The brokers that tests run on; the fixtures are in ``conftest.py``."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from streamrec.local import jars
from streamrec.local.servers import Server

StartBroker = Callable[[Path], Server]  # told where its log may be

BOTH: Final = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))
ON_EMBEDDED: Final = pytest.mark.parametrize("start_broker", BOTH[:1], indirect=True)
ON_KAFKA: Final = pytest.mark.parametrize("start_broker", BOTH[1:], indirect=True)

DIRECTORY: Final = Path(__file__).parent.parent / ".streamrec" / "kafka"  # Apache Kafka's jars, kept between sessions
LACK: Final = jars.missing(DIRECTORY)  # what this machine lacks to run Apache Kafka; None: nothing
