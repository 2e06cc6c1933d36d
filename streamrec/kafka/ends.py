"""Where a log ends on the embedded broker.

Tansu 0.6.0 answers ListOffsets "latest" with the first offset of the last batch plus one: five records sent at once
into an empty partition end at 1, by its word. The high watermark in its answer to a fetch is right.
Kafka needs none of this.
"""

import threading
import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from streamrec.kafka.client import KafkaUnavailableError, explained, open_client
from streamrec.settings import Settings

EMBEDDED_CLUSTER_ID: Final = "tansu_cluster"

Place = tuple[str, int]  # topic and partition


class FetchedEnds:
    """Asks by fetching; keeps its connection, and may be used from several threads."""

    def __init__(self, settings: Settings, patience_s: float) -> None:
        self._settings, self._patience_s = settings, patience_s
        self._lock = threading.Lock()
        self._consumer = open_client(Consumer, settings, "ends", {
            "group.id": "streamrec-ends",  # the client wants one; it is never joined, and nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 1,
            "fetch.message.max.bytes": 1024,  # whole batches come all the same: at least one
        })  # fmt: skip

    def ends(self, told: Mapping[Place, int]) -> dict[Place, int]:
        """The offset that comes next in each partition, given where the broker told that its log ends.

        Raises
        ------
        KafkaUnavailableError, KafkaRefusedError
            The broker does not answer in time, or answers with an error.
        """
        found = {place: 0 for place, offset in told.items() if not offset}
        places = [TopicPartition(*place, told[place]) for place in told if place not in found]
        deadline = time.monotonic() + self._patience_s
        with self._lock:
            self._consumer.assign(places)
            try:
                while len(found) < len(told):
                    for message in self._consumer.consume(1000, 0.05) if places else []:
                        place = (message.topic(), message.partition())
                        if (error := message.error()) is None:
                            high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)[1]
                            found[place] = max(high, message.offset() + 1, found.get(place, 0))
                        elif error.code() == KafkaError._PARTITION_EOF:
                            found[place] = max(message.offset(), found.get(place, 0))
                        else:
                            raise explained(error, self._settings)
                    if time.monotonic() > deadline:
                        raise KafkaUnavailableError(f"Kafka at {self._settings.kafka} does not tell where its logs end")
            finally:
                self._consumer.unassign()
        return found
