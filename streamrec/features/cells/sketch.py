"""How many distinct values there are, in at most some two hundred bytes: few are kept as they are, many as a sketch.

A sketch is `bytes`: empty for no value; a 0 and the sorted hashes (see `values.mark`) of up to `EXACT` values; or a 1 and a
serialised CPC sketch of Apache DataSketches. It is a function of the set of values: not of their order, of how often each came,
or of how the stream was split. CPC needs about half of what HyperLogLog does for the same error. As updated, it carries an
estimator that depends on the order (HIP), and so do its bytes; passing it through a union drops that, which costs accuracy
(0.69 instead of 0.59 over the root of k) and makes parts and whole alike.

References
----------
Lang: Back to the Future: an Even More Nearly Optimal Cardinality Estimation Algorithm (2017, arXiv:1708.06839).
"""

import math
from typing import Final

from datasketches import cpc_sketch, cpc_union

from streamrec.features.cells.values import MARK_BYTES

EMPTY: Final = b""
EXACT: Final = 12
LG_K: Final = 8  # 2^8 rows: up to about 190 bytes
RELATIVE_ERROR: Final = math.log(2.0) / math.sqrt(2.0**LG_K)  # standard error; 0 up to EXACT values

_FEW: Final = b"\x00"
_MANY: Final = b"\x01"


def add(sketch: bytes, mark: bytes) -> bytes:
    """With the value of the hash `mark` (see `values.mark`) in it.

    Examples
    --------
    >>> one = add(EMPTY, b"12345678")
    >>> estimate(one), estimate(add(one, b"12345678")), estimate(add(one, b"abcdefgh"))
    (1.0, 1.0, 2.0)
    """
    if sketch[:1] == _MANY:
        return _grown(sketch, mark)
    marks = _marks(sketch)
    if mark in marks:
        return sketch
    marks.append(mark)
    return _kept(marks)


def merge(one: bytes, other: bytes) -> bytes:
    """Of the values in either."""
    if one[:1] != _MANY and other[:1] != _MANY:
        return _kept(list({*_marks(one), *_marks(other)}))
    union = cpc_union(LG_K)
    for sketch in (one, other):
        union.update(_sketched(sketch))
    return _MANY + bytes(union.get_result().serialize())


def estimate(sketch: bytes) -> float:
    """How many distinct values there are: exact up to `EXACT`, within `RELATIVE_ERROR` beyond."""
    if sketch[:1] == _MANY:
        return float(cpc_sketch.deserialize(sketch[1:]).get_estimate())
    return float(len(sketch) // MARK_BYTES)


def _marks(sketch: bytes) -> list[bytes]:
    return [sketch[place : place + MARK_BYTES] for place in range(1, len(sketch), MARK_BYTES)]


def _kept(marks: list[bytes]) -> bytes:
    if not marks:
        return EMPTY
    if len(marks) <= EXACT:
        return _FEW + b"".join(sorted(marks))
    return _MANY + _canonical(_of(marks))


def _of(marks: list[bytes]) -> cpc_sketch:
    sketch = cpc_sketch(LG_K)
    for mark in marks:
        sketch.update(int.from_bytes(mark, "little", signed=True))
    return sketch


def _sketched(sketch: bytes) -> cpc_sketch:
    return cpc_sketch.deserialize(sketch[1:]) if sketch[:1] == _MANY else _of(_marks(sketch))


def _canonical(sketch: cpc_sketch) -> bytes:
    union = cpc_union(LG_K)
    union.update(sketch)
    return bytes(union.get_result().serialize())


def _grown(sketch: bytes, mark: bytes) -> bytes:
    grown = cpc_sketch.deserialize(sketch[1:])
    grown.update(int.from_bytes(mark, "little", signed=True))
    if grown.serialize() == sketch[1:]:  # most values of a long stream change nothing
        return sketch
    return _MANY + _canonical(grown)
