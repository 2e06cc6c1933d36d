"""What every client of Kafka is configured with, and how its failures reach people."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from streamrec.kafka.security import login, options
from streamrec.settings import Settings, SettingsError

log = logging.getLogger(__name__)
Client = TypeVar("Client")

_AGAIN_S: Final = 10.0
_WHEN: Final = re.compile(r" \(after \d+ms in state \w+.*?\)")
_told: dict[str, float] = {}  # what was logged, and when

_UNREACHABLE: Final = frozenset(
    (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE,
     KafkaError.REQUEST_TIMED_OUT)
)  # fmt: skip


class KafkaUnavailableError(Exception):
    """Kafka did not answer in time; the message says where it was looked for."""


class KafkaRefusedError(Exception):
    """Kafka answered with an error; the message is its own."""


def open_client(
    kind: Callable[[dict[str, Any]], Client], settings: Settings, name: str, own: Mapping[str, Any]
) -> Client:
    """A client of Kafka, which connects by itself.

    Parameters
    ----------
    kind
        The class: a consumer, producer or admin client of confluent-kafka.
    settings
        Where Kafka is, how to log in, and options.
    name
        Is seen in Kafka's logs.
    own
        Entries that only this client has.

    Raises
    ------
    SettingsError
        A file is of no use, or librdkafka has no such option, or does not take its value.
    """
    config = client_config(settings, name, own)
    try:
        return kind(config)
    except KafkaException as error:
        raise SettingsError(f"Kafka's client does not take the settings: {error.args[0].str()}") from error
    except (TypeError, ValueError) as error:
        raise SettingsError(f"Kafka's client does not take the settings: {error}") from error


def client_config(settings: Settings, name: str, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The configuration of one client, as `open_client` describes; options win over what streamrec would choose.

    Lost connections are logged here as warnings: librdkafka's own lines on the standard error are switched off, since
    it mends most of what they tell by itself.
    """
    shared = {
        "bootstrap.servers": settings.kafka,
        "client.id": f"streamrec-{name}",
        "log_level": 2,  # critical
        "error_cb": partial(report, settings),
    }
    return shared | dict(own or {}) | options(settings) | login(settings)


def report(settings: Settings, error: KafkaError) -> None:
    """Called by every client with what is wrong with its connections; see `client_config`.

    The client tries again many times a second: the same is logged once in `_AGAIN_S`.
    """
    said = refusal(error, settings) or f"Kafka: {error.str()}"
    now, topic = time.monotonic(), _WHEN.sub("", said)
    if now - _told.get(topic, float("-inf")) > _AGAIN_S:
        _told[topic] = now
        log.warning("%s", said)


def refusal(error: KafkaError, settings: Settings) -> str | None:
    """What to say of a connection that ended because of a login, a certificate or a protocol; None if it was for another reason.

    Examples
    --------
    >>> settings = Settings(kafka="kafka:9092")
    >>> refusal(KafkaError(KafkaError._AUTHENTICATION, "wrong"), settings).partition(" (")[0]
    'Kafka at kafka:9092 does not let us log in with SCRAM-SHA-512'
    >>> refusal(KafkaError(KafkaError._TIMED_OUT), settings)
    """
    text = error.str()
    place = f"Kafka at {settings.kafka}"
    if error.code() == KafkaError._AUTHENTICATION:
        return (
            f"{place} does not let us log in with {settings.kafka_sasl_mechanism} ({text}): correct kafka_username, "
            "kafka_password_file (or kafka_password) or kafka_sasl_mechanism"
        )
    protocol = f"correct kafka_security_protocol, which is {settings.kafka_security_protocol}, or the port"
    if "PLAINTEXT broker listener" in text or "wrong version number" in text:
        return f"{place} speaks another protocol on this port ({text}): {protocol}"
    if "certificate verify failed" in text or "certificate could not be verified" in text:
        return (
            f"{place} shows a certificate that is not trusted ({text}): let kafka_ca_file name the authority that made it, "
            "and `kafka` the hosts that it was made for"
        )
    if "SSL" in text and ("alert" in text or "certificate required" in text):
        return f"{place} wants to see a certificate of ours ({text}): set kafka_certificate_file and kafka_key_file"
    if error.code() == KafkaError._SSL:
        return f"{place} fails the TLS handshake ({text}): {protocol}"
    return None


def explained(
    error: KafkaException | KafkaError, settings: Settings, refused: str | None = None
) -> KafkaUnavailableError | KafkaRefusedError:
    """The exception to raise for one of the client's; `refused` is the `refusal` that its connections have met before."""
    found = error.args[0] if isinstance(error, KafkaException) else error
    if said := refusal(found, settings):
        return KafkaUnavailableError(said)
    if found.code() in _UNREACHABLE:  # librdkafka tells calls no more than that
        return KafkaUnavailableError(
            refused
            or f"Kafka does not answer at {settings.kafka} ({found.str()}); is it running? And does it speak "
            f"{settings.kafka_security_protocol} there (kafka_security_protocol)?"
        )
    return KafkaRefusedError(f"Kafka at {settings.kafka}: {found.str()}")
