"""How Faust's consumer logs in to Kafka and verifies it: the settings in the words of Faust and aiokafka."""

import ssl
from typing import Any, Final

import faust
from faust.types.auth import SASLMechanism

from streamrec.credentials import password, tls_context
from streamrec.kafka.security import key_password, options
from streamrec.settings import Settings

_SECONDS: Final = 1 / 1000
# Options of librdkafka that aiokafka has, too: Faust's name, and what a unit of the option is there.
_SAME: Final = {
    "socket.timeout.ms": ("broker_request_timeout", _SECONDS),
    "max.partition.fetch.bytes": ("consumer_max_fetch_size", 1),
    "fetch.message.max.bytes": ("consumer_max_fetch_size", 1),
    "connections.max.idle.ms": ("consumer_connections_max_idle_ms", 1),
    "metadata.max.age.ms": ("consumer_metadata_max_age_ms", 1),
}
_NO: Final = frozenset(("false", "none", "0"))


def credentials(settings: Settings) -> Any:
    """For Faust's `broker_credentials`; None without login and TLS. Raises SettingsError if a file is of no use."""
    protocol = settings.kafka_security_protocol
    context = _context(settings) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.kafka_username, password=password(settings, "kafka"),
            mechanism=SASLMechanism(settings.kafka_sasl_mechanism), ssl_context=context,
        )  # fmt: skip
    return None if context is None else faust.SSLCredentials(context)


def tuning(settings: Settings) -> dict[str, Any]:
    """Those of `kafka_options` that Faust's consumer has, too, as settings of Faust's.

    Examples
    --------
    >>> tuning(Settings(kafka_options={"socket.timeout.ms": "30000", "client.rack": "a"}))
    {'broker_request_timeout': 30.0}
    """
    given = options(settings)
    return {
        name: float(given[option]) * unit if unit == _SECONDS else int(given[option])
        for option, (name, unit) in _SAME.items()
        if option in given
    }


def _context(settings: Settings) -> ssl.SSLContext:
    given = options(settings)
    context = tls_context(settings, "kafka", key_password(settings))
    verified = str(given.get("enable.ssl.certificate.verification", "true")).lower() not in _NO
    if not verified or str(given.get("ssl.endpoint.identification.algorithm", "https")).lower() in _NO:
        context.check_hostname = False
    if not verified:
        context.verify_mode = ssl.CERT_NONE
    return context
