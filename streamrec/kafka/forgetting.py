"""Stored training examples of erased members: found by the ledger, removed from the log by tombstones.

An example's key is unique, so that Kafka's compaction removes it and no other. What was learned of it stays: weights are
nobody's.
"""

from collections.abc import Mapping

from streamrec import codecs
from streamrec.events import Erasure, TrainingExample, digest_of
from streamrec.kafka.producer import Producer, Record
from streamrec.kafka.reader import read
from streamrec.settings import Settings
from streamrec.topics import ERASURES, TRAINING_EXAMPLES


def erasures(settings: Settings) -> dict[str, int]:
    """The ledger: digest of each erased member (see `events.digest_of`) -> when it was erased (ms).

    Raises
    ------
    KafkaUnavailableError, KafkaRefusedError
        Kafka does not answer, or with an error.
    """
    found: dict[str, int] = {}
    for record in read(settings, ERASURES):
        erasure = codecs.decode("Erasure", record.value or b"")
        if isinstance(erasure, Erasure):
            found[erasure.digest] = max(erasure.erased_at, found.get(erasure.digest, 0))
    return found


def forget_examples(settings: Settings, erased: Mapping[str, int]) -> int:
    """Remove the stored examples of members in `erased` that are not newer; how many there were.

    Reads all of ``training-examples``. Raises as `erasures` does, and ProduceFailedError.
    """
    if not erased:
        return 0
    standing: dict[bytes, int] = {}  # key -> partition
    for record in read(settings, TRAINING_EXAMPLES):
        if record.key is None:
            continue
        if record.value is None:
            standing.pop(record.key, None)
            continue
        example = codecs.decode("TrainingExample", record.value)
        if not isinstance(example, TrainingExample):
            continue
        if example.occurred_at <= erased.get(digest_of(example.member_id), -1):
            standing[record.key] = record.partition
    if standing:
        producer = Producer(settings)
        try:
            for key, partition in standing.items():
                producer.send_now(Record(topic=TRAINING_EXAMPLES, key=key, value=None, partition=partition))
            producer.flush(settings.produce_timeout_s)
        finally:
            producer.close()
    return len(standing)
