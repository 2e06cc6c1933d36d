"""Records that cannot be used, on their way to ``dead-letters``."""

from streamrec import codecs, metrics
from streamrec.agents.transport import Record as Consumed
from streamrec.codecs.origins import TOPIC_ID
from streamrec.events import DeadLetter, Rejected
from streamrec.kafka.producer import Record


def dead_letter(topic: str, topic_id: str, partition: int, record: Consumed, why: Rejected, failed_at: int) -> Record:
    """The record to produce for `record`, with all that is needed to mend and send it again; counted by reason.

    A record that was redriven carries its first origin and the attempt in its headers, and so does its letter.
    A crash between produce and commit makes a second letter: readers drop it by topic, partition and offset.
    """
    metrics.REJECTED.labels(topic, why.reason).inc()
    if record.headers and codecs.redriven(topic, record.headers) is not None:
        metrics.REDRIVEN.labels(topic, "rejected").inc()
    letter = DeadLetter(
        topic=topic, partition=partition, offset=record.offset, key=record.key, value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers), reason=why.reason, detail=why.detail,
        failed_at=failed_at,
    )  # fmt: skip
    headers = ((TOPIC_ID, topic_id.encode()),)
    return Record(topic="dead-letters", key=record.key, value=codecs.encode(letter), headers=headers)
