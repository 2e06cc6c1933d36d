"""The topics, one file each in ``topics/``: what is in them, how they are keyed, how long they keep it."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import msgspec

_UNITS_MS: Final = {"h": 3_600_000, "d": 86_400_000}


class TopicError(ValueError):
    """A topic's file is missing, unreadable or wrong; the message names the file and what is wrong."""


class Topic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One topic, as its file describes it.

    `partitions` is a number, or ``"members"`` for the count that all member- and job-keyed topics share (the setting
    of that name). `retention` is ``"30d"``, ``"12h"`` or ``"forever"``. `schema` is the record's name in ``avro/``.
    `tombstones` says whether a null value means something. `internal` topics are written by streamrec only.
    """

    name: str
    description: str
    schema: str
    key: str
    keyed_by: Literal["member", "job", "none"]
    partitions: int | Literal["members"]
    cleanup: Literal["compact", "delete", "compact,delete"]
    retention: str
    tombstones: bool
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    internal: bool
    max_message_bytes: int | None = None  # None: the broker's default, about 1 MB

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if isinstance(self.partitions, int) and self.partitions < 1:
            raise ValueError("partitions must be at least 1")
        if self.tombstones and "compact" not in self.cleanup:
            raise ValueError("tombstones need cleanup = 'compact'")
        _ = self.retention_ms

    @property
    def retention_ms(self) -> int:
        """How long records are kept, in milliseconds; -1 is forever, as Kafka has it."""
        if self.retention == "forever":
            return -1
        if not (found := re.fullmatch(r"([1-9]\d*)([hd])", self.retention)):
            raise ValueError(f"retention is {self.retention!r}, not such as '30d', '12h' or 'forever'")
        return int(found[1]) * _UNITS_MS[found[2]]

    def partition_count(self, member_partitions: int) -> int:
        """Number of partitions where the setting `partitions` is `member_partitions`.

        Examples
        --------
        >>> load()["job-views"].partition_count(8), load()["dead-letters"].partition_count(8)
        (8, 1)
        """
        return member_partitions if self.partitions == "members" else self.partitions

    @property
    def config(self) -> dict[str, str]:
        """Kafka's settings of the topic."""
        config = {"cleanup.policy": self.cleanup, "retention.ms": str(self.retention_ms)}
        if self.max_message_bytes is not None:
            config["max.message.bytes"] = str(self.max_message_bytes)
        return config


def directory() -> Path:
    """Where the files are: inside the package when installed, else at the top of the checkout."""
    here = Path(__file__).parent
    installed = here / "_topics"
    return installed if installed.is_dir() else here.parent / "topics"


def read(path: Path) -> Topic:
    """The topic in one file.

    Raises
    ------
    TopicError
        It is not readable, not TOML, has an unknown or missing entry, a wrong value, or another name than its file.
    """
    try:
        topic = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Topic)
    except (OSError, ValueError) as error:  # of TOML, of UTF-8 and of msgspec alike
        raise TopicError(f"{path}: {error}") from error
    if topic.name != path.stem:
        raise TopicError(f"{path}: the topic is named {topic.name!r}, not as its file")
    return topic


@lru_cache(maxsize=4)
def load(where: Path | None = None) -> dict[str, Topic]:
    """All topics by name, in alphabetical order; read once, so do not change the answer.

    Parameters
    ----------
    where
        Directory of the files; default is what `directory` says.

    Raises
    ------
    TopicError
        There is none, or one is wrong.

    Examples
    --------
    >>> load()["job-postings"].cleanup
    'compact'
    """
    where = where or directory()
    topics = {path.stem: read(path) for path in sorted(where.glob("*.toml"), key=lambda path: path.stem)}
    if not topics:
        raise TopicError(f"{where}: no topic is described here")
    return topics


def _keyed(by: str) -> tuple[str, ...]:
    return tuple(name for name, topic in load().items() if topic.keyed_by == by and topic.partitions == "members")


MEMBER_TOPICS: Final = _keyed("member")  # what feeds members: equal partition counts, one owner a partition
JOB_TOPICS: Final = _keyed("job")  # what the job agent consumes
PARTITIONED_TOPICS: Final = MEMBER_TOPICS + JOB_TOPICS  # their partition counts must be equal
PUBLIC_TOPICS: Final = tuple(name for name, topic in load().items() if not topic.internal)  # anyone may produce to them
JOB_ACTIVITY: Final = "job-activity"
ERASURES: Final = "erasures"
MEMBER_ACTIVITY: Final = "member-activity"
TRAINING_EXAMPLES: Final = "training-examples"
DEAD_LETTERS: Final = "dead-letters"


def topic_of(record: str) -> Topic:
    """The topic that carries the record of this name (each record has one).

    Raises
    ------
    KeyError
        No topic carries it.

    Examples
    --------
    >>> topic_of("JobView").name
    'job-views'
    """
    for topic in load().values():
        if topic.schema == record:
            return topic
    raise KeyError(record)
