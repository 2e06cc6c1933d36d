"""How far every input is read: the positions stored beside the state, held against Kafka's logs."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec
import redis

from streamrec.features.state import MemberState
from streamrec.features.state import unpack as unpack_state
from streamrec.probe.members import member_of
from streamrec.stores.keys import MODEL_SLOT, Keys
from streamrec.stores.positions import Position, unpack
from streamrec.topics import JOB_TOPICS, MEMBER_TOPICS, TRAINING_EXAMPLES


class Input(msgspec.Struct, frozen=True):
    """One partition that is read: what is stored of it, the first offset of its log and the one after the last.

    `position` is None while nothing of it has been read.
    """

    topic: str
    partition: int
    slot: str
    position: Position | None
    low: int
    high: int

    @property
    def lag(self) -> int:
        """Records that are in the log and not in the state."""
        return max(0, self.high - max(self.low, self.next_offset))

    @property
    def next_offset(self) -> int:
        """Offset up to which the state accounts for the log."""
        return self.position.next_offset if self.position else 0


def misfit(found: Input, topic_id: str) -> str | None:
    """What keeps a worker from reading on where the state ends, if anything; `topic_id` is that of the topic now.

    Examples
    --------
    >>> found = Input("job-views", 0, "m0", Position("t1", 5), low=9, high=12)
    >>> misfit(found, "t1")
    'the state ends at offset 5, the log starts at 9: 4 records are gone'
    >>> misfit(found, "t2")
    'the topic was created anew since: its offsets mean other events than those in the state'
    """
    if found.position is None:
        return None
    if found.position.topic_id != topic_id:
        return "the topic was created anew since: its offsets mean other events than those in the state"
    if found.next_offset < found.low:
        gone = found.low - found.next_offset
        return f"the state ends at offset {found.next_offset}, the log starts at {found.low}: {gone} records are gone"
    if found.next_offset > found.high:
        return f"the state ends at offset {found.next_offset}, the log at {found.high}: the broker has lost records"
    return None


class Logs(Protocol):
    """What is asked of Kafka: see `streamrec.kafka.admin.Admin`."""

    def bounds(self, topics: Iterable[str]) -> Mapping[tuple[str, int], tuple[int, int]]:
        """By topic and partition, the first offset that is kept and the one that comes next."""


def slot_of(topic: str, partition: int) -> str | None:
    """The slot that owns the state fed by a partition; None for a topic that nobody folds.

    Examples
    --------
    >>> slot_of("job-views", 3), slot_of("job-postings", 0), slot_of("training-examples", 0), slot_of("dead-letters", 0)
    ('m3', 'j0', 'model', None)
    """
    if topic == TRAINING_EXAMPLES:
        return MODEL_SLOT
    if topic in MEMBER_TOPICS:
        return f"m{partition}"
    return f"j{partition}" if topic in JOB_TOPICS else None


def consumed() -> tuple[str, ...]:
    """Topics that feed state or the model."""
    return (*MEMBER_TOPICS, *JOB_TOPICS, TRAINING_EXAMPLES)


def read(logs: Logs, client: "redis.Redis", keys: Keys, topics: Iterable[str] | None = None) -> list[Input]:
    """One `Input` a partition of `topics` (default: all that are consumed), in one round trip to Redis.

    Raises
    ------
    redis.RedisError
        Redis does not answer.
    Exception
        Whatever `logs` raises when Kafka does not answer.
    """
    bounds = logs.bounds(topics or consumed())
    positions = stored(client, keys, list(bounds))
    return [
        Input(topic, partition, slot_of(topic, partition) or "", position, *bounds[topic, partition])
        for (topic, partition), position in positions.items()
    ]


def stored(
    client: "redis.Redis", keys: Keys, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Position | None]:
    """Stored positions by topic and partition, in one round trip; None where nothing has been read. Asks Redis only."""
    places = list(places)
    with client.pipeline(transaction=False) as pipe:
        for topic, partition in places:
            pipe.hget(keys.positions(slot_of(topic, partition) or ""), topic)
        values = pipe.execute()
    return {place: unpack(Position, value) if value else None for place, value in zip(places, values, strict=True)}


def probed(client: "redis.Redis", keys: Keys) -> int:
    """Records of probes that are in the state: no traffic of anybody's. Asks Redis only."""
    members = [keys.member(member_of(partition, keys.partitions)) for partition in range(keys.partitions)]
    with client.pipeline(transaction=False) as pipe:
        for member in members:
            pipe.get(member)
        return sum(unpack_state(MemberState, value).version for value in pipe.execute())


def owned(client: "redis.Redis", keys: Keys) -> bool:
    """Whether every member partition has, or has had, a worker that owns it."""
    epochs = [keys.epoch(f"m{partition}") for partition in range(keys.partitions)]
    return client.exists(*epochs) == len(epochs)
