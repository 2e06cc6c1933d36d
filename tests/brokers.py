"""The brokers that tests run on; the fixtures are in ``conftest.py``."""

from pathlib import Path
from typing import Final

import pytest

from streamrec.local import jars
from streamrec.local.brokers import StartBroker as StartBroker  # noqa: PLC0414 - for the tests

BOTH: Final = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))
ON_EMBEDDED: Final = pytest.mark.parametrize("broker_kind", BOTH[:1], indirect=True)
ON_KAFKA: Final = pytest.mark.parametrize("broker_kind", BOTH[1:], indirect=True)

DIRECTORY: Final = Path(__file__).parent.parent / ".streamrec" / "kafka"  # Apache Kafka's jars, kept between sessions
CHANGES: Final = {  # of Apache Kafka's settings
    "group.min.session.timeout.ms": "500",  # else 6 s: tests do not wait that long for the dead
    "broker.session.timeout.ms": "2000",  # a killed broker comes back only when the controllers take it for dead
    "broker.heartbeat.interval.ms": "500",
}
LACK: Final = jars.missing(DIRECTORY)  # what this machine lacks to run Apache Kafka; None: nothing
