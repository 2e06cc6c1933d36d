"""Our schemas in a registry: one subject a topic that producers write, named by Kafka's usual rule."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from streamrec import codecs
from streamrec.kafka.registry import Registry, RegistryRefusedError
from streamrec.topics import topic_of


class Subject(msgspec.Struct, frozen=True):
    """How this version's schema of a topic stands in the registry; `id` and `problem` as far as there is one."""

    topic: str
    record: str
    name: str
    state: Literal["registered", "new", "missing", "incompatible"]
    id: int | None = None
    problem: str | None = None


def subject_of(record: str) -> str:
    """The subject that the values of a record's topic are registered under.

    Examples
    --------
    >>> subject_of("JobView")
    'job-views-value'
    """
    return f"{topic_of(record).name}-value"


def schema_text(record: str) -> str:
    """The schema of a record as it is registered: the file in ``avro/``."""
    return (codecs.directory() / f"{record}.avsc").read_text(encoding="utf-8").strip()


def check(registry: Registry) -> Iterator[Subject]:
    """Look up each public record's schema; nothing is changed.

    Raises
    ------
    RegistryUnavailableError, RegistryRefusedError
        The registry does not answer.
    """
    for record in codecs.PUBLIC_RECORDS:
        topic, name, text = topic_of(record).name, subject_of(record), schema_text(record)
        if (found := registry.id_of(name, text)) is not None:
            yield Subject(topic, record, name, "registered", found)
        elif registry.accepts(name, text):
            yield Subject(topic, record, name, "missing")
        else:
            problem = f"what is registered there is not compatible with this version's {record}"
            yield Subject(topic, record, name, "incompatible", problem=problem)


def register(registry: Registry) -> Iterator[Subject]:
    """Register each public record's schema that is not registered yet; what the registry refuses is told, and skipped.

    Raises
    ------
    RegistryUnavailableError
        The registry does not answer.
    """
    for record in codecs.PUBLIC_RECORDS:
        topic, name, text = topic_of(record).name, subject_of(record), schema_text(record)
        if (found := registry.id_of(name, text)) is not None:
            yield Subject(topic, record, name, "registered", found)
            continue
        try:
            yield Subject(topic, record, name, "new", registry.register(name, text))
        except RegistryRefusedError as error:
            yield Subject(topic, record, name, "incompatible", problem=str(error))
