"""Topics as they are on the broker: create what is missing, check the rest, ask for ids and bounds.

All calls block, each for at most the patience given to `Admin`; from asyncio use ``asyncio.to_thread``.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError, explained, open_client, refusal
from streamrec.kafka.ends import EMBEDDED_CLUSTER_ID, FetchedEnds, Place
from streamrec.settings import Settings
from streamrec.topics import Topic

T = TypeVar("T")

PATIENCE_S = 5.0  # a command that finds no Kafka says so after this time
_PAUSE_S: Final = 0.1
_PASSING: Final = frozenset((  # what a broker answers for a moment: a topic is new, or a group has no coordinator yet
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._NOENT, KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC,
    KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH,  # a broker that is just starting
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR,
))  # fmt: skip
_DEFAULT_CLEANUP: Final = "delete"  # what a topic has for which nothing was set


class TopicInfo(msgspec.Struct, frozen=True):
    """A topic on the broker. `id` differs when a topic is deleted and created again; `cleanup` as Kafka writes it."""

    name: str
    id: str
    partitions: int
    cleanup: str


class Problem(msgspec.Struct, frozen=True):
    """Something about a topic that keeps streamrec from working, and what to do about it."""

    topic: str
    what: str
    remedy: str


class Admin:
    """What streamrec asks of a Kafka cluster about its topics.

    Parameters
    ----------
    settings
        Where Kafka is, and how many partitions the member- and job-keyed topics have.
    patience_s
        How long one call may take; default `PATIENCE_S`.

    Raises
    ------
    KafkaUnavailableError
        By every method: Kafka does not answer in time.
    KafkaRefusedError
        By every method: it answers, with an error.
    """

    ERRORS: ClassVar[tuple[type[Exception], ...]] = (KafkaUnavailableError, KafkaRefusedError)

    def __init__(self, settings: Settings, patience_s: float | None = None) -> None:
        self._settings, self._patience_s = settings, PATIENCE_S if patience_s is None else patience_s
        self._client = open_client(AdminClient, settings, "admin", {"error_cb": self._on_error})
        self._refused: str | None = None
        self._embedded = False
        self._ends: FetchedEnds | None = None

    def partitions(self) -> dict[str, int]:
        """Number of partitions of every topic on the broker."""
        try:
            # Asks for all: asking for one that is missing would create it where the broker does so by itself.
            listed = self._client.list_topics(timeout=self._patience_s)
        except KafkaException as error:
            raise self._explained(error) from error
        self._embedded = listed.cluster_id == EMBEDDED_CLUSTER_ID
        return {name: len(topic.partitions) for name, topic in listed.topics.items()}

    def create(self, specs: Mapping[str, Topic]) -> list[str]:
        """Create those of `specs` that are missing, with the broker's own number of replicas; answers their names.

        They can be written to when it returns: Apache Kafka acknowledges a topic before its brokers know of it.
        """
        existing = self.partitions()
        missing = [
            NewTopic(spec.name, spec.partition_count(self._settings.partitions), config=spec.config)
            for spec in specs.values()
            if spec.name not in existing
        ]
        if not missing:
            return []
        created = []
        for name, future in self._client.create_topics(missing, request_timeout=self._patience_s).items():
            try:
                self._result(future)
            except KafkaRefusedError as error:
                if not _is(error, KafkaError.TOPIC_ALREADY_EXISTS):  # another process was quicker
                    raise
            else:
                created.append(name)
        self._wait_for_leaders({topic.topic: topic.num_partitions for topic in missing})
        return created

    def add_partitions(self, names: Iterable[str], count: int) -> list[str]:
        """Let those of `names` that have fewer have `count` partitions; answers their names. Kafka cannot take any away.

        Raises
        ------
        KafkaRefusedError
            The broker cannot do it, as the embedded one, or does not let us.
        """
        existing = self.partitions()
        fewer = [NewPartitions(name, count) for name in names if existing.get(name, count) < count]
        if not fewer:
            return []
        try:
            grown = self._client.create_partitions(fewer, request_timeout=self._patience_s)
            for future in grown.values():
                self._result(future)
            self._wait_for_leaders(dict.fromkeys(grown, count))
        except KafkaRefusedError as error:
            if _is(error, KafkaError._UNSUPPORTED_FEATURE):
                raise KafkaRefusedError(
                    f"the broker at {self._settings.kafka} cannot add partitions to a topic (the embedded one cannot; Apache "
                    "Kafka can): add them by its own means, and then run this again"
                ) from error
            raise
        return sorted(grown)

    def _wait_for_leaders(self, counts: Mapping[str, int]) -> None:
        """New partitions answer only once they have a leader, a moment after they were made."""
        places = [(name, number) for name, count in counts.items() for number in range(count)]

        def ask() -> None:
            self.partitions()  # else the client goes by the number of partitions that it knows
            self._offsets(places, OffsetSpec.latest())

        self._patiently(ask)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What `ask` answers; it is asked again while Kafka refuses for a moment only, for as long as one call may take."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return ask()
            except KafkaRefusedError as error:
                if time.monotonic() > deadline or _code(error) not in _PASSING:
                    raise
            time.sleep(_PAUSE_S)

    def members(self, group: str) -> int:
        """How many consumers are in a group now; 0 if there is no such group."""

        def ask() -> int:
            future = self._client.describe_consumer_groups([group], request_timeout=self._patience_s)[group]
            return len(self._result(future).members)

        return self._patiently(ask)

    def describe(self, names: Iterable[str]) -> dict[str, TopicInfo]:
        """Those of `names` that exist."""
        names = list(names)
        if not names:
            return {}
        found = {}
        for name, future in self._client.describe_topics(
            TopicCollection(names), request_timeout=self._patience_s
        ).items():
            try:
                found[name] = self._result(future)
            except KafkaRefusedError as error:
                if not _is(error, KafkaError.UNKNOWN_TOPIC_OR_PART):
                    raise
        cleanup = self._cleanup(list(found))
        return {
            name: TopicInfo(name, str(topic.topic_id), len(topic.partitions), cleanup[name])
            for name, topic in found.items()
        }

    def _cleanup(self, names: list[str]) -> dict[str, str]:
        # The embedded broker names only what was set.
        return {name: found.get("cleanup.policy", _DEFAULT_CLEANUP) for name, found in self._configs(names).items()}

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self._client.describe_configs(resources, request_timeout=self._patience_s)
        return {
            resource.name: {name: entry.value for name, entry in self._result(future).items()}
            for resource, future in answers.items()
        }

    def topic_ids(self, names: Iterable[str]) -> dict[str, str]:
        """Kafka's id of each topic: it tells a topic from one of the same name that was created anew.

        Raises
        ------
        KafkaRefusedError
            One does not exist.
        """
        names = list(names)
        found = self.describe(names)
        if absent := sorted(set(names) - set(found)):
            raise KafkaRefusedError(f"no topic {', '.join(absent)}: run `streamrec topics create`")
        return {name: found[name].id for name in names}

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """By partition, the first offset that is kept and the one that comes next; empty if there is no such topic."""
        return {partition: bounds for (_, partition), bounds in self.bounds([topic]).items()}

    def bounds(self, topics: Iterable[str]) -> dict[Place, tuple[int, int]]:
        """`watermarks` of several topics in one go, by topic and partition."""
        counts = self.partitions()
        places = [(topic, number) for topic in topics for number in range(counts.get(topic, 0))]
        low = self._patiently(lambda: self._offsets(places, OffsetSpec.earliest()))
        high = self._patiently(lambda: self._offsets(places, OffsetSpec.latest()))
        if self._embedded:
            if self._ends is None:
                self._ends = FetchedEnds(self._settings, self._patience_s)
            high = self._ends.ends(high)
        return {place: (low[place], high[place]) for place in places}

    def committed(self, group: str, topics: Iterable[str]) -> dict[Place, int]:
        """Next offset that a consumer group has committed, by topic and partition; only where it has committed any."""
        counts = self.partitions()
        places = [TopicPartition(topic, number) for topic in topics for number in range(counts.get(topic, 0))]
        if not places:
            return {}
        # Not the admin's list_consumer_group_offsets: while a group has no coordinator, it ends the process with a
        # segmentation fault (github.com/confluentinc/librdkafka/issues/5040). This consumer never joins the group.
        consumer = open_client(Consumer, self._settings, "admin", {"group.id": group})

        def ask() -> list[TopicPartition]:
            try:
                found: list[TopicPartition] = consumer.committed(places, timeout=self._patience_s)
            except KafkaException as error:
                raise explained(error, self._settings) from error
            return found

        try:
            found = self._patiently(ask)
        finally:
            consumer.close()
        return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}

    def told_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset that comes next in each partition, as the broker tells it, in a millisecond.

        Of the embedded broker that is right only where the last batch is of one record (see `kafka.ends`).
        """
        return self._offsets(places, OffsetSpec.latest())

    def _offsets(self, places: Iterable[Place], spec: Any) -> dict[Place, int]:
        requests = {TopicPartition(*place): spec for place in places}
        if not requests:
            return {}
        answers = self._client.list_offsets(requests, request_timeout=self._patience_s)
        return {(place.topic, place.partition): self._result(future).offset for place, future in answers.items()}

    def check(self, specs: Mapping[str, Topic]) -> list[Problem]:
        """What is wrong with the topics of `specs`; empty if nothing is."""
        found = self.describe(specs)
        problems = []
        for name, spec in specs.items():
            if (topic := found.get(name)) is None:
                problems.append(Problem(name, "it does not exist", "run `streamrec topics create`"))
                continue
            wanted = spec.partition_count(self._settings.partitions)
            if spec.partitions != "members" and topic.partitions != wanted:
                problems.append(Problem(name, f"it has {topic.partitions} partitions, not {wanted}", _recreate(name)))
            if not set(spec.cleanup.split(",")) <= set(topic.cleanup.split(",")):
                what = f"its cleanup.policy is {topic.cleanup}, not {spec.cleanup}"
                remedy = f"kafka-configs --alter --topic {name} --add-config cleanup.policy={spec.cleanup}"
                problems.append(Problem(name, what, remedy))
        shared = [name for name, spec in specs.items() if spec.partitions == "members" and name in found]
        return problems + self._uneven({name: found[name].partitions for name in shared})

    def drift(self, specs: Mapping[str, Topic]) -> list[Problem]:
        """Where topics keep records for another time, or take others in size, than `specs` says: streamrec works all the same.

        Topics that exist keep what they were created with, also when an upgrade describes them otherwise.
        """
        there = self.partitions()
        names = [name for name in specs if name in there]
        problems = []
        for name, found in self._configs(names).items():
            for entry, wanted in specs[name].config.items():
                value = found.get(entry, wanted)  # the embedded broker names only what was set
                if entry != "cleanup.policy" and value != wanted:  # which is `check`'s
                    remedy = f"kafka-configs --alter --topic {name} --add-config {entry}={wanted}"
                    problems.append(Problem(name, f"its {entry} is {value}, not {wanted}", remedy))
        return problems

    def _uneven(self, counts: Mapping[str, int]) -> list[Problem]:
        """The count is one for all, since the partition of a key says who owns its state, whatever the topic."""
        wanted = self._settings.partitions
        wrong = {name: count for name, count in counts.items() if count != wanted}
        if len(set(counts.values())) > 1:
            what = f"not {wanted} as the other member- and job-keyed topics"
            return [
                Problem(name, f"it has {count} partitions, {what}", _recreate(name)) for name, count in wrong.items()
            ]
        return [
            Problem(
                name, f"it has {count} partitions, the setting partitions is {wanted}",
                f"set partitions = {count}, after `streamrec rebuild --partitions {count}` if there is state; or else "
                f"{_recreate(name)}",
            )
            for name, count in wrong.items()
        ]  # fmt: skip

    def _on_error(self, error: KafkaError) -> None:
        self._refused = refusal(error, self._settings) or self._refused

    def _explained(self, error: KafkaException) -> Exception:
        self._client.poll(0)  # what connections meet is told then
        return explained(error, self._settings, self._refused)

    def _result(self, future: "Future[Any]") -> Any:
        try:
            return future.result(self._patience_s + 1)  # the client's own limit comes first
        except KafkaException as error:
            raise self._explained(error) from error
        except TimeoutError as error:
            raise KafkaUnavailableError(f"Kafka does not answer at {self._settings.kafka}") from error


def _recreate(name: str) -> str:
    return f"delete {name} and run `streamrec topics create`; what is in it must be produced again"


def _code(error: KafkaRefusedError) -> int | None:
    cause = error.__cause__
    return int(cause.args[0].code()) if isinstance(cause, KafkaException) else None


def _is(error: KafkaRefusedError, code: int) -> bool:
    return _code(error) == code
