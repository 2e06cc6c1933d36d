"""A whole system of its own that takes a log record by record: what `streamrec evaluate --live` asks.

An event goes to Kafka only when everything before it is all the way through, so that the order in which the system works is
that of the log. All the way through means, in this order:

1. the member agent has committed it: the stored position of its topic is behind it. What it derives was acknowledged by
   Kafka before that;
2. everything derived is committed, too: the stored positions of ``job-activity`` and ``training-examples`` have come to
   where these logs end. That of ``training-examples`` is written with the model's snapshot;
3. the worker and the lookup have taken up every changed job and the newest model: both are blocked in XREAD, waiting for the
   next change (see `stores.serving`). Redis wakes a blocked reader within the very command that gives it something to read.

Postings and profiles among each other may overtake: each changes one entity alone, in the order of its own key.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import msgspec

from streamrec import codecs
from streamrec.events import Event
from streamrec.kafka.admin import Admin
from streamrec.kafka.producer import ProduceFailedError, Producer
from streamrec.kafka.producer import Record as Produced
from streamrec.local import lag
from streamrec.local.brokers import StartBroker
from streamrec.local.lists import Lists
from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_broker, start_redis
from streamrec.local.services import ESSENTIAL, start_services
from streamrec.local.supervisor import Child, Say, Supervisor
from streamrec.ranking.engine import NO_MODEL
from streamrec.settings import Settings
from streamrec.stores.connect import connect
from streamrec.stores.keys import MODEL_SLOT, Keys
from streamrec.topics import DEAD_LETTERS, JOB_ACTIVITY, MEMBER_ACTIVITY, TRAINING_EXAMPLES, load, topic_of
from streamrec.training.measures import CUT
from streamrec.training.system import Listed, Record, System

PATIENCE_S: Final = 30.0  # for one record; it takes tens of milliseconds
_START_S: Final = 60.0
_GRACE_S: Final = 2.0  # for what is awaited to arrive when somebody asks to stop, so that there is a result so far
_POLL_S: Final = 0.002
_READERS: Final = 2  # processes that follow what changes: the worker and the lookup
_FOLLOWED: Final = (JOB_ACTIVITY, MEMBER_ACTIVITY, TRAINING_EXAMPLES, DEAD_LETTERS)  # what the worker writes
_PACE: Final[dict[str, Any]] = {
    "time_travel": True,
    "snapshot_interval_s": 0.01,
    "fetch_wait_ms": 5,
    "lookup_workers": 1,
    "lookup_budget_ms": 10_000,  # a degraded answer would be compared as if it were a whole one
}

Place = tuple[str, int]  # topic and partition
T = TypeVar("T")


class LockstepError(RuntimeError):
    """Something did not arrive, or a process has ended; the message says what, and where the logs are."""


class InterruptedLockstep(Exception):  # noqa: N818 - nothing went wrong
    """Somebody asked to stop while something was awaited."""


class Lockstep(System):
    """Broker, Redis, worker, trainer and lookup, from ``with`` on; nothing of them stays behind.

    Parameters
    ----------
    settings
        What is served and learned. Kafka, Redis, ports, directories and the pace are its own.
    say
        Takes one line for the person who watches.
    stopping
        Asked while it waits; `InterruptedLockstep` is raised where what is awaited does not come soon after that.
    patience_s
        How long to wait for one thing to arrive.
    start_broker
        Starts its broker; default: the embedded one.
    """

    def __init__(
        self, settings: Settings, say: Say, stopping: Callable[[], bool] = lambda: False, patience_s: float = PATIENCE_S,
        start_broker: StartBroker = start_broker,
    ) -> None:  # fmt: skip
        self._wanted, self._stopping, self._patience_s = settings, stopping, patience_s
        self._say, self._start_broker = say, start_broker
        self._directory = Path()
        self._supervisor: Supervisor | None = None
        self._sent: dict[Place, int] = {}  # what is under way: place -> the offset after it
        self._event: Event | None = None  # the one that is under way
        self._failed: str | None = None
        self._under_way = False
        self._processes: Sequence[Child | Server] = ()
        self._clients: list[Any] = []  # of ours, to be closed

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="streamrec-live-"))
        self._supervisor = Supervisor(self._say, self._directory)
        try:
            self._start(self._supervisor)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        if self._supervisor is not None:
            self._supervisor.stop()
        if not isinstance(error, LockstepError):  # whose message names the logs
            shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """End all processes at once, started or not; safe inside a signal handler."""
        if self._supervisor is not None:
            self._supervisor.kill()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, supervisor: Supervisor) -> None:
        directory = self._directory
        servers = [supervisor.adopt(start(directory)) for start in (self._start_broker, start_redis)]
        broker, store = servers
        settings = msgspec.structs.replace(
            self._wanted, data_dir=str(directory / "data"), lookup_host="127.0.0.1", metrics_host="127.0.0.1",
            lookup_port=free_port(), worker_metrics_port=free_port(), trainer_metrics_port=free_port(),
            kafka=broker.address, redis=f"redis://{store.address}/0",
            max_limit=max(self._wanted.max_limit, CUT), **_PACE,
        )  # fmt: skip
        self._admin = Admin(settings)
        self._admin.create(load())
        places = self._admin.partitions()
        self._derived = [(name, number) for name in _FOLLOWED for number in range(places[name])]
        self._keys = Keys(settings.namespace, settings.partitions)
        self._redis = connect(settings)
        self._producer = Producer(settings, linger_ms=0)
        self._lists = Lists(settings.lookup_host, settings.lookup_port)
        self._clients = [self._producer, self._lists, self._redis]
        self._processes = [*servers, *start_services(supervisor, settings, ESSENTIAL)]
        self._wait(self._owned, "the worker and the trainer to take their partitions", _START_S)
        self._wait(self._read, "the worker and the lookup to follow what changes", _START_S)

    def take(self, record: Record) -> None:
        """See `System.take`. Returns when an event is all the way through.

        Raises
        ------
        LockstepError
            It did not arrive everywhere in time, or became a dead letter.
        """
        event = record if isinstance(record, Event) else None
        if event is not None:
            self._settle()  # what was posted and said before it
        self._send(record)
        if event is not None:
            self._event = event
            self._settle()

    def answer(self, member_id: str, now: int, size: int) -> Listed:
        """See `System.answer`. Asks the lookup for the list as of `now`, as anybody would but for the moment.

        Raises
        ------
        LockstepError
            No answer came in time, or one that falls short.
        """
        self._settle()
        answer = self._wait(
            lambda: self._lists.ask(member_id, size, now), f"the lookup's list for {member_id} as of {now}"
        )  # fmt: skip
        if answer["degraded"] not in (None, NO_MODEL):
            raise self._error(f"the lookup's list for {member_id} is degraded: {answer['degraded']}")
        items = answer["items"]
        return Listed([item["job_id"] for item in items], [item["score"] for item in items])

    def _send(self, record: Record) -> None:
        kind = type(record).__name__
        key = str(getattr(record, codecs.key_field(kind) or ""))
        produced = Produced(topic_of(kind).name, key.encode(), codecs.encode(cast(codecs.Message, record)))
        while not self._producer.offer(produced, self._delivered):  # many postings at once
            self._producer.flush(self._patience_s)
        self._under_way = True

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed = f"{message.topic()}: {error.str()}"
        else:
            place = message.topic(), message.partition()
            self._sent[place] = max(self._sent.get(place, 0), message.offset() + 1)

    def _settle(self) -> None:
        """Wait until all that was sent is through."""
        if not self._under_way:
            return
        try:
            self._producer.flush(self._patience_s)
        except ProduceFailedError as error:
            self._failed = self._failed or str(error)
        if self._failed is not None:
            raise self._error(f"Kafka did not take a record: {self._failed}")
        self._reach(self._sent)
        self._sent = {}
        ends = self._admin.told_ends(self._derived)
        if ends.pop((DEAD_LETTERS, 0)):
            raise self._error(f"{self._what()} became a dead letter (is it more than `clock_skew_ms` in the future?)")
        self._reach(ends)
        self._wait(self._read, lambda: f"the worker and the lookup to take up what {self._what()} changed")
        self._under_way, self._event = False, None

    def _reach(self, ends: Mapping[Place, int]) -> None:
        """Wait until the stored positions have come to `ends`."""

        def behind() -> dict[Place, int]:
            stored = lag.stored(self._redis, self._keys, ends)
            found = {place: 0 if position is None else position.next_offset for place, position in stored.items()}
            return {place: offset for place, offset in found.items() if offset < ends[place]}

        def missing() -> str:
            places = [f"{topic}/{partition} from {offset} to {ends[topic, partition]}"
                      for (topic, partition), offset in behind().items()]  # fmt: skip
            return f"what {self._what()} made to be consumed: {', '.join(places)}"

        self._wait(lambda: not behind(), missing)

    def _read(self) -> bool:
        """Whether every follower of changes waits for the next one."""
        clients = self._redis.client_list()
        return sum(client["cmd"] == "xread" and "b" in client["flags"] for client in clients) >= _READERS

    def _owned(self) -> bool:
        slots = [*(f"m{number}" for number in range(self._keys.partitions)), *self._keys.job_slots(), MODEL_SLOT]
        return int(self._redis.exists(*map(self._keys.epoch, slots))) == len(slots)

    def _what(self) -> str:
        event = self._event
        return "what was posted" if event is None else f"{type(event).__name__} {event.event_id} of {event.member_id}"

    def _wait(
        self, condition: Callable[[], T | None], what: str | Callable[[], str], patience_s: float | None = None
    ) -> T:
        """Poll `condition` until it is true; its value."""
        patience_s = self._patience_s if patience_s is None else patience_s
        began = time.monotonic()
        while True:
            if value := condition():
                return value
            if self._stopping() and time.monotonic() > began + _GRACE_S:
                raise InterruptedLockstep
            if ended := [process.name for process in self._processes if not process.running]:
                raise self._error(f"{ended[0]} has ended")
            if time.monotonic() > began + patience_s:
                said = what if isinstance(what, str) else what()
                raise self._error(f"gave up after {patience_s:g} s waiting for {said}")
            time.sleep(_POLL_S)

    def _error(self, text: str) -> LockstepError:
        return LockstepError(f"{text}; what the processes said is in {self._directory}/*.log")
