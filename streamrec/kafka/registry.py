"""A schema registry that speaks Confluent's REST API, asked by confluent-kafka's client.

All calls block, each for at most the setting `registry_timeout_s`; from asyncio use ``asyncio.to_thread``. The client is of the
extra ``registry``: installations without a registry do not need what it brings along.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from streamrec.codecs import RegisteredSchema
from streamrec.settings import Settings, SettingsError, without_login

_NOT_FOUND: Final = range(40400, 40500)  # the registry's own codes; a 404 of anything else that answers there has none
_REFUSED: Final = frozenset((400, 409, 422))
T = TypeVar("T")


class RegistryUnavailableError(Exception):
    """The registry did not answer what it was asked, and another try may help; the message says where it was looked for."""


class RegistryRefusedError(Exception):
    """The registry answered that it does not want this; the message is its own."""


class Registry:
    """The registry that the settings name.

    Parameters
    ----------
    settings
        `schema_registry`, which must be set, and the other ``registry_…``.
    client
        Default: confluent-kafka's, for these settings.

    Raises
    ------
    SettingsError
        The extra ``registry`` is not installed, or the client does not take the settings (a file that is not there).
    RegistryUnavailableError
        By every method: no answer in time, or one that says nothing, such as a refused login.
    """

    def __init__(self, settings: Settings, client: Any = None) -> None:
        self.where = without_login(settings.schema_registry or "")
        self._client = _connect(settings) if client is None else client

    def schema(self, schema_id: int) -> RegisteredSchema | None:
        """What the registry has under this id, with the schemas that it refers to; None if it says that there is nothing.

        Raises
        ------
        RegistryUnavailableError
            Any other answer, also a refusal: it must not be taken for "there is nothing".
        """
        try:
            return self._call(lambda: _with_references(self._client, self._client.get_schema(schema_id)))
        except RegistryRefusedError as error:
            raise RegistryUnavailableError(str(error)) from error

    def id_of(self, subject: str, text: str) -> int | None:
        """The id of this very schema under `subject`, if it is registered there."""
        found = self._call(lambda: self._client.lookup_schema(subject, _schema(text)))
        return None if found is None else int(found.schema_id)

    def versions(self, subject: str) -> list[int]:
        """Numbers of the versions of `subject`; empty if there is no such subject."""
        return self._call(lambda: sorted(self._client.get_versions(subject))) or []

    def accepts(self, subject: str, text: str) -> bool:
        """Whether the registry would take `text` as the next version of `subject`, by the compatibility set there."""
        if not self.versions(subject):
            return True
        return self._call(lambda: bool(self._client.test_compatibility(subject, _schema(text)))) is not False

    def register(self, subject: str, text: str) -> int:
        """Register a schema, if it is not yet; its id.

        Raises
        ------
        RegistryRefusedError
            It does not fit the versions before it, or the registry is read-only.
        """
        found = self._call(lambda: int(self._client.register_schema(subject, _schema(text))))
        if found is None:
            raise RegistryUnavailableError(f"nothing takes schemas at {self.where}: is it a schema registry?")
        return found

    def _call(self, ask: Callable[[], T]) -> T | None:
        """The answer, or None where the registry says that it has no such thing."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415 - of the extra

        try:
            return ask()
        except SchemaRegistryError as error:
            if error.http_status_code == 404 and error.error_code in _NOT_FOUND:
                return None
            if error.http_status_code in _REFUSED:
                raise RegistryRefusedError(f"the schema registry at {self.where}: {error}") from error
            raise RegistryUnavailableError(f"the schema registry at {self.where} is of no use: {error}") from error
        except Exception as error:  # the client lets through what its HTTP library raises, which differs by version
            why = str(error) or type(error).__name__
            raise RegistryUnavailableError(f"the schema registry at {self.where} does not answer: {why}") from error


def _connect(settings: Settings) -> Any:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise SettingsError(
            f"schema_registry is set, but its client is not installed ({error}): pip install 'streamrec[registry]'"
        ) from error
    config = {
        "url": settings.schema_registry,
        "timeout": settings.registry_timeout_s,
        "max.retries": 0,  # who asks tries again, and says so
        "basic.auth.user.info": settings.registry_user_info,
        "ssl.ca.location": settings.registry_ca_file,
        "ssl.certificate.location": settings.registry_certificate_file,
        "ssl.key.location": settings.registry_key_file,
    }
    try:
        return SchemaRegistryClient({name: value for name, value in config.items() if value is not None})
    except (OSError, ValueError) as error:  # of TLS files, among others
        raise SettingsError(f"the settings of the schema registry do not work: {error}") from error


def _schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - of the extra

    return Schema(text, "AVRO")


def _with_references(client: Any, schema: Any) -> RegisteredSchema:
    named: dict[tuple[str, int], str] = {}

    def gather(references: Any) -> None:
        for reference in references or ():
            place = (reference.subject, reference.version)
            if place not in named:
                found = client.get_version(*place, deleted=True).schema  # deleted for new writers, not for old records
                gather(found.references)
                named[place] = found.schema_str

    gather(schema.references)
    return RegisteredSchema(schema.schema_str, tuple(named.values()), schema.schema_type or "AVRO")
