"""Where the records of a world go."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from streamrec import codecs
from streamrec.kafka.encoder import Encoder
from streamrec.kafka.producer import Producer
from streamrec.kafka.producer import Record as Produced
from streamrec.settings import Settings
from streamrec.simulator.scribe import Record
from streamrec.topics import topic_of

_LINGER_MS: Final = 20.0
_FLUSH_S: Final = 60.0


class OutletError(Exception):
    """Records could not be delivered; the message says why and what to do."""


class Outlet(ABC):
    """Takes records in the order in which they happen."""

    @abstractmethod
    def send(self, records: Iterable[Record]) -> None:
        """Deliver, or hand over for delivery.

        Raises
        ------
        OutletError, OSError
            They cannot be delivered; nothing more is to be sent.
        """

    @abstractmethod
    def flush(self) -> None:
        """Return when all that was sent is delivered; raises as `send` does."""

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what the outlet holds; called once, also after an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class KafkaOutlet(Outlet):
    """To Kafka, each record to its topic by its key; `send` waits only while the producer's queue is full.

    Raises
    ------
    RegistryUnavailableError, RegistryRefusedError, SettingsError
        The framing needs a registry, and that does not know the schemas.
    """

    def __init__(self, settings: Settings) -> None:
        encoder = Encoder(settings)
        encoder.prepare(codecs.PUBLIC_RECORDS)
        self._encode = encoder.encode
        self._producer = Producer(settings, linger_ms=_LINGER_MS)
        self._routes: dict[type, tuple[str, str]] = {}  # topic, and the field that is the key

    def send(self, records: Iterable[Record]) -> None:
        """See `Outlet.send`; raises ProduceFailedError too."""
        routes, encode, send = self._routes, self._encode, self._producer.send_now
        for record in records:
            kind = type(record)
            if kind not in routes:
                routes[kind] = topic_of(kind.__name__).name, codecs.key_field(kind.__name__) or ""
            topic, field = routes[kind]
            send(Produced(topic, getattr(record, field).encode(), encode(record)))

    def flush(self) -> None:
        """See `Outlet.flush`; raises ProduceFailedError too."""
        self._producer.flush(_FLUSH_S)

    def close(self) -> None:
        """See `Outlet.close`."""
        self._producer.close()
