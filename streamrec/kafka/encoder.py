"""What is written to Kafka by those who stand for producers: the lookup, replay and the simulator, in the chosen framing."""

from collections.abc import Iterable

from streamrec import codecs
from streamrec.codecs import Message
from streamrec.kafka.registry import Registry, RegistryRefusedError
from streamrec.kafka.subjects import schema_text, subject_of
from streamrec.settings import Settings


class Encoder:
    """Events to values, in the framing that the settings name.

    Parameters
    ----------
    settings
        `framing`, and for ``confluent`` the registry.
    registry
        Default: that of the settings.

    Raises
    ------
    SettingsError
        See `Registry`.
    """

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        self._registry: Registry | None = None
        if settings.framing == "confluent":
            self._registry = registry or Registry(settings)
        self._ids: dict[str, int] = {}

    def prepare(self, records: Iterable[str]) -> None:
        """Have the ids of these records' schemas. Blocks while the registry is asked; costs nothing once they are known.

        Raises
        ------
        RegistryUnavailableError, RegistryRefusedError
            An id is not to be had; the latter if the schema is not registered.
        """
        if self._registry is None:
            return
        for record in records:
            if record not in self._ids:
                subject = subject_of(record)
                if (found := self._registry.id_of(subject, schema_text(record))) is None:
                    raise RegistryRefusedError(
                        f"the schema registry at {self._registry.where} does not have this version's schema under {subject}: "
                        "run `streamrec schemas register`"
                    )
                self._ids[record] = found

    def knows(self, records: Iterable[str]) -> bool:
        """Whether `encode` needs no registry (any more) for these."""
        return self._registry is None or all(record in self._ids for record in records)

    def encode(self, event: Message) -> bytes:
        """The value of `event`; raises as `codecs.encode` does, and as `prepare` for a record that it was not told of."""
        if self._registry is None:
            return codecs.encode(event)
        record = type(event).__name__
        if record not in self._ids:
            self.prepare((record,))
        return codecs.encode(event, self._ids[record])
