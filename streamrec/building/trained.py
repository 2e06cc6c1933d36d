"""The model that a build goes on with: the one in use, up to what its workers have made examples of.

What the workers of the present state have read, they have made examples of: those are in ``training-examples``, or in a slot's
outbox on their way there. Once these are learned, a build learns only from records that no worker had read, and it does not
matter in which order the workers have read the others.
"""

import logging
from collections.abc import Iterable, Mapping

import redis

from streamrec import codecs
from streamrec.agents.derived import is_applied
from streamrec.agents.labels import unpack_outbox
from streamrec.agents.trainer import copy_of
from streamrec.building.builder import LAST_INDEX
from streamrec.events import TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.kafka.ends import Place
from streamrec.kafka.reader import read
from streamrec.local import lag
from streamrec.models import snapshot as snapshots
from streamrec.models.base import InvalidExampleError
from streamrec.models.job_check import JobCheck
from streamrec.models.snapshot import OtherModelError, UnreadableSnapshotError
from streamrec.settings import Settings
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Mark
from streamrec.topics import MEMBER_TOPICS, TRAINING_EXAMPLES

log = logging.getLogger(__name__)


class Trained:
    """A model, and what it has learned: `next_offset` of ``training-examples``, and the marks of its sources."""

    def __init__(self, model: JobCheck, version: int, next_offset: int, marks: dict[str, Mark]) -> None:
        self.model, self.version, self.next_offset, self.marks = model, version, next_offset, marks

    @classmethod
    def anew(cls, next_offset: int) -> "Trained":
        """A model that knows nothing, and reads examples on from `next_offset`."""
        return cls(JobCheck(FEATURE_SET, feature_names()), 0, next_offset, {})

    @classmethod
    def in_use(cls, client: "redis.Redis", keys: Keys, ids: Mapping[str, str]) -> "Trained | None":
        """The model in the store; None if there is none, or none that this version and this log can go on with."""
        value = client.get(keys.model(JobCheck.name))
        return cls._read(value, ids) if isinstance(value, bytes) else None

    @classmethod
    def on_disk(cls, settings: Settings, ids: Mapping[str, str]) -> "Trained | None":
        """The trainer's copy, where the store has lost the model: None as for `in_use`, and where the trainer is elsewhere."""
        try:
            value = copy_of(settings).read_bytes()
        except OSError:
            return None
        return cls._read(value, ids)

    @classmethod
    def _read(cls, value: bytes, ids: Mapping[str, str]) -> "Trained | None":
        found = cls.anew(0)
        try:
            stored = snapshots.unpack(value)
            found.model = JobCheck(stored.feature_set, stored.feature_names)
            snapshots.restore(found.model, stored)
        except (UnreadableSnapshotError, OtherModelError) as error:
            log.warning("the model is learned anew: %s", error)
            return None
        if stored.feature_set != FEATURE_SET:
            found.model.move(FEATURE_SET, feature_names())
        [position] = stored.positions
        if position.topic_id != ids[TRAINING_EXAMPLES]:
            log.warning("the model is learned anew: its topic of examples is another one now")
            return None
        found.version, found.next_offset = stored.version, position.next_offset
        found.marks = {
            source: Mark(topic_id, *mark)
            for name, mark in stored.marks.items()
            for source, _, topic_id in [name.rpartition("@")]
        }
        return found

    def catch_up(self, settings: Settings, client: "redis.Redis", keys: Keys, places: Iterable[Place]) -> None:
        """Learn all that the workers have made so far, and mark what they have read.

        In this order: positions, outboxes, log. An example of a record below a position was in the outbox when the position
        was written, and leaves it only once it is in the log.
        """
        wanted = [place for place in places if place[0] in MEMBER_TOPICS and place[1] < keys.partitions]
        positions = lag.stored(client, keys, wanted)
        boxes = [client.get(keys.outbox(f"m{number}")) for number in range(keys.partitions)]
        for record in read(settings, TRAINING_EXAMPLES, {0: self.next_offset}):
            self._learn(record.value)
            self.next_offset = record.offset + 1
        for box in boxes:
            for waiting in unpack_outbox(box if isinstance(box, bytes) else None):
                self._learn(waiting.value)
        for (topic, partition), position in positions.items():
            if position is not None and position.next_offset:
                for source in (f"{topic}/{partition}", f"{topic}#labels/{partition}"):
                    mark = self.marks.get(source)
                    if not is_applied(mark, position.topic_id, position.next_offset - 1, LAST_INDEX):
                        self.marks[source] = Mark(position.topic_id, position.next_offset - 1, LAST_INDEX)

    def _learn(self, value: bytes | None) -> None:
        """As the trainer: what its mark says is learned, and what is of no use, is left out."""
        made = codecs.decode("TrainingExample", value or b"")
        if not isinstance(made, TrainingExample):
            return
        source = f"{made.source_topic}/{made.source_partition}"
        place = (made.source_topic_id, made.source_offset, made.source_index)
        if is_applied(self.marks.get(source), *place):
            return
        self.marks[source] = Mark(*place)
        try:
            self.model.learn(made)
        except InvalidExampleError as error:
            log.debug("an example is of no use: %s", error)
