"""One probe: a job of its own list is dismissed through Kafka, and gone from the list that a lookup answers with next.

That is the whole way: producer, Kafka, worker, Redis, lookup. Of a probe's member only the job that it dismissed last is kept,
so there is always one to dismiss; see `features.fold`.
"""

import time
import uuid
from collections.abc import Callable
from typing import Final, Literal, get_args

import msgspec

from streamrec import codecs, tracing
from streamrec.events import JobDismissal
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.kafka.producer import ProduceFailedError, Producer, Record
from streamrec.probe.answers import Answers, NoAnswerError, url_of
from streamrec.probe.members import member_of
from streamrec.settings import Settings
from streamrec.topics import topic_of

Result = Literal["fresh", "late", "no_answer", "not_produced", "no_jobs"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)
TOPIC: Final = topic_of(JobDismissal.__name__).name
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05  # between two looks at the list
_LONGER: Final = 1.25  # so that a look costs a tenth of what is measured, or so
_KAFKA_PATIENCE_S: Final = 2.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one probe; `seconds` until the answer, of a fresh one; `why` it was none, for people."""

    partition: int
    result: Result
    seconds: float | None = None
    why: str = ""


class Prober:
    """Probes one partition after another. Opens nothing before the first one; nothing that is away keeps it from the next.

    Parameters
    ----------
    settings
        Of the installation.
    wait
        Sleeps for so many seconds; returns True if the process is to stop, which ends a probe without an outcome.
    """

    def __init__(self, settings: Settings, wait: Callable[[float], bool]) -> None:
        self._settings, self._wait = settings, wait
        self._url = url_of(settings)
        self._members = [member_of(partition, settings.partitions) for partition in range(settings.partitions)]
        self._producer: Producer | None = None

    def probe(self, partition: int) -> Outcome | None:
        """Dismiss a job as the partition's member, and wait for the answer that shows it; None when it was told to stop."""
        member_id = self._members[partition]
        with tracing.whole("probe"), Answers(self._url) as answers:
            try:
                jobs = answers.jobs(member_id)
            except NoAnswerError as error:
                return Outcome(partition=partition, result="no_answer", why=str(error))
            if not jobs:
                why = "there is no job in the list of a member who did nothing: is any open?"
                return Outcome(partition=partition, result="no_jobs", why=why)
            try:
                producer = self._open()
                began = time.monotonic()
                self._dismiss(producer, member_id, jobs[0])
            except (ProduceFailedError, KafkaUnavailableError, KafkaRefusedError) as error:
                return Outcome(partition=partition, result="not_produced", why=str(error))
            return self._await(answers, partition, jobs[0], began)

    def _open(self) -> Producer:
        if self._producer is None:
            Admin(self._settings, _KAFKA_PATIENCE_S).topic_ids([TOPIC])  # a producer might create it as it must not be
            self._producer = Producer(self._settings, linger_ms=0)
        return self._producer

    def _dismiss(self, producer: Producer, member_id: str, job_id: str) -> None:
        event = JobDismissal(
            event_id=uuid.uuid4().hex, member_id=member_id, job_id=job_id, occurred_at=time.time_ns() // 1_000_000
        )
        producer.send_now(
            Record(topic=TOPIC, key=member_id.encode(), value=codecs.encode(event), headers=tracing.carried())
        )
        producer.flush(self._settings.produce_timeout_s)

    def _await(self, answers: Answers, partition: int, job_id: str, began: float) -> Outcome | None:
        member_id, pause = self._members[partition], _FIRST_PAUSE_S
        result: Result = "late"
        why = ""
        while time.monotonic() - began < self._settings.probe_timeout_s:
            try:
                jobs = answers.jobs(member_id)
                if job_id not in jobs:
                    return Outcome(partition=partition, result="fresh", seconds=time.monotonic() - began)
                result, why = "late", f"after {self._settings.probe_timeout_s:g} s a dismissed job is still in the list"
            except NoAnswerError as error:
                result, why = "no_answer", str(error)
            if self._wait(pause):
                return None
            pause = min(_LONGER * pause, _LONGEST_PAUSE_S)
        return Outcome(partition=partition, result=result, why=why)

    def close(self) -> None:
        """Close the connection to Kafka."""
        if self._producer is not None:
            self._producer.close()
