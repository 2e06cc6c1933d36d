"""How clients of Kafka log in and verify it, in librdkafka's words, and what else the setting `kafka_options` gives them.

Faust's consumer is of aiokafka, which has other words: see `agents.security`.
"""

from typing import Any, Final

from streamrec.credentials import password, tls_context
from streamrec.settings import Settings, SettingsError

KEY_PASSWORD: Final = "ssl.key.password"  # noqa: S105 - a name
# What has a setting of its own: an option beside it would reach some clients, and not others.
_SETTINGS: Final = {
    "bootstrap.servers": "kafka", "metadata.broker.list": "kafka", "security.protocol": "kafka_security_protocol",
    "sasl.mechanism": "kafka_sasl_mechanism", "sasl.mechanisms": "kafka_sasl_mechanism", "sasl.username": "kafka_username",
    "sasl.password": "kafka_password", "ssl.ca.location": "kafka_ca_file", "ssl.key.location": "kafka_key_file",
    "ssl.certificate.location": "kafka_certificate_file", "message.timeout.ms": "produce_timeout_s",
    "delivery.timeout.ms": "produce_timeout_s", "session.timeout.ms": "session_timeout_s", "group.id": "group",
}  # fmt: skip
# What exactly-once effects rest on.
_FIXED: Final = frozenset((
    "acks", "request.required.acks", "enable.idempotence", "transactional.id", "partitioner", "enable.auto.commit",
    "enable.auto.offset.store", "enable.partition.eof", "auto.offset.reset", "isolation.level", "client.id",
))  # fmt: skip


def login(settings: Settings) -> dict[str, Any]:
    """Entries for librdkafka: protocol, login and TLS files.

    Raises
    ------
    SettingsError
        A file of a password or of TLS is of no use.
    """
    protocol = settings.kafka_security_protocol
    entries: dict[str, Any] = {"security.protocol": protocol}
    if protocol.startswith("SASL"):
        entries |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": password(settings, "kafka"),
        }
    if protocol.endswith("SSL"):
        tls_context(
            settings, "kafka", key_password(settings)
        )  # says what is wrong with the files; librdkafka reads them itself
        files = {
            "ca": settings.kafka_ca_file,
            "certificate": settings.kafka_certificate_file,
            "key": settings.kafka_key_file,
        }
        entries |= {f"ssl.{kind}.location": file for kind, file in files.items() if file is not None}
    return entries


def key_password(settings: Settings) -> str | None:
    """The password of `kafka_key_file`, if it has one: among the options, since few have."""
    given = settings.kafka_options.get(KEY_PASSWORD)
    return None if given is None else str(given)


def options(settings: Settings) -> dict[str, Any]:
    """`kafka_options`, for librdkafka.

    Raises
    ------
    SettingsError
        One of them has a setting of its own, or is not anybody's to change.

    Examples
    --------
    >>> options(Settings(kafka_options={"client.rack": "a", "compression.level": 3}))
    {'client.rack': 'a', 'compression.level': 3}
    >>> options(Settings(kafka_options={"acks": 1}))
    Traceback (most recent call last):
        ...
    streamrec.settings.SettingsError: kafka_options: acks is as exactly-once effects need it
    """
    for name in settings.kafka_options:
        if name in _SETTINGS:
            raise SettingsError(f"kafka_options: {name} is set by the setting {_SETTINGS[name]}")
        if name in _FIXED:
            raise SettingsError(f"kafka_options: {name} is as exactly-once effects need it")
    return dict(settings.kafka_options)
