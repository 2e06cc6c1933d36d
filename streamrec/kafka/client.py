"""What every client of Kafka is configured with, and how its failures reach people."""

import logging
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from streamrec.settings import Settings

log = logging.getLogger(__name__)

_UNREACHABLE: Final = frozenset(
    (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE,
     KafkaError.REQUEST_TIMED_OUT)
)  # fmt: skip


class KafkaUnavailableError(Exception):
    """Kafka did not answer in time; the message says where it was looked for."""


class KafkaRefusedError(Exception):
    """Kafka answered with an error; the message is its own."""


def client_config(settings: Settings, name: str) -> dict[str, Any]:
    """The entries that all clients share; `name` is seen in Kafka's logs.

    Lost connections are logged here as warnings: librdkafka's own lines on the standard error are switched off, since
    it mends most of what they tell by itself.
    """
    return {
        "bootstrap.servers": settings.kafka,
        "client.id": f"streamrec-{name}",
        "log_level": 2,  # critical
        "error_cb": _report,
    }


def _report(error: KafkaError) -> None:
    log.warning("Kafka: %s", error.str())


def explained(error: KafkaException | KafkaError, settings: Settings) -> KafkaUnavailableError | KafkaRefusedError:
    """The exception to raise for one of the client's."""
    found = error.args[0] if isinstance(error, KafkaException) else error
    if found.code() in _UNREACHABLE:
        return KafkaUnavailableError(f"Kafka does not answer at {settings.kafka} ({found.str()}); is it running?")
    return KafkaRefusedError(f"Kafka at {settings.kafka}: {found.str()}")
