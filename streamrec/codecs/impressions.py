"""The Avro body of an impression, written by hand: each tracked answer makes one, and what is general takes six times as long.

A test holds it equal to what the general writer makes of the schema.
"""

import struct
from functools import lru_cache

from streamrec.codecs.primitives import END, long, maybe, text
from streamrec.events import Impression, ImpressionItem

_numbers = struct.Struct("<dBdd").pack  # score, branch of p_check, p_check, propensity
_numbers_without = struct.Struct("<dBd").pack


@lru_cache(maxsize=4096)
def _texts(values: tuple[str, ...]) -> bytes:
    return (long(len(values)) + b"".join(map(text, values)) if values else b"") + END


def _item(item: ImpressionItem) -> tuple[bytes, ...]:
    job_id, score, p_check, features = item.job_id.encode(), item.score, item.p_check, item.features
    likely = item.propensity
    numbers = _numbers_without(score, 0, likely) if p_check is None else _numbers(score, 2, p_check, likely)
    return (
        long(len(job_id)), job_id, long(item.position), numbers, long(len(features)), features, _texts(item.sources),
    )  # fmt: skip


def write(impression: Impression) -> bytes:
    """The body of the record, without the header of its framing.

    Raises
    ------
    ValueError
        A text holds half of a surrogate pair.
    """
    items = impression.items
    return b"".join([
        text(impression.request_id), text(impression.member_id), long(impression.served_at),
        maybe(impression.surface), text(impression.workflow), text(impression.model_name),
        long(impression.model_version), maybe(impression.arm), text(impression.feature_set),
        long(len(items)) if items else b"", *(part for item in items for part in _item(item)), END,
    ])  # fmt: skip
