"""The Avro body of a training example, written by hand: each action makes one, and what is general takes five times as long.

A test holds it equal to what the general writer makes of the schema.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

from streamrec.codecs.primitives import END, binary, long, maybe, text
from streamrec.events import TrainingExample

_one = struct.Struct("<d").pack


def _doubles(values: Sequence[float]) -> bytes:
    count = len(values)
    if count == 1:
        return b"\x02" + _one(values[0]) + END
    return long(count) + struct.pack(f"<{count}d", *values) + END if count else END


_name = lru_cache(maxsize=256)(text)  # of topics, kinds, sets of features: there are few


def write(example: TrainingExample) -> bytes:
    """The body of the record, without the header of its framing.

    Raises
    ------
    ValueError
        A text holds half of a surrogate pair.
    """
    jobs, places = example.job_ids, example.positions
    return b"".join((
        text(example.event_id), text(example.member_id), long(example.occurred_at), _name(example.source_topic),
        _name(example.source_topic_id), long(example.source_partition), long(example.source_offset),
        long(example.source_index), maybe(example.surface), _name(example.feature_set),
        long(len(jobs)) if jobs else b"", *map(text, jobs), END, _doubles(example.labels), _doubles(example.weights),
        binary(example.features), _name(example.kind), maybe(example.request_id), long(example.rows_shown),
        _doubles(example.score_weights), long(len(places)) if places else b"", *map(long, places), END,
        _doubles(example.propensities), _doubles(example.served_p), long(example.model_version), long(example.hit),
    ))  # fmt: skip
