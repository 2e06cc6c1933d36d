"""Reads the figures of a running demo once a second, and follows one member's list."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import redis

from streamrec.local import lag, scrape
from streamrec.local.feed import Feed
from streamrec.local.lists import Lists, is_personal
from streamrec.local.picture import Item, Picture, Watched
from streamrec.local.scrape import Samples, UnreachableError
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores.connect import connect
from streamrec.topics import MEMBER_TOPICS, PUBLIC_TOPICS

SHOWN: Final = 5  # jobs of the watched list
_EVERY_S: Final = 0.25
_FULL_EVERY_S: Final = 1.0
_WINDOW: Final = 10  # readings over which rates and the live freshness are taken
_LOYALTY_S: Final = 15.0  # a watched member that does nothing for so long gives way to another
_EVENT_TOPICS: Final = {
    "topic": tuple(topic for topic in PUBLIC_TOPICS if topic in MEMBER_TOPICS and topic != "member-profiles")
}


class Growing:
    """A counter over restarts of its process, which begin at 0 again.

    Examples
    --------
    >>> growing = Growing()
    >>> [growing.add(value) for value in (5, 7, 2, 3)]
    [5, 7, 9, 10]
    """

    def __init__(self) -> None:
        self._before = self._last = 0.0

    def add(self, value: float) -> int:
        """Note a reading; the count over all runs of the process."""
        if value < self._last:
            self._before += self._last
        self._last = value
        return int(self._before + value)


def _quantile(values: Sequence[float], q: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None


class Observer(threading.Thread):
    """Fills `picture` and `watched` until `stop` is called. What cannot be read keeps its last value.

    Parameters
    ----------
    settings
        Of the installation.
    feed
        What it sent, and which members act.
    lists
        This thread's own client.
    started
        When the demo began, by the monotonic clock.
    """

    def __init__(self, settings: Settings, feed: Feed, lists: Lists, started: float) -> None:
        super().__init__(name="observer", daemon=True)
        self.picture = Picture()
        self.watched: Watched | None = None
        self._settings, self.feed, self._lists, self._since = settings, feed, lists, started
        self._stopping = threading.Event()
        self._redis = connect(settings, 2.0)
        self._places = [(topic, number) for topic in PUBLIC_TOPICS for number in range(settings.partitions)]
        self._readings: deque[tuple[float, int, int, Samples]] = deque(maxlen=_WINDOW)
        self._steady: Samples | None = None  # the worker's figures when it had first caught up
        self._rejected, self._duplicates, self._examples = Growing(), Growing(), Growing()
        self._worker, self._trainer = Samples(), Samples()
        self._watching: str | None = None
        self._acts, self._acted_at = 0, 0.0  # how often the watched member has acted, and since when it is that often
        self._order: tuple[str, ...] = ()

    def stop(self) -> None:
        """End after one last reading."""
        self._stopping.set()
        self.join(10)

    def run(self) -> None:
        """Read what is cheap four times a second, the rest once; called by ``start``."""
        full_at = 0.0
        while not self._stopping.wait(_EVERY_S):
            self._try(self._read_lag)
            if time.monotonic() >= full_at:
                full_at = time.monotonic() + _FULL_EVERY_S
                self.read()
        self.read()
        self._lists.close()

    def read(self) -> None:
        """Take all figures once."""
        for step in (self._read_lag, self._read_processes, self._read_feed, self._read_list):
            self._try(step)

    def _try(self, step: Callable[[], None]) -> None:
        """What is starting, or has crashed and is being started again, does not answer: the old figures stand."""
        with contextlib.suppress(UnreachableError, redis.RedisError):
            step()

    def behind(self) -> bool:
        """Whether something that was sent is not processed yet, or not in any list, as of the last reading."""
        picture = self.picture
        return picture.lag != 0 or picture.processed < self.feed.sent or picture.first_list_s is None

    def greeting(self) -> str | None:
        """What to say of the first personal list, once there is one."""
        firsts = [lists.first for lists in (self.feed.answers, self._lists) if lists.first is not None]
        if not firsts or self.picture.first_list_s is None:
            return None
        _, answer = min(firsts, key=lambda first: first[0])
        did, jobs = (
            self.feed.people.deeds(answer["member_id"], 1),
            [item["title"] or item["job_id"] for item in answer["items"]],
        )
        return (
            f"first personal list {self.picture.first_list_s:.1f} s after the start: {answer['member_id']}, who "
            f"{did[0] if did else 'acted'}, is recommended {', '.join(jobs[:3])}, ..."
        )

    def _read_processes(self) -> None:
        host, settings = self._settings.metrics_host, self._settings
        self._worker = _metrics(f"http://{host}:{settings.worker_metrics_port}/metrics", self._worker)
        self._trainer = _metrics(f"http://{host}:{settings.trainer_metrics_port}/metrics", self._trainer)
        picture, trainer = self.picture, self._trainer
        picture.rejected = self._rejected.add(self._worker.total("streamrec_events_rejected_total"))
        picture.duplicates = self._duplicates.add(self._worker.total("streamrec_events_duplicate_total"))
        picture.examples = self._examples.add(trainer.total("streamrec_training_examples_total"))
        picture.log_loss = trainer.figure("streamrec_model_log_loss")
        picture.constant_log_loss = trainer.figure("streamrec_model_constant_log_loss")
        picture.auc = trainer.figure("streamrec_model_auc")
        written = trainer.value("streamrec_model_snapshot_timestamp_seconds")
        picture.model_age_s = None if not written else max(0.0, time.time() - written)

    def _read_lag(self) -> None:
        keys = generations.current(self._redis, self._settings).keys(self._settings.namespace)
        stored = lag.stored(self._redis, keys, self._places)
        picture, feed = self.picture, self.feed
        picture.sent = feed.sent
        read = sum(position.next_offset for position in stored.values() if position is not None)
        picture.processed = read - lag.probed(self._redis, keys)  # those were not sent by the feed
        picture.lag = max(0, picture.sent - picture.processed)
        if lag.owned(self._redis, keys):
            feed.begin()
        feed.note(picture.processed)

    def _read_feed(self) -> None:
        picture, feed = self.picture, self.feed
        now = time.monotonic()
        picture.elapsed_s, picture.fed = now - self._since, feed.ended
        picture.judgement = feed.judge(self._trainer, picture.elapsed_s)
        picture.answered = feed.answers.answered + self._lists.answered
        picture.degraded = feed.answers.degraded + self._lists.degraded
        took = [*feed.answers.took_s, *self._lists.took_s]
        picture.answer_p50_s, picture.answer_p99_s = _quantile(took, 0.5), _quantile(took, 0.99)
        if self._readings:
            then, sent, processed, worker = self._readings[0]
            picture.sent_rate = (picture.sent - sent) / max(now - then, 1e-6)
            picture.processed_rate = (picture.processed - processed) / max(now - then, 1e-6)
            self._read_freshness(worker)
        self._readings.append((now, picture.sent, picture.processed, self._worker))

    def _read_freshness(self, since: Samples) -> None:
        name = "streamrec_event_to_state_seconds"
        if (
            self._steady is None
            and self.picture.processed
            and (self.picture.lag or 0) <= max(20, self.picture.sent_rate)
        ):
            self._steady = self._worker
        base = self._steady if self._stopping.is_set() and self._steady is not None else since
        self.picture.freshness_p50_s = (
            self._worker.quantile(name, 0.5, base, _EVENT_TOPICS) or self.picture.freshness_p50_s
        )
        self.picture.freshness_p99_s = (
            self._worker.quantile(name, 0.99, base, _EVENT_TOPICS) or self.picture.freshness_p99_s
        )

    def _read_list(self) -> None:
        self._choose_member()
        answer = None if self._watching is None else self._lists.ask(self._watching, SHOWN)
        firsts = [lists.first for lists in (self.feed.answers, self._lists) if lists.first is not None]
        if firsts and self.picture.first_list_s is None:
            self.picture.first_list_s = min(when for when, _ in firsts) - self._since
        if self._watching is not None and answer is not None and is_personal(answer):
            self._show(self._watching, answer["items"])

    def _choose_member(self) -> None:
        """Stay with a member while it acts, else take the one that acted last, unless it acts all the time."""
        feed, now = self.feed, time.monotonic()
        if self._watching is not None and feed.people.acts[self._watching] != self._acts:
            self._acts, self._acted_at = feed.people.acts[self._watching], now
        other = feed.people.last_actor
        if other is None or (self._watching is not None and now - self._acted_at < _LOYALTY_S):
            return
        if self._watching is None or 3 <= feed.people.acts[other] <= max(10, feed.sent // 100):
            self._watching, self._acts, self._acted_at = other, feed.people.acts[other], now
            self._order, self.watched = (), None

    def _show(self, member_id: str, answered: list[dict[str, Any]]) -> None:
        order = tuple(item["job_id"] for item in answered)
        deeds, about = self.feed.people.deeds(member_id, 3), self.feed.people.about.get(member_id, "no profile")
        if self.watched is not None and order == self._order:
            self.watched = msgspec.structs.replace(self.watched, deeds=deeds)
            return
        before = {job_id: rank for rank, job_id in enumerate(self._order)}
        items = tuple(
            Item(
                title=item["title"] or item["job_id"], place=", ".join(filter(None, (item["company"], item["city"]))),
                p_check=item["p_check"], sources=", ".join(item["sources"]).replace("_", " "),
                moved=before[item["job_id"]] - rank if item["job_id"] in before else None if before else 0,
            )
            for rank, item in enumerate(answered)
        )  # fmt: skip
        changes = self.watched.changes + 1 if self.watched is not None else 0
        self.watched = Watched(member_id, about, deeds, items, changes)
        self._order = order


def _metrics(url: str, last: Samples) -> Samples:
    """A new reading, or the last one when there is none."""
    try:
        return scrape.metrics(url, timeout_s=1.0)
    except UnreachableError:
        return last
